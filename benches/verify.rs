//! What it costs to verify a callback: with one account and with 25,000, genuine and forged, usual and as large as
//! allowed. The cases run interleaved in one process, so their ratios hold on a busy machine, too.
//!
//! `make bench` runs it and prints medians.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::{
    hint::black_box,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use common::{ACCOUNTS, account, callback, verifier};
use trusthub_bridge::{
    domain::RawCallback,
    verify::{MAX_FIELDS, Verifier},
};

const ROUNDS: usize = 101;
const CALLS_PER_ROUND: u32 = 50;

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
        let is_genuine = verifier.verify(callback.clone()).is_ok();
        Self { name, verifier, callback, is_genuine, times: Vec::new() }
    }

    fn run(&mut self) {
        let callbacks: Vec<_> = (0..CALLS_PER_ROUND).map(|_| self.callback.clone()).collect();
        let began = Instant::now();
        for callback in callbacks {
            assert_eq!(black_box(self.verifier.verify(callback)).is_ok(), self.is_genuine);
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
        let verdict = if case.is_genuine { "accepted" } else { "refused" };
        writeln!(stdout, "{:<28} {:>9.2} µs {ratio:>8.2}  {verdict}", case.name, median.as_secs_f64() * 1e6)?;
    }
    Ok(())
}
