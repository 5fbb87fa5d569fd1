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

    rebuild(&topic, &postgres);
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
    copy_row(&postgres, 1, 9);
    postgres.query("UPDATE trust_hub_offsets SET read_at = now() - interval '13 hours'");
    topic.write(&[StateRecord::put(0, &state(2, "draft", 2))]);
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_rows(&postgres, &sink, &topic.rows());
    assert!(sink.stop().contains("reading it again from the beginning"));
}

/// Adds a row for a profile, with the state of another one.
fn copy_row(postgres: &Postgres, from: usize, to: usize) {
    postgres.query(&format!(
        "CREATE TEMPORARY TABLE copy AS SELECT * FROM trust_hub_profiles WHERE sid = '{}';
         UPDATE copy SET sid = '{}'; INSERT INTO trust_hub_profiles SELECT * FROM copy",
        sid(from),
        sid(to)
    ));
}

fn rebuild(topic: &StateTopic, postgres: &Postgres) {
    let output = command(&topic.name, postgres).arg("rebuild").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn rebuild_keeps_the_rows_of_profiles_whose_records_are_skipped() {
    let (topic, postgres) = (StateTopic::create(1), with_tables());
    topic.write(&[StateRecord::put(0, &state(1, "draft", 1))]);
    let sink = Sink::start(&topic.name, &postgres);
    wait_for_rows(&postgres, &sink, &topic.rows());
    sink.stop();
    // The topic has a record that is no state, one that PostgreSQL refuses, and none.
    [2, 3, 4].into_iter().for_each(|profile| copy_row(&postgres, 1, profile));
    let too_large_for_an_index: String = (0..20_000).map(|_| fastrand::alphanumeric()).collect();
    topic.write(&[
        StateRecord::of_value(&sid(2), b"{}"),
        StateRecord::put(0, &state(3, &too_large_for_an_index, 3)),
        StateRecord::put(0, &state(5, "draft", 5)),
    ]);

    rebuild(&topic, &postgres);
    let sink = Sink::start(&topic.name, &postgres);
    sink.wait_for_log("the table has all states", 1);
    assert_eq!(sink.count("skipped: "), 2);
    let rows = table(&postgres);
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), [1, 2, 3, 5].map(sid));
    assert!(rows.values().all(|(partition, ..)| *partition == 0), "the rows are confirmed: {rows:?}");

    // A kept row is deleted like any other.
    topic.write(&[StateRecord::tombstone(0, 2)]);
    wait_for("the row is deleted", || (!table(&postgres).contains_key(&sid(2))).then_some(()));
    sink.stop();
}

#[test]
fn state_in_avro_stops_the_sink_and_no_row_is_lost() {
    let (topic, postgres) = (StateTopic::create(1), with_tables());
    let present = [StateRecord::put(0, &state(1, "draft", 1))];
    topic.write(&present);
    let sink = Sink::start(&topic.name, &postgres);
    let rows = topic.rows();
    wait_for_rows(&postgres, &sink, &rows);
    sink.stop();
    topic.write(&[StateRecord::of_value(&sid(1), b"\0\0\0\0\x07Avro"), StateRecord::put(0, &state(2, "draft", 2))]);
    assert_fails_at_avro(&topic, &postgres);
    assert_eq!(table(&postgres), rows);

    // The id of the schema may also be in a header. In another topic, because the sink stops at the first one.
    let topic = StateTopic::create(1);
    topic.write(&present);
    topic.write(&[StateRecord { content_type: "application/avro", ..StateRecord::of_value(&sid(1), b"Avro") }]);
    rebuild(&topic, &postgres);
    assert_fails_at_avro(&topic, &postgres);
    assert_eq!(table(&postgres).into_keys().collect::<Vec<_>>(), [sid(1)]);
}

fn assert_fails_at_avro(topic: &StateTopic, postgres: &Postgres) {
    let mut sink = Sink::start(&topic.name, postgres);
    assert!(!sink.wait(), "{}", sink.log());
    assert!(sink.log().contains("@2 is Avro") && !sink.log().contains("Traceback"), "{}", sink.log());
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
