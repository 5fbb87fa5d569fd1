//! The states are built again from the events: on request, and after partitions were added.

use std::{collections::BTreeMap, time::Duration};

use trusthub_events::{ProfileSid, state::ProfileState};

use test_support::{
    ACCOUNT, Bridge, Request,
    histories::Histories,
    kafka::{Record, broker, unique_topic},
    proxy::Fault,
    wait_for,
};

use super::{
    States, announce_all, expected_states, last_states, sid, wait_for_partitions, wait_for_states, wait_for_states_in,
};
use crate::faults::one_broker;

/// Runs the command with these variables changed, and returns its diagnostics.
fn rebuild(bridge: &Bridge, changes: &[(&str, &str)]) -> String {
    let output = bridge.command_with(&["profiles", "rebuild"], changes);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]), "{told}");
    told
}

#[test]
fn rebuild_without_a_service_writes_only_the_states_that_differ() {
    let mut bridge = Bridge::start();
    announce_all(&bridge, 5, &["pending-review", "in-review"]);
    let body = format!("AccountSid={ACCOUNT}&BundleSid={}&Status=twilio-rejected&FailureReason=Jane+Doe+moved", sid(1));
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", &body).signed()).status, 204);
    let before = wait_for_states(&bridge).len();
    bridge.signal("TERM");
    assert!(bridge.wait().success());

    let without_text = [("KAFKA_PROFILES_FAILURE_TEXT", "false")];
    let told = rebuild(&bridge, &without_text);
    assert!(told.contains("the states in 3 partitions were built again from the events"), "{told}");
    broker().wait_until_committed(&bridge.profiles_topic);
    let after = broker().read_to_end(&bridge.profiles_topic);
    assert_eq!(after.len(), before + 1);
    let mut of_profile = after.iter().filter(|record| record.key.as_deref() == Some(sid(1).as_bytes()));
    let last: ProfileState = serde_json::from_slice(of_profile.next_back().unwrap().payload.as_ref().unwrap()).unwrap();
    assert_eq!((last.failure_reason, last.changes), (None, 3));

    rebuild(&bridge, &without_text);
    broker().wait_until_committed(&bridge.profiles_topic);
    assert_eq!(broker().read_to_end(&bridge.profiles_topic).len(), after.len(), "nothing is left to write");
}

#[test]
fn rebuild_beside_a_running_service_changes_no_correct_state() {
    let bridge = Bridge::start();
    announce_all(&bridge, 10, &["pending-review", "in-review"]);
    let before = wait_for_states(&bridge).len();
    rebuild(&bridge, &[]);
    assert_eq!(wait_for_states(&bridge).len(), before);
    announce_all(&bridge, 10, &["twilio-approved"]);
    wait_for_partitions(&bridge, 3);
    assert_eq!(wait_for_states(&bridge).len(), before + 10);
}

