//! Long tests of reconciliation: many random streams of late callbacks, and many profiles.
//!
//! `STREAMS` is the number of streams, beginning with the number `FIRST_STREAM`, which seeds its stream. Each prints its
//! number when the consumer's view is correct. Then a table shows the cost of runs with growing numbers of profiles, when all
//! of them were missed and when none was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

use std::{
    env, fs,
    io::Read as _,
    process::Child,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use test_support::{
    kafka::unique_topic,
    reconcile::{Fixture, QUIET, play},
};

const STREAMS: u64 = 200;
/// Streams that run concurrently; they mostly wait.
const AT_ONCE: usize = 3;
const PROFILES: [usize; 3] = [1_000, 10_000, 100_000];
/// How long the service may take to derive the states of the profiles.
const LIMIT: Duration = Duration::from_secs(300);

fn main() {
    play_streams(number("FIRST_STREAM").unwrap_or(0), number("STREAMS").unwrap_or(STREAMS));
    println!("| Profiles | Compared with | Missed and published | Requests | Seconds | Peak memory |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for profiles in PROFILES {
        measure(profiles, "");
        measure(profiles, &unique_topic("states"));
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// A stream with a wrong view at the end panics with its number.
fn play_streams(first: u64, count: u64) {
    let next = AtomicU64::new(first);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= first + count {
                        return;
                    }
                    play(number);
                    println!("stream {number}: the view is correct");
                }
            });
        }
    });
    println!("\n{count} streams, from number {first}: every view is correct\n");
}

/// Measures two runs: one that publishes every profile, and one that finds nothing missing. `states` is the topic of the
/// states of profiles, or empty.
fn measure(profiles: usize, states: &str) {
    let fixture = Fixture::with(&[], &[QUIET, ("KAFKA_PROFILES_TOPIC", states)]);
    fixture.begin_history();
    fixture.simulator.post("/simulator/profiles", &format!("count={profiles}&status=twilio-approved"));
    fixture.advance_clock();
    for _ in 0..2 {
        let (output, peak_kib) = run(fixture.bridge.spawn(&["reconcile"]));
        let figure = |before: &str, after: &str| {
            let (_, rest) = output.split_once(before).unwrap_or_else(|| panic!("{output}"));
            rest.split(after).next().unwrap().trim().to_owned()
        };
        let (missed, requests) = (figure("requests:", " missed"), figure(" s,", " requests"));
        let seconds = figure(" events in ", " s,");
        let known = if output.contains(" states and ") { "states" } else { "events" };
        let peak = f64::from(peak_kib) / 1024.0;
        println!("| {profiles} | {known} | {missed} | {requests} | {seconds} | {peak:.0} MiB |");
        if !states.is_empty() {
            wait_for_states(&fixture, profiles);
        }
    }
}

/// Waits until the service has derived the states of this many profiles.
fn wait_for_states(fixture: &Fixture, profiles: usize) {
    let deadline = Instant::now() + LIMIT;
    while fixture.bridge.metric("trusthub_profiles_owned") < profiles as f64 {
        assert!(Instant::now() < deadline, "not all profiles have a state");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The output of the command, and its peak resident memory.
fn run(mut child: Child) -> (String, u32) {
    let (mut rows, mut errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let drained = thread::spawn(move || {
        let mut all = Vec::new();
        rows.read_to_end(&mut all).unwrap();
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let now = fs::read_to_string(&status).unwrap_or_default();
        let line = now.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        peak = line.and_then(|kib| kib.trim().parse().ok()).unwrap_or(peak);
        thread::sleep(Duration::from_millis(20));
    }
    drained.join().unwrap();
    let mut output = String::new();
    errors.read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    (output, peak)
}
