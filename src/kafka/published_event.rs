//! An event as a consumer reads it from the event topic.

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use serde::Deserialize;

use crate::domain::{AccountSid, ProfileSid, RecordPosition, Resource, Status, Timestamp, cloud_events};

/// The parts of an event that a consumer's rules use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedEvent {
    /// The SID of the account that the event names.
    pub account: AccountSid,
    /// The SID of the profile.
    pub profile: ProfileSid,
    /// The partition and offset of the record.
    pub position: RecordPosition,
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `time`.
    pub time: Timestamp,
    /// The kind of profile.
    pub resource: Resource,
    /// The status of the profile.
    pub status: Status,
    /// The status as Twilio wrote it.
    pub raw_status: String,
}

/// The used members of an event's value. Other versions of the schema may lack some or have more.
#[derive(Deserialize)]
struct EventPayload {
    account_sid: AccountSid,
    profile_sid: ProfileSid,
    status: Status,
    #[serde(default)]
    raw_status: String,
    #[serde(default = "unknown")]
    resource: Resource,
}

fn unknown() -> Resource {
    Resource::Unknown
}

impl PublishedEvent {
    /// Parses a record. `None` for a record that consumers ignore: one of another type, or one that cannot be parsed.
    pub(super) fn read(message: &BorrowedMessage<'_>) -> Option<Self> {
        if header(message, cloud_events::TYPE_HEADER)? != cloud_events::EVENT_TYPE {
            return None;
        }
        let value: EventPayload = serde_json::from_slice(message.payload()?).ok()?;
        Some(Self {
            account: value.account_sid,
            profile: value.profile_sid,
            position: RecordPosition { partition: message.partition(), offset: message.offset() },
            id: header(message, cloud_events::ID_HEADER)?.to_owned(),
            time: header(message, cloud_events::TIME_HEADER)?.parse().ok()?,
            resource: value.resource,
            status: value.status,
            raw_status: value.raw_status,
        })
    }
}

fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let header = message.headers()?.iter().find(|header| header.key == name)?;
    std::str::from_utf8(header.value?).ok()
}
