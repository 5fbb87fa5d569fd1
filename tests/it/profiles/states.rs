//! What the state topic contains.

use std::io::BufRead as _;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;

use test_support::{
    Bridge, PROFILE, Request,
    kafka::{Broker, broker},
    mock_cluster, wait_for,
};

use super::{announce_all, last_states, wait_for_partitions, wait_for_states, wait_for_states_in};

#[test]
fn state_of_a_profile_follows_its_callbacks() {
    let bridge = Bridge::start();
    for status in ["pending-review", "in-review", "twilio-rejected"] {
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    let records = wait_for_states(&bridge);
    let last = records.last().unwrap();
    assert_eq!(last.header("ce_type"), Some("io.trusthub-bridge.profile.state.v1"));
    assert_eq!(last.key.as_deref(), Some(PROFILE.as_bytes()));
    let state: Value = serde_json::from_slice(last.payload.as_ref().unwrap()).unwrap();
    assert_eq!(state["status"], "twilio-rejected");
    assert_eq!(state["previous_status"], "in-review");
    assert_eq!(state["changes"], 3);
    assert_eq!(bridge.wait_for_lines("projecting the states of profiles", 1).len(), 1);
    // Counted after the transaction that made the state visible.
    let applied = || bridge.metric(r#"trusthub_profiles_events_total{outcome="applied"}"#);
    wait_for("three events are counted", || (applied() == 3.0).then_some(()));
    wait_for("one profile is owned", || (bridge.metric("trusthub_profiles_owned") == 1.0).then_some(()));
}

#[test]
fn every_profile_has_its_state_in_the_partition_of_its_events() {
    let bridge = Bridge::start();
    announce_all(&bridge, 40, &["pending-review", "in-review", "twilio-approved"]);
    let records = wait_for_states(&bridge);
    let partitions: std::collections::BTreeSet<_> = records.iter().map(|record| record.partition).collect();
    assert_eq!((last_states(&records).len(), partitions.len()), (40, 3));
    wait_for("nothing is left to apply", || (bridge.metric("trusthub_profiles_lag") == 0.0).then_some(()));
}

#[test]
fn failure_text_is_left_out_on_request() {
    let bridge = Bridge::start_with(&[("KAFKA_PROFILES_FAILURE_TEXT", "false")]);
    let body = format!(
        "AccountSid={}&BundleSid={PROFILE}&Status=twilio-rejected&FailureReason=Jane+Doe+moved",
        test_support::ACCOUNT
    );
    let request = Request::form("/callbacks/customer-profiles", &body).signed();
    assert_eq!(bridge.send(&request).status, 204);
    let records = wait_for("the state", || {
        let has_topic = broker().has_topic(&bridge.profiles_topic);
        let records = if has_topic { broker().read_to_end(&bridge.profiles_topic) } else { Vec::new() };
        (!records.is_empty()).then_some(records)
    });
    let value = String::from_utf8(records[0].payload.clone().unwrap()).unwrap();
    assert!(value.contains(r#""failure_reason":null"#) && !value.contains("Jane"), "{value}");
    let event = String::from_utf8(bridge.events(1)[0].payload.clone().unwrap()).unwrap();
    assert!(event.contains("Jane Doe moved"), "{event}");
}

#[test]
fn states_are_turned_off_by_an_empty_topic() {
    let bridge = Bridge::start_with(&[("KAFKA_PROFILES_TOPIC", "")]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.events(1);
    assert!(!broker().has_topic(&format!("profiles-of-{}", bridge.topic)));
    assert_eq!(bridge.lines("projecting the states of profiles").len(), 0);
    assert_eq!(bridge.metric("trusthub_profiles_partitions"), 0.0);
}

/// `dev` uses this cluster.
#[test]
fn in_process_cluster_has_states_too() {
    let (cluster, variables) = mock_cluster();
    cluster.create_topic("profiles", 1, 1).unwrap();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let bridge = Bridge::launch(&[&variables[..], &[("KAFKA_PROFILES_TOPIC", "profiles")]].concat());
    bridge.wait_until_publishing();
    announce_all(&bridge, 3, &["pending-review", "in-review"]);
    wait_for_states_in(&Broker::at(&cluster.bootstrap_servers()), &bridge);
    let listed = bridge.command(&["profiles", "ls", "--status", "in-review", "--json"]);
    assert_eq!((listed.status.code(), listed.stdout.lines().count()), (Some(0), 3), "{listed:?}");
    assert_eq!(String::from_utf8(listed.stderr).unwrap(), "3 of 3 profiles\n");
}

#[test]
fn states_survive_a_restart_without_being_written_again() {
    let mut bridge = Bridge::start();
    announce_all(&bridge, 5, &["pending-review", "in-review"]);
    let written = wait_for_states(&bridge).len();
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    bridge.restart(&[]);
    wait_for_partitions(&bridge, 3);
    assert_eq!(bridge.metric("trusthub_profiles_owned"), 5.0);
    assert_eq!(broker().read_to_end(&bridge.profiles_topic).len(), written);
    announce_all(&bridge, 5, &["twilio-approved"]);
    assert_eq!(wait_for_states(&bridge).len(), written + 5);
}

/// A rebalance causes this error. Without an abort, the instance would leave the group and cause the next one.
#[test]
fn rejected_transaction_is_aborted_and_the_events_are_applied_again() {
    let (cluster, variables) = mock_cluster();
    cluster.create_topic("profiles", 1, 1).unwrap();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let bridge = Bridge::launch(&[&variables[..], &[("KAFKA_PROFILES_TOPIC", "profiles")]].concat());
    bridge.wait_until_publishing();
    wait_for_partitions(&bridge, 1);
    let rejected = RDKafkaRespErr::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
    cluster.request_errors(RDKafkaApiKey::TxnOffsetCommit, &[rejected]);
    announce_all(&bridge, 3, &["pending-review", "in-review"]);
    wait_for_states_in(&Broker::at(&cluster.bootstrap_servers()), &bridge);
    let transactions =
        |result: &str| bridge.metric(&format!(r#"trusthub_profiles_transactions_total{{result="{result}"}}"#));
    // The in-process cluster also shows the records of a transaction that is aborted later.
    wait_for("the transaction is aborted", || (transactions("aborted") >= 1.0).then_some(()));
    wait_for_states_in(&Broker::at(&cluster.bootstrap_servers()), &bridge);
    assert_eq!((transactions("aborted"), transactions("unknown")), (1.0, 0.0));
}
