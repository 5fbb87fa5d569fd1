//! The state topic has the present state of each profile, whichever instance of the service has written it.

mod chaos;
mod commands;
mod gauges;
mod owners;
mod problems;
mod rebuild;
mod replaced_events;
mod states;
mod table;

use trusthub_events::{ProfileSid, state::ProfileState};

use test_support::{
    ACCOUNT, Bridge, Request,
    kafka::{Broker, Record, broker},
    states::{DerivedStates, States},
    wait_for,
};

/// The SID of a profile.
fn sid(number: usize) -> String {
    format!("BU{number:032x}")
}

/// Sends a callback with its own token, which must be answered 204.
fn announce(bridge: &Bridge, profile: usize, status: &str) {
    let body = format!("AccountSid={ACCOUNT}&BundleSid={}&Status={status}", sid(profile));
    let request = Request::form("/callbacks/customer-profiles", &body).signed();
    assert_eq!(bridge.send(&request).status, 204);
}

/// Announces each status for this many profiles.
fn announce_all(bridge: &Bridge, profiles: usize, statuses: &[&str]) {
    for status in statuses {
        for profile in 0..profiles {
            announce(bridge, profile, status);
        }
    }
}

/// The states that the rules derive from the events.
fn expected_states(kafka: &Broker, events: &str) -> States {
    let mut derived = DerivedStates::default();
    derived.extend(kafka.read_to_end(events));
    derived.states
}

/// The last state of each profile in these records, which must not go back in between.
pub(crate) fn last_states(records: &[Record]) -> States {
    let mut states = States::new();
    for record in records {
        let profile = ProfileSid::parse(std::str::from_utf8(record.key.as_ref().unwrap()).unwrap()).unwrap();
        let Some(value) = &record.payload else {
            states.remove(&profile);
            continue;
        };
        let state: ProfileState = serde_json::from_slice(value).unwrap();
        if let Some(former) = states.get(&profile) {
            assert!(former.changes <= state.changes, "a state went back: {former:?} {state:?}");
            assert!(former.position.offset <= state.position.offset, "a state went back: {former:?} {state:?}");
        }
        assert_eq!(state.position.partition, record.partition, "a state is in the partition of its events");
        states.insert(profile, state);
    }
    states
}

/// Waits until the state topic has the states of all events so far, and returns its records.
pub(crate) fn wait_for_states(bridge: &Bridge) -> Vec<Record> {
    wait_for_states_in(broker(), bridge)
}

fn wait_for_states_in(kafka: &Broker, bridge: &Bridge) -> Vec<Record> {
    // With a slow Kafka, a callback may have been answered from the spool.
    bridge.wait_until_drained();
    let expected = expected_states(kafka, &bridge.topic);
    assert!(!expected.is_empty());
    wait_for("the states of all profiles", || {
        let records = kafka.read_to_end(&bridge.profiles_topic);
        (last_states(&records) == expected).then_some(records)
    })
}

/// Waits until this instance updates the states of this many partitions.
fn wait_for_partitions(bridge: &Bridge, partitions: usize) {
    let partitions = f64::from(u32::try_from(partitions).unwrap());
    wait_for("the partitions are owned", || {
        (bridge.metric("trusthub_profiles_partitions") == partitions).then_some(())
    });
}
