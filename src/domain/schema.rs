//! The JSON Schema in `schemas/` is generated from the event's type and stays compatible.

use std::{collections::BTreeSet, fs, path::PathBuf};

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{DATA_SCHEMA, ProfileStatusChanged};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/profile-status-changed.v1.json")
}

fn generated() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<ProfileStatusChanged>().to_value();
    schema["$id"] = DATA_SCHEMA.into();
    schema
}

/// Where the new schema would break a consumer of the old one.
///
/// Compatible are new properties, and new values of an enumeration that consumers must read as unknown
/// anyway. Incompatible are lost or changed properties, properties no longer always present, lost values.
fn breaks(old: &Value, new: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let path = format!("{path}/{key}");
                match new.get(key) {
                    _ if key == "description" || key == "title" => {}
                    Some(now) => found.extend(breaks(value, now, &path)),
                    None => found.push(format!("{path} is gone")),
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
            found.extend(
                old.iter().map(shape).filter(|value| !new.contains(value)).map(|value| format!("{path} lost {value}")),
            );
        }
        _ if old == new => {}
        _ => found.push(format!("{path} was {old} and is {new}")),
    }
    found
}

fn committed() -> Value {
    serde_json::from_str(&fs::read_to_string(file()).expect("schemas/ holds the schema")).unwrap()
}

#[test]
fn the_schema_file_is_what_the_type_says() {
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(file(), format!("{:#}\n", generated())).unwrap();
    }
    assert_eq!(committed(), generated(), "run `make schemas` and commit the result");
}

#[test]
fn the_schema_is_compatible_with_the_first_one_of_this_event_type() {
    let frozen = file().with_file_name("profile-status-changed.v1.frozen.json");
    let frozen: Value = serde_json::from_str(&fs::read_to_string(frozen).unwrap()).unwrap();
    assert_eq!(frozen["$id"], DATA_SCHEMA, "a new version of the event freezes its own schema");
    assert_eq!(breaks(&frozen, &generated(), ""), Vec::<String>::new(), "needs a new ce_type version");
}

#[test]
fn incompatible_changes_are_recognised() {
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut new = generated();
        change(&mut new);
        breaks(&generated(), &new, "").len()
    };
    assert_eq!(broken(&|_| {}), 0);
    assert_eq!(broken(&|new| new["properties"]["added"] = serde_json::json!({"type": "string"})), 0);
    let lost = |new: &mut Value| drop(new["properties"].as_object_mut().unwrap().remove("status"));
    assert_eq!(broken(&lost), 1, "a lost property");
    assert_eq!(broken(&|new| new["properties"]["raw_status"]["type"] = "integer".into()), 1, "another type");
    assert_eq!(broken(&|new| drop(new["required"].as_array_mut().unwrap().pop())), 1, "no longer required");
    assert_eq!(broken(&|new| new["properties"]["account_sid"]["pattern"] = ".*".into()), 1, "another pattern");
}
