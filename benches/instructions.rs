//! Counts the instructions of each processing step for one callback with callgrind, compares them with
//! `benches/baseline.json`, and measures the time on this machine. A count is the difference of two runs, one with twice as
//! many calls as the other, so that it excludes the start of the program.
//!
//! `make instructions` runs it. It fails at more than 10 % above the baseline; `UPDATE_GOLDEN=1` updates the baseline.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod common;

use std::{
    collections::BTreeMap,
    env, fs,
    hint::black_box,
    path::Path,
    process::{self, Command, ExitCode},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use common::{ACCOUNTS, account, callback, verifier};
use durable_spool::{Spool, SpoolLimits};
use tokio::runtime::Builder;
use trusthub_bridge::{
    domain::{Event, Headers, RawCallback},
    kafka::Record,
    normalize::{CallbackIdentity, ReceiptId, normalize},
    spool::{APPEND_TIMEOUT, SpoolReporter},
    telemetry::Metrics,
    verify::VerifiedCallback,
};
use twilio_signature::Verifier;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/baseline.json");
/// The ratio to the baseline above which the check fails.
const MOST: f64 = 1.10;
/// The number of rounds, of which the fastest counts.
const ROUNDS: usize = 31;
/// The number of records that are synced together, as under load.
const GROUP: u32 = 100;
/// The size of the spool record of a typical callback.
const RECORD_BYTES: usize = 1500;

/// The instructions of each case, by architecture, because compilers generate different code for each.
type Baseline = BTreeMap<String, BTreeMap<String, u64>>;

struct Case {
    name: &'static str,
    calls: u32,
    /// Prepares the case and returns the time of this many calls.
    run: fn(u32) -> Duration,
}

const CASES: [Case; 8] = [
    Case { name: "copy the headers", calls: 1_000, run: headers },
    Case { name: "verify", calls: 1_000, run: |calls| verify(1, calls) },
    Case { name: "verify, 25000 accounts", calls: 1_000, run: |calls| verify(ACCOUNTS, calls) },
    Case { name: "normalize", calls: 1_000, run: normalize_alone },
    Case { name: "encode", calls: 1_000, run: encode },
    Case { name: "verify + normalize + encode", calls: 1_000, run: all_three },
    Case { name: "spool append, alone", calls: 50, run: |calls| append(1, calls) },
    Case { name: "spool append, in a group of 100", calls: 10 * GROUP, run: |calls| append(GROUP, calls / GROUP) },
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [name, calls] = &arguments[..] else { return check() };
    let case = CASES.iter().find(|case| case.name == name).expect("a case");
    (case.run)(calls.parse().expect("a number of calls"));
    ExitCode::SUCCESS
}

/// Compares every count with the baseline, or updates the baseline.
fn check() -> ExitCode {
    let mut baseline: Baseline = serde_json::from_str(&fs::read_to_string(BASELINE).unwrap()).unwrap();
    let known = baseline.remove(env::consts::ARCH).unwrap_or_default();
    println!("{:<34} {:>12} {:>12} {:>8} {:>12}", "one call", "instructions", "baseline", "ratio", "time here");
    let counts: BTreeMap<_, _> = CASES.iter().map(|case| (case.name.to_owned(), count(case))).collect();
    let mut grown = Vec::new();
    for case in &CASES {
        let (count, known) = (counts[case.name], known.get(case.name));
        let ratio = known.map(|known| count as f64 / *known as f64);
        let (known, shown) =
            (known.map_or("-".into(), u64::to_string), ratio.map_or("-".into(), |r| format!("{r:.3}")));
        println!("{:<34} {count:>12} {known:>12} {shown:>8} {:>9.2} µs", case.name, microseconds(case));
        grown.extend(ratio.is_none_or(|ratio| ratio > MOST).then_some(case.name));
    }
    if test_support::golden::is_updating() {
        baseline.insert(env::consts::ARCH.to_owned(), counts);
        fs::write(BASELINE, serde_json::to_string_pretty(&baseline).unwrap() + "\n").unwrap();
        return ExitCode::SUCCESS;
    }
    if grown.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "\nmore than {:.0} % above the baseline, or without one: {}\nUPDATE_GOLDEN=1 make instructions updates it",
        (MOST - 1.0) * 100.0,
        grown.join("; ")
    );
    ExitCode::FAILURE
}

