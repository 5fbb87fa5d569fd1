use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::{
    domain::{
        AccountSid, Destination, Event, NoticeContent, Origin, ProfileDeleted, ProfileNotice, ProfileSid,
        ProfileStatusChanged, Resource, Status, TraceContext, TraceParent,
        avro::split_frame,
        content::{EventContent, ParsedRecord, parse},
    },
    kafka::Record,
};

const ID: u32 = 258;
const KNOWN: &[(DataSchema, u32)] =
    &[(DataSchema::ProfileStatusChanged, ID), (DataSchema::ProfileDeleted, ID + 1), (DataSchema::ProfileState, ID + 2)];

fn event() -> Record {
    let data = ProfileStatusChanged {
        account_sid: AccountSid::parse(&format!("AC{}", "0a".repeat(16))).unwrap(),
        profile_sid: ProfileSid::parse(&format!("BU{}", "0b".repeat(16))).unwrap(),
        resource: Resource::CustomerProfile,
        status: Status::Draft,
        raw_status: "draft".to_owned(),
        failure_reason: Some("Größe \"x\"".to_owned()),
        errors: vec![18602.into()],
        valid_until: None,
        received_at: "2026-11-20T11:04:00.123Z".parse().unwrap(),
        origin: Origin::Callback,
        idempotency_token: None,
        extra: BTreeMap::from([("a".to_owned(), vec!["1".to_owned(), String::new()])]),
        profile: None,
    };
    let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    let trace = Some(TraceContext { parent, state: None });
    let event = Event { id: "0123".to_owned(), is_test: false, trace, construction: None, data };
    Record::event(&event).unwrap()
}

fn notice() -> Record {
    let Record { payload, .. } = event();
    let event: ProfileStatusChanged = serde_json::from_str(payload.get()).unwrap();
    let ProfileStatusChanged { account_sid, profile_sid, resource, received_at, .. } = event;
    let origin = Origin::Reconciliation;
    let deleted = ProfileDeleted { account_sid, profile_sid, resource, received_at, origin };
    Record::notice(&ProfileNotice { id: "4567".to_owned(), content: NoticeContent::Deleted(deleted) }).unwrap()
}

fn headers(record: &Record) -> impl Iterator<Item = (&str, &str)> + Clone {
    record.headers.iter().map(|(name, value)| (&**name, &**value))
}

/// The headers and the value of a record.
type HeadersAndValue = (BTreeMap<String, Vec<u8>>, Vec<u8>);

fn encoded(encoder: &ValueEncoder, record: &Record) -> Result<HeadersAndValue, EncodeError> {
    let encoded = encoder.encode(headers(record), record.payload.get().as_bytes())?;
    let headers = encoded.headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()));
    Ok((headers.collect(), encoded.payload.into_owned()))
}

fn text_headers(record: &Record) -> BTreeMap<String, Vec<u8>> {
    headers(record).map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect()
}

/// What a reader finds in an encoded record, with the data as JSON.
fn read(headers: &BTreeMap<String, Vec<u8>>, payload: &[u8], schema: DataSchema) -> (Vec<Option<String>>, Value) {
    let header = |name: &str| headers.get(name).map(Vec::as_slice);
    let (content, data) = match parse(header, Some(payload)) {
        ParsedRecord::Content(content) => {
            let data = serde_json::from_slice(content.data.as_deref().unwrap()).unwrap();
            (content, data)
        }
        ParsedRecord::Avro { encoded, content, .. } => {
            (content, AvroSchema::parse(schema.avro()).unwrap().decode(encoded).unwrap())
        }
    };
    let EventContent { id, event_type, time, .. } = content;
    (vec![id.map(Cow::into_owned), event_type.map(Cow::into_owned), time.map(Cow::into_owned)], data)
}

#[test]
fn json_is_as_it_was_without_a_known_id() {
    let record = event();
    let encoder = ValueEncoder::with(ValueFormat::Json, EventMode::Binary, &[]);
    let expected = (text_headers(&record), record.payload.get().as_bytes().to_vec());
    assert_eq!(encoded(&encoder, &record), Ok(expected));
}

#[test]
fn json_has_the_id_of_its_schema_in_a_header() {
    let encoder = ValueEncoder::with(ValueFormat::Json, EventMode::Binary, KNOWN);
    for (record, id) in [(event(), [0, 0, 0, 1, 2]), (notice(), [0, 0, 0, 1, 3])] {
        let mut expected = text_headers(&record);
        expected.insert(SCHEMA_ID_HEADER.to_owned(), id.to_vec());
        assert_eq!(encoded(&encoder, &record), Ok((expected, record.payload.get().as_bytes().to_vec())));
    }
}

#[test]
fn only_avro_needs_the_id_of_a_schema() {
    let can_encode = |format, schema| ValueEncoder::with(format, EventMode::Binary, KNOWN).can_encode(schema);
    assert!(can_encode(ValueFormat::Avro, DataSchema::ProfileDeleted));
    assert!(!can_encode(ValueFormat::Avro, DataSchema::ProfileDescribed));
    assert!(can_encode(ValueFormat::Json, DataSchema::ProfileDescribed));
}

