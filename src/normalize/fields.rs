//! Maps field names to their meaning. The only place that lists the spellings that Twilio uses.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value;
use twilio_signature::{BODY_HASH_PARAMETER, Pair, Payload};

use crate::domain::{ProfileSid, Verb};

/// The meaning of a field. Names are compared without case and underscores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldMeaning {
    Account,
    Profile,
    Sid,
    Status,
    FailureReason,
    Errors,
    ValidUntil,
    /// Not sent by Twilio: marks a test callback, which a holder of the token sends to check an installation.
    Test,
    Unknown,
}

/// How sure it is that a name has its meaning. A name counts only if no name of a lower rank gives the value; otherwise a
/// field that means something else could contradict it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameRank {
    /// Twilio documents or sends `BundleSid`, `AccountSid`, `Status` and `FailureReason`. The others of this rank occur in
    /// handlers that are in use.
    Known,
    /// Occurs in a few public handlers. As the profile, it must be a profile SID.
    Rare,
    /// May be the SID of anything. As the profile, it must be a profile SID.
    Generic,
}

/// All spellings, in lower case and without underscores.
const SPELLINGS: [(&str, FieldMeaning, NameRank); 21] = [
    ("accountsid", FieldMeaning::Account, NameRank::Known),
    ("bundlesid", FieldMeaning::Profile, NameRank::Known),
    ("customerprofilesid", FieldMeaning::Profile, NameRank::Known),
    ("trustproductsid", FieldMeaning::Profile, NameRank::Known),
    ("sid", FieldMeaning::Sid, NameRank::Known),
    ("resourcesid", FieldMeaning::Profile, NameRank::Rare),
    ("objectsid", FieldMeaning::Profile, NameRank::Rare),
    ("registrationid", FieldMeaning::Profile, NameRank::Rare),
    ("id", FieldMeaning::Profile, NameRank::Generic),
    ("status", FieldMeaning::Status, NameRank::Known),
    ("bundlestatus", FieldMeaning::Status, NameRank::Rare),
    ("customerprofilestatus", FieldMeaning::Status, NameRank::Rare),
    ("failurereason", FieldMeaning::FailureReason, NameRank::Known),
    ("rejectionreason", FieldMeaning::FailureReason, NameRank::Known),
    ("rejectreason", FieldMeaning::FailureReason, NameRank::Rare),
    ("errormessage", FieldMeaning::FailureReason, NameRank::Rare),
    ("errors", FieldMeaning::Errors, NameRank::Known),
    ("errorcode", FieldMeaning::Errors, NameRank::Known),
    ("errorcodes", FieldMeaning::Errors, NameRank::Known),
    ("validuntil", FieldMeaning::ValidUntil, NameRank::Known),
    ("trusthubbridgetest", FieldMeaning::Test, NameRank::Known),
];

/// The meanings that have names of several ranks.
const RANKED: [FieldMeaning; 3] = [FieldMeaning::Profile, FieldMeaning::Status, FieldMeaning::FailureReason];

/// The length of the longest spelling.
const LONGEST_SPELLING: usize = 21;

/// The meaning of a name, which may not be UTF-8, and how sure it is. A callback asks for it many times, so the name is folded
/// once and not for each spelling.
pub(super) fn lookup(name: &[u8]) -> (FieldMeaning, NameRank) {
    let mut buffer = [0; LONGEST_SPELLING];
    let folded = fold(name, &mut buffer);
    let spelling = folded.and_then(|folded| SPELLINGS.iter().find(|(spelling, ..)| spelling.as_bytes() == folded));
    spelling.map_or((FieldMeaning::Unknown, NameRank::Known), |(_, meaning, rank)| (*meaning, *rank))
}

/// The name in lower case and without underscores, written into `buffer`; `None` if it is longer than every spelling.
fn fold<'b>(name: &[u8], buffer: &'b mut [u8; LONGEST_SPELLING]) -> Option<&'b [u8]> {
    let mut length = 0;
    let mut places = buffer.iter_mut();
    for byte in name.iter().filter(|byte| **byte != b'_') {
        *places.next()? = byte.to_ascii_lowercase();
        length += 1;
    }
    buffer.get(..length)
}

/// One field with its value as text. JSON values other than strings are kept in JSON form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) meaning: FieldMeaning,
    pub(super) value: Cow<'a, str>,
    rank: NameRank,
}

impl<'a> Field<'a> {
    fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Self {
        let (meaning, rank) = lookup(name.as_bytes());
        let meaning = match (meaning, rank) {
            // The name is so common that it may refer to something else.
            (FieldMeaning::Sid, _) if value.trim().starts_with("BU") => FieldMeaning::Profile,
            (FieldMeaning::Sid, _) => FieldMeaning::Unknown,
            (FieldMeaning::Profile, NameRank::Rare | NameRank::Generic) if profile_sid(&value).is_none() => {
                FieldMeaning::Unknown
            }
            (meaning, _) => meaning,
        };
        Self { name, meaning, value, rank }
    }

    /// The value without surrounding white space; `None` when it is empty, since Twilio sends absent fields as empty ones.
    pub(super) fn text(&self) -> Option<&str> {
        trimmed(&self.value)
    }
}

fn trimmed(value: &str) -> Option<&str> {
    Some(value.trim()).filter(|text| !text.is_empty())
}

