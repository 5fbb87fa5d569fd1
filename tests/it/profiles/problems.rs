//! What keeps the states from being updated is one line and one metric, and never affects callbacks.

use trusthub_events::{ProfileSid, Status};

use test_support::{
    ACCOUNT, Bridge, Request, TIMEOUT,
    kafka::{Broker, USER, USER_PASSWORD, broker, unique_topic},
    wait_for,
};

use super::{announce, announce_all, last_states, sid, wait_for_partitions, wait_for_states, wait_for_states_in};

fn problem(bridge: &Bridge, problem: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_profiles_problem{{problem="{problem}"}}"#))
}

/// The problem is one line, and callbacks are published.
fn assert_reported(bridge: &Bridge, kind: &str, line: &str) {
    let reported = bridge.wait_for_log(line);
    assert!(reported.contains(r#""level":"ERROR""#), "{reported}");
    wait_for("the problem is a metric", || (problem(bridge, kind) == 1.0).then_some(()));
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    assert_eq!(bridge.ask_admin("/readyz").status, 200);
    let lines = bridge.log().iter().filter(|logged| logged.contains(line)).count();
    assert_eq!(lines, 1, "the problem is reported once");
}

#[test]
fn state_topic_with_other_partitions_is_reported_until_it_has_the_same() {
    let (events, states) = (unique_topic("events"), unique_topic("profiles"));
    broker().create_topic(&events, 3);
    broker().create_topic_with(&states, 2, &[("cleanup.policy", "compact")]);
    let bridge = Bridge::start_with(&[("KAFKA_TOPIC", &events), ("KAFKA_PROFILES_TOPIC", &states)]);
    let line = format!("run kafka-topics.sh --alter --topic {states} --partitions 3");
    assert_reported(&bridge, "partition_count", &line);
    broker().add_partitions(&states, 3);
    // It has not projected before.
    bridge.wait_for_log("projecting the states of profiles");
    wait_for_states(&bridge);
    assert_eq!(problem(&bridge, "partition_count"), 0.0);
}

#[test]
fn state_topic_that_deletes_states_is_reported_until_it_is_compacted() {
    let states = unique_topic("profiles");
    broker().create_topic_with(&states, 3, &[("cleanup.policy", "delete")]);
    let bridge = Bridge::start_with(&[("KAFKA_PROFILES_TOPIC", &states)]);
    assert_reported(&bridge, "not_compacted", "has cleanup.policy=delete, with which Kafka deletes states");
    broker().alter_topic(&states, &[("cleanup.policy", "compact")]);
    bridge.wait_for_log("projecting the states of profiles");
    wait_for_states(&bridge);
}

#[test]
fn state_topic_that_must_not_be_created_is_reported_until_it_exists() {
    let (events, dead_letters) = (unique_topic("events"), unique_topic("dead-letters"));
    broker().create_topic(&events, 3);
    broker().create_topic(&dead_letters, 1);
    let bridge = Bridge::start_with(&[
        ("KAFKA_TOPIC", &events),
        ("KAFKA_DEAD_LETTER_TOPIC", &dead_letters),
        ("KAFKA_CREATE_TOPICS", "false"),
    ]);
    assert_reported(&bridge, "topic_missing", "create it with 3 partitions and cleanup.policy=compact");
    broker().create_topic_with(&bridge.profiles_topic, 3, &[("cleanup.policy", "compact")]);
    bridge.wait_for_log("projecting the states of profiles");
    wait_for_states(&bridge);
}

#[test]
fn state_topic_that_was_deleted_is_created_again_from_the_events() {
    let bridge = Bridge::start();
    announce_all(&bridge, 10, &["pending-review", "in-review"]);
    wait_for_states(&bridge);
    bridge.wait_for_log("projecting the states of profiles");
    let created = bridge.creations_of(&bridge.profiles_topic);
    broker().delete_topic(&bridge.profiles_topic);
    announce_all(&bridge, 10, &["twilio-approved"]);
    bridge.wait_until_created_again(&bridge.profiles_topic, created);
    wait_for_partitions(&bridge, 3);
    wait_for_states(&bridge);
}

/// A service that logs in to Kafka as a user without permissions of its own.
fn start_with_user(kafka: &Broker, [events, dead_letters, states]: [&str; 3]) -> Bridge {
    let bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()),
        ("KAFKA_TOPIC", events),
        ("KAFKA_DEAD_LETTER_TOPIC", dead_letters),
        ("KAFKA_PROFILES_TOPIC", states),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", USER),
        ("KAFKA_SASL_PASSWORD", USER_PASSWORD),
    ]);
    bridge.wait_until_publishing();
    bridge
}

