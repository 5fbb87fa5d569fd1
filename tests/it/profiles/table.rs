//! Common clients read the state topic as a table, by the commands and the program of docs/events.md.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::SystemTime,
};

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::{Value, json};
use trusthub_events::{Timestamp, cloud_events::DELETED_EVENT_TYPE};

use test_support::{
    ACCOUNT, Request, TIMEOUT,
    kafka::{broker, class_path, unique_topic},
    kill,
    oracle::libraries,
    project_root,
    reconcile::Fixture,
};

use super::{last_states, sid, wait_for_states};
use crate::postgres_sink::{Sink, rows_of, table, wait_for_rows, with_tables};

const DOCUMENT: &str = include_str!("../../../docs/events.md");
const STREAMS: &str = include_str!("../../../examples/profile-table/ProfileTable.java");

/// A Trust Hub that has announced the reviews of some profiles, each change twice, and a state topic that has them and a
/// transaction that was aborted.
struct Reviewed {
    fixture: Fixture,
}

impl Reviewed {
    /// Every third profile is approved, every third one is rejected and every third one is still in review. Afterwards one that
    /// was rejected is submitted again, and another one is deleted.
    fn play() -> Self {
        let fixture =
            Fixture::with(&[], &[("DEDUP_WINDOW_SECS", "0"), ("KAFKA_PROFILES_TOPIC", &unique_topic("states"))]);
        let hub = &fixture.simulator;
        hub.set("duplicate=100");
        let profiles: Vec<_> = (0..9).map(|_| hub.create(&fixture.url)).collect();
        fixture.submit_all();
        hub.settle();
        for thirds in profiles.chunks(3) {
            hub.control(&thirds[0], "approve", "");
            hub.control(&thirds[1], "reject", "code=18602&reason=Not+in+the+register");
        }
        hub.settle();
        hub.submit(&profiles[1]);
        hub.settle();
        let reviewed = Self { fixture };
        wait_for_states(&reviewed.fixture.bridge);
        reviewed.delete(&profiles[4]);
        let records = wait_for_states(&reviewed.fixture.bridge);
        assert!(records.iter().any(|record| record.payload.is_none()), "a deleted profile becomes a tombstone");
        reviewed.abort_a_state(&sid(0));
        reviewed
    }

    /// Deletes a profile from Trust Hub, and publishes the event that reports it, in the partition of the profile.
    fn delete(&self, profile: &str) {
        let bridge = &self.fixture.bridge;
        let path = format!("/v1/CustomerProfiles/{profile}");
        assert_eq!(self.fixture.simulator.ask(&Request::new("DELETE", &path, &[], "")).status, 204);
        let events = broker().read_to_end(&bridge.topic);
        let of_profile = |record: &&test_support::kafka::Record| record.key.as_deref() == Some(profile.as_bytes());
        let partition = events.iter().find(of_profile).unwrap().partition;
        let now = Timestamp::from(SystemTime::now()).to_string();
        let value = json!({
            "account_sid": ACCOUNT, "profile_sid": profile, "resource": "customer-profile", "received_at": now,
            "origin": "reconciliation",
        });
        let headers = [("ce_type", DELETED_EVENT_TYPE), ("ce_id", "d1"), ("ce_time", &now)];
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
        let (topic, value) = (&bridge.topic, value.to_string());
        let record = BaseRecord::to(topic).partition(partition).key(profile).payload(&value).headers(headers);
        let producer = producer(&[]);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(TIMEOUT).unwrap();
    }

    /// Writes the state of a profile that does not exist, in a transaction that is aborted.
    fn abort_a_state(&self, profile: &str) {
        let producer = producer(&[("transactional.id", &unique_topic("aborted"))]);
        producer.init_transactions(TIMEOUT).unwrap();
        producer.begin_transaction().unwrap();
        let value = json!({"profile_sid": profile, "status": "draft"}).to_string();
        let record = BaseRecord::to(&self.fixture.bridge.profiles_topic).partition(0).key(profile).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(TIMEOUT).unwrap();
        producer.abort_transaction(TIMEOUT).unwrap();
    }

    /// Compares a table with the states that the events give, and with what Trust Hub says.
    fn assert_has(&self, table: &BTreeMap<String, Value>) {
        let states = last_states(&broker().read_to_end(&self.fixture.bridge.profiles_topic));
        let states = states.iter().map(|(sid, state)| (sid.to_string(), serde_json::to_value(state).unwrap()));
        assert_eq!(*table, states.collect());
        let statuses: BTreeMap<_, _> =
            table.iter().map(|(sid, state)| (sid.clone(), state["status"].as_str().unwrap().to_owned())).collect();
        assert_eq!(statuses, self.fixture.state());
        assert_eq!(table.len(), 8);
        let rejections: Vec<_> = table.values().map(|state| state["rejections"].as_u64().unwrap()).collect();
        assert_eq!(rejections.iter().sum::<u64>(), 2, "a repeat does not count twice: {rejections:?}");
    }

