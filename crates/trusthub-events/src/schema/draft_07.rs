//! The same JSON Schemas in draft-07, the newest one that every schema registry understands.

use serde_json::Value;

use super::{PUBLISHED, Published};

/// The schema in draft-07, which has the keyword `definitions` instead of `$defs`. The other keywords mean the same.
fn draft_07(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let key = |key: &str| if key == "$defs" { "definitions" } else { key }.to_owned();
            object.iter().map(|(name, value)| (key(name), draft_07(value))).collect()
        }
        Value::Array(values) => values.iter().map(draft_07).collect(),
        Value::String(text) => text.replace("#/$defs/", "#/definitions/").into(),
        other => other.clone(),
    }
}

impl Published {
    fn generated_draft_07(&self) -> Value {
        let mut schema = draft_07(&self.generated());
        schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
        schema
    }
}

#[test]
fn draft_07_files_match_the_types() {
    for published in PUBLISHED {
        published.assert_committed("draft-07.json", &published.generated_draft_07());
    }
}
