//! fastavro writes and reads every kind of value with the Avro schemas, and the values stay those of JSON.

use std::process::Command;

use serde_json::{Value, json};

use test_support::oracle::{harness, libraries};

use super::{dead_letters, documented_values, golden_values, reconciled, run, schema_file};

/// What a reader with one schema reads of values that were written with another one.
fn decoded(writer: &Value, reader: &Value, values: &[Value]) -> Vec<Value> {
    let mut python = Command::new(libraries().join("python/bin/python"));
    python.arg(harness("schemas/avro.py"));
    let output = run(&mut python, &json!({ "writer": writer, "reader": reader, "values": values }).to_string());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The values of each schema. What JSON omits is `null` in Avro.
fn values_of_all_schemas() -> Vec<(&'static str, Vec<Value>)> {
    let mut later = reconciled();
    for (field, text) in [("status", "on-hold"), ("resource", "brand"), ("origin", "event-stream")] {
        later[field] = text.into();
    }
    let events = golden_values().into_iter().chain([reconciled(), later]);
    let mut all = vec![("profile-status-changed.v1", events.collect::<Vec<_>>())];
    all.extend(documented_values());
    for (name, values) in &mut all {
        for value in values {
            let optional = match *name {
                "profile-status-changed.v1" => "profile",
                "dead-letter.v1" => "cut_from_bytes",
                _ => continue,
            };
            value.as_object_mut().unwrap().entry(optional).or_insert(Value::Null);
        }
    }
    all
}

#[test]
fn avro_values_equal_json_values_also_across_frozen_schemas() {
    for (name, values) in values_of_all_schemas() {
        let (current, frozen) = (schema_file(&format!("{name}.avsc")), schema_file(&format!("{name}.frozen.avsc")));
        for (writer, reader) in [(&current, &current), (&frozen, &current), (&current, &frozen)] {
            assert_eq!(decoded(writer, reader, &values), values, "{name}");
        }
    }
}

/// The reason why every field has a default.
#[test]
fn avro_reader_of_a_later_schema_fills_new_fields_with_their_defaults() {
    let current = schema_file("dead-letter.v1.avsc");
    let mut later = current.clone();
    let added = json!({"name": "added", "type": "string", "default": "unknown"});
    later["fields"].as_array_mut().unwrap().insert(0, added);
    let mut letter = dead_letters().pop().unwrap();
    letter["added"] = "new".into();
    let written = letter.clone();
    assert_eq!(decoded(&later, &later, std::slice::from_ref(&written)), std::slice::from_ref(&written));
    letter.as_object_mut().unwrap().remove("added");
    assert_eq!(decoded(&later, &current, &[written]), [letter.clone()], "an earlier reader");
    let mut read = letter.clone();
    read["added"] = "unknown".into();
    assert_eq!(decoded(&current, &later, &[letter]), [read], "a later reader");
}
