//! An event topic that is deleted and created again has new events at the offsets of former ones.

use std::collections::BTreeMap;

use trusthub_events::{Status, state::ProfileState};

use test_support::{Bridge, kafka::broker, wait_for};

use super::{announce_all, wait_for_partitions, wait_for_states};

const PROFILES: usize = 5;

/// Waits until every profile has this status after this many changes.
fn wait_for_status(bridge: &Bridge, status: Status, changes: u64) {
    wait_for("the states have the new events", || {
        let records = broker().read_to_end(&bridge.profiles_topic);
        let states = records.iter().map(|record| {
            let state: ProfileState = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
            (record.key.clone(), (state.status, state.changes))
        });
        let last: BTreeMap<_, _> = states.collect();
        (last.len() == PROFILES && last.values().all(|state| *state == (status, changes))).then_some(())
    });
}

#[test]
fn events_of_a_topic_that_replaced_another_are_applied_to_known_states() {
    let mut bridge = Bridge::start();
    announce_all(&bridge, PROFILES, &["pending-review", "in-review", "twilio-rejected"]);
    wait_for_states(&bridge);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    broker().delete_topic(&bridge.topic);
    broker().create_topic(&bridge.topic, 3);
    bridge.restart(&[]);
    announce_all(&bridge, PROFILES, &["in-review"]);
    wait_for_status(&bridge, Status::InReview, 4);
    assert_eq!(broker().read_to_end(&bridge.topic).len(), PROFILES, "only the new events exist");
}

#[test]
fn event_topic_may_be_replaced_while_the_service_runs() {
    let bridge = Bridge::start();
    announce_all(&bridge, PROFILES, &["pending-review", "in-review", "twilio-rejected"]);
    wait_for_states(&bridge);
    bridge.wait_for_log("reached Kafka");
    let created = bridge.creations_of(&bridge.topic);
    broker().delete_topic(&bridge.topic);
    bridge.wait_until_created_again(&bridge.topic, created);
    announce_all(&bridge, PROFILES, &["in-review"]);
    wait_for_status(&bridge, Status::InReview, 4);
    wait_for_partitions(&bridge, 3);
}
