//! Topics: created where the service may create them, and reported clearly otherwise.

use std::{sync::LazyLock, time::Duration};

use test_support::{
    ACCOUNT, Bridge, OUTAGE, PATIENT, Request, TIMEOUT,
    kafka::{Broker, USER, USER_PASSWORD, broker, unique_topic},
    machine::Machine,
    simulator::Simulator,
    wait_for,
};

#[test]
fn missing_topics_are_created_with_the_configured_partitions() {
    let bridge = Bridge::start_with(&[("KAFKA_TOPIC_PARTITIONS", "5"), ("KAFKA_TOPIC_REPLICATION", "1")]);
    for topic in [&bridge.topic, &bridge.dead_letter_topic] {
        assert_eq!(broker().partitions_of(topic), 5);
        assert_eq!(bridge.metric(&format!(r#"trusthub_topic_present{{topic="{topic}"}}"#)), 1.0);
    }
    assert!(bridge.wait_for_log("created the topic").contains(r#""partitions":5"#));
    let outages = bridge.lines(OUTAGE);
    assert!(outages.is_empty(), "a first start is not an outage: {outages:?}");
}

#[test]
fn topic_that_cannot_survive_a_broker_is_a_warning_and_a_metric() {
    let bridge = Bridge::start();
    let line = bridge.wait_for_log("the loss of one broker can lose acknowledged events");
    assert!(line.contains(r#""level":"WARN""#) && line.contains(r#""replication":1"#), "{line}");
    assert_eq!(bridge.metric("trusthub_topic_durable"), 0.0);
}

#[test]
fn topic_rejected_by_the_broker_is_reported_with_the_requested_settings() {
    let bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()),
        ("KAFKA_TOPIC_PARTITIONS", "5"),
        ("KAFKA_TOPIC_REPLICATION", "3"),
    ]);
    let topic = &bridge.topic;
    let complaint = format!("cannot create topic {topic} with 5 partitions and replication factor 3: ");
    let line = bridge.wait_for_log(&complaint);
    assert!(line.contains("InvalidReplicationFactor (Broker: Invalid replication factor)"), "{line}");
    assert!(line.contains("the number of brokers is 1: set KAFKA_TOPIC_REPLICATION to at most that number"), "{line}");
}

/// Each rejection uses one client for its request. While its threads look up a name, no client can be closed, and no producer that
/// holds records can be purged.
#[test]
fn hanging_lookups_neither_stop_probes_nor_prolong_an_outage() {
    const HANGING: u16 = 9;
    let machine = Machine::new();
    machine.hang_lookups_of(HANGING, Duration::from_secs(600));
    // librdkafka begins with one of the addresses at random: the producer nearly always with one of these.
    let hanging: Vec<_> = (1..=9).map(|number| format!("127.0.0.{number}:{HANGING}")).collect();
    let mut bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", &format!("{},{}", hanging.join(","), broker().bootstrap())),
        PATIENT,
        ("KAFKA_TOPIC_REPLICATION", "3"),
        ("LD_PRELOAD", machine.variables()[0].1),
        ("MACHINE", machine.variables()[1].1),
    ]);
    bridge.wait_for_log("cannot create topic");
    machine.wait_for_hanging_lookup();
    // The close of another client may be slow on a busy machine, and ends.
    let hanging = || {
        let slow = bridge.metric(r#"trusthub_slow_operations_total{operation="kafka_close"}"#);
        let ended = bridge.lines("a slow operation has ended");
        slow - ended.iter().filter(|line| line["operation"] == "kafka_close").count() as f64
    };
    wait_for("as many clients as may hang do", || (hanging() == 8.0).then_some(()));
    broker().create_topic(&bridge.topic, 1);
    broker().create_topic(&bridge.dead_letter_topic, 1);
    bridge.wait_until_publishing();
    assert_eq!(hanging(), 8.0);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="published"}"#), 1.0);

    machine.hang_lookups(Duration::ZERO);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
}

/// A broker on which the service may only do what a test allows for its own topics.
fn restricted() -> &'static Broker {
    static BROKER: LazyLock<Broker> = LazyLock::new(|| Broker::start_restricted("restricted"));
    &BROKER
}

/// A service on this broker with its own topics, which it may describe.
fn with_few_permissions(kafka: &Broker, grant: impl FnOnce(&str, &str)) -> Bridge {
    let (topic, dead_letters) = (unique_topic("events"), unique_topic("dead-letters"));
    for topic in [&topic, &dead_letters] {
        kafka.allow("Describe", topic);
        kafka.allow("DescribeConfigs", topic);
    }
    grant(&topic, &dead_letters);
    Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()),
        ("KAFKA_TOPIC", &topic),
        ("KAFKA_DEAD_LETTER_TOPIC", &dead_letters),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", USER),
        ("KAFKA_SASL_PASSWORD", USER_PASSWORD),
    ])
}

