//! Tests that the schemas in `schemas/` match the types of events, of the state and of dead letters, and stay compatible.
//!
//! The JSON Schema of a type is generated from the type, and its other forms from the JSON Schema: [`avro`] and [`draft_07`].
//! The JSON Schema contains only what every tool understands: no `format`, which strict validators reject without a plugin and
//! which code generators turn into types of other libraries; and no closed list of values, since a generated class would
//! throw on a value that is added later.

mod avro;
mod avro_compatibility;
mod draft_07;

use std::{collections::BTreeSet, fs, path::PathBuf};

use schemars::{JsonSchema as _, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    DeadLetter, Label, ProfileDeleted, ProfileDescribed, ProfileDetails, ProfileStatusChanged, ProfileTier,
    ProfileType, Resource, Status,
    cloud_events::{DATA_SCHEMA, DELETED_DATA_SCHEMA, DESCRIBED_DATA_SCHEMA, STATE_DATA_SCHEMA},
    dead_letter,
    state::ProfileState,
};

/// UTC, RFC 3339, milliseconds, as [`crate::Timestamp`] is written.
const TIMESTAMP: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$";

/// A set of texts that may grow: any text is valid, and the known ones are examples.
fn open_set<L: Label>() -> Schema {
    let known: Vec<_> = L::ALL.iter().map(|value| value.as_str()).collect();
    json_schema!({"type": "string", "examples": known})
}

/// As [`open_set`], or `null`.
fn open_set_or_null<L: Label>() -> Schema {
    let mut schema = open_set::<L>();
    schema.insert("type".to_owned(), serde_json::json!(["string", "null"]));
    schema
}

pub(crate) fn profile_type(_: &mut SchemaGenerator) -> Schema {
    open_set_or_null::<ProfileType>()
}

pub(crate) fn profile_tier(_: &mut SchemaGenerator) -> Schema {
    open_set_or_null::<ProfileTier>()
}

pub(crate) fn resource(_: &mut SchemaGenerator) -> Schema {
    open_set::<Resource>()
}

pub(crate) fn status(_: &mut SchemaGenerator) -> Schema {
    open_set::<Status>()
}

pub(crate) fn status_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(status(generator))
}

pub(crate) fn details_or_null(generator: &mut SchemaGenerator) -> Schema {
    or_null(ProfileDetails::json_schema(generator))
}

/// The schema with `null` as one more type. A choice of two schemas is not understood by every generator of code.
fn or_null(mut schema: Schema) -> Schema {
    let kind = schema.get("type").cloned();
    schema.insert("type".to_owned(), json!([kind, "null"]));
    schema
}

pub(crate) fn origin(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "examples": ["callback", "reconciliation"]})
}

/// Pairs of a name and a value. A tuple has keywords that not every tool understands.
pub(crate) fn pairs(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "array", "items": {"type": "string"}}})
}

pub(crate) fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "minimum": 0})
}

pub(crate) fn code(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "minimum": 0, "maximum": u32::MAX})
}

pub(crate) fn timestamp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": TIMESTAMP})
}

pub(crate) fn timestamp_or_null(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "pattern": TIMESTAMP})
}

/// A type with a schema of its own.
struct Published {
    /// The name of its file in `schemas/`, without the extension.
    file: &'static str,
    data_schema: &'static str,
    root: fn(SchemaGenerator) -> Schema,
}

const PUBLISHED: [Published; 5] = [
    Published {
        file: "profile-status-changed.v1",
        data_schema: DATA_SCHEMA,
        root: SchemaGenerator::into_root_schema_for::<ProfileStatusChanged>,
    },
    Published {
        file: "profile-state.v1",
        data_schema: STATE_DATA_SCHEMA,
        root: SchemaGenerator::into_root_schema_for::<ProfileState>,
    },
    Published {
        file: "profile-deleted.v1",
        data_schema: DELETED_DATA_SCHEMA,
        root: SchemaGenerator::into_root_schema_for::<ProfileDeleted>,
    },
    Published {
        file: "profile-described.v1",
        data_schema: DESCRIBED_DATA_SCHEMA,
        root: SchemaGenerator::into_root_schema_for::<ProfileDescribed>,
    },
    Published {
        file: "dead-letter.v1",
        data_schema: dead_letter::DATA_SCHEMA,
        root: SchemaGenerator::into_root_schema_for::<DeadLetter<'_>>,
    },
];

impl Published {
    fn path(&self, extension: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../schemas/{}.{extension}", self.file))
    }

    fn generated(&self) -> Value {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = (self.root)(generator).to_value();
        schema["$id"] = self.data_schema.into();
        schema
    }

