//! Which field is which: the one place that names Twilio's spellings.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use crate::verify::{Pair, Payload, is_named};

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

/// Every spelling, in lower case and without underscores.
const SPELLINGS: [(&str, Meaning); 14] = [
    ("accountsid", Meaning::Account),
    ("bundlesid", Meaning::Profile),
    ("customerprofilesid", Meaning::Profile),
    ("trustproductsid", Meaning::Profile),
    ("sid", Meaning::Sid),
    ("status", Meaning::Status),
    ("failurereason", Meaning::FailureReason),
    ("rejectionreason", Meaning::FailureReason),
    ("errors", Meaning::Errors),
    ("errorcode", Meaning::Errors),
    ("errorcodes", Meaning::Errors),
    ("validuntil", Meaning::ValidUntil),
    ("bodysha256", Meaning::BodyHash),
    ("trusthubbridgetest", Meaning::Test),
];

impl Meaning {
    fn of(name: &str) -> Self {
        let spelling = SPELLINGS.iter().find(|(folded, _)| is_named(name.as_bytes(), folded));
        spelling.map_or(Self::Unknown, |(_, meaning)| *meaning)
    }
}

/// One field, its value as text; JSON values other than texts are kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) meaning: Meaning,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Field<'a> {
    fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
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

/// An array is a repeated field, as in a form, except that `errors` is one structure.
fn json_fields<'a>(name: &'a str, value: &'a Value) -> Vec<Field<'a>> {
    let field = |value: &'a Value| Field::new(name.into(), json_text(value));
    match value {
        Value::Array(items) if Meaning::of(name) != Meaning::Errors => items.iter().map(field).collect(),
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

/// Every field that no typed part of the event takes, under the name received.
#[derive(Debug, Default)]
pub(super) struct Extra(BTreeMap<String, Vec<String>>);

impl Extra {
    pub(super) fn keep(&mut self, field: &Field<'_>) {
        self.0.entry(field.name.to_string()).or_default().push(field.value.to_string());
    }

    pub(super) fn into_inner(self) -> BTreeMap<String, Vec<String>> {
        self.0
    }
}
