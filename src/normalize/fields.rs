//! Maps field names to their meaning. The only place that lists the spellings that Twilio uses.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;
use twilio_signature::{Pair, Payload, is_named};

/// The meaning of a field. Names are compared without case and underscores.
///
/// Twilio documents and sends `BundleSid`, `AccountSid`, `Status` and `FailureReason`. The other spellings occur in
/// handlers that are in use, and supporting them costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldMeaning {
    Account,
    Profile,
    Sid,
    Status,
    FailureReason,
    Errors,
    ValidUntil,
    BodyHash,
    /// Not sent by Twilio: marks a test callback, which a holder of the token sends to check an installation.
    Test,
    Unknown,
}

/// All spellings, in lower case and without underscores.
const SPELLINGS: [(&str, FieldMeaning); 14] = [
    ("accountsid", FieldMeaning::Account),
    ("bundlesid", FieldMeaning::Profile),
    ("customerprofilesid", FieldMeaning::Profile),
    ("trustproductsid", FieldMeaning::Profile),
    ("sid", FieldMeaning::Sid),
    ("status", FieldMeaning::Status),
    ("failurereason", FieldMeaning::FailureReason),
    ("rejectionreason", FieldMeaning::FailureReason),
    ("errors", FieldMeaning::Errors),
    ("errorcode", FieldMeaning::Errors),
    ("errorcodes", FieldMeaning::Errors),
    ("validuntil", FieldMeaning::ValidUntil),
    ("bodysha256", FieldMeaning::BodyHash),
    ("trusthubbridgetest", FieldMeaning::Test),
];

impl FieldMeaning {
    fn of(name: &str) -> Self {
        let spelling = SPELLINGS.iter().find(|(folded, _)| is_named(name.as_bytes(), folded));
        spelling.map_or(Self::Unknown, |(_, meaning)| *meaning)
    }
}

/// One field with its value as text. JSON values other than strings are kept in JSON form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) meaning: FieldMeaning,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Field<'a> {
    fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        let meaning = match FieldMeaning::of(&name) {
            // The name is so common that it may refer to something else.
            FieldMeaning::Sid if value.trim().starts_with("BU") => FieldMeaning::Profile,
            FieldMeaning::Sid => FieldMeaning::Unknown,
            meaning => meaning,
        };
        Self { name, meaning, value }
    }

    /// The value without surrounding white space; `None` when it is empty, since Twilio sends absent fields as empty ones.
    pub(super) fn text(&self) -> Option<&str> {
        Some(self.value.trim()).filter(|text| !text.is_empty())
    }
}

/// Returns all fields in the order received; `None` when the payload is unreadable.
pub(super) fn read(payload: &Payload) -> Option<Vec<Field<'_>>> {
    match payload {
        Payload::Pairs(pairs) => Some(pairs.iter().map(pair_field).collect()),
        Payload::Json(members) => Some(members.iter().flat_map(|(name, value)| json_fields(name, value)).collect()),
        Payload::Unreadable => None,
    }
}

fn pair_field((name, value): &Pair) -> Field<'_> {
    Field::new(String::from_utf8_lossy(name), String::from_utf8_lossy(value))
}

/// Treats an array as a repeated field, as in a form, except `errors`, which is one structure.
fn json_fields<'a>(name: &'a str, value: &'a Value) -> Vec<Field<'a>> {
    let field = |value: &'a Value| Field::new(name.into(), json_text(value));
    match value {
        Value::Array(items) if FieldMeaning::of(name) != FieldMeaning::Errors => items.iter().map(field).collect(),
        value => vec![field(value)],
    }
}

fn json_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => text.into(),
        other => other.to_string().into(),
    }
}

/// The fields without a typed counterpart in the event, under the names received.
#[derive(Debug, Clone, Default)]
pub(super) struct ExtraFields(BTreeMap<String, Vec<String>>);

impl ExtraFields {
    pub(super) fn add(&mut self, field: &Field<'_>) {
        self.0.entry(field.name.to_string()).or_default().push(field.value.to_string());
    }

    pub(super) fn into_inner(self) -> BTreeMap<String, Vec<String>> {
        self.0
    }
}
