//! The parts of records, whose data may still be encoded.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    DataSchema,
    avro::frame,
    cloud_events::{DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, EVENT_TYPE, STATE_TYPE, TYPE_HEADER},
    content::{EventContent, ParsedRecord, parse},
};

fn content<'m>(headers: &'m BTreeMap<&str, &'m str>, value: &'m [u8]) -> EventContent<'m> {
    match parse(|name| headers.get(name).map(|value| value.as_bytes()), Some(value)) {
        ParsedRecord::Content(content) => content,
        parsed @ ParsedRecord::Avro { .. } => panic!("{parsed:?}"),
    }
}

fn attributes<'c>(content: &'c EventContent<'_>) -> [Option<&'c str>; 3] {
    [content.id.as_deref(), content.event_type.as_deref(), content.time.as_deref()]
}

fn structured(version: &str) -> String {
    json!({
        "specversion": version, "id": "in \"value\"", "type": EVENT_TYPE, "time": "2026-11-20T11:04:00.123Z",
        "source": "//trusthub.twilio.com/accounts/AC1", "data": {"status": "draft"},
    })
    .to_string()
}

#[test]
fn attributes_are_in_headers_and_the_value_is_the_data() {
    let headers = BTreeMap::from([("ce_id", "1"), ("ce_type", EVENT_TYPE), ("content-type", "application/json")]);
    let content = content(&headers, br#"{"status":"draft"}"#);
    assert_eq!(attributes(&content), [Some("1"), Some(EVENT_TYPE), None]);
    assert_eq!(content.data.as_deref(), Some(&br#"{"status":"draft"}"#[..]));
}

#[test]
fn structured_record_is_read_with_and_without_its_headers() {
    let value = structured("1.0");
    for headers in [
        BTreeMap::from([("ce_id", "1"), ("ce_type", EVENT_TYPE), ("content-type", "application/cloudevents+json")]),
        BTreeMap::from([("content-type", "Application/CloudEvents+JSON; charset=UTF-8")]),
        BTreeMap::new(),
    ] {
        let content = content(&headers, value.as_bytes());
        assert_eq!(
            attributes(&content),
            [Some("in \"value\""), Some(EVENT_TYPE), Some("2026-11-20T11:04:00.123Z")],
            "{headers:?}"
        );
        assert_eq!(content.data.as_deref(), Some(&br#"{"status":"draft"}"#[..]), "{headers:?}");
    }
}

#[test]
fn record_of_another_program_stays_as_it_is() {
    let foreign = [br#"{"id": 1}"#.to_vec(), b"text".to_vec(), frame(7, b"\x02"), Vec::new()];
    for value in &foreign {
        let none = BTreeMap::new();
        let content = content(&none, value);
        assert_eq!((attributes(&content), content.data.as_deref()), ([None; 3], Some(&value[..])));
    }
}

/// Its schema may be in another registry, or in none.
#[test]
fn schema_of_another_type_is_not_asked_for() {
    let headers = BTreeMap::from([("ce_type", "io.example.v1")]);
    let value = frame(7, b"\x02");
    assert_eq!(content(&headers, &value).data.as_deref(), Some(&value[..]));
}

#[test]
fn avro_of_this_service_has_its_schema_and_its_encoded_data() {
    for (event_type, expected) in [
        (EVENT_TYPE, DataSchema::ProfileStatusChanged),
        (DESCRIBED_EVENT_TYPE, DataSchema::ProfileDescribed),
        (DELETED_EVENT_TYPE, DataSchema::ProfileDeleted),
        (STATE_TYPE, DataSchema::ProfileState),
    ] {
        let value = frame(7, b"\x02");
        let header = |name: &str| (name == TYPE_HEADER).then_some(event_type.as_bytes());
        let parsed = parse(header, Some(&value));
        let ParsedRecord::Avro { schema, schema_id, encoded, content } = parsed else { panic!("{parsed:?}") };
        assert_eq!(schema, expected);
        assert_eq!((schema_id, encoded, content.event_type.as_deref()), (7, &b"\x02"[..], Some(event_type)));
    }
}

#[test]
fn tombstone_has_no_data() {
    let parsed = parse(|_| None, None);
    assert_eq!(parsed, ParsedRecord::Content(EventContent::default()));
}

#[test]
fn value_that_is_no_structured_event_is_its_own_data() {
    let headers = BTreeMap::from([("ce_id", "1"), ("content-type", "application/cloudevents+json")]);
    let value = structured("1.0").replace("specversion", "version");
    let content = content(&headers, value.as_bytes());
    assert_eq!((attributes(&content), content.data.as_deref()), ([Some("1"), None, None], Some(value.as_bytes())));
}
