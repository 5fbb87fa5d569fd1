//! Every record of `packages/testdata/records.json`, which the packages in other languages read as well.

mod parts;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    ProfileDeleted, ProfileDescribed, ProfileStatusChanged,
    avro::schema_prefix,
    state::ProfileState,
    view::{Decision, Reason, Record, View},
};

const RECORDS: &str = include_str!("../../../../packages/testdata/records.json");

/// Parts of a record.
struct Given {
    headers: Vec<(String, Vec<u8>)>,
    value: Option<Vec<u8>>,
}

impl Given {
    fn of(record: &Value) -> Self {
        let bytes = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
        let headers = record["headers"].as_array().unwrap().iter();
        Self {
            headers: headers.map(|header| (header[0].as_str().unwrap().to_owned(), bytes(&header[1]))).collect(),
            value: Some(&record["value"]).filter(|value| !value.is_null()).map(bytes),
        }
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    fn read(&self, schema: impl FnOnce(u32) -> Result<AvroSchema, ()>) -> Result<EventContent<'_>, ContentError<()>> {
        read(|name| self.header(name), self.value.as_deref(), DataSchema::ALL, schema)
    }
}

fn records() -> Vec<Value> {
    let records: Vec<Value> = serde_json::from_str(RECORDS).unwrap();
    assert!(records.len() > 60, "{}", records.len());
    records
}

fn named(name: &str) -> Value {
    records().into_iter().find(|record| record["name"] == name).unwrap()
}

/// The schema of the writer. A record without one has the schemas of this version.
fn writer_schema(record: &Value, id: u32) -> Result<AvroSchema, ()> {
    let text = match record.get("writer_schema") {
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err(()),
        None => {
            let headers = Given::of(record);
            let event_type = std::str::from_utf8(headers.header(TYPE_HEADER).unwrap()).unwrap().to_owned();
            DataSchema::of_event_type(&event_type).unwrap().avro().to_owned()
        }
    };
    assert!(record.get("schema_id").is_none_or(|expected| *expected == id));
    Ok(AvroSchema::parse(&text).unwrap())
}

/// What the test data says about a record: the event, or why there is none.
fn outcome(record: &Value) -> Value {
    let given = Given::of(record);
    let content = match given.read(|id| writer_schema(record, id)) {
        Ok(content) => content,
        Err(ContentError::UnknownSchema(()) | ContentError::OtherSchema(_)) => return json!({ "error": "read again" }),
    };
    let Some(schema) = content.event_type.as_deref().and_then(DataSchema::of_event_type) else {
        return json!({ "error": "unknown_type" });
    };
    let data: Option<Value> = content.data.as_deref().and_then(|data| serde_json::from_slice(data).ok());
    let (Some(id), Some(time), Some(data)) = (&content.id, &content.time, data.filter(|data| is_valid(schema, data)))
    else {
        return json!({ "error": "unreadable" });
    };
    json!({
        "id": id, "type": content.event_type, "source": content.source, "subject": content.subject, "time": time,
        "data": data,
    })
}

fn is_valid(schema: DataSchema, data: &Value) -> bool {
    let data = data.clone();
    match schema {
        DataSchema::ProfileStatusChanged => serde_json::from_value::<ProfileStatusChanged>(data).is_ok(),
        DataSchema::ProfileDescribed => serde_json::from_value::<ProfileDescribed>(data).is_ok(),
        DataSchema::ProfileDeleted => serde_json::from_value::<ProfileDeleted>(data).is_ok(),
        DataSchema::ProfileState => serde_json::from_value::<ProfileState>(data).is_ok(),
    }
}

/// Whether a value has all that is expected. It may have more, and what is null may be absent.
fn has(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(members), Value::Object(expected)) => {
            expected.iter().all(|(name, expected)| has(members.get(name).unwrap_or(&Value::Null), expected))
        }
        (Value::Array(items), Value::Array(expected)) => {
            items.len() == expected.len() && items.iter().zip(expected).all(|(item, expected)| has(item, expected))
        }
        _ => value == expected,
    }
}

#[test]
fn every_record_is_read_as_the_event_that_it_is() {
    for record in records() {
        let outcome = outcome(&record);
        assert!(has(&outcome, &record["expected"]), "{}: {outcome}, not {}", record["name"], record["expected"]);
    }
}

#[test]
fn view_applies_each_status_change_in_every_format() {
    let mut applied = 0;
    for record in records() {
        let given = Given::of(&record);
        let Ok(content) = given.read(|id| writer_schema(&record, id)) else { continue };
        let decision = View::default().apply(&Record::from(&content));
        match record["expected"]["error"].as_str() {
            Some(reason) => assert!(matches!(&decision, Decision::Skipped(skipped) if skipped.as_str() == reason)),
            None if record["expected"]["type"] == crate::cloud_events::EVENT_TYPE => {
                assert!(matches!(decision, Decision::Applied(..)), "{}: {decision:?}", record["name"]);
                applied += 1;
            }
            None => assert_eq!(decision, Decision::Skipped(Reason::UnknownType)),
        }
    }
    assert!(applied > 60, "{applied}");
}

#[test]
fn schema_of_a_type_that_is_not_read_is_not_asked_for() {
    let record = named("deleted, Avro");
    let given = Given::of(&record);
    let unasked = |id: u32| -> Result<AvroSchema, ()> { panic!("asked for {id}") };
    let content = read(|name| given.header(name), given.value.as_deref(), &[DataSchema::ProfileStatusChanged], unasked);
    let decision = View::default().apply(&Record::from(&content.unwrap()));
    assert_eq!(decision, Decision::Skipped(Reason::UnknownType));
}

#[test]
fn header_is_an_id_only_with_its_magic_byte_and_its_length() {
    assert_eq!(schema_id(&schema_prefix(7)), Some(7));
    for other in [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x07\0", b"\x01\0\0\0\x07"] {
        assert_eq!(schema_id(other), None, "{other:?}");
    }
}
