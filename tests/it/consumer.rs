//! The rules of all languages and the example consumers against their contract: their decision about each record of a history,
//! by the rules alone and as processes that read a real Kafka.
//!
//! [`other_languages`] needs more tools and time than Rust and Python, and runs in `make interop` only.

mod example;
mod formats;
mod history;
mod mixed;
mod other_languages;
mod rules;

use std::collections::{BTreeMap, HashSet};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use serde::Serialize;
use serde_json::{Value, json};
use trusthub_events::{
    cloud_events::{EVENT_TYPE, TEST_EVENT_TYPE},
    view,
};

use test_support::{
    ACCOUNT, PROFILE, TIMEOUT, applied_statuses,
    kafka::{self, broker, unique_topic},
    latest_statuses, wait_for,
};

pub(crate) use self::example::built_example;
use self::{
    example::{Consumer, Language},
    history::{History, Meaning},
};

const OTHER_PROFILE: &str = "BUffffffffffffffffffffffffffffffff";

/// An account that sends events about profiles that it does not own.
const FOREIGN_ACCOUNT: &str = "ACffffffffffffffffffffffffffffffff";

/// The number of histories for the rules alone, and for a consumer that reads them from Kafka.
const HISTORIES: u64 = 2_000;
const HISTORIES_THROUGH_KAFKA: u64 = 5;

/// A consumer is blocked, and not just waiting for its broker, when its committed offset is the same this many times.
const EQUAL_READINGS_WHEN_BLOCKED: u32 = 20;

/// The parts of a record that a consumer uses. `None` is an absent header or a tombstone.
#[derive(Debug, Clone, Serialize)]
struct Record {
    ce_type: Option<String>,
    ce_id: Option<String>,
    ce_time: Option<String>,
    value: Option<String>,
}

impl Record {
    fn of(ce_type: &str, ce_id: &str, ce_time: &str, value: Option<&str>) -> Self {
        let [ce_type, ce_id, ce_time] = [ce_type, ce_id, ce_time].map(|header| Some(header.to_owned()));
        Self { ce_type, ce_id, ce_time, value: value.map(str::to_owned) }
    }

    /// The parts of a real record that a consumer uses.
    fn read(record: &kafka::Record) -> Self {
        let header = |name| record.header(name).map(str::to_owned);
        Self {
            ce_type: header("ce_type"),
            ce_id: header("ce_id"),
            ce_time: header("ce_time"),
            value: record.payload.as_ref().map(|value| String::from_utf8_lossy(value).into_owned()),
        }
    }

    /// The record as the Rust example receives it from Kafka.
    fn as_read(&self) -> view::Record<'_> {
        view::Record {
            ce_id: self.ce_id.as_deref(),
            ce_type: self.ce_type.as_deref(),
            ce_time: self.ce_time.as_deref(),
            value: self.value.as_deref().map(str::as_bytes),
        }
    }
}

/// The status of every profile after these records in the views of both examples, which must be equal.
pub(crate) fn views(records: &[kafka::Record]) -> BTreeMap<String, String> {
    let partitions = records.chunk_by(|one, next| one.partition == next.partition);
    let partitions: Vec<Vec<_>> = partitions.map(|part| part.iter().map(Record::read).collect()).collect();
    let python = applied_statuses(Language::Python.decide(&partitions).concat().into_iter());
    let rust = latest_statuses(records);
    assert_eq!(rust, python);
    rust
}

/// The value of an event of [`ACCOUNT`].
fn value(ce_time: &str, profile: &str, status: &str) -> Value {
    value_of(ACCOUNT, ce_time, profile, status)
}

/// The value of an event of an account.
fn value_of(account: &str, ce_time: &str, profile: &str, status: &str) -> Value {
    json!({
        "account_sid": account, "profile_sid": profile, "resource": "customer-profile", "status": status,
        "raw_status": status, "failure_reason": null, "errors": [], "valid_until": null, "received_at": ce_time,
        "origin": "callback", "idempotency_token": null, "extra": {},
    })
}