#[test]
fn avro_has_the_id_and_the_encoded_value() {
    let encoder = ValueEncoder::with(ValueFormat::Avro, EventMode::Binary, KNOWN);
    let (headers, payload) = encoded(&encoder, &event()).unwrap();
    assert_eq!(headers["content-type"], b"application/avro");
    assert_eq!(headers.get(SCHEMA_ID_HEADER), None, "the value has it");
    let (id, value) = split_frame(&payload).unwrap();
    assert_eq!(id, ID);
    // The first field is the account's SID, with its length of 34 bytes in zigzag encoding.
    assert_eq!(value.split_at(35).0, [&[68], format!("AC{}", "0a".repeat(16)).as_bytes()].concat());
}

#[test]
fn avro_waits_for_the_id_of_its_schema() {
    let encoder = ValueEncoder::with(ValueFormat::Avro, EventMode::Binary, &[(DataSchema::ProfileState, 7)]);
    assert_eq!(encoded(&encoder, &event()), Err(EncodeError::NoSchemaId(DataSchema::ProfileStatusChanged)));
}

#[test]
fn value_that_its_schema_does_not_permit_is_not_encoded() {
    let encoder = ValueEncoder::with(ValueFormat::Avro, EventMode::Binary, KNOWN);
    let payload = serde_json::value::to_raw_value(&json!({"status": 7})).unwrap();
    assert_eq!(encoded(&encoder, &Record { payload, ..event() }), Err(EncodeError::Invalid));
}

#[test]
fn structured_value_has_the_attributes_and_the_data() {
    let encoder = ValueEncoder::with(ValueFormat::Json, EventMode::Structured, KNOWN);
    let record = event();
    let (headers, payload) = encoded(&encoder, &record).unwrap();
    let expected = json!({
        "specversion": "1.0", "id": "0123", "source": format!("//trusthub.twilio.com/accounts/AC{}", "0a".repeat(16)),
        "type": "io.trusthub-bridge.profile.status-changed.v1", "subject": format!("BU{}", "0b".repeat(16)),
        "time": "2026-11-20T11:04:00.123Z", "dataschema": "urn:trusthub-bridge:profile-status-changed:v1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "datacontenttype": "application/json",
        "data": serde_json::from_str::<Value>(record.payload.get()).unwrap(),
    });
    assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), expected);
    // No id, because the schema is that of the data.
    let expected = [
        ("content-type", "application/cloudevents+json"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into());
}

#[test]
fn state_has_no_structured_mode() {
    let record = event();
    let of_state = headers(&record).map(|(name, value)| match name {
        DATA_SCHEMA_HEADER => (name, DataSchema::ProfileState.urn()),
        _ => (name, value),
    });
    let encoder = ValueEncoder::with(ValueFormat::Json, EventMode::Structured, KNOWN);
    let encoded = encoder.encode(of_state, b"{}").unwrap();
    assert_eq!(&*encoded.payload, b"{}");
    assert_eq!(encoded.headers.last(), Some(&(SCHEMA_ID_HEADER, Cow::Owned(vec![0, 0, 0, 1, 4]))));
}

#[test]
fn dead_letter_is_the_same_in_every_format() {
    let letter = Record {
        destination: Destination::DeadLetters,
        headers: vec![("reason".into(), "missing_status".into()), ("content-type".into(), "application/json".into())],
        ..event()
    };
    for (format, mode) in [
        (ValueFormat::Json, EventMode::Binary),
        (ValueFormat::Json, EventMode::Structured),
        (ValueFormat::Avro, EventMode::Binary),
    ] {
        let expected = (text_headers(&letter), letter.payload.get().as_bytes().to_vec());
        assert_eq!(encoded(&ValueEncoder::with(format, mode, KNOWN), &letter), Ok(expected), "{format:?}");
    }
}

#[test]
fn readers_find_the_same_in_every_format() {
    for (record, schema) in [(event(), DataSchema::ProfileStatusChanged), (notice(), DataSchema::ProfileDeleted)] {
        let mut data: Value = serde_json::from_str(record.payload.get()).unwrap();
        let attributes = ["ce_id", "ce_type", "ce_time"].map(|name| record.header(name).map(str::to_owned)).to_vec();
        for (format, mode) in [
            (ValueFormat::Json, EventMode::Binary),
            (ValueFormat::Json, EventMode::Structured),
            (ValueFormat::Avro, EventMode::Binary),
        ] {
            if format == ValueFormat::Avro && schema == DataSchema::ProfileStatusChanged {
                data["profile"] = Value::Null;
            }
            let (headers, payload) = encoded(&ValueEncoder::with(format, mode, KNOWN), &record).unwrap();
            assert_eq!(read(&headers, &payload, schema), (attributes.clone(), data.clone()), "{format:?} {mode:?}");
        }
    }
}
