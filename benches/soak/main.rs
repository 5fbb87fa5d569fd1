//! Every fault that can be made, for as long as one likes: the program as it is built for release, three real brokers
//! behind proxies, a load whose every answer goes into a ledger on disk, and at the end of each case the whole topic held
//! against it.
//!
//! `make soak` plays random faults for `SOAK_SECONDS`, drawn from `SOAK_SEED`. `cargo bench --bench soak -- NAME …` plays
//! the cases whose names begin so. Each prints a row of a table. A case that fails leaves its folder, with the ledger, the
//! logs and the seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    // It uses a part of what the tests stand on.
    dead_code,
    unused_imports
)]

mod book;
mod cases;
mod check;
mod crowd;
mod random;
mod stage;
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::{
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use cases::{CASES, Case};
use stage::Stage;
use support::kafka::{Cluster, FaultProxy, unique_topic};

const HEAD: &str = "| Case | Load | Answered 204 / 503 / not | In topic | Lost | Order | p50, p99, slowest | Memory |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- |";

fn main() -> ExitCode {
    let names: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let cases: Vec<_> = CASES.iter().filter(|case| is_wanted(case, &names)).collect();
    let seed = variable("SOAK_SEED").unwrap_or_else(now);
    say(&format!("SOAK_SEED={seed}\n\n{HEAD}"));
    let mut kafka = Cluster::start("soak", 3, 1);
    let door = kafka.take_fault_proxy();
    let failed = cases.iter().filter(|case| !passes(case, seed, &mut kafka, &door)).count();
    say(&format!("\n{} cases, {failed} failed", cases.len()));
    if cases.is_empty() || failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Without names it is the one of random faults.
fn is_wanted(case: &Case, names: &[String]) -> bool {
    let is = |name: &String| case.name.starts_with(&name[..]) && (!case.is_long || case.name == *name);
    if names.is_empty() { case.name == cases::RANDOM } else { names.iter().any(is) }
}

fn passes(case: &Case, seed: u64, kafka: &mut Cluster, door: &FaultProxy) -> bool {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("soak"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("seed"), seed.to_string()).unwrap();
    let play = || {
        let mut stage = Stage::set(kafka, door, &folder, seed);
        (case.play)(&mut stage);
        stage.strike()
    };
    let played = panic::catch_unwind(AssertUnwindSafe(play));
    let trouble = match played {
        Ok(findings) => {
            say(&format!("| {} {}", case.name, findings.row()));
            findings.trouble()
        }
        // What it was has been printed already.
        Err(_) => Some("it did not come to its end".to_owned()),
    };
    let Some(trouble) = trouble else {
        fs::remove_dir_all(&folder).unwrap();
        return true;
    };
    fs::write(folder.join("findings"), &trouble).unwrap();
    for (number, log) in kafka.logs().iter().enumerate() {
        fs::write(folder.join(format!("broker-{number}.log")), log).unwrap();
    }
    say(&format!("{} failed, see {}: {trouble}", case.name, folder.display()));
    false
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn say(line: &str) {
    println!("{line}");
}
