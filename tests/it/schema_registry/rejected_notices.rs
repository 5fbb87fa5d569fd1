//! A description or deletion of a profile that was spooled before the registry rejected its schema.

use std::{sync::Arc, time::Duration};

use durable_spool::{Spool, SpoolLimits, SpoolObserver};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use trusthub_events::{
    DataSchema,
    cloud_events::{DATA_SCHEMA_HEADER, DELETED_DATA_SCHEMA, DELETED_EVENT_TYPE, ID_HEADER, TYPE_HEADER},
};

use test_support::{
    Bridge, Request,
    kafka::{broker, unique_topic},
    registry::{data, registry},
    wait_for,
};

use super::{AVRO, wait_until_registered};

/// An address without a listener.
const NOWHERE: (&str, &str) = ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1");

#[derive(Debug)]
struct Unobserved;

impl SpoolObserver for Unobserved {}

/// What `spool export` prints about the only record.
fn exported(bridge: &Bridge) -> Value {
    let output = bridge.command(&["spool", "export"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn set_header(record: &mut Value, name: &str, value: &str) {
    let headers = record["headers"].as_array_mut().unwrap();
    let header = headers.iter_mut().find(|header| header[0] == name).unwrap();
    header[1] = value.into();
}

/// The record of an event that is another status change of the same profile.
fn other_change(record: &Value, status: &str) -> Value {
    let mut record = record.clone();
    set_header(&mut record, ID_HEADER, status);
    record["payload"]["status"] = status.into();
    record
}

/// The record of an event that says that its profile is gone.
fn deletion(record: &Value) -> Value {
    let mut record = record.clone();
    for (name, value) in
        [(ID_HEADER, "deletion"), (TYPE_HEADER, DELETED_EVENT_TYPE), (DATA_SCHEMA_HEADER, DELETED_DATA_SCHEMA)]
    {
        set_header(&mut record, name, value);
    }
    let mut payload = json!({ "origin": "reconciliation" });
    for field in ["account_sid", "profile_sid", "resource", "received_at"] {
        payload[field] = record["payload"][field].clone();
    }
    record["payload"] = payload;
    record
}

/// Appends records to the spool of a stopped program.
fn spool(bridge: &Bridge, records: &[Value]) {
    let limits = SpoolLimits { max_bytes: 1 << 30, min_free_bytes: 0, append_timeout: Duration::from_secs(60) };
    let spool = Spool::open(bridge.spool(), limits, Arc::new(Unobserved)).unwrap();
    let records = records.iter().map(|record| json!({ "record": record, "fallback": null }).to_string().into_bytes());
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { spool.append(records.collect()).await }).unwrap();
    spool.close();
}

fn ids(bridge: &Bridge, count: usize) -> Vec<String> {
    bridge.events(count).iter().map(|event| event.header(ID_HEADER).unwrap().to_owned()).collect()
}

#[test]
fn spooled_notice_whose_schema_is_rejected_blocks_no_status_change() {
    let mut bridge = Bridge::launch(&[NOWHERE]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let first = exported(&bridge)["record"].take();
    spool(&bridge, &[deletion(&first), other_change(&first, "in-review")]);

    let subject = format!("{}-{}", bridge.topic, DataSchema::ProfileDeleted.record_name());
    registry().register(&subject, "AVRO", r#"{"type": "record", "name": "Other", "fields": []}"#);
    registry().set_compatibility(&subject, "FULL_TRANSITIVE");
    let kafka = ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap());
    bridge.restart(&[kafka, AVRO, ("SCHEMA_REGISTRY_URL", &registry().url())]);
    let line = bridge.wait_for_log("parked a record of the spool because");
    assert!(line.contains("the schema registry rejects its schema"), "{line}");
    assert_eq!(ids(&bridge, 2).last().map(String::as_str), Some("in-review"));
    wait_for("records are published directly", || (bridge.metric("trusthub_spool_events") == 0.0).then_some(()));
    assert_eq!(bridge.metric("trusthub_spool_parked"), 1.0);

    registry().set_compatibility(&subject, "NONE");
    wait_until_registered(&bridge);
    wait_for("the deletion is published", || (bridge.metric("trusthub_spool_parked") == 0.0).then_some(()));
    let events = bridge.events(3);
    assert_eq!(ids(&bridge, 3)[1..], ["in-review", "deletion"]);
    assert_eq!(data(&events[2])["origin"], "reconciliation");
}

/// `spool drain` publishes what can be published, and keeps the rest.
#[test]
fn spool_drain_passes_over_a_notice_whose_schema_is_rejected() {
    let topic = unique_topic("events");
    let subject = format!("{topic}-{}", DataSchema::ProfileDeleted.record_name());
    registry().register(&subject, "AVRO", r#"{"type": "record", "name": "Other", "fields": []}"#);
    registry().set_compatibility(&subject, "FULL_TRANSITIVE");
    let mut bridge = Bridge::launch(&[NOWHERE, ("KAFKA_TOPIC", &topic)]);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let first = exported(&bridge)["record"].take();
    spool(&bridge, &[deletion(&first), other_change(&first, "in-review")]);

    let kafka = ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap());
    let output = bridge.command_with(&["spool", "drain"], &[kafka, AVRO, ("SCHEMA_REGISTRY_URL", &registry().url())]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("notices about profiles wait"), "{said}");
    assert_eq!(ids(&bridge, 2).last().map(String::as_str), Some("in-review"));
    assert_eq!(exported(&bridge)["record"], deletion(&first), "it is still there");
}