#[test]
fn missing_permission_is_reported_until_it_is_granted() {
    let kafka = Broker::start_restricted("profiles-restricted");
    let [events, dead_letters, states] = ["events", "dead-letters", "profiles"].map(unique_topic);
    kafka.allow("All", &events);
    kafka.allow("All", &dead_letters);
    kafka.allow("Create", &states);
    kafka.allow("Describe", &states);
    let bridge = start_with_user(&kafka, [&events, &dead_letters, &states]);
    assert_reported(&bridge, "permission", "cannot begin transactions on topic");
    assert_eq!(kafka.wait_for_records(&events, 1, TIMEOUT).len(), 1);
    let listed = bridge.command(&["profiles", "ls"]);
    let told = String::from_utf8(listed.stderr).unwrap();
    assert_eq!(listed.status.code(), Some(0), "{told}");
    assert!(
        told.contains(&format!("not known whether all events of topic {events} are applied: cannot read the offsets")),
        "{told}"
    );
    kafka.allow_transactions();
    bridge.wait_for_log("as a member of consumer group trusthub-bridge-profiles.");
    kafka.allow_group("Read", &format!("trusthub-bridge-profiles.{states}"));
    kafka.allow("All", &states);
    bridge.wait_for_log("projecting the states of profiles");
    wait_for_states_in(&kafka, &bridge);
    // A state is in Kafka before the projection has committed it.
    wait_for("the problem has ended", || (problem(&bridge, "permission") == 0.0).then_some(()));
}

#[test]
fn write_that_is_not_permitted_is_one_problem_until_it_is() {
    let kafka = Broker::start_restricted("profiles-read-only");
    let [events, dead_letters, states] = ["events", "dead-letters", "profiles"].map(unique_topic);
    kafka.allow("All", &events);
    kafka.allow("All", &dead_letters);
    kafka.allow_transactions();
    kafka.allow_group("Read", &format!("trusthub-bridge-profiles.{states}"));
    for operation in ["Create", "Describe", "Read"] {
        kafka.allow(operation, &states);
    }
    let bridge = start_with_user(&kafka, [&events, &dead_letters, &states]);
    announce_all(&bridge, 3, &["pending-review"]);
    assert_reported(&bridge, "permission", "cannot write to topic");
    wait_for("several sessions fail", || {
        (bridge.metric(r#"trusthub_profiles_transactions_total{result="aborted"}"#) >= 4.0).then_some(())
    });
    let lines = bridge.log().iter().filter(|line| line.contains("cannot write to topic")).count();
    assert_eq!(lines, 1, "the problem is reported once");
    assert_eq!(bridge.lines("the states of profiles are projected again").len(), 0);
    wait_for("the problem is shown", || (problem(&bridge, "permission") == 1.0).then_some(()));
    assert!(bridge.metric("trusthub_profiles_lag") > 0.0);
    kafka.allow("Write", &states);
    wait_for_states_in(&kafka, &bridge);
    wait_for("the problem has ended", || (problem(&bridge, "permission") == 0.0).then_some(()));
}

#[test]
fn state_that_is_too_large_for_its_topic_does_not_stop_others() {
    let states = unique_topic("profiles");
    broker().create_topic_with(&states, 3, &[("cleanup.policy", "compact"), ("max.message.bytes", "2500")]);
    let bridge = Bridge::start_with(&[("KAFKA_PROFILES_TOPIC", &states)]);
    announce_all(&bridge, 10, &["pending-review"]);
    let reason = "x".repeat(4_000);
    let body = format!("AccountSid={ACCOUNT}&BundleSid={}&Status=twilio-rejected&FailureReason={reason}", sid(1));
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", &body).signed()).status, 204);
    let others = || (0..10).filter(|profile| *profile != 1);
    others().for_each(|profile| announce(&bridge, profile, "in-review"));
    let shortened = wait_for("the states of all profiles", || {
        let mut states = last_states(&broker().read_to_end(&states));
        let large = states.remove(&ProfileSid::parse(&sid(1)).unwrap())?;
        let is_last = large.changes == 2 && states.len() == 9 && states.values().all(|state| state.changes == 2);
        is_last.then_some(large)
    });
    assert_eq!((shortened.status, shortened.failure_reason), (Status::TwilioRejected, None));
    bridge.wait_for_log("Kafka refused states of profiles that are too large for their topic");
    assert_eq!(bridge.metric(r#"trusthub_profiles_refused_total{result="shortened"}"#), 1.0);
    wait_for("nothing is left to apply", || (bridge.metric("trusthub_profiles_lag") == 0.0).then_some(()));
}
