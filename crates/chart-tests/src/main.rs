//! The chart in a real Kubernetes cluster: an API server with etcd, the controllers, the scheduler, and simulated nodes.
//!
//! `make cluster` installs every example of the chart, upgrades each to each, breaks rolling updates and drains, and checks
//! what admission, quotas and permissions do to the chart. `CASES="lives upgrades"` runs the cases whose names begin so. The
//! replicas do not run: kwok writes the status of their pods, as `tests/kubernetes/stages.yaml` says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod admission;
mod cluster;
mod drain;
mod example;
mod fixture;
mod immutable;
mod installer;
mod lives;
mod pages;
mod release;
mod rolling;
mod upgrades;
mod volumes;

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use cluster::Helm;
use fixture::Fixture;

/// How many cases run at the same time. They wait for pods more than they compute.
const WORKERS: usize = 4;

/// A case, which returns what it did, or panics.
struct Case<'a> {
    name: String,
    play: Box<dyn Fn(&Fixture) -> String + Send + Sync + 'a>,
}

fn main() -> ExitCode {
    let began = Instant::now();
    let names: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let fixture = Fixture::start();
    println!("the cluster is ready after {} s", began.elapsed().as_secs());
    let all = cases(&fixture);
    let is_wanted =
        |case: &&Case<'_>| names.is_empty() || names.iter().any(|name| case.name.starts_with(name.as_str()));
    let cases: Vec<_> = all.iter().filter(is_wanted).collect();
    let failed = run(&fixture, &cases);
    println!("{} cases after {} s, {failed} failed", cases.len(), began.elapsed().as_secs());
    if cases.is_empty() || failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All cases, the longest first.
fn cases(fixture: &Fixture) -> Vec<Case<'_>> {
    let case = |name: &str, play: fn(&Fixture) -> String| Case { name: name.to_owned(), play: Box::new(play) };
    let upgrades = (0..upgrades::PARTS).map(|part| Case {
        name: format!("upgrades {} of {}", part + 1, upgrades::PARTS),
        play: Box::new(move |fixture| upgrades::play(fixture, part)),
    });
    let single = [
        case("installer", installer::play),
        case("drain", drain::play),
        case("rolling update", rolling::play_update),
        case("rolling update that fails", rolling::play_failure),
        case("evictions", rolling::play_evictions),
        case("volumes", volumes::play),
        case("load balancer", immutable::play_load_balancer),
        case("names", immutable::play_names),
        case("pod security", admission::play_pod_security),
        case("pod security without user ids", admission::play_assigned_users),
        case("strict validation", admission::play_strict_validation),
        case("quota", admission::play_quota),
    ];
    let lives = [("", Helm::Three), (" with Helm 4", Helm::Four)].into_iter().flat_map(|(suffix, helm)| {
        fixture.examples.iter().map(move |example| Case {
            name: format!("lives {}{suffix}", example.name),
            play: Box::new(move |fixture| lives::play(fixture, example, helm)),
        })
    });
    upgrades.chain(single).chain(lives).collect()
}

/// Runs the cases, prints a line for each at its end, and returns how many have failed.
fn run(fixture: &Fixture, cases: &[&Case<'_>]) -> usize {
    let (next, ended, failed) = (Mutex::new(cases.iter()), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(case) = next.lock().unwrap().next() else { break };
                    let began = Instant::now();
                    // The message of a panic is printed at once.
                    let played = panic::catch_unwind(AssertUnwindSafe(|| (case.play)(fixture)));
                    let place = format!("{} of {}", ended.fetch_add(1, Ordering::Relaxed) + 1, cases.len());
                    let seconds = began.elapsed().as_secs();
                    match played {
                        Ok(done) => println!("{place}: {} passed after {seconds} s: {done}", case.name),
                        Err(_) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            println!("{place}: {} FAILED after {seconds} s", case.name);
                        }
                    }
                }
            });
        }
    });
    failed.into_inner()
}
