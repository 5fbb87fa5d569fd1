//! What it costs to verify a callback: with one account and with 25,000, genuine and forged, usual and as large as
//! allowed. The cases run interleaved in one process, so their ratios hold on a busy machine, too.
//!
//! `make bench` runs it and prints medians.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    hint::black_box,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use secrecy::SecretString;
use trusthub_bridge::{
    domain::{AccountSid, Encoding, Header, PublicUrl, RawCallback, Resource, SIGNATURE_HEADER},
    verify::{Keyring, MAX_FIELDS, SigningKey, Verifier, decode_form, sign},
};

const BASE: &str = "https://hooks.example.com";
const ROUTE: &str = "/callbacks/customer-profiles";
const ACCOUNTS: u32 = 25_000;
const ROUNDS: usize = 101;
const CALLS_PER_ROUND: u32 = 50;

fn account(number: u32) -> AccountSid {
    AccountSid::parse(&format!("AC{number:032x}")).unwrap()
}

fn token(number: u32) -> SecretString {
    format!("{number:032x}").into()
}

fn verifier(accounts: u32) -> Verifier {
    let accounts: Vec<_> = (0..accounts).map(|number| (account(number), vec![token(number)])).collect();
    let keyring = Keyring::of_accounts(accounts.iter().map(|(sid, tokens)| (sid, tokens.as_slice()))).unwrap();
    Verifier::new(vec![PublicUrl::parse(BASE).unwrap()], keyring)
}

/// A callback of the first account with this body, signed with a number's token.
fn callback(body: &str, signer: u32) -> RawCallback {
    let key = SigningKey::from_auth_token(&token(signer)).unwrap();
    let fields = decode_form(body.as_bytes()).unwrap_or_default();
    let signature = sign(&key, &format!("{BASE}{ROUTE}"), &fields).to_string();
    RawCallback {
        resource: Resource::CustomerProfile,
        route: ROUTE,
        target: ROUTE.into(),
        query: None,
        encoding: Encoding::Form,
        headers: vec![Header { name: SIGNATURE_HEADER.into(), value: signature.into() }],
        body: body.into(),
    }
}

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
