//! Records that the service has published, in each mode that an SDK of CloudEvents reads.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use test_support::{
    ACCOUNT, Bridge, PROFILE, Request,
    kafka::{Record, broker},
    registry::registry,
    wait_for,
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// In the form of packages/testdata/records.json, with what an SDK has to read. Read from the broker once.
pub(super) fn published_cloud_events() -> &'static [Value] {
    static RECORDS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let registry = registry().url();
        let modes: [&[(&str, &str)]; 3] = [&[], &[("SCHEMA_REGISTRY_URL", &registry)], &[("CE_MODE", "structured")]];
        modes.into_iter().flat_map(published_with).collect()
    });
    &RECORDS
}

/// Events of a rejection and an approval, and the state of their profile.
fn published_with(variables: &[(&str, &str)]) -> Vec<Value> {
    let bridge = Bridge::start_with(variables);
    wait_for("every id is known", || (bridge.metric("trusthub_schema_registry_up") == 1.0).then_some(()));
    let rejection = format!(
        "AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=twilio-rejected&FailureReason=Gr%C3%B6%C3%9Fe+%2818602%29&Note=%22a%22"
    );
    let rejection = Request::form("/callbacks/customer-profiles", &rejection).signed().with("traceparent", TRACE);
    for request in [rejection, Request::change("twilio-approved")] {
        assert_eq!(bridge.send(&request).status, 204);
    }
    let state = wait_for("the state", || {
        let has_topic = broker().has_topic(&bridge.profiles_topic);
        has_topic.then(|| broker().read_to_end(&bridge.profiles_topic))?.into_iter().next()
    });
    let events = bridge.events(2);
    assert_eq!(events.iter().filter(|event| event.header("traceparent") == Some(TRACE)).count(), 1);
    events.iter().chain([&state]).map(with_expected).collect()
}

/// The record, with its attributes and its data, wherever it has them.
fn with_expected(record: &Record) -> Value {
    let value = record.payload.as_deref().unwrap();
    let json: Value = serde_json::from_slice(value).unwrap();
    let is_structured = record.header("content-type") == Some("application/cloudevents+json");
    let mut expected = Map::new();
    for name in ["id", "type", "source", "subject", "time"] {
        let header = record.header(&format!("ce_{name}"));
        let attribute = if is_structured { json[name].as_str() } else { header };
        expected.insert(name.to_owned(), attribute.unwrap_or_else(|| panic!("no {name}: {record:?}")).into());
    }
    expected.insert("data".to_owned(), if is_structured { json["data"].clone() } else { json });
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| json!([name, STANDARD.encode(value)])).collect();
    json!({ "name": format!("{record:?}"), "headers": headers, "value": STANDARD.encode(value), "expected": expected })
}
