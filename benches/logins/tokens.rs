//! Logins by OAuth token: tokens of eight seconds are renewed, then the identity provider is stopped and started again with other
//! keys.

use std::{collections::BTreeSet, time::Duration};

use test_support::{Bridge, Load, identity_provider::IdentityProvider, kafka::OAuthBroker, reconcile::QUIET};

use super::print_counts;

const NO_TOKEN: &str = "cannot get an OAuth token for Kafka; retrying every 10 s";

/// Runs three phases of this length.
pub(super) fn renew(phase: Duration) {
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