/// Whether [`Field::text`] of a field with this value is a text.
pub(super) fn has_value(value: &[u8]) -> bool {
    trimmed(&String::from_utf8_lossy(value)).is_some()
}

fn profile_sid(text: &str) -> Option<ProfileSid> {
    ProfileSid::parse(text.trim()).ok()
}

/// The order in which fields are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldOrder {
    /// As they arrived: the signature covers the bytes.
    Received,
    /// By name and value, as they were signed: the signature does not cover their order.
    Signed,
}

/// Returns all fields; `None` when the payload is unreadable. `verb` says where the fields were: the query of a `GET` also has
/// the parameter of the signature scheme, which is not a field.
pub(super) fn read(payload: &Payload, verb: Verb, order: FieldOrder) -> Option<Vec<Field<'_>>> {
    let mut fields: Vec<_> = match payload {
        Payload::Pairs(pairs) => {
            let is_field = |(name, _): &&Pair| verb == Verb::Post || name != BODY_HASH_PARAMETER.as_bytes();
            let mut pairs: Vec<_> = pairs.iter().filter(is_field).collect();
            if order == FieldOrder::Signed {
                pairs.sort_unstable();
            }
            pairs.into_iter().map(pair_field).collect()
        }
        Payload::Json(members) => members.iter().flat_map(|(name, value)| json_fields(name, value)).collect(),
        Payload::Unreadable => return None,
    };
    RANKED.iter().for_each(|meaning| keep_lowest_rank(&mut fields, *meaning));
    Some(fields)
}

/// Makes fields unknown if names of a lower rank give the value.
fn keep_lowest_rank(fields: &mut [Field<'_>], meaning: FieldMeaning) {
    let with_value = fields.iter().filter(|field| field.meaning == meaning && field.text().is_some());
    let lowest = with_value.map(|field| field.rank).min().unwrap_or(NameRank::Known);
    for field in fields.iter_mut().filter(|field| field.meaning == meaning && field.rank > NameRank::Known) {
        if field.rank > lowest || field.text().is_none() {
            field.meaning = FieldMeaning::Unknown;
        }
    }
}

/// The profile of a payload without a field for it: the only profile SID among all values, however often it occurs. `None`
/// when there is none or there are several.
pub(super) fn only_profile(payload: &Payload) -> Option<ProfileSid> {
    let mut sids = BTreeSet::new();
    match payload {
        Payload::Pairs(pairs) => {
            sids.extend(pairs.iter().filter_map(|(_, value)| profile_sid(str::from_utf8(value).ok()?)))
        }
        Payload::Json(members) => members.iter().for_each(|(_, value)| collect_profiles(value, &mut sids)),
        Payload::Unreadable => {}
    }
    sids.pop_first().filter(|_| sids.is_empty())
}

/// The depth is limited by the JSON parser.
fn collect_profiles(value: &Value, sids: &mut BTreeSet<ProfileSid>) {
    match value {
        Value::String(text) => sids.extend(profile_sid(text)),
        Value::Array(items) => items.iter().for_each(|item| collect_profiles(item, sids)),
        Value::Object(members) => members.values().for_each(|member| collect_profiles(member, sids)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn pair_field(pair: &Pair) -> Field<'_> {
    let (name, value) = pair_texts(pair);
    Field::new(name, value)
}

fn pair_texts((name, value): &Pair) -> (Cow<'_, str>, Cow<'_, str>) {
    (String::from_utf8_lossy(name), String::from_utf8_lossy(value))
}

/// Treats an array as a repeated field, as in a form, except `errors`, which is one structure.
fn json_fields<'a>(name: &'a str, value: &'a Value) -> Vec<Field<'a>> {
    let field = |value: &'a Value| Field::new(name.into(), json_text(value));
    match value {
        Value::Array(items) if lookup(name.as_bytes()).0 != FieldMeaning::Errors => items.iter().map(field).collect(),
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
        self.push(&field.name, &field.value);
    }

    /// Adds a parameter of the query of a `POST`, whatever its name: the fields are only in the body.
    pub(super) fn add_parameter(&mut self, parameter: &Pair) {
        let (name, value) = pair_texts(parameter);
        self.push(&name, &value);
    }

    fn push(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_default().push(value.to_owned());
    }

    pub(super) fn into_inner(self) -> BTreeMap<String, Vec<String>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use twilio_signature::is_named;

    use super::*;

    #[test]
    fn longest_spelling_has_the_length_of_the_buffer() {
        assert_eq!(SPELLINGS.iter().map(|(spelling, ..)| spelling.len()).max(), Some(LONGEST_SPELLING));
    }

    proptest! {
        #[test]
        fn lookup_finds_the_spelling_that_the_name_equals(
            name in "(_|[a-zA-Z]){0,30}|(Bundle|bundle_|CUSTOMER_PROFILE|Account|)_?(Sid|SID|status|Statuses)_?",
        ) {
            let expected = SPELLINGS.iter().find(|(folded, ..)| is_named(name.as_bytes(), folded));
            let expected = expected.map_or(FieldMeaning::Unknown, |(_, meaning, _)| *meaning);
            prop_assert_eq!(lookup(name.as_bytes()).0, expected);
        }
    }
}
