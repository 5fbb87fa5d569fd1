//! Logins that are renewed again and again under a load: OAuth tokens, client certificates, passwords and certificate authorities.
//! No answered callback may be missing in Kafka, and the order is that of receipt.
//!
//! `make logins` runs it. `LOGINS_SECONDS` is the length of each of the five phases, 60 by default.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

mod files;
mod tokens;

use std::{env, time::Duration};

use test_support::Bridge;

const OUTAGE: &str = "Kafka does not accept records; they are spooled";

fn main() {
    let seconds = env::var("LOGINS_SECONDS").map_or(60, |text| text.parse().expect("LOGINS_SECONDS is a whole number"));
    let phase = Duration::from_secs(seconds);
    tokens::renew(phase);
    files::renew_certificates(phase);
    files::renew_passwords_and_authorities(phase);
}

/// Short outages are possible on a busy machine: a login with a token of seconds must be renewed within one.
fn print_counts(phase: &str, bridge: &Bridge) {
    println!(
        "{phase}: {} callbacks, {} spooled, {} outages so far",
        bridge.metric("trusthub_callbacks_outcome_total{outcome=\"published\"}"),
        bridge.metric("trusthub_callbacks_outcome_total{outcome=\"spooled\"}"),
        bridge.lines(OUTAGE).len(),
    );
}
