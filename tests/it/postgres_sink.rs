//! The example that keeps a table in PostgreSQL equal to the state topic, against a real PostgreSQL and a real Kafka.

mod faults;
mod queries;
mod records;
mod topics;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::{Value, json};
use trusthub_events::cloud_events::STATE_TYPE;

use test_support::{
    ACCOUNT, TIMEOUT,
    kafka::{broker, unique_topic},
    kill,
    oracle::libraries,
    postgres::Postgres,
    project_root, wait_for,
};

/// By profile: partition, offset and state. The partition of a row that a rebuild has not confirmed is -1.
pub(crate) type Rows = BTreeMap<String, (i32, i64, Value)>;

const JSON: &str = "application/json";

fn sid(number: usize) -> String {
    format!("BU{number:032x}")
}

/// The state of a profile after a change in this second of an hour.
fn state(profile: usize, status: &str, second: usize) -> Value {
    let time = format!("2026-11-20T13:{:02}:{:02}.000Z", second / 60 % 60, second % 60);
    json!({
        "account_sid": ACCOUNT, "profile_sid": sid(profile), "resource": "customer-profile", "status": status,
        "raw_status": status, "since": time, "previous_status": "draft", "previous_since": "2026-11-20T12:00:00.000Z",
        "errors": [], "failure_reason": null, "valid_until": null, "first_seen_at": "2026-11-20T12:00:00.000Z",
        "updated_at": time, "changes": second, "rejections": 0, "last_event_id": "e", "recent_ids": [],
        "position": {"partition": 0, "offset": second}, "profile": null, "history": [],
    })
}

/// A record of the state topic.
#[derive(Debug, Clone)]
struct StateRecord {
    partition: i32,
    key: Option<Vec<u8>>,
    ce_type: &'static str,
    content_type: &'static str,
    value: Option<Vec<u8>>,
    /// The time at which it was written, if it matters.
    timestamp_ms: Option<i64>,
}

impl StateRecord {
    fn put(partition: i32, state: &Value) -> Self {
        let key = state["profile_sid"].as_str().unwrap().into();
        let value = Some(state.to_string().into_bytes());
        Self { partition, key: Some(key), ce_type: STATE_TYPE, content_type: JSON, value, timestamp_ms: None }
    }

    fn tombstone(partition: i32, profile: usize) -> Self {
        Self {
            partition,
            key: Some(sid(profile).into()),
            ce_type: STATE_TYPE,
            content_type: JSON,
            value: None,
            timestamp_ms: None,
        }
    }

    fn of_value(key: &str, value: &[u8]) -> Self {
        let (key, value) = (Some(key.into()), Some(value.to_vec()));
        Self { partition: 0, key, ce_type: STATE_TYPE, content_type: JSON, value, timestamp_ms: None }
    }

    fn at(self, timestamp_ms: i64) -> Self {
        Self { timestamp_ms: Some(timestamp_ms), ..self }
    }
}

/// A state topic to which transactions write, as the service does.
struct StateTopic {
    name: String,
    producer: BaseProducer,
}

impl StateTopic {
    fn create(partitions: i32) -> Self {
        Self::named(unique_topic("states"), partitions)
    }

    fn named(name: String, partitions: i32) -> Self {
        broker().create_topic(&name, partitions);
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", broker().bootstrap()).set("transactional.id", unique_topic("states"));
        let producer: BaseProducer = client.create().unwrap();
        producer.init_transactions(TIMEOUT).unwrap();
        Self { name, producer }
    }

