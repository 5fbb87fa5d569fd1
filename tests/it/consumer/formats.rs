//! The examples read records of every format. Those in Avro wait for the schema registry and are never skipped.

use std::net::{Ipv4Addr, SocketAddr};

use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _},
};
use serde_json::{Value, json};
use trusthub_events::{
    DataSchema,
    avro::{AvroSchema, frame},
    cloud_events::EVENT_TYPE,
};

use test_support::{
    PROFILE, TIMEOUT,
    kafka::free_port,
    registry::{registry, url_at},
};

use super::{
    Topic, applied,
    example::{Consumer, Language},
    value,
};

const AVRO: &str = "application/avro";
const STRUCTURED: &str = "application/cloudevents+json";

#[test]
fn rust_example_reads_every_format() {
    reads_every_format(Language::Rust);
}

#[test]
fn rust_example_never_skips_a_record_whose_schema_is_not_available() {
    never_skips_a_record_without_its_schema(Language::Rust);
}

#[test]
fn python_example_never_skips_a_record_whose_schema_is_not_available() {
    never_skips_a_record_without_its_schema(Language::Python);
}

/// Whether it waits until the registry is there or ends with a failure, it continues at the record.
pub(super) fn never_skips_a_record_without_its_schema(language: Language) {
    let topic = Topic::with(&[]);
    let schema = registry().register(&topic.name, "AVRO", DataSchema::ProfileStatusChanged.avro());
    append_avro(&topic, u32::try_from(schema).unwrap(), "1", 10, "pending-review");
    let nowhere = url_at(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
    let consumer = Consumer::start_with(language, &topic, &[("SCHEMA_REGISTRY_URL", &nowhere)]);
    let decisions = match without_registry(language) {
        // More than once, so that it has tried the record again.
        WithoutRegistry::Waits(report) => consumer.kill_after_reports(report, 2),
        WithoutRegistry::Ends(report) => {
            let (decisions, stderr) = consumer.wait_for_failure();
            assert!(stderr.contains(report), "{language:?}: {stderr}");
            decisions
        }
    };
    assert_eq!(decisions, Vec::<Value>::new());
    assert_eq!(topic.committed(), 0);

    let consumer = Consumer::start_with(language, &topic, &[("SCHEMA_REGISTRY_URL", &registry().url())]);
    assert_eq!(consumer.decisions(1), [applied(PROFILE, "pending-review", "1")]);
    consumer.stop();
}

/// What an example does while the registry is not available, and what it says.
enum WithoutRegistry {
    Waits(&'static str),
    Ends(&'static str),
}

fn without_registry(language: Language) -> WithoutRegistry {
    match language {
        Language::Rust | Language::SpringBoot => WithoutRegistry::Waits("waiting at the record at"),
        Language::TypeScript => WithoutRegistry::Waits("Error when calling eachMessage"),
        Language::Python => WithoutRegistry::Ends("Connection refused"),
        Language::Go => WithoutRegistry::Ends("connection refused"),
        Language::Java => WithoutRegistry::Ends("the schema registry is not available"),
    }
}

#[test]
fn python_example_reads_every_format() {
    reads_every_format(Language::Python);
}

pub(super) fn reads_every_format(language: Language) {
    let topic = Topic::with(&[super::event("1", 10, PROFILE, "draft")]);
    append_structured(&topic, "2", 20, "pending-review");
    let schema = registry().register(&topic.name, "AVRO", DataSchema::ProfileStatusChanged.avro());
    append_avro(&topic, u32::try_from(schema).unwrap(), "3", 30, "twilio-approved");
    let consumer = Consumer::start_with(language, &topic, &[("SCHEMA_REGISTRY_URL", &registry().url())]);
    let expected = [
        applied(PROFILE, "draft", "1"),
        applied(PROFILE, "pending-review", "2"),
        applied(PROFILE, "twilio-approved", "3"),
    ];
    assert_eq!(consumer.decisions(expected.len()), expected);
    consumer.stop();
}

fn time(second: u32) -> String {
    format!("2026-11-20T11:04:{second:02}.000Z")
}

fn append_avro(topic: &Topic, schema: u32, ce_id: &str, second: u32, status: &str) {
    let time = time(second);
    let avro = AvroSchema::parse(DataSchema::ProfileStatusChanged.avro()).unwrap();
    let encoded = avro.encode(&value(&time, PROFILE, status)).unwrap();
    let headers = [("ce_type", EVENT_TYPE), ("ce_id", ce_id), ("ce_time", &time), ("content-type", AVRO)];
    append(topic, &headers, &frame(schema, &encoded));
}

fn append_structured(topic: &Topic, ce_id: &str, second: u32, status: &str) {
    let time = time(second);
    let data = value(&time, PROFILE, status);
    let event = json!({ "specversion": "1.0", "type": EVENT_TYPE, "id": ce_id, "time": time, "data": data });
    append(topic, &[("content-type", STRUCTURED)], event.to_string().as_bytes());
}

fn append(topic: &Topic, headers: &[(&str, &str)], value: &[u8]) {
    let headers = headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
    let record: BaseRecord<'_, str, [u8]> = BaseRecord::to(&topic.name).key(PROFILE).payload(value).headers(headers);
    topic.producer.send(record).map_err(|(error, _)| error).unwrap();
    topic.producer.flush(TIMEOUT).unwrap();
}
