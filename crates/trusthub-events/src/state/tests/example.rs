//! The example in the documentation.

use std::{fs, path::Path};

use serde_json::json;

use super::*;
use crate::RejectionReason;

/// The JSON between this heading and the next one.
fn documented(heading: &str) -> Value {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md")).unwrap();
    let section = page.split(&format!("## {heading}\n")).nth(1).expect("the page has this section");
    let example = section.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    serde_json::from_str(example.expect("the section has an example")).unwrap()
}

#[test]
fn documented_example_is_the_state_after_three_events() {
    let topic = Topic::after(&[
        SentRecord::change("5f0e62b7a4d84c1f9a3be01d2c47f685", NOON, "in-review"),
        SentRecord::change("0c9d1e4f7a2b4836b5c8d7e6f1a0b394", NOON + HOUR, "twilio-rejected")
            .with("errors", json!([RejectionReason::from(18603)]))
            .with("failure_reason", "Address could not be verified (18603)."),
        SentRecord::described(
            "91b2c3d4e5f60718293a4b5c6d7e8f90",
            NOON + 2 * HOUR,
            "twilio-rejected",
            details(NOON, "Acme"),
        ),
    ]);
    assert_eq!(serde_json::to_value(topic.state()).unwrap(), documented("The state of a profile"));
}
