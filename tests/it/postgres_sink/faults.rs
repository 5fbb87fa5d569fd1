//! Sinks and a PostgreSQL that are killed, suspended and started again while states are written.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use test_support::{kafka::unique_topic, postgres::Postgres, wait_for};

use super::{Sink, StateRecord, StateTopic, state, wait_for_rows, with_tables};

const PARTITIONS: usize = 4;
const PROFILES: usize = 60;

/// Records each write of a row, and makes it so slow that signals arrive within transactions.
const NOTE_WRITES: &str = "
    CREATE TABLE writes (number bigserial, sid text, partition integer, place bigint);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO writes (sid, partition, place) VALUES (NEW.sid, NEW.source_partition, NEW.source_offset);
        PERFORM pg_sleep(0.003);
        RETURN NEW;
    END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE ON trust_hub_profiles FOR EACH ROW EXECUTE FUNCTION note();
";

/// Writes that did not follow the one before them about the same profile.
const WRONG_WRITES: &str = "
    SELECT * FROM (SELECT *, lag(place) OVER (PARTITION BY sid ORDER BY number) AS before FROM writes) AS pairs
    WHERE place <= before
";

/// Writes states of random profiles, and tombstones, until the flag is set.
fn write_states(topic: &StateTopic, has_ended: &AtomicBool) {
    let mut second = 0;
    while !has_ended.load(Ordering::Relaxed) {
        let mut records = Vec::new();
        for _ in 0..10 {
            second += 1;
            let profile = fastrand::usize(..PROFILES);
            let partition = i32::try_from(profile % PARTITIONS).unwrap();
            records.push(match fastrand::u8(..6) {
                0 => StateRecord::tombstone(partition, profile),
                1..4 => StateRecord::put(partition, &state(profile, "in-review", second)),
                _ => StateRecord::put(partition, &state(profile, "twilio-approved", second)),
            });
        }
        topic.write(&records);
        thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a sink writes rows whose name, as PostgreSQL knows it, is like this.
fn wait_for_transaction(postgres: &Postgres, name: &str) {
    let locks = format!(
        "SELECT DISTINCT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE mode = 'RowExclusiveLock' \
         AND relation = 'trust_hub_profiles'::regclass AND application_name LIKE '{name}'"
    );
    wait_for("a transaction writes rows", || (postgres.query(&locks) == "1").then_some(()));
}

/// Two sinks that both read every partition, as a suspended one and its successor may do for a moment. Both die while they
/// write.
fn compete(topic: &StateTopic, postgres: &Postgres) {
    let sinks = [Sink::start(&topic.name, postgres), Sink::start(&topic.name, postgres)];
    wait_for("a sink notices the other", || {
        sinks.iter().any(|sink| sink.count("another sink has written these records") > 1).then_some(())
    });
    for sink in sinks {
        wait_for_transaction(postgres, "%");
        sink.signal("KILL");
    }
}

/// PostgreSQL ends and starts again while a sink writes.
fn restart(topic: &StateTopic, postgres: &mut Postgres) {
    let group = unique_topic("group");
    let sink = Sink::start_with(&topic.name, postgres, &[("KAFKA_GROUP_ID", &group), ("PGAPPNAME", "restarted")]);
    // The transaction of a sink that was killed can stay open until PostgreSQL notices the closed connection.
    wait_for_transaction(postgres, "restarted");
    postgres.crash();
    sink.wait_for_log("trying again in", 1);
    postgres.start_again();
    sink.wait_for_log("continuing at", 2 * PARTITIONS);
    sink.stop();
}

/// A sink notices that another one stopped responding as soon as Kafka permits.
const QUICK_GROUP: &str = "session.timeout.ms=6000;heartbeat.interval.ms=500";

/// Of two sinks in a group, one is suspended within a transaction until the other one has taken its partitions over.
fn suspend(topic: &StateTopic, postgres: &Postgres) -> [Sink; 2] {
    let group = unique_topic("group");
    let variables = |name| [("KAFKA_GROUP_ID", group.as_str()), ("PGAPPNAME", name), ("KAFKA_PROPERTIES", QUICK_GROUP)];
    let sinks = ["suspended", "other"].map(|name| Sink::start_with(&topic.name, postgres, &variables(name)));
    let [suspended, other] = &sinks;
    wait_for("each has partitions", || {
        let has_half = |sink: &Sink| sink.count("continuing at") >= PARTITIONS / 2;
        (has_half(suspended) && has_half(other)).then_some(())
    });
    wait_for_transaction(postgres, "suspended");
    suspended.signal("STOP");
    let before = other.count("continuing at");
    other.wait_for_log("continuing at", before + PARTITIONS);
    let writes =
        || postgres.query("SELECT count(DISTINCT partition) FROM writes WHERE number > (SELECT mark FROM marks)");
    postgres.query("CREATE TABLE marks AS SELECT max(number) AS mark FROM writes");
    wait_for("the other sink writes all partitions", || (writes() == PARTITIONS.to_string()).then_some(()));
    let before = suspended.count("continuing at");
    suspended.signal("CONT");
    suspended.wait_for_log("continuing at", before + PARTITIONS / 2);
    sinks
}

#[test]
fn table_equals_the_topic_after_kills_suspensions_and_restarts() {
    let topic = StateTopic::create(i32::try_from(PARTITIONS).unwrap());
    let mut postgres = with_tables();
    postgres.query(NOTE_WRITES);
    let has_ended = AtomicBool::new(false);
    let sinks = thread::scope(|scope| {
        scope.spawn(|| write_states(&topic, &has_ended));
        // Ends the thread also if something panics.
        let _end = SetOnDrop(&has_ended);
        compete(&topic, &postgres);
        restart(&topic, &mut postgres);
        suspend(&topic, &postgres)
    });
    wait_for_rows(&postgres, &sinks[0], &topic.rows());
    assert_eq!(postgres.query(WRONG_WRITES), "", "a row went back, or a record was written twice");
    for sink in sinks {
        sink.stop();
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
