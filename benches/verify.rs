//! Measures the verification of a callback: with one account and with 25,000, genuine and forged, typical and as large as
//! allowed. The cases run interleaved in one process, so that their ratios are valid on a busy machine as well. Then it
//! measures the diagnosis of forged callbacks, including the most expensive ones within the limits of the public port.
//!
//! `make bench` runs it and prints medians.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{
    hint::black_box,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use common::{ACCOUNTS, account, callback, forged, verifier, widest_verifier};
use trusthub_bridge::{
    domain::{Encoding, RawCallback},
    verify::VerifiedCallback,
};
use twilio_signature::{MAX_FIELDS, Verifier};

const ROUNDS: usize = 101;
const CALLS_PER_ROUND: u32 = 50;
const DIAGNOSES: usize = 51;

/// The maximum time of a diagnosis, on a machine with SHA-1 instructions.
const LONGEST_DIAGNOSIS: Duration = Duration::from_millis(5);

struct Case {
    name: &'static str,
    verifier: Verifier,
    callback: RawCallback,
    is_genuine: bool,
    times: Vec<Duration>,
}

impl Case {
    fn new(name: &'static str, accounts: u32, callback: RawCallback) -> Self {
        let verifier = verifier(accounts);
        let is_genuine = VerifiedCallback::verify(&verifier, callback.clone()).is_ok();
        Self { name, verifier, callback, is_genuine, times: Vec::new() }
    }

    fn run(&mut self) {
        let callbacks: Vec<_> = (0..CALLS_PER_ROUND).map(|_| self.callback.clone()).collect();
        let began = Instant::now();
        for callback in callbacks {
            assert_eq!(black_box(VerifiedCallback::verify(&self.verifier, callback)).is_ok(), self.is_genuine);
        }
        self.times.push(began.elapsed() / CALLS_PER_ROUND);
    }

    fn median(&mut self) -> Duration {
        self.times.sort_unstable();
        self.times[self.times.len() / 2]
    }
}

fn main() -> io::Result<()> {
    let usual = format!("AccountSid={}&BundleSid=BU{:032x}&Status=in-review&FailureReason=", account(0), 1);
    let many = |fields: usize| format!("AccountSid={}{}", account(0), "&a=123".repeat(fields - 1));
    let long = format!("{usual}{}", "x".repeat(65_000));
    let mut cases = [
        Case::new("usual, 1 account", 1, callback(&usual, 0)),
        Case::new("usual, 25000 accounts", ACCOUNTS, callback(&usual, 0)),
        Case::new("forged, 1 account", 1, callback(&usual, 1)),
        Case::new("forged, 25000 accounts", ACCOUNTS, callback(&usual, 1)),
        Case::new("one field of 65000 bytes", 1, callback(&long, 0)),
        Case::new("most fields (1000)", 1, callback(&many(MAX_FIELDS), 0)),
        Case::new("too many fields (10000)", 1, callback(&many(10_000), 0)),
    ];
    for _ in 0..ROUNDS {
        cases.iter_mut().for_each(Case::run);
    }
    let reference = cases[0].median().as_secs_f64();
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{:<28} {:>12} {:>8}", "case", "median", "ratio")?;
    for case in &mut cases {
        let median = case.median();
        let ratio = median.as_secs_f64() / reference;
        let result = if case.is_genuine { "accepted" } else { "rejected" };
        writeln!(stdout, "{:<28} {:>9.2} µs {ratio:>8.2}  {result}", case.name, median.as_secs_f64() * 1e6)?;
    }
    diagnoses(&mut stdout)
}

/// The most expensive requests: a body and a query of nearly 64 KiB, headers full of hints, four URLs or six keys.
fn diagnoses(stdout: &mut impl io::Write) -> io::Result<()> {
    use Encoding::{Form, Json, Query};
    let usual = format!("AccountSid={}&BundleSid=BU{:032x}&Status=in-review&FailureReason=", account(0), 1);
    let fill = |piece: &str, bytes: usize| format!("AccountSid={}&a={}", account(0), piece.repeat(bytes / piece.len()));
    let some_fields = |count: usize, bytes: usize| {
        let field = |number| format!("&{number:03}{}=%C3%BC", "n".repeat(bytes));
        format!("AccountSid={}{}", account(0), (0..count).map(field).collect::<String>())
    };
    let fields = |bytes: usize| format!("bodySHA256=0&{}", some_fields(997, bytes));
    let cases = [
        ("usual", Form, usual.clone(), None),
        ("usual body, long query", Form, usual.clone(), Some(fill("%C3%BC+", 40_000))),
        ("long body and query", Form, fill("x", 65_000), Some(fill("x", 65_000))),
        ("long and percent-encoded", Form, fill("%C3%BC+", 65_000), Some(fill("%C3%BC+", 65_000))),
        ("most fields and parameters", Form, fields(50), Some(fields(50))),
        ("some fields and parameters", Form, some_fields(200, 50), Some(some_fields(200, 50))),
        ("most short fields", Form, fields(1), Some(fields(1))),
        ("parameters beyond counting", Form, usual.clone(), Some("&".repeat(65_000))),
        ("percent signs", Form, usual, Some("%".repeat(65_000))),
        ("JSON", Json, fill("{\r\n", 65_000), Some(format!("bodySHA256=0&{}", fill("x", 65_000)))),
        ("GET", Query, String::new(), Some(fields(50))),
    ];
    writeln!(stdout, "\n{:<28} {:>12} {:>12}", "diagnosis of a forged one", "4 URLs", "6 keys")?;
    let verifiers = [widest_verifier(4, 1), widest_verifier(1, 6)];
    for (name, encoding, body, query) in &cases {
        let forged = forged(*encoding, body, query.as_deref());
        let medians = verifiers.each_ref().map(|verifier| median_diagnosis(verifier, &forged));
        let [urls, keys] = medians.map(|median| median.as_secs_f64() * 1e3);
        writeln!(stdout, "{name:<28} {urls:>9.3} ms {keys:>9.3} ms")?;
        assert!(medians.iter().all(|median| *median < LONGEST_DIAGNOSIS), "{name} takes longer");
    }
    Ok(())
}

fn median_diagnosis(verifier: &Verifier, forged: &RawCallback) -> Duration {
    let mut times: Vec<_> = (0..DIAGNOSES)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(black_box(verifier.diagnose(&forged.as_request())), None);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[DIAGNOSES / 2]
}
