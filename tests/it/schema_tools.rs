//! Common tools accept the schemas: validators in their strictest mode, fastavro, AsyncAPI's own parser, and quicktype, whose
//! code for Java, Go, TypeScript and Python compiles and reads records, also those of a later version.

mod asyncapi;
mod avro;
mod generated_code;

use std::{
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use trusthub_bridge::domain::{ProfileStatusChanged, RejectionReason};

use test_support::{
    oracle::{harness, libraries},
    project_root,
};

const SCHEMA: &str = include_str!("../../schemas/profile-status-changed.v1.json");
const RECEIVED: &str = "2026-11-20T11:04:00.123Z";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn schema_file(name: &str) -> Value {
    let text = fs::read_to_string(project_root().join("schemas").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The golden records in `tests/fixtures/callbacks` that are for this topic.
fn golden_records(topic: &str) -> Vec<Value> {
    let folder = fs::read_dir(project_root().join("tests/fixtures/callbacks")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "snap"));
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let records = texts.map(|text| serde_json::from_str::<Value>(text.splitn(3, "---\n").nth(2).unwrap()).unwrap());
    records.filter(|record| record["topic"] == topic).collect()
}

/// The values of the golden records that are events.
fn golden_values() -> Vec<Value> {
    golden_records("events").into_iter().map(|mut record| received(record["value"].take())).collect()
}

/// The values of the golden records that are dead letters, and a cut one.
fn dead_letters() -> Vec<Value> {
    let records = golden_records("dead_letters").into_iter();
    let mut letters: Vec<_> = records.map(|mut record| received(record["value"].take())).collect();
    let mut cut = letters[0].clone();
    cut["cut_from_bytes"] = 1_100_000.into();
    cut["headers"] = json!([]);
    letters.push(cut);
    letters
}

/// The value with a time of receipt, which differs between runs and is therefore not part of the golden record.
fn received(mut value: Value) -> Value {
    assert_eq!(value["received_at"], "RECEIVED");
    value["received_at"] = RECEIVED.into();
    value
}

/// An event of reconciliation, with all that a value can have.
fn reconciled() -> Value {
    let mut value = golden_values().remove(0);
    value["origin"] = "reconciliation".into();
    value["errors"] = [18602, 90210].map(|code| serde_json::to_value(RejectionReason::from(code)).unwrap()).into();
    value["profile"] = json!({
        "friendly_name": null, "policy_sid": null, "type": "business", "tier": null, "date_created": RECEIVED,
        "date_updated": RECEIVED,
    });
    let read: ProfileStatusChanged = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), value, "the program writes such values");
    value
}

/// An event as a later version may write it.
fn of_tomorrow() -> Value {
    let mut value = reconciled();
    for (field, text) in [("status", "on-hold"), ("resource", "brand"), ("origin", "event-stream")] {
        value[field] = text.into();
    }
    value["profile"]["type"] = "cooperative".into();
    value["new_field"] = json!({"new": [1, null]});
    value["errors"][0]["severity"] = "high".into();
    value
}

fn all_values() -> Vec<Value> {
    let mut values = golden_values();
    assert!(values.len() >= 4, "{values:#?}");
    values.extend([reconciled(), of_tomorrow()]);
    values
}

/// Runs a command with this text as its input.
fn run(command: &mut Command, input: &str) -> Output {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        piped.spawn().unwrap_or_else(|error| panic!("{command:?} does not start, see scripts/setup: {error}"));
    // A program that ends early does not read it all; its exit code tells.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn ajv() -> Command {
    let mut node = Command::new("node");
    node.arg(harness("schemas/validate.js")).env("NODE_PATH", libraries().join("node/node_modules"));
    node
}

fn jsonschema() -> Command {
    let mut python = Command::new(libraries().join("kubernetes/bin/python"));
    python.arg(harness("schemas/validate.py"));
    python
}

/// The errors of each value, or what the validator says about a schema that it does not accept.
fn errors(validator: &mut Command, schema: &Value, values: &[Value]) -> Result<Vec<Vec<String>>, String> {
    let output = run(validator, &json!({ "schema": schema, "records": values }).to_string());
    let said = String::from_utf8(output.stderr).unwrap();
    // Ajv only logs some of what its strict mode finds.
    if output.status.success() && said.is_empty() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(said)
    }
}

