//! Runs what docs/operations.md does with Kafka's own tools: permissions, retention and deletion of personal data.

use std::fs;

use test_support::{
    ACCOUNT, PROFILE, Request, TIMEOUT,
    kafka::{Broker, USER, USER_PASSWORD, broker},
    simulator::Simulator,
    wait_for,
};

use super::operator::OperatorMachine;

/// The administrator of a restricted broker of the tests.
const ADMINISTRATOR: &str = "\
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=admin password=admin-secret;
";

#[test]
fn documented_permissions_suffice_for_every_command() {
    let kafka = Broker::start_restricted("permissions");
    let hub = Simulator::start();
    let trusthub = hub.url();
    let mut machine = OperatorMachine::new(&[
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", USER),
        ("KAFKA_SASL_PASSWORD", USER_PASSWORD),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TRUSTHUB_BASE_URL", &trusthub),
    ]);
    fs::write(machine.path("admin.properties"), ADMINISTRATOR).unwrap();
    machine.run("Start", 0);
    wait_for("a permission is missing", || machine.log().contains("the Kafka user is not authorized to").then_some(()));
    machine.run("Kafka permissions", 0);
    wait_for("Kafka is up", || machine.metrics().contains("trusthub_kafka_up 1").then_some(()));
    assert_eq!(Request::change("draft").send(machine.public).status, 204);
    assert_eq!(kafka.wait_for_records(&machine.topic, 1, TIMEOUT).len(), 1);
    let output = machine.run_command("trusthub-bridge reconcile");
    // The event itself as long as the states are incomplete or do not take it into account.
    let compared = ["compared with 1 ", "compared with 0 states and 1 events "];
    assert!(compared.iter().any(|text| output.contains(text)) && output.contains(": 0 missed"), "{output}");
    let without_status = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}");
    let callback = Request::form("/callbacks/customer-profiles", &without_status).signed();
    assert_eq!(callback.send(machine.public).status, 204);
    kafka.wait_for_records(&machine.dead_letter_topic, 1, TIMEOUT);
    for (block, said) in [(0, "stays: missing_status"), (1, "1 dead letter: 1 stays (1 missing_status)")] {
        let output = machine.run("Replay dead letters", block);
        assert!(output.contains(said), "{output}");
    }
    machine.run("Stop", 0);
}

#[test]
fn consumer_reads_again_what_arrived_since_a_time() {
    let mut machine = OperatorMachine::new(&[]);
    machine.run("Start", 0);
    for status in ["draft", "in-review", "twilio-rejected"] {
        assert_eq!(Request::change(status).send(machine.public).status, 204);
    }
    let records = broker().wait_for_records(&machine.topic, 3, TIMEOUT);
    let time = records[1].header("ce_time").unwrap();
    machine.set("SINCE", time.trim_end_matches('Z'));
    machine.set("GROUP", &format!("consumer-of-{}", machine.topic));
    let output = machine.run("Replay events for a consumer", 0);
    let partition = records[1].partition.to_string();
    let offsets: Vec<_> = output
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() == 4 && words[1] == machine.topic && words[2] == partition)
        .map(|words| words[3].to_owned())
        .collect();
    assert_eq!(offsets, ["1", "1"], "planned and set: {output}");
    machine.run("Stop", 0);
}

#[test]
fn personal_data_is_deleted_by_retention_and_tombstones() {
    let mut machine = OperatorMachine::new(&[]);
    broker().create_topic_with(&machine.topic, 1, &[("cleanup.policy", "compact")]);
    broker().create_topic(&machine.dead_letter_topic, 1);
    machine.run("Start", 0);
    assert_eq!(Request::change("twilio-rejected").send(machine.public).status, 204);
    broker().wait_for_records(&machine.topic, 1, TIMEOUT);
    machine.set("PROFILE_SID", PROFILE);
    machine.run("Personal data", 1);
    let records = broker().wait_for_records(&machine.topic, 2, TIMEOUT);
    let keys: Vec<_> = records.iter().map(|record| record.key.as_deref()).collect();
    assert_eq!(keys, [Some(PROFILE.as_bytes()); 2]);
    assert_eq!(records.iter().map(|record| record.payload.is_some()).collect::<Vec<_>>(), [true, false]);
    let completed = |output: String| output.matches("Completed updating config for topic").count();
    assert_eq!(completed(machine.run("Personal data", 0)), 2);
    assert_eq!(completed(machine.run("TrusthubTopicNotDurable", 0)), 2);
    machine.run("Stop", 0);
}
