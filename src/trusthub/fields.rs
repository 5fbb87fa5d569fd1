//! Typed reading of JSON of which nothing can be taken for granted: Trust Hub describes every field as nullable.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::Error;
use crate::domain::{ProfileSid, Timestamp, TimestampError};

/// The members of an object; an empty text counts as absent.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    members: &'a Map<String, Value>,
    /// Named in errors from when it is known.
    pub(super) profile: Option<ProfileSid>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, field: &'static str) -> Result<Self, Error> {
        let members = value.as_object().ok_or(Error::malformed(field))?;
        Ok(Self { members, profile: None })
    }

    pub(super) fn value(&self, field: &str) -> &'a Value {
        self.members.get(field).unwrap_or(&Value::Null)
    }

    /// A text that may be absent.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<&'a str>, Error> {
        match self.value(field) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            _ => Err(self.malformed(field)),
        }
    }

    /// As [`text`](Self::text), to be kept.
    pub(super) fn owned(&self, field: &'static str) -> Result<Option<String>, Error> {
        self.text(field).map(|text| text.map(str::to_owned))
    }

    /// A text that must be there.
    pub(super) fn required(&self, field: &'static str) -> Result<&'a str, Error> {
        self.text(field)?.ok_or_else(|| self.malformed(field))
    }

    /// A text that must be there and of a form.
    pub(super) fn parsed<T, E>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Error> {
        parse(self.required(field)?).map_err(|_| self.malformed(field))
    }

    /// A moment that may be absent.
    pub(super) fn moment(&self, field: &'static str) -> Result<Option<Timestamp>, Error> {
        self.text(field)?.map(str::parse).transpose().map_err(|_: TimestampError| self.malformed(field))
    }

    pub(super) fn malformed(&self, field: &'static str) -> Error {
        Error::Malformed { field, profile: self.profile.clone() }
    }
}

/// A whole number, also where it is written as a text.
pub(super) fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The error codes of an untyped value, in their order, each once.
///
/// Twilio does not describe it. `[{"code":18601}]` is what its documents show; `[18601,"18602"]`, `{"code":18601}` and
/// `18601` cost nothing to understand.
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
    fn codes_are_read_from_every_shape_each_once() {
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