    /// Runs a command of the document, in this folder and with these words instead of its own, and returns what it prints.
    fn run(&self, command: &str, folder: &Path, replacements: &[(&str, &str)]) -> String {
        let bridge = &self.fixture.bridge;
        let usual = [("localhost:9092", broker().bootstrap()), ("trusthub.profiles", &bridge.profiles_topic)];
        let line = usual.iter().chain(replacements).fold(documented(command).to_owned(), |line, (word, other)| {
            assert!(line.contains(word), "{line} has no {word}");
            line.replace(word, other)
        });
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("exec env {line}")]).current_dir(folder);
        output_of(&mut shell)
    }
}

fn producer(more: &[(&str, &str)]) -> BaseProducer {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", broker().bootstrap());
    client.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    client.create().unwrap()
}

/// The line of the document that begins with this.
fn documented(command: &str) -> &'static str {
    let mut lines = DOCUMENT.lines().filter(|line| line.starts_with(command));
    let line = lines.next().unwrap_or_else(|| panic!("no line begins with {command}"));
    assert_eq!(lines.next(), None, "one line begins with {command}");
    line
}

/// What a command prints until it succeeds.
fn output_of(command: &mut Command) -> String {
    let output = run_to_its_end(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn run_to_its_end(command: &mut Command) -> Output {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = piped.spawn().unwrap();
    let id = child.id();
    let (sender, output) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = output.recv_timeout(TIMEOUT) else {
        kill("KILL", id);
        panic!("{command:?} does not exit");
    };
    output.unwrap()
}

/// The states in lines of JSON, by profile.
fn table_of(lines: &str) -> BTreeMap<String, Value> {
    let states = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let states: Vec<_> = states.map(|state| (state["profile_sid"].as_str().unwrap().to_owned(), state)).collect();
    let table: BTreeMap<_, _> = states.iter().cloned().collect();
    assert_eq!(table.len(), states.len(), "each profile has one line");
    table
}

/// The last record of each key among the lines that kcat prints, without tombstones.
fn table_of_records(lines: &str) -> BTreeMap<String, Value> {
    let mut table = BTreeMap::new();
    for line in lines.lines() {
        let [key, size, value] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        match size {
            "-1" => drop(table.remove(key)),
            _ => drop(table.insert(key.to_owned(), serde_json::from_str(value).unwrap())),
        }
    }
    table
}

fn example(name: &str) -> PathBuf {
    project_root().join("examples").join(name)
}

#[test]
fn common_clients_read_the_states_of_trust_hub_as_a_table() {
    let reviewed = Reviewed::play();
    // Kafka Streams has its folder there.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("streams"));
    fs::create_dir(&folder).unwrap();
    let quick = format!("java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.io.tmpdir={} -cp", folder.display());
    let words = [("java -cp", quick.as_str()), ("kafka/libs/*", class_path())];
    let printed = reviewed.run("java -cp", &example("profile-table"), &words);
    fs::remove_dir_all(folder).unwrap();
    reviewed.assert_has(&table_of(&printed));

    let python = libraries().join("python/bin/python -B");
    let words = [("python table.py", &*format!("{} table.py", python.display()))];
    let printed = reviewed.run("KAFKA_BOOTSTRAP_SERVERS=localhost:9092 KAFKA_PROF", &example("python"), &words);
    reviewed.assert_has(&table_of(&printed));

    let printed = reviewed.run("kcat -b", project_root(), &[]);
    reviewed.assert_has(&table_of_records(&printed));

    let (topic, postgres) = (&reviewed.fixture.bridge.profiles_topic, with_tables());
    let sink = Sink::start(topic, &postgres);
    wait_for_rows(&postgres, &sink, &rows_of(topic));
    sink.stop();
    let rows = table(&postgres).into_iter();
    reviewed.assert_has(&rows.map(|(sid, (_partition, _offset, state))| (sid, state)).collect());
}

#[test]
fn programs_for_states_in_json_fail_at_a_state_in_avro() {
    let topic = unique_topic("states");
    broker().create_topic(&topic, 1);
    let producer = producer(&[]);
    let key = sid(0);
    let record = BaseRecord::to(&topic).key(&*key).payload(b"\0\0\0\0\x07Avro".as_slice());
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(TIMEOUT).unwrap();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&topic);
    fs::create_dir(&folder).unwrap();
    let mut streams = Command::new("java");
    streams.args(["-XX:TieredStopAtLevel=1", &format!("-Djava.io.tmpdir={}", folder.display()), "-cp", class_path()]);
    streams.arg(example("profile-table/ProfileTable.java")).args([broker().bootstrap(), &topic]);
    let mut python = Command::new(libraries().join("python/bin/python"));
    python.arg(example("python/table.py")).env("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap());
    python.env("KAFKA_PROFILES_TOPIC", &topic);
    for program in [&mut streams, &mut python] {
        let output = run_to_its_end(program);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains("needs KAFKA_VALUE_FORMAT=json"), "{program:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{program:?}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn document_shows_the_streams_application_that_the_test_runs() {
    assert!(DOCUMENT.contains(&format!("```java\n{STREAMS}```\n")), "copy the program into docs/events.md");
}