#[test]
fn ajv_and_jsonschema_accept_the_schema_and_every_record() {
    let values = all_values();
    for schema in [schema(), schema_file("profile-status-changed.v1.draft-07.json")] {
        for mut validator in [ajv(), jsonschema()] {
            assert_eq!(errors(&mut validator, &schema, &values), Ok(vec![Vec::new(); values.len()]), "{validator:?}");
        }
    }
}

/// The first example after this heading of the documentation.
fn documented(heading: &str) -> Value {
    let page = fs::read_to_string(project_root().join("docs/events.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, example) = section.split_once("```json\n").unwrap();
    serde_json::from_str(example.split_once("```").unwrap().0).unwrap()
}

fn documented_event() -> Value {
    documented("The record")
}

/// A test of `trusthub-events` compares it with the type.
fn documented_state() -> Value {
    documented("The state of a profile")
}

/// Values of the types without golden records, each with the name of its schema.
fn documented_values() -> [(&'static str, Vec<Value>); 4] {
    let state = documented_state();
    let only = |fields: &[&str]| {
        let fields = fields.iter().map(|field| ((*field).to_owned(), state[*field].clone()));
        let mut event = Value::Object(fields.collect());
        event["received_at"] = RECEIVED.into();
        event["origin"] = "reconciliation".into();
        event
    };
    let deleted = only(&["account_sid", "profile_sid", "resource"]);
    let described = only(&["account_sid", "profile_sid", "resource", "status", "raw_status", "valid_until", "profile"]);
    let mut without_details = state.clone();
    for field in ["profile", "previous_status", "previous_since"] {
        without_details[field] = Value::Null;
    }
    [
        ("profile-state.v1", vec![state, without_details]),
        ("profile-deleted.v1", vec![deleted]),
        ("profile-described.v1", vec![described]),
        ("dead-letter.v1", dead_letters()),
    ]
}

#[test]
fn ajv_and_jsonschema_accept_the_schemas_of_all_other_values() {
    for (name, good) in documented_values() {
        for extension in ["json", "draft-07.json"] {
            let schema = schema_file(&format!("{name}.{extension}"));
            for mut validator in [ajv(), jsonschema()] {
                // An empty object is the last value, and lacks every field.
                let values: Vec<_> = good.iter().cloned().chain([json!({})]).collect();
                let mut found = errors(&mut validator, &schema, &values).unwrap();
                assert!(!found.pop().unwrap().is_empty(), "{name}.{extension} requires fields");
                assert_eq!(found, vec![Vec::<String>::new(); good.len()], "{name}.{extension}");
            }
        }
    }
}

#[test]
fn ajv_and_jsonschema_report_values_that_the_program_never_writes() {
    let wrong = [
        ("status", Value::Null),
        ("errors", json!([{"code": -1, "meaning": null, "message": null}])),
        ("errors", json!([{"code": 18602}])),
        ("received_at", "yesterday".into()),
        ("account_sid", "AC1".into()),
        ("extra", json!({"a": "b"})),
    ];
    let values = wrong.map(|(field, value)| {
        let mut event = reconciled();
        event[field] = value;
        event
    });
    for mut validator in [ajv(), jsonschema()] {
        let errors = errors(&mut validator, &schema(), &values).unwrap();
        assert!(errors.iter().all(|errors| !errors.is_empty()), "{validator:?}: {errors:#?}");
    }
}

/// The reasons why the schema has no formats and no closed lists.
#[test]
fn ajv_rejects_formats_and_closed_lists_reject_later_values() {
    let mut with_format = schema();
    with_format["properties"]["received_at"]["format"] = "date-time".into();
    let said = errors(&mut ajv(), &with_format, &[]).unwrap_err();
    assert!(said.contains("unknown format \"date-time\""), "{said}");

    let mut closed = schema();
    closed["properties"]["status"]["enum"] = closed["properties"]["status"]["examples"].take();
    closed["properties"]["status"].as_object_mut().unwrap().remove("examples");
    for mut validator in [ajv(), jsonschema()] {
        let errors = errors(&mut validator, &closed, &[reconciled(), of_tomorrow()]).unwrap();
        assert!(errors[0].is_empty() && !errors[1].is_empty(), "{validator:?}: {errors:?}");
    }
}
