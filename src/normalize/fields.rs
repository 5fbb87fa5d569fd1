//! Which field is which: the one place that names Twilio's spellings.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::verify::{Payload, fold_name};

/// What a field means. Names are compared without case and underscores.
///
/// `BundleSid`, `AccountSid`, `Status` and `FailureReason` are documented by Twilio and were captured; the other
/// spellings stand in handlers that people run, and cost nothing to understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Account,
    Profile,
    Sid,
    Status,
    FailureReason,
    Errors,
    ValidUntil,
    BodyHash,
    /// Not Twilio's: whoever has the token marks a callback that is none, to test an installation.
    Test,
    Unknown,
}

impl Meaning {
    fn of(name: &str) -> Self {
        match fold_name(name).as_str() {
            "accountsid" => Self::Account,
            "bundlesid" | "customerprofilesid" | "trustproductsid" => Self::Profile,
            "sid" => Self::Sid,
            "status" => Self::Status,
            "failurereason" | "rejectionreason" => Self::FailureReason,
            "errors" | "errorcode" | "errorcodes" => Self::Errors,
            "validuntil" => Self::ValidUntil,
            "bodysha256" => Self::BodyHash,
            "trusthubbridgetest" => Self::Test,
            _ => Self::Unknown,
        }
    }
}

/// One field, its value as text; JSON values other than texts are kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) meaning: Meaning,
    pub(super) value: String,
}

impl Field {
    fn new(name: String, value: String) -> Self {
        let meaning = match Meaning::of(&name) {
            // So common a name may belong to something else.
            Meaning::Sid if value.trim().starts_with("BU") => Meaning::Profile,
            Meaning::Sid => Meaning::Unknown,
            meaning => meaning,
        };
        Self { name, meaning, value }
    }

    /// The value without surrounding space; `None` when nothing is left, since Twilio sends absent fields empty.
    pub(super) fn text(&self) -> Option<&str> {
        Some(self.value.trim()).filter(|text| !text.is_empty())
    }
}

/// All fields in the order received. `None` when the payload cannot be read at all.
pub(super) fn read(payload: &Payload) -> Option<Vec<Field>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match payload {
        Payload::Pairs(pairs) => Some(pairs.iter().map(|(name, value)| Field::new(text(name), text(value))).collect()),
        Payload::Json(members) => Some(members.iter().flat_map(|(name, value)| json_fields(name, value)).collect()),
        Payload::Unreadable => None,
    }
}

/// An array is a repeated field, as in a form, except that `errors` is one structure.
fn json_fields(name: &str, value: &Value) -> Vec<Field> {
    let field = |value: &Value| Field::new(name.to_owned(), json_text(value));
    match value {
        Value::Array(items) if Meaning::of(name) != Meaning::Errors => items.iter().map(field).collect(),
        value => vec![field(value)],
    }
}

fn json_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Every field that no typed part of the event takes, under the name received.
#[derive(Debug, Default)]
pub(super) struct Extra(BTreeMap<String, Vec<String>>);

impl Extra {
    pub(super) fn keep(&mut self, field: &Field) {
        self.0.entry(field.name.clone()).or_default().push(field.value.clone());
    }

    pub(super) fn into_inner(self) -> BTreeMap<String, Vec<String>> {
        self.0
    }
}
