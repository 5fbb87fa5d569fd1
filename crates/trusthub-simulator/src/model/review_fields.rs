//! The fields of a profile that rules of the automatic reviewer refer to.

use serde_json::Value;

use super::{evaluation::ProfileContents, text_pattern::folded};

/// The name of the field that is the name of the profile itself.
const FRIENDLY_NAME: &str = "friendly_name";

/// The name of a profile, and the attributes of its end users and documents, as folded texts. A name can occur more than
/// once.
pub(super) struct ReviewFields(Vec<(String, String)>);

impl ReviewFields {
    pub(super) fn of(friendly_name: &str, contents: &ProfileContents) -> Self {
        let mut fields = vec![(FRIENDLY_NAME.to_owned(), folded(friendly_name))];
        let objects = contents.end_users.iter().chain(&contents.documents);
        for (name, value) in objects.flat_map(|object| &object.attributes) {
            collect(name, value, &mut fields);
        }
        Self(fields)
    }

    /// Returns whether any field with this name has a text for which the predicate holds.
    pub(super) fn any(&self, name: &str, is_match: impl Fn(&str) -> bool) -> bool {
        self.0.iter().any(|(other, text)| other == name && is_match(text))
    }
}

/// Adds the texts of a value. The elements of a list and the members of an object are values of their own; a member has its
/// own name.
fn collect(name: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::String(text) => fields.push((name.to_owned(), folded(text))),
        Value::Bool(_) | Value::Number(_) => fields.push((name.to_owned(), value.to_string())),
        Value::Array(elements) => elements.iter().for_each(|element| collect(name, element, fields)),
        Value::Object(members) => members.iter().for_each(|(name, member)| collect(name, member, fields)),
    }
}