#[test]
fn events_are_published_without_permission_to_write_dead_letters() {
    let kafka = restricted();
    let bridge = with_few_permissions(kafka, |topic, dead_letters| {
        kafka.allow("Create", topic);
        kafka.allow("Create", dead_letters);
        kafka.allow("Write", topic);
    });
    bridge.wait_until_kafka_is_up();
    let dead_letter = Request::form("/callbacks/customer-profiles", "a=b").signed();
    assert_eq!(bridge.send(&dead_letter).status, 204);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    assert_eq!(kafka.wait_for_records(&bridge.topic, 1, TIMEOUT).len(), 1);
    bridge.wait_for_log(&format!("is not authorized to WRITE on topic {}", bridge.dead_letter_topic));
    wait_for("the dead letter is parked", || (bridge.metric("trusthub_spool_parked") == 1.0).then_some(()));
}

#[test]
fn missing_create_permission_is_one_error_with_operation_and_topic() {
    let kafka = restricted();
    let bridge = with_few_permissions(kafka, |topic, dead_letters| {
        kafka.allow("Write", topic);
        kafka.allow("Write", dead_letters);
    });
    let (topic, dead_letters) = (&bridge.topic, &bridge.dead_letter_topic);
    let complaint = format!("is not authorized to CREATE on topic {topic}");
    let line = bridge.wait_for_log(&complaint);
    assert!(line.contains(r#""level":"ERROR""#), "{line}");
    bridge.wait_for_log(&format!("is not authorized to CREATE on topic {dead_letters}"));
    let missing = format!(r#"trusthub_topic_permission_missing{{operation="create",topic="{topic}"}}"#);
    assert_eq!(bridge.metric(&missing), 1.0);
    assert_eq!(bridge.ask_admin("/livez").status, 200, "it is no reason to exit");
    assert_eq!(bridge.metric("trusthub_kafka_up"), 0.0);

    kafka.allow("Create", topic);
    kafka.allow("Create", dead_letters);
    bridge.wait_until_kafka_is_up();
    assert_eq!(
        bridge.log().iter().filter(|line| line.contains(&complaint)).count(),
        1,
        "reported once, not with every probe"
    );
    assert_eq!(bridge.metric(&missing), 0.0);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
}

#[test]
fn missing_topic_that_must_not_be_created_is_one_clear_error() {
    let bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()),
        ("KAFKA_CREATE_TOPICS", "false"),
        ("KAFKA_ACK_TIMEOUT_MS", "8000"),
    ]);
    let line = bridge.wait_for_log("does not exist; create it, or set KAFKA_CREATE_TOPICS=true");
    assert!(line.contains(&bridge.topic), "{line}");
    assert_eq!(bridge.metric("trusthub_kafka_up"), 0.0);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    broker().create_topic(&bridge.topic, 1);
    broker().create_topic(&bridge.dead_letter_topic, 1);
    assert_eq!(bridge.events(1).len(), 1, "it waited in the spool");
}

#[test]
fn reconciliation_reports_the_read_permission_that_it_lacks() {
    let kafka = restricted();
    let bridge = with_few_permissions(kafka, |topic, dead_letters| {
        for topic in [topic, dead_letters] {
            kafka.allow("Create", topic);
            kafka.allow("Write", topic);
        }
    });
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    let simulator = Simulator::start();
    let variables = [("TRUSTHUB_BASE_URL", &simulator.url()[..]), ("TWILIO_ACCOUNT_SID", ACCOUNT)];
    let reconcile = || {
        let output = bridge.command_with(&["reconcile"], &variables);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let group = format!("trusthub-bridge-reconcile.{}", bridge.topic);
    let (code, said) = reconcile();
    assert!(code == Some(1) && said.contains(&format!("not authorized to READ on consumer group {group}")), "{said}");
    kafka.allow_group("Read", &group);
    // A broker applies a permission some time after it has accepted it.
    let not_authorized = format!("not authorized to READ on topic {}", bridge.topic);
    wait_for("the permission on the topic is missing", || {
        let (code, said) = reconcile();
        (code == Some(1) && said.contains(&not_authorized)).then_some(())
    });
    kafka.allow("Read", &bridge.topic);
    wait_for("it succeeds", || {
        let (code, said) = reconcile();
        (code == Some(0) && said.contains("0 missed")).then_some(())
    });
}
