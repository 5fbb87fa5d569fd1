//! A record as the projection reads it.

use std::borrow::Cow;

use rdkafka::message::{BorrowedMessage, Message as _};

use super::super::value_reader::{UnknownSchema, ValueReader};
use crate::domain::{
    ProfileSid,
    content::EventContent,
    state::{Position, StateEvent},
    view,
};

/// A record of the event topic or of the state topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventRecord {
    /// Its partition and offset.
    pub position: Position,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its data as JSON; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
    ce_id: Option<String>,
    ce_type: Option<String>,
    ce_time: Option<String>,
}

impl EventRecord {
    /// Reads a record of any format. Blocks if it is Avro with a schema that is not known yet.
    pub(super) fn read(message: &BorrowedMessage<'_>, values: &ValueReader) -> Result<Self, UnknownSchema> {
        let EventContent { id, event_type, time, data, .. } = values.read_blocking(message)?;
        Ok(Self {
            position: Position { partition: message.partition(), offset: message.offset() },
            key: message.key().map(<[u8]>::to_vec),
            value: data.map(Cow::into_owned),
            ce_id: id.map(Cow::into_owned),
            ce_type: event_type.map(Cow::into_owned),
            ce_time: time.map(Cow::into_owned),
        })
    }

    /// A record of this type without a value, for tests.
    #[cfg(test)]
    pub(crate) fn of_type(ce_type: &str, position: Position) -> Self {
        Self { position, key: None, value: None, ce_id: None, ce_type: Some(ce_type.to_owned()), ce_time: None }
    }

    /// A record of this type with this id, for tests.
    #[cfg(test)]
    pub(crate) fn with_id(ce_type: &str, ce_id: &str) -> Self {
        let position = Position { partition: 0, offset: 0 };
        Self { ce_id: Some(ce_id.to_owned()), ..Self::of_type(ce_type, position) }
    }

    /// An event of this profile, for tests.
    #[cfg(test)]
    pub(crate) fn event(position: Position, key: &str, [ce_id, ce_time]: [&str; 2], value: &str) -> Self {
        Self {
            key: Some(key.into()),
            value: Some(value.into()),
            ce_id: Some(ce_id.to_owned()),
            ce_time: Some(ce_time.to_owned()),
            ..Self::of_type(crate::domain::EVENT_TYPE, position)
        }
    }

    /// The same record as if it had been received that many seconds after 11:05, with its own id, for tests.
    #[cfg(test)]
    pub(crate) fn later(self, seconds: u32) -> Self {
        let time = format!("2026-11-20T11:{:02}:{:02}.000Z", 5 + seconds / 60, seconds % 60);
        Self { ce_id: Some(format!("later-{seconds}")), ce_time: Some(time), ..self }
    }

    /// The profile that the key names; `None` if the key is no SID of a profile.
    pub(crate) fn key_profile(&self) -> Option<ProfileSid> {
        ProfileSid::parse(std::str::from_utf8(self.key.as_deref()?).ok()?).ok()
    }

    /// The CloudEvents `time`, as text.
    pub(crate) fn ce_time(&self) -> Option<&str> {
        self.ce_time.as_deref()
    }

    /// The CloudEvents `type`.
    pub(crate) fn ce_type(&self) -> Option<&str> {
        self.ce_type.as_deref()
    }

    /// What the rules of the state need.
    pub(crate) fn as_event(&self) -> StateEvent<'_> {
        let record = view::Record {
            ce_id: self.ce_id.as_deref(),
            ce_type: self.ce_type(),
            ce_time: self.ce_time.as_deref(),
            value: self.value.as_deref(),
        };
        StateEvent { key: self.key.as_deref(), record, position: self.position }
    }
}
