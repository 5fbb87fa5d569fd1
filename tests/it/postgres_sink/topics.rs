//! A topic that was created again, and one from which Kafka may have removed tombstones.

use super::{Sink, StateRecord, StateTopic, command, sid, state, table, wait_for_rows, with_tables};
use test_support::{kafka::broker, postgres::Postgres, wait_for};

#[test]
fn topic_that_was_created_again_requires_a_rebuild() {
    let (topic, postgres) = (StateTopic::create(2), with_tables());
    topic.write(&[StateRecord::put(0, &state(1, "draft", 1)), StateRecord::put(1, &state(2, "draft", 2))]);
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_rows(&postgres, &sink, &topic.rows());
    sink.stop();

    broker().delete_topic(&topic.name);
    let topic = StateTopic::named(topic.name, 1);
    topic.write(&[StateRecord::put(0, &state(2, "draft", 3)), StateRecord::put(0, &state(3, "draft", 3))]);
    let mut sink = Sink::start(&topic.name, &postgres);
    assert!(!sink.wait());
    assert!(sink.log().contains("run `python sink.py rebuild`"), "{}", sink.log());
    assert_eq!(table(&postgres).len(), 2, "nothing has changed");

    let output = command(&topic.name, &postgres).arg("rebuild").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_rows(&postgres, &sink, &topic.rows());
    sink.stop();
}

#[test]
fn sink_that_was_away_for_long_finds_profiles_whose_tombstone_is_gone() {
    let (topic, postgres) = (StateTopic::create(1), with_tables());
    topic.write(&[StateRecord::put(0, &state(1, "draft", 1))]);
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_rows(&postgres, &sink, &topic.rows());
    sink.stop();

    // The row of a profile about which the topic has nothing any more.
    postgres.query(&format!(
        "CREATE TEMPORARY TABLE copy AS SELECT * FROM trust_hub_profiles; UPDATE copy SET sid = '{}';
         INSERT INTO trust_hub_profiles SELECT * FROM copy;
         UPDATE trust_hub_offsets SET read_at = now() - interval '13 hours'",
        sid(9)
    ));
    topic.write(&[StateRecord::put(0, &state(2, "draft", 2))]);
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_rows(&postgres, &sink, &topic.rows());
    assert!(sink.stop().contains("reading it again from the beginning"));
}

#[test]
fn partition_without_records_is_noted_as_read_while_others_are_written() {
    let (topic, postgres) = (StateTopic::create(2), with_tables());
    topic.write(&[StateRecord::put(0, &state(1, "draft", 1)), StateRecord::put(1, &state(2, "draft", 1))]);
    let sink = Sink::start_by("import sink; sink.IDLE_SECONDS = 1; sink.main([])", &topic.name, &postgres);
    wait_for_rows(&postgres, &sink, &topic.rows());
    let read_at = || postgres.query("SELECT read_at FROM trust_hub_offsets WHERE partition = 0");
    let (before, mut second) = (read_at(), 1);
    wait_for("the idle partition is noted as read", || {
        second += 1;
        topic.write(&[StateRecord::put(1, &state(2, "draft", second))]);
        (read_at() > before).then_some(())
    });
    sink.stop();
}

#[test]
fn mistakes_in_the_settings_are_named_with_their_cure() {
    let (topic, postgres) = (StateTopic::create(1), Postgres::start());
    let message = |variable: &str, value: &str| {
        let mut sink = Sink::start_with(&topic.name, &postgres, &[(variable, value)]);
        assert!(!sink.wait());
        sink.log()
    };
    assert!(message("KAFKA_BOOTSTRAP_SERVERS", "").contains("KAFKA_BOOTSTRAP_SERVERS is required"));
    assert!(message("DATABASE_URL", "").contains("DATABASE_URL is required"));
    let malformed = message("DATABASE_URL", "postgresql://sink:pass%word@localhost/x");
    assert!(malformed.contains("DATABASE_URL is not a URL") && !malformed.contains("pass"), "{malformed}");
    assert!(message("KAFKA_PROPERTIES", "session.timeout.ms").contains("key=value;key=value"));
    assert!(message("KAFKA_GROUP_ID", &topic.name).contains("--file schema.sql"));
}
