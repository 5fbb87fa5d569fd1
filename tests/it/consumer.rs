//! The example consumer, as a process, against a real Kafka: what it decides about each record of a history.

#[path = "../../examples/consumer/view.rs"]
mod view;

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use serde_json::{Value, json};
use trusthub_bridge::domain::EVENT_TYPE;

use crate::support::{
    ACCOUNT, PATIENCE, PROFILE,
    kafka::{broker, unique_topic},
};

const OTHER_PROFILE: &str = "BUffffffffffffffffffffffffffffffff";

/// A topic with a single partition, so that the history has one order.
struct Topic {
    name: String,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Topic {
    fn new() -> Self {
        let name = unique_topic("consumer");
        broker().create_topic(&name, 1);
        let producer = ClientConfig::new().set("bootstrap.servers", broker().bootstrap()).create().unwrap();
        Self { name, producer }
    }

    /// Appends an event of the given second.
    fn event(&self, ce_id: &str, second: u32, profile: &str, status: &str) {
        let time = format!("2026-11-20T11:04:{second:02}.000Z");
        let value = json!({
            "account_sid": ACCOUNT, "profile_sid": profile, "resource": "customer-profile", "status": status,
            "raw_status": status, "failure_reason": null, "errors": [], "valid_until": null, "received_at": time,
            "origin": "callback", "idempotency_token": null, "extra": {}, "field_of_a_later_version": 1,
        });
        self.append(EVENT_TYPE, ce_id, &time, Some(&value.to_string()));
    }

    fn append(&self, ce_type: &str, ce_id: &str, ce_time: &str, value: Option<&str>) {
        let headers = [("ce_type", ce_type), ("ce_id", ce_id), ("ce_time", ce_time)];
        let headers = headers
            .into_iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let record: BaseRecord<'_, str, str> = BaseRecord::to(&self.name).key(PROFILE).headers(headers);
        let record = BaseRecord { payload: value, ..record };
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.producer.flush(PATIENCE).unwrap();
    }
}

/// The running example. Dropping it kills it.
struct Consumer {
    process: Child,
    decisions: Receiver<Value>,
}

impl Consumer {
    fn start(topic: &Topic) -> Self {
        let mut process = Command::new(example())
            .env("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())
            .env("KAFKA_TOPIC", &topic.name)
            .env("KAFKA_GROUP_ID", &topic.name)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let decisions = lines_of(process.stdout.take().unwrap());
        Self { process, decisions }
    }

    fn decisions(&self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.decisions.recv_timeout(PATIENCE).expect("a decision in time")).collect()
    }

    /// Stops it as an orchestrator does, and returns the decisions not yet asked for and what it complained of.
    fn stop(mut self) -> (Vec<Value>, String) {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let mut complaints = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert!(self.process.wait().unwrap().success(), "{complaints}");
        (self.decisions.iter().collect(), complaints)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Cargo builds the examples before it runs all tests, and puts them beside the folder of the test binaries.
fn example() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/consumer");
    assert!(path.exists(), "{} is missing: run `cargo build --examples` first", path.display());
    path
}

/// A pipe has no time-out of its own, so a thread reads it.
fn lines_of(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let decision = serde_json::from_str(&line.unwrap()).unwrap();
            if sender.send(decision).is_err() {
                break;
            }
        }
    });
    receiver
}

fn applied(profile: &str, status: &str, ce_id: &str) -> Value {
    json!({ "applied": true, "profile_sid": profile, "status": status, "ce_id": ce_id })
}

fn skipped(reason: &str, ce_id: &str) -> Value {
    json!({ "applied": false, "reason": reason, "ce_id": ce_id })
}

#[test]
fn the_example_applies_each_change_once_and_in_order_and_skips_the_rest_with_a_reason() {
    let topic = Topic::new();
    topic.event("1", 10, PROFILE, "pending-review");
    topic.event("1", 11, PROFILE, "pending-review");
    topic.event("2", 20, PROFILE, "twilio-rejected");
    topic.event("3", 15, PROFILE, "in-review");
    topic.event("4", 15, OTHER_PROFILE, "draft");
    topic.event("5", 30, PROFILE, "paused");
    topic.append("io.trusthub-bridge.profile.status-changed.v2", "6", "2026-11-20T11:04:31.000Z", Some("{}"));
    topic.append(EVENT_TYPE, "7", "2026-11-20T11:04:32.000Z", Some("{\"account_sid\":"));
    topic.append(EVENT_TYPE, "8", "2026-11-20T11:04:33.000Z", None);
    topic.event("9", 40, PROFILE, "twilio-approved");
    let consumer = Consumer::start(&topic);
    let expected = [
        applied(PROFILE, "pending-review", "1"),
        skipped("repeat", "1"),
        applied(PROFILE, "twilio-rejected", "2"),
        skipped("older", "3"),
        applied(OTHER_PROFILE, "draft", "4"),
        applied(PROFILE, "unknown", "5"),
        skipped("unknown_type", "6"),
        skipped("unreadable", "7"),
        skipped("unreadable", "8"),
        applied(PROFILE, "twilio-approved", "9"),
    ];
    assert_eq!(consumer.decisions(expected.len()), expected);
    let (more, complaints) = consumer.stop();
    assert!(more.is_empty(), "{more:?}");
    let complaints: Vec<_> = complaints.lines().filter(|line| line.starts_with("skipped: ")).collect();
    assert_eq!(complaints.len(), 3, "{complaints:#?}");
    for (complaint, place) in complaints.iter().zip(["[0]@6 is of the type", "[0]@7 has a value", "[0]@8 has no value"])
    {
        assert!(complaint.contains(place), "{complaint}");
    }
}

#[test]
fn the_example_goes_on_after_a_restart_where_it_had_committed() {
    let topic = Topic::new();
    topic.event("1", 10, PROFILE, "pending-review");
    let first = Consumer::start(&topic);
    assert_eq!(first.decisions(1), [applied(PROFILE, "pending-review", "1")]);
    first.stop();
    topic.event("2", 20, PROFILE, "twilio-approved");
    let second = Consumer::start(&topic);
    assert_eq!(second.decisions(1), [applied(PROFILE, "twilio-approved", "2")]);
    assert_eq!(second.stop().0, Vec::<Value>::new());
}
