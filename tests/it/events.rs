//! `docs/events.md` lists exactly the values that the code can write.

use serde_json::Value;
use trusthub_bridge::domain::{
    DATA_SCHEMA, DeadLetterReason, EVENT_TYPE, Label, ProfileStatusChanged, ProfileTier, ProfileType, RejectionReason,
    Resource, Status,
};

const REFERENCE: &str = include_str!("../../docs/events.md");
const README: &str = include_str!("../../README.md");
const GOLDEN: &str = include_str!("../fixtures/callbacks/form-rejected.snap");
const SCHEMA: &str = include_str!("../../schemas/profile-status-changed.v1.json");

/// The first cells of the first table with this heading, without their backticks.
fn first_cells(heading: &str) -> Vec<&'static str> {
    let (_, rest) = REFERENCE.split_once(heading).expect("the reference has this table");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').nth(1).unwrap().trim().trim_matches('`')).collect()
}

fn texts<L: Label>() -> Vec<&'static str> {
    L::ALL.iter().map(|label| label.as_str()).collect()
}

#[test]
fn reference_lists_exactly_the_values_of_the_code() {
    assert_eq!(first_cells("| `resource` | Source of the event |"), texts::<Resource>());
    assert_eq!(first_cells("| `status` | Meaning |"), texts::<Status>());
    assert_eq!(first_cells("| `type` | Meaning |"), texts::<ProfileType>());
    assert_eq!(first_cells("| `tier` | Meaning |"), texts::<ProfileTier>());
    assert_eq!(first_cells("| `reason` | When |"), texts::<DeadLetterReason>());
}

#[test]
fn reference_lists_exactly_the_fields_of_the_schema_as_does_its_example() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (heading, described) in [
        ("| Field | Type | Meaning |", &schema),
        ("| Field of `profile` | Type | Meaning |", &schema["$defs"]["ProfileDetails"]),
        ("| Field of `errors` | Type | Meaning |", &schema["$defs"]["RejectionReason"]),
    ] {
        let mut fields: Vec<&str> = described["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        fields.sort_unstable();
        let mut listed = first_cells(heading);
        listed.sort_unstable();
        assert_eq!(listed, fields);
    }

    let (_, rest) = REFERENCE.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let read: ProfileStatusChanged = serde_json::from_value(example.clone()).unwrap();
    let catalogued: Vec<_> = read.errors.iter().map(|error| RejectionReason::from(error.code)).collect();
    assert_eq!(read.errors, catalogued);
    assert_eq!(serde_json::to_value(read).unwrap(), example);
}

#[test]
fn reference_names_the_event_type_and_its_schema() {
    assert!(REFERENCE.contains(&format!("| `ce_type` | `{EVENT_TYPE}` |")));
    assert!(REFERENCE.contains(&format!("| `ce_dataschema` | `{DATA_SCHEMA}` |")));
}

#[test]
fn event_in_the_readme_is_a_golden_record() {
    let (_, record) = GOLDEN.split_once("---\n{").unwrap();
    let record: Value = serde_json::from_str(&format!("{{{record}")).unwrap();
    let (shown, _) = README.split_once("```json\n").unwrap().1.split_once("```").unwrap();
    let mut shown: Value = serde_json::from_str(shown).unwrap();
    assert!(shown["received_at"].as_str().unwrap().ends_with("123Z"), "{shown}");
    shown["received_at"] = "RECEIVED".into();
    assert_eq!(shown, record["value"]);
}
