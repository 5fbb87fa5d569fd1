//! Reads typed values from untrusted JSON. Trust Hub documents every field as nullable, so nothing can be assumed.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::Error;
use crate::domain::{ProfileSid, Timestamp, TimestampError};

/// The members of a JSON object. An empty string counts as absent.
#[derive(Debug)]
pub(super) struct JsonFields<'a> {
    members: &'a Map<String, Value>,
    /// Added to errors once it is known.
    pub(super) profile: Option<ProfileSid>,
}

impl<'a> JsonFields<'a> {
    pub(super) fn from_value(value: &'a Value, field: &'static str) -> Result<Self, Error> {
        let members = value.as_object().ok_or(Error::malformed(field))?;
        Ok(Self { members, profile: None })
    }

    pub(super) fn value(&self, field: &str) -> &'a Value {
        self.members.get(field).unwrap_or(&Value::Null)
    }

    /// An optional string.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<&'a str>, Error> {
        match self.value(field) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            _ => Err(self.malformed(field)),
        }
    }

    /// An optional string, as an owned value.
    pub(super) fn owned(&self, field: &'static str) -> Result<Option<String>, Error> {
        self.text(field).map(|text| text.map(str::to_owned))
    }

    /// A required string.
    pub(super) fn required(&self, field: &'static str) -> Result<&'a str, Error> {
        self.text(field)?.ok_or_else(|| self.malformed(field))
    }

    /// A required string that `parse` must accept.
    pub(super) fn parsed<T, E>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Error> {
        parse(self.required(field)?).map_err(|_| self.malformed(field))
    }

    /// An optional timestamp.
    pub(super) fn timestamp(&self, field: &'static str) -> Result<Option<Timestamp>, Error> {
        self.text(field)?.map(str::parse).transpose().map_err(|_: TimestampError| self.malformed(field))
    }

    pub(super) fn malformed(&self, field: &'static str) -> Error {
        Error::Malformed { field, profile: self.profile.clone() }
    }
}

/// An unsigned integer, which may also be written as a string.
pub(super) fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The error codes in an untyped value, in order and without duplicates.
///
/// Twilio does not specify the shape. Its documentation shows `[{"code":18601}]`; `[18601,"18602"]`, `{"code":18601}` and
/// `18601` are accepted as well.
pub(super) fn codes(value: &Value) -> Vec<u32> {
    let (mut codes, mut seen) = (Vec::new(), HashSet::new());
    collect_codes(value, &mut codes);
    codes.retain(|code| seen.insert(*code));
    codes
}

fn collect_codes(value: &Value, codes: &mut Vec<u32>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_codes(item, codes)),
        Value::Object(members) => members.get("code").into_iter().for_each(|code| collect_codes(code, codes)),
        scalar => codes.extend(number(scalar)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_read_from_every_shape_without_duplicates() {
        for (value, expected) in [
            (json!([{"code": 18601}, {"code": 18602, "message": "…"}]), vec![18601, 18602]),
            (json!([18601, "18602", 18601, " 18603 "]), vec![18601, 18602, 18603]),
            (json!({"code": [18601, {"code": "18602"}]}), vec![18601, 18602]),
            (json!(18601), vec![18601]),
            (json!("18601"), vec![18601]),
            (json!(null), vec![]),
            (json!({"reason": 18601}), vec![]),
            (json!([true, -1, 1.5, 1e99, "12 Example Street, 90210", []]), vec![]),
        ] {
            assert_eq!(codes(&value), expected, "{value}");
        }
    }
}
