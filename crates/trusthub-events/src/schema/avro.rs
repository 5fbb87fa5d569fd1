//! Tests that the Avro schemas in `schemas/` are those of the types, and stay compatible with every frozen one.
//!
//! An Avro schema is derived from the JSON Schema of its type. A value has the same fields and the same texts in both formats.
//! Every field has a default and every set of texts that may grow is a string, so that each change that the JSON Schema
//! permits is compatible in both directions.

use std::{collections::BTreeSet, fs};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    PUBLISHED, Published,
    avro_compatibility::{incompatibilities, named_types},
};

/// The namespace of the types; the version of the schema follows. Avro permits no hyphen in a name.
const NAMESPACE: &str = "io.trusthub_bridge";

/// The default of a text whose known values are listed. Consumers treat it like any other value that they do not know.
const UNKNOWN: &str = "unknown";

/// A record. The order of the members is that in the file.
#[derive(Serialize)]
struct AvroRecord {
    r#type: &'static str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc: Option<String>,
    fields: Vec<AvroField>,
}

#[derive(Serialize)]
struct AvroField {
    name: String,
    doc: String,
    r#type: AvroType,
    default: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AvroType {
    /// A primitive type, or a record that the schema has defined before.
    Name(String),
    Nullable(&'static str, Box<Self>),
    Array {
        r#type: &'static str,
        items: Box<Self>,
    },
    Map {
        r#type: &'static str,
        values: Box<Self>,
    },
    Record(AvroRecord),
}

/// Derives an Avro schema from a JSON Schema.
struct Derivation<'a> {
    definitions: &'a Value,
    /// The names of the records that the Avro schema has so far. Each is defined where it is used first.
    defined: BTreeSet<String>,
}

impl<'a> Derivation<'a> {
    /// The definition that a schema refers to, or the schema itself.
    fn resolve(&self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => &self.definitions[reference.strip_prefix("#/$defs/").unwrap()],
            None => schema,
        }
    }

