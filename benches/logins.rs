//! Logins by OAuth token under a load: tokens of eight seconds are renewed for minutes, then the identity provider is stopped
//! for a minute and started again with other keys. No answered callback may be missing in Kafka.
//!
//! `make logins` runs it. `LOGINS_SECONDS` is the length of each of the three phases, 60 by default.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::{collections::BTreeSet, env, time::Duration};

use test_support::{Bridge, Load, identity_provider::IdentityProvider, kafka::OAuthBroker, reconcile::QUIET};

const OUTAGE: &str = "Kafka does not accept records; they are spooled";
const NO_TOKEN: &str = "cannot get an OAuth token for Kafka; retrying every 10 s";

fn main() {
    let seconds = env::var("LOGINS_SECONDS").map_or(60, |text| text.parse().expect("LOGINS_SECONDS is a whole number"));
    let phase = Duration::from_secs(seconds);
    let mut kafka = OAuthBroker::start();
    let token_url = IdentityProvider::token_url(kafka.provider.address());
    let bridge = Bridge::launch(&[&kafka.variables(&token_url)[..], &[QUIET]].concat());
    bridge.wait_until_publishing();
    let load = Load::start_light(bridge.public);

    load.run_for(phase);
    print_counts("tokens renewed", &bridge);
    assert_eq!(bridge.lines(NO_TOKEN).len(), 0, "{:?}", bridge.lines(NO_TOKEN));

    kafka.provider.stop();
    load.run_for(phase);
    print_counts("identity provider stopped", &bridge);
    assert!(bridge.metric("trusthub_spool_events") > 0.0, "the last token has expired");
    assert_reasons_are_logged_once(&bridge);

    kafka.provider.start_again();
    bridge.wait_until_publishing();
    load.run_for(phase);
    print_counts("identity provider has other keys", &bridge);
    assert_reasons_are_logged_once(&bridge);

    let ledger = load.settle(&bridge, &kafka.broker);
    println!("answers: {:?}; every answered callback is in Kafka", ledger.answers());
}

fn assert_reasons_are_logged_once(bridge: &Bridge) {
    let is_no_digit = |c: &char| !c.is_ascii_digit();
    let reasons: Vec<String> = bridge
        .lines(NO_TOKEN)
        .iter()
        .map(|line| line["reason"].to_string().chars().filter(is_no_digit).collect())
        .collect();
    assert!(!reasons.is_empty());
    assert_eq!(reasons.iter().collect::<BTreeSet<_>>().len(), reasons.len(), "{reasons:?}");
}

/// Short outages are possible on a busy machine: a login of such a token must be renewed within a second.
fn print_counts(phase: &str, bridge: &Bridge) {
    println!(
        "{phase}: {} callbacks, {} spooled, {} outages so far",
        bridge.metric("trusthub_callbacks_outcome_total{outcome=\"published\"}"),
        bridge.metric("trusthub_callbacks_outcome_total{outcome=\"spooled\"}"),
        bridge.lines(OUTAGE).len(),
    );
}