/// The instructions of one call.
fn count(case: &Case) -> u64 {
    let (once, twice) = (collected(case.name, case.calls), collected(case.name, 2 * case.calls));
    (twice - once) / u64::from(case.calls)
}

/// The instructions of a whole run of this program in callgrind, over all threads.
fn collected(case: &str, calls: u32) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().unwrap())
        .args([case, &calls.to_string()])
        .output()
        .expect("valgrind starts; on Debian: apt-get install valgrind");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {errors}");
    let count = errors.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's last line").1;
    count.trim().parse().expect("a number")
}

/// The time of one call without callgrind, in the fastest round.
fn microseconds(case: &Case) -> f64 {
    let least = (0..ROUNDS).map(|_| (case.run)(case.calls)).min().expect("there are rounds");
    least.as_secs_f64() * 1e6 / f64::from(case.calls)
}

fn timed<T>(calls: u32, mut call: impl FnMut() -> T) -> Duration {
    let began = Instant::now();
    for _ in 0..calls {
        black_box(call());
    }
    began.elapsed()
}

/// A rejection with a reason, as Twilio sends it.
fn usual() -> Arc<RawCallback> {
    let body = format!(
        "AccountSid={}&BundleSid=BU{:032x}&Status=twilio-rejected&FailureReason=Business+registration+number+could+not+be+\
         verified+%2818602%29",
        account(0),
        1
    );
    let mut raw = callback(&body, 0);
    raw.headers.extend([
        ("host", "hooks.example.com"),
        ("user-agent", "TwilioProxy/1.1"),
        ("accept", "*/*"),
        ("content-type", "application/x-www-form-urlencoded; charset=UTF-8"),
        ("content-length", "197"),
        ("i-twilio-idempotency-token", "c2f3c3a7-5d3c-4d3f-9e43-0d9f8f1f2a11"),
    ]);
    Arc::new(raw)
}

fn verified(verifier: &Verifier, raw: &Arc<RawCallback>) -> VerifiedCallback {
    VerifiedCallback::verify(verifier, Arc::clone(raw)).unwrap()
}

fn event(verified: &VerifiedCallback) -> Event {
    let id = CallbackIdentity::of(verified).event_id(&ReceiptId { process: [0; 16], number: 0 });
    normalize(verified).unwrap().at(id, SystemTime::UNIX_EPOCH.into())
}

/// As the server copies the headers of each request.
fn headers(calls: u32) -> Duration {
    let raw = usual();
    let pairs: Vec<_> = raw.headers.iter().collect();
    timed(calls, || pairs.iter().copied().collect::<Headers>())
}

fn verify(accounts: u32, calls: u32) -> Duration {
    let (verifier, raw) = (verifier(accounts), usual());
    timed(calls, || verified(&verifier, &raw))
}

fn normalize_alone(calls: u32) -> Duration {
    let verified = verified(&verifier(1), &usual());
    timed(calls, || event(&verified))
}

fn encode(calls: u32) -> Duration {
    let event = event(&verified(&verifier(1), &usual()));
    timed(calls, || Record::event(&event).unwrap())
}

fn all_three(calls: u32) -> Duration {
    let (verifier, raw) = (verifier(1), usual());
    timed(calls, || Record::event(&event(&verified(&verifier, &raw))).unwrap())
}

/// The time from the call until the records are synced, in groups of this size.
fn append(group: u32, groups: u32) -> Duration {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("instructions-{}", process::id()));
    let metrics = Metrics::new(|destination| destination.to_string()).unwrap();
    let limits = SpoolLimits { max_bytes: u64::MAX, min_free_bytes: 0, append_timeout: APPEND_TIMEOUT };
    let spool = Spool::open(&folder, limits, SpoolReporter::new(Arc::new(metrics))).unwrap();
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let records = || (0..group).map(|_| vec![b'x'; RECORD_BYTES]).collect();
    let time = timed(groups, || runtime.block_on(spool.append(records())).unwrap());
    spool.close();
    fs::remove_dir_all(&folder).unwrap();
    time
}