/// A topic with a single partition, so that the history has one order.
struct Topic {
    name: String,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Topic {
    fn with(records: &[Record]) -> Self {
        let name = unique_topic("consumer");
        broker().create_topic(&name, 1);
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", broker().bootstrap()).set("enable.idempotence", "true");
        let topic = Self { name, producer: client.create().unwrap() };
        topic.append(records);
        topic
    }

    fn append(&self, records: &[Record]) {
        for Record { ce_type, ce_id, ce_time, value } in records {
            let headers = [("ce_type", ce_type), ("ce_id", ce_id), ("ce_time", ce_time)];
            let headers = headers
                .into_iter()
                .filter(|(_, value)| value.is_some())
                .fold(OwnedHeaders::new(), |headers, (key, value)| {
                    headers.insert(Header { key, value: value.as_ref() })
                });
            let record: BaseRecord<'_, str, str> = BaseRecord::to(&self.name).key(PROFILE).headers(headers);
            let record = BaseRecord { payload: value.as_deref(), ..record };
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(TIMEOUT).unwrap();
    }

    /// The number of records that the group of [`Consumer::start`] has committed.
    fn committed(&self) -> usize {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", broker().bootstrap()).set("group.id", &self.name);
        let group: BaseConsumer = client.create().unwrap();
        let mut partition = TopicPartitionList::new();
        partition.add_partition(&self.name, 0);
        // Until the broker has loaded the group, it refuses to answer.
        let committed = wait_for("the committed offset", || group.committed_offsets(partition.clone(), TIMEOUT).ok());
        match committed.elements()[0].offset() {
            Offset::Offset(next) => usize::try_from(next).unwrap(),
            Offset::Invalid => 0,
            other => panic!("{other:?} is not a committed offset"),
        }
    }
}

/// An event of this second.
fn event(ce_id: &str, second: u32, profile: &str, status: &str) -> Record {
    let ce_time = format!("2026-11-20T11:04:{second:02}.000Z");
    Record::of(EVENT_TYPE, ce_id, &ce_time, Some(&value(&ce_time, profile, status).to_string()))
}

fn applied(profile: &str, status: &str, ce_id: &str) -> Value {
    applied_of(ACCOUNT, profile, status, ce_id)
}

fn applied_of(account: &str, profile: &str, status: &str, ce_id: &str) -> Value {
    json!({ "applied": true, "account_sid": account, "profile_sid": profile, "status": status, "ce_id": ce_id })
}

fn skipped(reason: &str, ce_id: &str) -> Value {
    json!({ "applied": false, "reason": reason, "ce_id": ce_id })
}

#[test]
fn rust_example_prints_each_decision_and_reports_unusable_records() {
    prints_each_decision(Language::Rust);
}

#[test]
fn python_example_prints_each_decision_and_reports_unusable_records() {
    prints_each_decision(Language::Python);
}

fn prints_each_decision(language: Language) {
    let topic = Topic::with(&[
        event("1", 10, PROFILE, "pending-review"),
        event("1", 11, PROFILE, "pending-review"),
        event("2", 20, PROFILE, "twilio-rejected"),
        event("3", 15, PROFILE, "in-review"),
        event("4", 15, OTHER_PROFILE, "draft"),
        event("5", 30, PROFILE, "paused"),
        Record::of("io.trusthub-bridge.profile.status-changed.v2", "6", "2026-11-20T11:04:31.000Z", Some("{}")),
        Record::of(EVENT_TYPE, "7", "2026-11-20T11:04:32.000Z", Some("{\"account_sid\":")),
        Record::of(EVENT_TYPE, "8", "2026-11-20T11:04:33.000Z", None),
        Record::of(TEST_EVENT_TYPE, "test", "2026-11-20T11:04:34.000Z", Some("{}")),
        event("9", 40, PROFILE, "twilio-approved"),
    ]);
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
        skipped("unknown_type", "test"),
        applied(PROFILE, "twilio-approved", "9"),
    ];
    let consumer = Consumer::start(language, &topic);
    assert_eq!(consumer.decisions(expected.len()), expected);
    let (more, stderr) = consumer.stop();
    assert!(more.is_empty(), "{more:?}");
    let reports: Vec<_> = stderr.lines().filter(|line| line.starts_with("skipped: ")).collect();
    assert_eq!(reports.len(), 3, "{reports:#?}");
    for (report, part) in reports.iter().zip(["[0]@6 is of the type", "[0]@7 has a value", "[0]@8 has no value"]) {
        assert!(report.contains(part), "{report}");
    }
}

#[test]
fn rust_example_resumes_at_its_committed_offset_with_an_empty_view() {
    resumes_at_its_committed_offset_with_an_empty_view(Language::Rust);
}

#[test]
fn python_example_resumes_at_its_committed_offset_with_an_empty_view() {
    resumes_at_its_committed_offset_with_an_empty_view(Language::Python);
}

fn resumes_at_its_committed_offset_with_an_empty_view(language: Language) {
    let topic = Topic::with(&[event("1", 10, PROFILE, "pending-review")]);
    let first = Consumer::start(language, &topic);
    assert_eq!(first.decisions(1), [applied(PROFILE, "pending-review", "1")]);
    first.stop();
    // Older than what the first process has applied, which the second one does not know.
    topic.append(&[event("0", 5, PROFILE, "draft"), event("2", 20, PROFILE, "twilio-approved")]);
    let second = Consumer::start(language, &topic);
    assert_eq!(second.decisions(2), [applied(PROFILE, "draft", "0"), applied(PROFILE, "twilio-approved", "2")]);
    assert_eq!(second.stop().0, Vec::<Value>::new());
}

#[test]
fn rust_rules_derive_the_latest_status_from_shuffled_histories() {
    derives_the_latest_status(Language::Rust);
}

#[test]
fn python_rules_derive_the_latest_status_from_shuffled_histories() {
    derives_the_latest_status(Language::Python);
}

fn derives_the_latest_status(language: Language) {
    let histories: Vec<_> = (0..HISTORIES).map(History::numbered).collect();
    let partitions: Vec<_> = histories.iter().map(History::records).collect();
    let mut counts = BTreeMap::new();
    for (history, decisions) in histories.iter().zip(language.decide(&partitions)) {
        assert_right(history, &decisions);
        for decision in decisions {
            *counts.entry(decision["reason"].as_str().unwrap_or("applied").to_owned()).or_default() += 1;
        }
    }
    let is_frequent = |what: &str| counts.get(what).is_some_and(|count: &u32| *count > 10_000);
    assert!(
        ["applied", "repeat", "older"].into_iter().all(is_frequent),
        "the histories have too few faults: {counts:?}"
    );
}

#[test]
fn rust_example_derives_the_latest_status_from_histories_in_kafka() {
    derives_the_latest_status_from_kafka(Language::Rust);
}

#[test]
fn python_example_derives_the_latest_status_from_histories_in_kafka() {
    derives_the_latest_status_from_kafka(Language::Python);
}

fn derives_the_latest_status_from_kafka(language: Language) {
    let histories: Vec<_> = (0..HISTORIES_THROUGH_KAFKA).map(History::numbered).collect();
    let records: Vec<_> = histories.iter().flat_map(History::records).collect();
    let consumer = Consumer::start(language, &Topic::with(&records));
    for history in &histories {
        assert_right(history, &consumer.decisions(history.partition.len()));
    }
    assert_eq!(consumer.stop().0, Vec::<Value>::new());
}

/// Asserts that every decision is right on its own, and that the resulting view is the latest state.
fn assert_right(history: &History, decisions: &[Value]) {
    assert_eq!(decisions.len(), history.partition.len());
    let mut seen = HashSet::new();
    let mut view = BTreeMap::new();
    for ((record, meaning), decision) in history.partition.iter().zip(decisions) {
        let (event, time) = match meaning {
            Meaning::Event(index, time) => (&history.events[*index], time),
            Meaning::Unusable(reason) => {
                assert_eq!(decision, &skipped(reason, record.ce_id.as_deref().unwrap()));
                continue;
            }
        };
        let repeat = !seen.insert(&event.ce_id);
        let older = view.get(&event.key()).is_some_and(|(latest, _)| time < *latest);
        match decision["reason"].as_str() {
            Some("repeat") => assert!(repeat, "skipped as a repeat: {event:?} of {history:#?}"),
            Some("older") => assert!(older, "skipped as older: {event:?} of {history:#?}"),
            Some(reason) => panic!("skipped as {reason}: {event:?} of {history:#?}"),
            None => {
                assert!(!repeat && !older, "applied, repeat {repeat}, older {older}: {event:?} of {history:#?}");
                let expected = applied_of(event.account, &event.profile, event.known_status(), &event.ce_id);
                assert_eq!(decision, &expected);
                view.insert(event.key(), (time, event.ce_id.as_str()));
            }
        }
    }
    let view: BTreeMap<_, _> = view.into_iter().map(|(profile, (_, ce_id))| (profile, ce_id)).collect();
    assert_eq!(view, history.latest(), "{history:#?}");
}

#[test]
fn rust_example_commits_no_record_before_it_has_applied_it() {
    commits_only_applied_records(Language::Rust);
}

#[test]
fn python_example_commits_no_record_before_it_has_applied_it() {
    commits_only_applied_records(Language::Python);
}

/// No process reads its decisions, so it blocks in the middle of writing one, and is killed there.
fn commits_only_applied_records(language: Language) {
    let records: Vec<_> = (0..2_000).map(|number| event(&number.to_string(), 0, PROFILE, "draft")).collect();
    let topic = Topic::with(&records);
    let consumer = Consumer::start(language, &topic);
    let (mut before, mut readings) = (0, 0);
    wait_for("the example is blocked", || {
        let committed = topic.committed();
        readings = if committed == before { readings + 1 } else { 0 };
        before = committed;
        (committed > 100 && readings == EQUAL_READINGS_WHEN_BLOCKED).then_some(())
    });
    let applied = consumer.kill().len();
    let committed = topic.committed();
    assert!(applied < records.len(), "it was not blocked");
    assert!(committed <= applied, "{committed} records are committed, but only {applied} were applied");
}
