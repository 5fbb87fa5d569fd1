//! Reads typed values from untrusted JSON. Trust Hub documents every field as nullable, so nothing can be assumed.

use serde_json::{Map, Value};
use trusthub_events::{ProfileSid, Timestamp, TimestampError};

use crate::error::Error;

/// The members of a JSON object. An empty string counts as absent.
#[derive(Debug)]
pub(crate) struct JsonFields<'a> {
    members: &'a Map<String, Value>,
    /// Added to errors once it is known.
    pub(crate) profile: Option<ProfileSid>,
}

impl<'a> JsonFields<'a> {
    pub(crate) fn from_value(value: &'a Value, field: &'static str) -> Result<Self, Error> {
        let members = value.as_object().ok_or(Error::malformed(field))?;
        Ok(Self { members, profile: None })
    }

    pub(crate) fn value(&self, field: &str) -> &'a Value {
        self.members.get(field).unwrap_or(&Value::Null)
    }

    /// An optional string.
    pub(crate) fn text(&self, field: &'static str) -> Result<Option<&'a str>, Error> {
        match self.value(field) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            _ => Err(self.malformed(field)),
        }
    }

    /// An optional string, as an owned value.
    pub(crate) fn owned(&self, field: &'static str) -> Result<Option<String>, Error> {
        self.text(field).map(|text| text.map(str::to_owned))
    }

    /// A required string.
    pub(crate) fn required(&self, field: &'static str) -> Result<&'a str, Error> {
        self.text(field)?.ok_or_else(|| self.malformed(field))
    }

    /// A required string that `parse` must accept.
    pub(crate) fn parsed<T, E>(
        &self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Error> {
        parse(self.required(field)?).map_err(|_| self.malformed(field))
    }

    /// An optional timestamp.
    pub(crate) fn timestamp(&self, field: &'static str) -> Result<Option<Timestamp>, Error> {
        self.text(field)?.map(str::parse).transpose().map_err(|_: TimestampError| self.malformed(field))
    }

    pub(crate) fn malformed(&self, field: &'static str) -> Error {
        Error::Malformed { field, profile: self.profile }
    }
}