    fn committed(&self, extension: &str) -> Value {
        let path = self.path(extension);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    /// Asserts that the committed file is what is generated now; with `UPDATE_GOLDEN`, writes it.
    fn assert_committed(&self, extension: &str, generated: &impl Serialize) {
        let path = self.path(extension);
        let text = format!("{}\n", serde_json::to_string_pretty(generated).unwrap());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let is_same = fs::read_to_string(&path).is_ok_and(|committed| committed == text);
        assert!(is_same, "run `make schemas` and commit {}", path.display());
    }
}

fn generated() -> Value {
    PUBLISHED[0].generated()
}

/// Lists the changes that would break a consumer of the old schema.
///
/// New properties are compatible, and so are new examples, which are the known values of an open set. Removed or changed
/// properties, properties that are no longer required, and removed values are incompatible. So is a property that becomes
/// required, because earlier records do not have it, unless it may be null: readers take a missing one for null.
fn breaking_changes(old: &Value, new: &Value, path: &str) -> Vec<String> {
    let mut changes = Vec::new();
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let added = newly_required(old, new).into_iter();
            changes.extend(added.map(|name| format!("{path}/properties/{name} became required")));
            for (key, value) in old {
                let path = format!("{path}/{key}");
                match new.get(key) {
                    _ if key == "description" || key == "title" => {}
                    Some(now) => changes.extend(breaking_changes(value, now, &path)),
                    None => changes.push(format!("{path} was removed")),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            let shape = |value: &Value| {
                let mut value = value.clone();
                if let Value::Object(object) = &mut value {
                    object.remove("description");
                }
                value.to_string()
            };
            let new: BTreeSet<String> = new.iter().map(shape).collect();
            changes.extend(
                old.iter().map(shape).filter(|value| !new.contains(value)).map(|value| format!("{path} lost {value}")),
            );
        }
        _ if old == new => {}
        _ => changes.push(format!("{path} changed from {old} to {new}")),
    }
    changes
}

/// The properties that a schema requires, that its former version did not require, and that cannot be null.
fn newly_required(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let required = |schema: &Map<String, Value>| -> BTreeSet<String> {
        let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let is_nullable = |name: &str| {
        let types = new.get("properties").and_then(|properties| properties[name]["type"].as_array());
        types.is_some_and(|types| types.contains(&json!("null")))
    };
    required(new).difference(&required(old)).filter(|name| !is_nullable(name)).cloned().collect()
}

#[test]
fn schema_files_match_the_types() {
    for published in PUBLISHED {
        published.assert_committed("json", &published.generated());
    }
}

/// The keywords of a schema, also of those in it.
fn keywords(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        found.insert(keyword.clone());
        let inner: Vec<&Value> = match keyword.as_str() {
            "properties" | "$defs" => value.as_object().unwrap().values().collect(),
            _ => vec![value],
        };
        found.extend(inner.into_iter().flat_map(keywords));
    }
    found
}

#[test]
fn schema_has_only_keywords_that_every_tool_understands() {
    let known = [
        "$defs",
        "$id",
        "$ref",
        "$schema",
        "additionalProperties",
        "description",
        "examples",
        "items",
        "maximum",
        "minimum",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    ];
    let used: BTreeSet<_> = PUBLISHED.iter().flat_map(|published| keywords(&published.generated())).collect();
    assert_eq!(used, BTreeSet::from(known.map(str::to_owned)));
}

#[test]
fn schemas_are_compatible_with_the_frozen_ones_of_their_types() {
    for published in PUBLISHED {
        let frozen = published.committed("frozen.json");
        assert_eq!(frozen["$id"], published.data_schema, "a new version freezes its own schema");
        let breaking = breaking_changes(&frozen, &published.generated(), "");
        assert_eq!(breaking, Vec::<String>::new(), "{} requires a new ce_type version", published.file);
    }
}

#[test]
fn incompatible_changes_are_detected() {
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut new = generated();
        change(&mut new);
        breaking_changes(&generated(), &new, "").len()
    };
    assert_eq!(broken(&|_| {}), 0);
    assert_eq!(broken(&|new| new["properties"]["added"] = serde_json::json!({"type": "string"})), 0);
    let removed = |new: &mut Value| drop(new["properties"].as_object_mut().unwrap().remove("status"));
    assert_eq!(broken(&removed), 1, "a removed property");
    let added = |new: &mut Value| new["properties"]["status"]["examples"].as_array_mut().unwrap().push("new".into());
    assert_eq!(broken(&added), 0, "a value of tomorrow");
    let lost = |new: &mut Value| drop(new["properties"]["status"]["examples"].as_array_mut().unwrap().pop());
    assert_eq!(broken(&lost), 1, "a removed value");
    assert_eq!(broken(&|new| new["properties"]["raw_status"]["type"] = "integer".into()), 1, "another type");
    assert_eq!(broken(&|new| drop(new["required"].as_array_mut().unwrap().pop())), 1, "no longer required");
    assert_eq!(broken(&|new| new["properties"]["account_sid"]["pattern"] = ".*".into()), 1, "another pattern");
    let require = |schema: &mut Value, kind: Value| {
        schema["properties"]["added"] = json!({ "type": kind });
        schema["required"].as_array_mut().unwrap().push("added".into());
    };
    assert_eq!(broken(&|new| require(new, json!("string"))), 1, "newly required");
    assert_eq!(broken(&|new| require(&mut new["$defs"]["RejectionReason"], json!("string"))), 1, "the same deeper");
    assert_eq!(broken(&|new| require(new, json!(["string", "null"]))), 0, "null for earlier records");
    let optional = |new: &mut Value| new["required"].as_array_mut().unwrap().push("profile".into());
    assert_eq!(broken(&optional), 1, "no longer optional");
}