    /// The type without `null`.
    fn type_of(&mut self, schema: &'a Value) -> AvroType {
        let schema = self.resolve(schema);
        match kind(schema) {
            "string" => AvroType::Name("string".to_owned()),
            "integer" => AvroType::Name("long".to_owned()),
            "array" => AvroType::Array { r#type: "array", items: Box::new(self.type_of(&schema["items"])) },
            "object" if schema.get("properties").is_none() => {
                AvroType::Map { r#type: "map", values: Box::new(self.type_of(&schema["additionalProperties"])) }
            }
            "object" if self.defined.contains(title(schema)) => AvroType::Name(title(schema).to_owned()),
            "object" => AvroType::Record(self.record(schema)),
            other => panic!("no Avro type for {other}"),
        }
    }

    fn record(&mut self, schema: &'a Value) -> AvroRecord {
        self.defined.insert(title(schema).to_owned());
        let fields = properties(schema).into_iter().map(|(name, field)| self.field(schema, name, field)).collect();
        AvroRecord { r#type: "record", name: title(schema).to_owned(), namespace: None, doc: None, fields }
    }

    fn field(&mut self, record: &Value, name: &str, schema: &'a Value) -> AvroField {
        let mut r#type = self.type_of(schema);
        if is_nullable(record, name, schema) {
            r#type = AvroType::Nullable("null", Box::new(r#type));
        }
        AvroField { name: name.to_owned(), doc: doc(schema), r#type, default: self.default(record, name, schema) }
    }

    fn default(&self, record: &Value, name: &str, schema: &'a Value) -> Value {
        if is_nullable(record, name, schema) {
            return Value::Null;
        }
        let schema = self.resolve(schema);
        match kind(schema) {
            "string" if schema.get("examples").is_some() => UNKNOWN.into(),
            "string" => "".into(),
            "integer" => 0.into(),
            "array" => json!([]),
            _ if schema.get("properties").is_none() => json!({}),
            _ => properties(schema)
                .into_iter()
                .map(|(name, field)| (name.to_owned(), self.default(schema, name, field)))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

fn title(schema: &Value) -> &str {
    schema["title"].as_str().unwrap()
}

/// The properties in the order of the fields of the type: the list of required ones has it. Others follow.
fn properties(schema: &Value) -> Vec<(&str, &Value)> {
    let required: Vec<_> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let place = |name: &str| required.iter().position(|other| *other == name).unwrap_or(required.len());
    let mut properties: Vec<_> =
        schema["properties"].as_object().unwrap().iter().map(|(name, schema)| (name.as_str(), schema)).collect();
    properties.sort_by_key(|(name, _)| place(name));
    properties
}

/// The type that a JSON Schema gives, without `null`.
fn kind(schema: &Value) -> &str {
    let types = schema["type"].as_array().map_or(std::slice::from_ref(&schema["type"]), Vec::as_slice);
    types.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap()
}

/// Whether a field may be `null` or absent, which is the same in Avro.
fn is_nullable(record: &Value, name: &str, schema: &Value) -> bool {
    let has_null = schema["type"].as_array().is_some_and(|types| types.contains(&"null".into()));
    has_null || !record["required"].as_array().unwrap().contains(&name.into())
}

/// The description in one line. Avro has no examples, so it lists the known values.
fn doc(schema: &Value) -> String {
    let words: Vec<_> = schema["description"].as_str().unwrap_or_default().split_whitespace().collect();
    let text = words.join(" ");
    let Some(examples) = schema["examples"].as_array() else { return text };
    let known: Vec<_> = examples.iter().filter_map(Value::as_str).collect();
    let known = format!("Known values: {}", known.join(", "));
    let sentence = "The examples are the known values";
    if text.contains(sentence) { text.replace(sentence, &known) } else { format!("{text} {known}.") }
}

impl Published {
    fn avro_record(&self) -> AvroRecord {
        let schema = self.generated();
        let mut derivation = Derivation { definitions: &schema["$defs"], defined: BTreeSet::new() };
        let version = self.data_schema.rsplit(':').next().unwrap();
        AvroRecord {
            namespace: Some(format!("{NAMESPACE}.{version}")),
            doc: Some(doc(&schema)),
            ..derivation.record(&schema)
        }
    }

    fn generated_avro(&self) -> Value {
        serde_json::to_value(self.avro_record()).unwrap()
    }

    /// The frozen copies: `NAME.frozen.avsc` is the first one, and a release that changed the schema adds
    /// `NAME.frozen-2.avsc` and so on.
    fn frozen_avro(&self) -> Vec<Value> {
        let folder = self.path("avsc").parent().unwrap().to_owned();
        let prefix = format!("{}.frozen", self.file);
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let extensions = files.filter(|file| file.starts_with(&prefix) && file.ends_with(".avsc"));
        extensions.map(|file| self.committed(file.strip_prefix(self.file).unwrap().trim_start_matches('.'))).collect()
    }
}

#[test]
fn avro_schema_files_match_the_types() {
    for published in PUBLISHED {
        published.assert_committed("avsc", &published.avro_record());
    }
}

#[test]
fn avro_schemas_are_compatible_with_every_frozen_one_in_both_directions() {
    for published in PUBLISHED {
        let frozen = published.frozen_avro();
        assert!(!frozen.is_empty(), "{} has no frozen Avro schema", published.file);
        for frozen in frozen {
            let found = incompatibilities(&frozen, &published.generated_avro());
            assert_eq!(found, Vec::<String>::new(), "{} requires a new ce_type version", published.file);
        }
    }
}

/// Otherwise a later version could not remove the field, and no reader could add it.
#[test]
fn every_field_of_an_avro_schema_has_a_default_and_a_doc() {
    for published in PUBLISHED {
        let schema = published.generated_avro();
        let fields = named_types(&schema).into_values().flat_map(|record| record["fields"].as_array().unwrap());
        for field in fields {
            assert!(field.get("default").is_some(), "{}: {field}", published.file);
            assert_ne!(field["doc"], "", "{}: {field}", published.file);
        }
    }
}

/// A program that uses several of the schemas has one class for each name.
#[test]
fn avro_types_of_the_same_name_are_the_same_in_every_schema() {
    let schemas = PUBLISHED.map(|published| published.generated_avro());
    let all: Vec<_> = schemas.iter().flat_map(named_types).collect();
    for (name, record) in &all {
        for (_, other) in all.iter().filter(|(other, _)| other == name) {
            assert_eq!(incompatibilities(record, other), Vec::<String>::new(), "{name}");
            assert_eq!(record["fields"].as_array().unwrap().len(), other["fields"].as_array().unwrap().len(), "{name}");
        }
    }
}
