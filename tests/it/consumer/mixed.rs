//! Histories whose records have every format, each record the format that is drawn for it. A topic has several after changes of
//! the configuration, and instances with different settings write them at the same time.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};
use trusthub_events::{
    DataSchema,
    avro::{AvroSchema, frame, schema_prefix},
    cloud_events::EVENT_TYPE,
    content::{EventContent, read},
    view::{self, View},
};

use test_support::{ACCOUNT, project_root, random::Random};

use super::{HISTORIES, Record, assert_right, example::Language, history::History};

/// The writers of the records in Avro, by the id of their schema.
const WRITERS: [(u32, &str); 2] =
    [(7, "schemas/profile-status-changed.v1.avsc"), (300, "schemas/profile-status-changed.v1.frozen.avsc")];

/// The id of the schema of values in JSON, which no reader asks for.
const JSON_SCHEMA: u32 = 8;

/// The schemas of [`WRITERS`] as a registry returns them.
static SCHEMAS: LazyLock<BTreeMap<u32, (String, AvroSchema)>> = LazyLock::new(|| {
    let read = |(id, path): (u32, &str)| {
        let text = std::fs::read_to_string(project_root().join(path)).unwrap();
        let schema = AvroSchema::parse(&text).unwrap();
        (id, (text, schema))
    };
    WRITERS.into_iter().map(read).collect()
});

/// The schemas as the variable `SCHEMAS` of the feeds: one JSON object, by id.
pub(super) fn schemas_by_id() -> String {
    json!(SCHEMAS.iter().map(|(id, (text, _))| (id.to_string(), text)).collect::<BTreeMap<_, _>>()).to_string()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    Json,
    JsonWithSchemaId,
    Structured,
    Avro,
    /// The id of the schema is in a header, as newer clients of Confluent write it.
    AvroWithSchemaId,
}

const FORMATS: [Format; 5] =
    [Format::Json, Format::JsonWithSchemaId, Format::Structured, Format::Avro, Format::AvroWithSchemaId];

/// A record as it is in Kafka.
#[derive(Debug, Clone)]
pub(super) struct RawRecord {
    headers: Vec<(&'static str, Vec<u8>)>,
    value: Option<Vec<u8>>,
}

impl RawRecord {
    /// The record in JSON, with its attributes in headers.
    pub(super) fn json(record: &Record) -> Self {
        let headers = [("ce_type", &record.ce_type), ("ce_id", &record.ce_id), ("ce_time", &record.ce_time)];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?.as_bytes().to_vec())));
        Self { headers: headers.collect(), value: record.value.as_ref().map(|value| value.as_bytes().to_vec()) }
    }

    /// The record in a format that is drawn, if its value can have it.
    fn drawn(random: &mut Random, record: &Record) -> (Format, Self) {
        let format = random.pick(&FORMATS);
        let data = record.value.as_deref().and_then(|value| serde_json::from_str(value).ok());
        let (Some(data), Some(ce_type)) = (data, &record.ce_type) else { return (Format::Json, Self::json(record)) };
        let writer = random.pick(&WRITERS).0;
        let formatted = match format {
            Format::Json => Some(Self::json(record)),
            Format::JsonWithSchemaId => {
                let id = ("__value_schema_id", schema_prefix(JSON_SCHEMA).to_vec());
                Some(Self::json(record).with("application/json", Some(id)))
            }
            Format::Structured => Some(Self::structured(random, record, ce_type, &data)),
            Format::Avro => encoded(writer, ce_type, data).map(|encoded| Self {
                value: Some(frame(writer, &encoded)),
                ..Self::json(record).with("application/avro", None)
            }),
            Format::AvroWithSchemaId => encoded(writer, ce_type, data).map(|encoded| Self {
                value: Some(encoded),
                ..Self::json(record)
                    .with("application/avro", Some(("__value_schema_id", schema_prefix(writer).to_vec())))
            }),
        };
        formatted.map_or_else(|| (Format::Json, Self::json(record)), |formatted| (format, formatted))
    }

    fn with(mut self, content_type: &str, header: Option<(&'static str, Vec<u8>)>) -> Self {
        self.headers.push(("content-type", content_type.as_bytes().to_vec()));
        self.headers.extend(header);
        self
    }

    /// All is in the value. The header may be lost on the way.
    fn structured(random: &mut Random, record: &Record, ce_type: &str, data: &Value) -> Self {
        let mut event = json!({
            "specversion": "1.0", "type": ce_type, "source": format!("//trusthub.twilio.com/accounts/{ACCOUNT}"),
            "datacontenttype": "application/json", "data": data,
        });
        for (name, value) in [("id", &record.ce_id), ("time", &record.ce_time)] {
            if let Some(value) = value {
                event[name] = value.as_str().into();
            }
        }
        let content_types =
            [Some("application/cloudevents+json"), Some("application/cloudevents+json; charset=UTF-8"), None];
        let none = Self { headers: Vec::new(), value: Some(event.to_string().into_bytes()) };
        match random.pick(&content_types) {
            Some(content_type) => none.with(content_type, None),
            None => none,
        }
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_slice())
    }

    /// The event, as the Rust example finds it.
    fn content(&self) -> EventContent<'_> {
        let schema = |id: u32| SCHEMAS.get(&id).map(|(_, schema)| schema).ok_or(id);
        read(|name| self.header(name), self.value.as_deref(), &[DataSchema::ProfileStatusChanged], schema).unwrap()
    }
}

