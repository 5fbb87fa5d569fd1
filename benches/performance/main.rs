//! Measures the cost of a callback compared with a minimal server and with common frameworks, and how it changes with more
//! accounts, larger bodies, more connections, a fuller spool and time. Other parts measure the states of profiles,
//! the console and traces. Everything
//! runs on this machine: a real Kafka, the release build, and signed, distinct callbacks that are prepared before they are sent.
//!
//! `make bench` runs all parts and prints tables; `make bench PARTS="compare growth"` runs some. The results are also in
//! `target/bench`, one JSON file per part.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod callbacks;
mod compare;
mod console;
mod consoles;
mod contender;
mod floor;
mod growth;
mod load;
mod memory;
mod minimal;
mod process;
mod producer;
mod profiles;
mod report;
mod spools;
mod state_size;
mod steady;
mod traces;

use std::{env, process::ExitCode, str::FromStr};

use floor::Floor;

/// As in the service, so that the servers of this program do not differ from it by their allocator.
#[used]
static ALLOCATOR: &(dyn std::alloc::GlobalAlloc + Sync) = &mimalloc::MiMalloc;

/// A part and its name on the command line.
type Part = (&'static str, fn());

const PARTS: [Part; 8] = [
    ("compare", compare::run),
    ("growth", growth::run),
    ("memory", memory::run),
    ("steady", steady::run),
    ("profiles", profiles::run),
    ("console", console::run),
    ("consoles", consoles::run),
    ("traces", traces::run),
];

fn main() -> ExitCode {
    let names: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [floor] = &names[..]
        && let Some(floor) = Floor::named(floor)
    {
        floor.serve();
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<_> = PARTS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|n| n == name)).collect();
    if wanted.len() < names.len() {
        println!("the parts are {}", PARTS.map(|(name, _)| name).join(", "));
        return ExitCode::FAILURE;
    }
    rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap();
    wanted.iter().for_each(|(_, run)| run());
    ExitCode::SUCCESS
}

/// A number from the environment, for example for a short trial run.
fn setting<T: FromStr>(name: &str, usual: T) -> T {
    env::var(name).map_or(usual, |value| value.parse().ok().unwrap_or_else(|| panic!("{name} is a number")))
}
