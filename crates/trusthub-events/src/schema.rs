//! Tests that the JSON Schema in `schemas/` matches the event type and stays compatible.

use std::{collections::BTreeSet, fs, path::PathBuf};

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{ProfileStatusChanged, cloud_events::DATA_SCHEMA};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/profile-status-changed.v1.json")
}

fn generated() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<ProfileStatusChanged>().to_value();
    schema["$id"] = DATA_SCHEMA.into();
    schema
}

/// Lists the changes that would break a consumer of the old schema.
///
/// New properties are compatible, and so are new enumeration values, which consumers must read as unknown. Removed or changed
/// properties, properties that are no longer required, and removed values are incompatible.
fn breaking_changes(old: &Value, new: &Value, path: &str) -> Vec<String> {
    let mut changes = Vec::new();
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
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

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(file()).expect("schemas/ contains the schema")).unwrap()
}

#[test]
fn schema_file_matches_the_event_type() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file(), format!("{:#}\n", generated())).unwrap();
    }
    assert_eq!(committed(), generated(), "run `make schemas` and commit the result");
}

#[test]
fn schema_is_compatible_with_the_frozen_one_of_this_event_type() {
    let frozen = file().with_file_name("profile-status-changed.v1.frozen.json");
    let frozen: Value = serde_json::from_str(&fs::read_to_string(frozen).unwrap()).unwrap();
    assert_eq!(frozen["$id"], DATA_SCHEMA, "a new version of the event freezes its own schema");
    assert_eq!(breaking_changes(&frozen, &generated(), ""), Vec::<String>::new(), "requires a new ce_type version");
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
    assert_eq!(broken(&|new| new["properties"]["raw_status"]["type"] = "integer".into()), 1, "another type");
    assert_eq!(broken(&|new| drop(new["required"].as_array_mut().unwrap().pop())), 1, "no longer required");
    assert_eq!(broken(&|new| new["properties"]["account_sid"]["pattern"] = ".*".into()), 1, "another pattern");
}