#[test]
fn rebuild_says_what_is_missing() {
    let mut bridge = Bridge::start();
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let fails = |changes: &[(&str, &str)]| {
        let output = bridge.command_with(&["profiles", "rebuild"], changes);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = fails(&[("KAFKA_PROFILES_TOPIC", "")]);
    assert_eq!(code, Some(2));
    assert!(told.contains("KAFKA_PROFILES_TOPIC is empty, so there are no states"), "{told}");
    let missing = unique_topic("missing");
    let (code, told) = fails(&[("KAFKA_TOPIC", &missing)]);
    assert_eq!(code, Some(1));
    assert!(told.contains(&format!("topic {missing} does not exist")), "{told}");
}

/// The states by profile, each of which is in one partition only.
fn states_in_one_partition(records: &[Record]) -> Option<States> {
    let mut states = BTreeMap::new();
    for record in records {
        let profile = ProfileSid::parse(std::str::from_utf8(record.key.as_ref().unwrap()).unwrap()).unwrap();
        let state = record.payload.as_ref().map(|value| serde_json::from_slice::<ProfileState>(value).unwrap());
        states.insert((profile, record.partition), state);
    }
    let present = states.into_iter().filter_map(|((profile, _), state)| Some((profile, state?)));
    let present: Vec<_> = present.collect();
    let by_profile: States = present.iter().cloned().collect();
    (by_profile.len() == present.len()).then_some(by_profile)
}

#[test]
fn profiles_move_to_their_new_partitions_when_partitions_are_added() {
    let bridge = Bridge::start();
    announce_all(&bridge, 20, &["pending-review", "in-review"]);
    wait_for_states(&bridge);
    broker().add_partitions(&bridge.topic, 6);
    bridge.wait_for_log(&format!("run kafka-topics.sh --alter --topic {} --partitions 6", bridge.profiles_topic));
    broker().add_partitions(&bridge.profiles_topic, 6);
    wait_for_partitions(&bridge, 6);
    wait_for("the service publishes to all partitions", || {
        announce_all(&bridge, 20, &["twilio-approved"]);
        let events = broker().read_to_end(&bridge.topic);
        events.iter().any(|record| record.partition > 2).then_some(())
    });
    let expected = expected_states(broker(), &bridge.topic);
    wait_for("every profile has one state", || {
        let states = states_in_one_partition(&broker().read_to_end(&bridge.profiles_topic));
        (states.as_ref() == Some(&expected)).then_some(())
    });
}

#[test]
fn states_move_to_new_partitions_even_if_their_events_were_deleted() {
    let bridge = Bridge::start();
    announce_all(&bridge, 20, &["pending-review", "in-review"]);
    let before = last_states(&wait_for_states(&bridge));
    broker().delete_records(&bridge.topic);
    broker().add_partitions(&bridge.topic, 6);
    bridge.wait_for_log(&format!("run kafka-topics.sh --alter --topic {} --partitions 6", bridge.profiles_topic));
    broker().add_partitions(&bridge.profiles_topic, 6);
    wait_for_partitions(&bridge, 6);
    broker().wait_until_committed(&bridge.profiles_topic);
    let records = broker().read_to_end(&bridge.profiles_topic);
    assert_eq!(states_in_one_partition(&records), Some(before));
    assert!(records.iter().any(|record| record.partition > 2 && record.payload.is_some()));
}

#[test]
fn owner_that_is_killed_during_a_rebuild_loses_no_state() {
    const PROFILES: usize = 2_400;
    let (kafka, network) = (one_broker().direct(), one_broker().take_fault_proxy());
    let events = unique_topic("events");
    kafka.create_topic(&events, 1);
    Histories { kafka, topic: &events, profiles: PROFILES }.publish_more(PROFILES);
    let bootstrap = network.bootstrap();
    let mut bridge = Bridge::start_with(&[("KAFKA_BOOTSTRAP_SERVERS", &bootstrap), ("KAFKA_TOPIC", &events)]);
    let before = last_states(&wait_for_states_in(kafka, &bridge));
    assert_eq!(before.len(), PROFILES);
    bridge.signal("TERM");
    assert!(bridge.wait().success());

    // Without their events, the states exist in the state topic only, and half of them have to move.
    kafka.delete_records(&events);
    kafka.add_partitions(&events, 2);
    kafka.add_partitions(&bridge.profiles_topic, 2);
    // Each of the three transactions takes about three seconds.
    network.set(Fault::Delay(Duration::from_millis(300)));
    bridge.restart(&[]);
    wait_for("the owner has moved some states", || (kafka.end_of(&bridge.profiles_topic, 1) > 0).then_some(()));
    bridge.kill();
    let records = kafka.read_to_end(&bridge.profiles_topic);
    assert_eq!(states_in_one_partition(&records).map(|states| states.len()), Some(PROFILES));
    let moved = records.iter().filter(|record| record.partition == 1).count();
    assert!(moved < PROFILES / 2, "{moved} states were moved before the kill");

    network.set(Fault::None);
    bridge.restart(&[]);
    wait_for_partitions(&bridge, 2);
    kafka.wait_until_committed(&bridge.profiles_topic);
    let records = kafka.read_to_end(&bridge.profiles_topic);
    assert_eq!(states_in_one_partition(&records), Some(before));
    let moved = records.iter().filter(|record| record.partition == 1).count();
    assert!(moved > PROFILES / 3, "{moved} states were moved");
}

#[test]
fn profiles_whose_events_are_in_former_partitions_have_states_too() {
    let mut bridge = Bridge::start_with(&[("KAFKA_PROFILES_TOPIC", "")]);
    announce_all(&bridge, 20, &["pending-review", "in-review"]);
    bridge.events(40);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    broker().add_partitions(&bridge.topic, 6);
    let states = format!("profiles-of-{}", bridge.topic);
    bridge.restart(&[("KAFKA_PROFILES_TOPIC", &states)]);
    bridge.wait_for_log("profiles have events in other partitions than their own");
    let expected = expected_states(broker(), &bridge.topic);
    wait_for("every profile has one state", || {
        let states = states_in_one_partition(&broker().read_to_end(&states));
        (states.as_ref() == Some(&expected)).then_some(())
    });
    assert!(bridge.metric(r#"trusthub_profiles_events_total{outcome="other_partition"}"#) > 0.0);
}

#[test]
fn rebuild_works_with_an_event_topic_that_is_compacted() {
    let events = unique_topic("events");
    broker().create_topic_with(&events, 3, &[("cleanup.policy", "compact")]);
    let mut bridge = Bridge::start_with(&[("KAFKA_TOPIC", &events)]);
    let body = format!("AccountSid={ACCOUNT}&BundleSid={}&Status=twilio-rejected&FailureReason=Jane+Doe+moved", sid(1));
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", &body).signed()).status, 204);
    wait_for_states(&bridge);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    rebuild(&bridge, &[("KAFKA_PROFILES_FAILURE_TEXT", "false")]);
    let records = broker().read_to_end(&bridge.profiles_topic);
    let last: ProfileState = serde_json::from_slice(records.last().unwrap().payload.as_ref().unwrap()).unwrap();
    assert_eq!((last.failure_reason, last.changes), (None, 1));
}

#[test]
fn request_that_kafka_refuses_is_an_error() {
    let events = unique_topic("events");
    broker().create_topic_with(&events, 3, &[("max.message.bytes", "100")]);
    let bridge = Bridge::start();
    let output = bridge.command_with(&["profiles", "rebuild"], &[("KAFKA_TOPIC", &events)]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("cannot request a rebuild in topic {events}: MessageSizeTooLarge")), "{told}");
}
