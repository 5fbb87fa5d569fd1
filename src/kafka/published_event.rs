//! An event as a consumer reads it from the event topic.

use serde::Deserialize;

use crate::domain::{
    AccountSid, Origin, ProfileDetails, ProfileSid, RecordPosition, Resource, Status, Timestamp, cloud_events,
    content::EventContent,
};

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
    /// What the event says.
    pub content: PublishedContent,
}

/// What an event says about its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublishedContent {
    /// Its status changed.
    Changed(PublishedStatus),
    /// Trust Hub has these details.
    Described(PublishedStatus),
    /// Trust Hub does not have it any more.
    Deleted,
}

/// A status and the details with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublishedStatus {
    /// The status of the profile.
    pub status: Status,
    /// The status as Twilio wrote it.
    pub raw_status: String,
    /// When the approval expires, as Twilio wrote it.
    pub valid_until: Option<String>,
    /// The details that Trust Hub has; `None` in the event of a callback.
    pub details: Option<Box<ProfileDetails>>,
}

/// The used members of an event's value. Other versions of the schema may lack some or have more.
#[derive(Deserialize)]
struct EventPayload {
    account_sid: AccountSid,
    profile_sid: ProfileSid,
    status: Option<Status>,
    #[serde(default)]
    raw_status: String,
    valid_until: Option<String>,
    #[serde(default = "unknown")]
    resource: Resource,
    origin: Option<Origin>,
    profile: Option<Box<ProfileDetails>>,
}

fn unknown() -> Resource {
    Resource::Unknown
}

impl EventPayload {
    fn status(self) -> Option<PublishedStatus> {
        // Only Trust Hub knows the details.
        let details = self.profile.filter(|_| self.origin == Some(Origin::Reconciliation));
        let Self { raw_status, valid_until, .. } = self;
        Some(PublishedStatus { status: self.status?, raw_status, valid_until, details })
    }
}

impl PublishedEvent {
    /// Parses a record. `None` for a record that does not count: one of another type, or one that cannot be parsed.
    pub(super) fn read(content: &EventContent<'_>, position: RecordPosition) -> Option<Self> {
        let event_type = content.event_type.as_deref()?;
        if ![cloud_events::EVENT_TYPE, cloud_events::DESCRIBED_EVENT_TYPE, cloud_events::DELETED_EVENT_TYPE]
            .contains(&event_type)
        {
            return None;
        }
        let value: EventPayload = serde_json::from_slice(content.data.as_deref()?).ok()?;
        let (account, profile, resource) = (value.account_sid, value.profile_sid, value.resource);
        let published = match event_type {
            cloud_events::EVENT_TYPE => PublishedContent::Changed(value.status()?),
            cloud_events::DESCRIBED_EVENT_TYPE => PublishedContent::Described(value.status()?),
            _ => PublishedContent::Deleted,
        };
        Some(Self {
            account,
            profile,
            position,
            id: content.id.as_deref()?.to_owned(),
            time: content.time.as_deref()?.parse().ok()?,
            resource,
            content: published,
        })
    }
}
