//! What a consumer reads in a record of the topic of events.

use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use serde::Deserialize;

use crate::domain::{EVENT_TYPE, ProfileSid, RecordPosition, Resource, Status, Timestamp};

/// What a consumer looks at in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvent {
    /// The profile that it is about.
    pub profile: ProfileSid,
    /// Its place in the topic.
    pub position: RecordPosition,
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `time`.
    pub time: Timestamp,
    /// What kind the profile is.
    pub resource: Resource,
    /// The status that it says.
    pub status: Status,
    /// The same as Twilio wrote it.
    pub raw_status: String,
}

/// The part of an event's value that matters here. Other versions of the schema may lack or add members.
#[derive(Deserialize)]
struct Value {
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
    /// Nothing for records that consumers ignore, too: of another type, or not readable.
    pub(super) fn read(message: &BorrowedMessage<'_>) -> Option<Self> {
        if header(message, "ce_type")? != EVENT_TYPE {
            return None;
        }
        let value: Value = serde_json::from_slice(message.payload()?).ok()?;
        Some(Self {
            profile: value.profile_sid,
            position: RecordPosition { partition: message.partition(), offset: message.offset() },
            id: header(message, "ce_id")?.to_owned(),
            time: header(message, "ce_time")?.parse().ok()?,
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
