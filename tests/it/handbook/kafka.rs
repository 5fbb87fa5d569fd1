//! What docs/operations.md tells to do with Kafka's own tools: rights, retention and the deletion of personal data.

use std::fs;

use super::stage::Stage;
use crate::support::{
    ACCOUNT, PROFILE, Request, TIMEOUT,
    kafka::{Broker, USER, USER_PASSWORD, broker},
    simulator::Simulator,
    wait_for,
};

/// The administrator of a restricted broker of the tests.
const ADMINISTRATOR: &str = "\
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=admin password=admin-secret;
";

#[test]
fn the_rights_are_enough_to_make_the_topics_to_publish_and_to_reconcile() {
    let kafka = Broker::start_restricted("rights");
    let hub = Simulator::start();
    let trusthub = hub.url();
    let mut stage = Stage::new(&[
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", USER),
        ("KAFKA_SASL_PASSWORD", USER_PASSWORD),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TRUSTHUB_BASE_URL", &trusthub),
    ]);
    fs::write(stage.path("admin.properties"), ADMINISTRATOR).unwrap();
    stage.run("Start", 0);
    wait_for("a right is missing", || stage.log().contains("the Kafka user lacks the right").then_some(()));
    stage.run("Rights", 0);
    wait_for("Kafka is up", || stage.metrics().contains("trusthub_kafka_up 1").then_some(()));
    assert_eq!(Request::change("draft").send(stage.public).status, 204);
    assert_eq!(kafka.wait_for_records(&stage.topic, 1, TIMEOUT).len(), 1);
    let told = stage.type_in("trusthub-bridge reconcile");
    assert!(told.contains("compared with 1 events") && told.contains(": 0 missed"), "{told}");
    stage.run("Stop", 0);
}

#[test]
fn personal_data_gets_a_retention_and_a_profile_a_tombstone() {
    let mut stage = Stage::new(&[]);
    broker().create_topic_with(&stage.topic, 1, &[("cleanup.policy", "compact")]);
    broker().create_topic(&stage.dead_letter_topic, 1);
    stage.run("Start", 0);
    assert_eq!(Request::change("twilio-rejected").send(stage.public).status, 204);
    stage.set("PROFILE_SID", PROFILE);
    stage.run("Personal data", 1);
    let records = broker().wait_for_records(&stage.topic, 2, TIMEOUT);
    let keys: Vec<_> = records.iter().map(|record| record.key.as_deref()).collect();
    assert_eq!(keys, [Some(PROFILE.as_bytes()); 2]);
    assert_eq!(records.iter().map(|record| record.payload.is_some()).collect::<Vec<_>>(), [true, false]);
    let completed = |told: String| told.matches("Completed updating config for topic").count();
    assert_eq!(completed(stage.run("Personal data", 0)), 2);
    assert_eq!(completed(stage.run("TrusthubTopicNotDurable", 0)), 2);
    stage.run("Stop", 0);
}