    /// Writes records in one transaction.
    fn write(&self, records: &[StateRecord]) {
        self.producer.begin_transaction().unwrap();
        for StateRecord { partition, key, ce_type, content_type, value, timestamp_ms } in records {
            let record = BaseRecord::<[u8], [u8]>::to(&self.name).partition(*partition);
            let headers = [("ce_type", ce_type), ("content-type", content_type)]
                .into_iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
            let record = BaseRecord {
                key: key.as_deref(),
                payload: value.as_deref(),
                timestamp: *timestamp_ms,
                ..record.headers(headers)
            };
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.commit_transaction(TIMEOUT).unwrap();
    }

    /// The last record of each profile in each partition.
    fn rows(&self) -> Rows {
        broker().wait_until_committed(&self.name);
        rows_of(&self.name)
    }
}

/// The rows that a state topic leads to, whose profiles are in one partition each.
pub(crate) fn rows_of(topic: &str) -> Rows {
    let mut rows = Rows::new();
    for record in broker().read_to_end(topic) {
        let key = String::from_utf8(record.key.unwrap()).unwrap();
        match &record.payload {
            None => drop(rows.remove(&key)),
            Some(value) => {
                let state = serde_json::from_slice(value).unwrap();
                drop(rows.insert(key, (record.partition, record.offset, state)));
            }
        }
    }
    rows
}

fn example(file: &str) -> PathBuf {
    project_root().join("examples/postgresql").join(file)
}

/// A server with the tables of the example.
pub(crate) fn with_tables() -> Postgres {
    let postgres = Postgres::start();
    postgres.run_file(&example("schema.sql"));
    postgres
}

pub(crate) fn table(postgres: &Postgres) -> Rows {
    let rows = "json_object_agg(sid, json_build_array(coalesce(source_partition, -1), source_offset, state))";
    let rows = postgres.query(&format!("SELECT coalesce({rows}, '{{}}') FROM trust_hub_profiles"));
    serde_json::from_str(&rows).unwrap()
}

/// Waits until the table has these rows.
pub(crate) fn wait_for_rows(postgres: &Postgres, sink: &Sink, rows: &Rows) {
    wait_for("the table equals the topic", || {
        assert!(!sink.log().contains("Traceback"), "{}", sink.log());
        (table(postgres) == *rows).then_some(())
    });
}

/// A sink as a process. Dropping it kills it.
pub(crate) struct Sink {
    process: Child,
    log: PathBuf,
}

impl Sink {
    /// Starts a sink in a group of its own.
    pub(crate) fn start(topic: &str, postgres: &Postgres) -> Self {
        Self::start_with(topic, postgres, &[("KAFKA_GROUP_ID", &unique_topic("sink"))])
    }

    /// Starts a sink with these variables.
    fn start_with(topic: &str, postgres: &Postgres, variables: &[(&str, &str)]) -> Self {
        Self::spawn(command(topic, postgres).envs(variables.iter().copied()))
    }

    /// Starts a sink by this Python code, which can import `sink`.
    fn start_by(code: &str, topic: &str, postgres: &Postgres) -> Self {
        let mut python = environment(topic, postgres);
        Self::spawn(python.args(["-B", "-c", code]).env("PYTHONPATH", example("")))
    }

    fn spawn(sink: &mut Command) -> Self {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("sink"));
        Self { process: sink.stderr(File::create(&log).unwrap()).spawn().unwrap(), log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Waits until the log has this text this many times.
    fn wait_for_log(&self, text: &str, times: usize) {
        wait_for(&format!("{text:?} in the log"), || (self.count(text) >= times).then_some(()));
    }

    fn signal(&self, signal: &str) {
        kill(signal, self.process.id());
    }

    /// Terminates it as an orchestrator does, and returns its log.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        assert!(self.wait(), "{}", self.log());
        self.log()
    }

    /// Waits until it exits, and returns whether that is a success.
    fn wait(&mut self) -> bool {
        wait_for("the sink exits", || self.process.try_wait().unwrap()).success()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let _ = writeln!(io::stderr(), "log of a sink:\n{}", self.log());
        }
        let _ = fs::remove_file(&self.log);
    }
}

/// The program for a topic, not started.
fn command(topic: &str, postgres: &Postgres) -> Command {
    let mut sink = environment(topic, postgres);
    sink.args(["-B".as_ref(), example("sink.py").as_os_str()]);
    sink
}

/// Python with the variables of a sink, not started.
fn environment(topic: &str, postgres: &Postgres) -> Command {
    let mut python = Command::new(libraries().join("python/bin/python"));
    python
        .env("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())
        .env("KAFKA_PROFILES_TOPIC", topic)
        .env("DATABASE_URL", postgres.url())
        .stdin(Stdio::null());
    python
}
