//! The soak test: injects faults into the release build of the program, with three real brokers behind proxies. It records
//! every answer to the load in a ledger on disk, and compares the whole topic with the ledger at the end of each case.
//!
//! `make soak` injects random faults for `SOAK_SECONDS`, drawn from `SOAK_SEED`. `cargo bench --bench soak -- NAME …` runs
//! the cases whose names begin with `NAME`. Each case prints a row of a table. A failed case keeps its folder with the
//! ledger, the logs and the seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod cases;
mod check;
mod fixture;
mod hostile_clients;
mod random;
mod recorder;

use std::{
    env, fs,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use test_support::kafka::{Cluster, FaultProxy, unique_topic};

use cases::{CASES, Case};
use fixture::SoakFixture;

const HEAD: &str = "| Case | Load | Answered 204 / 503 / not | In topic | Lost | Order | p50, p99, slowest | Memory |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- |";

fn main() -> ExitCode {
    let names: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let cases: Vec<_> = CASES.iter().filter(|case| is_wanted(case, &names)).collect();
    let seed = variable("SOAK_SEED").unwrap_or_else(now);
    print_line(&format!("SOAK_SEED={seed}\n\n{HEAD}"));
    let mut kafka = Cluster::start("soak", 3, 1);
    let proxy = kafka.take_fault_proxy();
    let failed = cases.iter().filter(|case| !passes(case, seed, &mut kafka, &proxy)).count();
    print_line(&format!("\n{} cases, {failed} failed", cases.len()));
    if cases.is_empty() || failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether the case was named. Without names, only the case of random faults runs.
fn is_wanted(case: &Case, names: &[String]) -> bool {
    let is = |name: &String| case.name.starts_with(&name[..]) && (!case.is_long || case.name == *name);
    if names.is_empty() { case.name == cases::RANDOM } else { names.iter().any(is) }
}

fn passes(case: &Case, seed: u64, kafka: &mut Cluster, proxy: &FaultProxy) -> bool {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("soak"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("seed"), seed.to_string()).unwrap();
    let play = || {
        let mut soak = SoakFixture::start(kafka, proxy, &folder, seed);
        (case.play)(&mut soak);
        soak.finish()
    };
    let played = panic::catch_unwind(AssertUnwindSafe(play));
    let problems = match played {
        Ok(findings) => {
            print_line(&format!("| {} {}", case.name, findings.row()));
            findings.problems()
        }
        // The panic message was already printed.
        Err(_) => Some("the case panicked".to_owned()),
    };
    let Some(problems) = problems else {
        fs::remove_dir_all(&folder).unwrap();
        return true;
    };
    fs::write(folder.join("findings"), &problems).unwrap();
    for (number, log) in kafka.logs().iter().enumerate() {
        fs::write(folder.join(format!("broker-{number}.log")), log).unwrap();
    }
    print_line(&format!("{} failed, see {}: {problems}", case.name, folder.display()));
    false
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn print_line(line: &str) {
    println!("{line}");
}