/// As the programs of other languages read it: headers and value in base64.
impl Serialize for RawRecord {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name, STANDARD.encode(value))).collect();
        let value = self.value.as_ref().map(|value| STANDARD.encode(value));
        json!({ "headers": headers, "value": value }).serialize(serializer)
    }
}

/// The value in Avro, if its type has a schema. This version of the schema has no field of a later one.
fn encoded(writer: u32, ce_type: &str, mut data: Value) -> Option<Vec<u8>> {
    data.as_object_mut()?.remove("field_of_a_later_version");
    SCHEMAS[&writer].1.encode(&data).ok().filter(|_| ce_type == EVENT_TYPE)
}

pub(super) fn decided_in_rust(records: &[RawRecord]) -> Vec<Value> {
    let mut view = View::default();
    let decide = |record: &RawRecord| {
        let content = record.content();
        let record = view::Record::from(&content);
        view.apply(&record).outcome(&record)
    };
    records.iter().map(decide).collect()
}

/// The decisions are right, and those of Rust.
pub(super) fn decides_about_mixed_formats(language: Language) {
    let histories: Vec<_> = (0..HISTORIES).map(History::numbered).collect();
    let mut counts = BTreeMap::new();
    let mut drawn = |(number, history): (u64, &History)| {
        let mut random = Random::from(number);
        let draw = |record| {
            let (format, record) = RawRecord::drawn(&mut random, record);
            *counts.entry(format).or_insert(0) += 1;
            record
        };
        history.partition.iter().map(|(record, _)| record).map(draw).collect::<Vec<_>>()
    };
    let partitions: Vec<_> = (0..HISTORIES).zip(&histories).map(&mut drawn).collect();
    assert!(FORMATS.iter().all(|format| counts.get(format).is_some_and(|count| *count > 5_000)), "{counts:?}");
    for ((history, records), decisions) in histories.iter().zip(&partitions).zip(language.decide_raw(&partitions)) {
        assert_right(history, &decisions);
        assert_eq!(decisions, decided_in_rust(records), "{records:#?}");
    }
}

#[test]
fn rust_rules_decide_about_records_of_mixed_formats() {
    decides_about_mixed_formats(Language::Rust);
}

#[test]
fn python_rules_decide_about_records_of_mixed_formats() {
    decides_about_mixed_formats(Language::Python);
}
