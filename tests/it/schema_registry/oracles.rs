//! Consumers in Python read what is written, with the libraries that consumers use.

use std::process::Command;

use serde_json::{Value, json};

use test_support::{
    Bridge, Request,
    kafka::broker,
    oracle::{harness, libraries},
    registry::{data, registry},
};

use super::{AVRO, STRUCTURED, registered};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Publishes a rejection, with texts beyond ASCII, and returns it as each library reads it, with its data.
fn read_by_all(variables: &[(&str, &str)]) -> (Value, Value, Bridge) {
    let bridge = registered(variables);
    let form = format!(
        "AccountSid={}&BundleSid={}&Status=twilio-rejected&FailureReason=Gr%C3%B6%C3%9Fe+%2818602%29&Note=%22a%22",
        test_support::ACCOUNT,
        test_support::PROFILE
    );
    let request = Request::form("/callbacks/customer-profiles", &form).signed().with("traceparent", TRACE);
    assert_eq!(bridge.send(&request).status, 204);
    let written = data(&bridge.events(1)[0]);
    let mut python = Command::new(libraries().join("registry/bin/python"));
    python.arg(harness("registry/read.py")).args([broker().bootstrap(), &bridge.topic, &registry().url(), "1"]);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (serde_json::from_slice(&output.stdout).unwrap(), written, bridge)
}

fn assert_attributes(event: &Value, data: &Value) {
    let attributes = &event["attributes"];
    for (name, value) in [
        ("specversion", "1.0"),
        ("type", "io.trusthub-bridge.profile.status-changed.v1"),
        ("subject", test_support::PROFILE),
        ("dataschema", "urn:trusthub-bridge:profile-status-changed:v1"),
    ] {
        assert_eq!(attributes[name], value, "{event}");
    }
    assert_eq!(attributes["id"].as_str().map(str::len), Some(32), "{event}");
    let received = data["received_at"].as_str().unwrap().trim_end_matches('Z');
    assert!(event["time"].as_str().unwrap().starts_with(received), "{event}");
}

#[test]
fn python_clients_read_json_with_the_id_of_its_schema() {
    let (read, written, _bridge) = read_by_all(&[]);
    assert_eq!(written["failure_reason"], "Größe (18602)");
    assert_eq!(read["json"], written, "the deserializer of Confluent's client, with its default settings");
    assert_eq!(read["cloudevents"]["data"], written);
    assert_attributes(&read["cloudevents"], &written);
    assert!(read["fastavro"]["error"].is_string(), "{read}");
}

#[test]
fn python_clients_read_avro_in_confluents_wire_format() {
    let (read, written, _bridge) = read_by_all(&[AVRO]);
    assert_eq!((&written["failure_reason"], &written["extra"]), (&json!("Größe (18602)"), &json!({"Note": ["\"a\""]})));
    assert_eq!(read["avro"], written, "Confluent's client");
    assert_eq!(read["fastavro"], written);
    assert_attributes(&read["cloudevents"], &written);
}

#[test]
fn cloudevents_sdk_reads_structured_events() {
    let (read, written, bridge) = read_by_all(&[STRUCTURED]);
    assert_eq!(read["cloudevents"]["data"], written);
    assert_attributes(&read["cloudevents"], &written);
    assert_eq!(read["cloudevents"]["attributes"]["traceparent"], TRACE);
    let names: Vec<_> = bridge.events(1)[0].headers.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["content-type", "traceparent"]);
}
