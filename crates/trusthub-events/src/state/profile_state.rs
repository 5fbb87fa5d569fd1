//! The value of a record of the state topic.

use serde::{Deserialize, Serialize};

use super::position::Position;
use crate::{AccountSid, ProfileDetails, ProfileSid, RejectionReason, Resource, Status, Timestamp, cloud_events};

/// The present state of a profile. Absent values are `null`, never an empty string.
// A field that a later version adds must have a default, because states of this version do not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfileState {
    /// The account that owns the profile: the one that Trust Hub confirmed, otherwise the one of the first event.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^AC[0-9a-fA-F]{32}$")))]
    pub account_sid: AccountSid,
    /// The profile.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^BU[0-9a-fA-F]{32}$")))]
    pub profile_sid: ProfileSid,
    /// The kind of the profile. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::resource"))]
    pub resource: Resource,
    /// The present status. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::status"))]
    pub status: Status,
    /// The present status as Twilio wrote it, at most 256 bytes.
    pub raw_status: String,
    /// The time of the event with which the present status began.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub since: Timestamp,
    /// The status before the present one; `null` if none is known.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::status_or_null"))]
    pub previous_status: Option<Status>,
    /// The time of the event with which the previous status began.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp_or_null"))]
    pub previous_since: Option<Timestamp>,
    /// The error codes of the present rejection, at most 100.
    pub errors: Vec<RejectionReason>,
    /// Why the profile is rejected, in Twilio's words, at most 4,096 bytes. May contain personal data such as names and
    /// addresses. Always `null` if the service is configured to leave it out.
    pub failure_reason: Option<String>,
    /// When the approval expires, as Twilio wrote it, at most 256 bytes.
    pub valid_until: Option<String>,
    /// The time of the first event about the profile.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub first_seen_at: Timestamp,
    /// The time of the last event about the status. Events with an earlier time do not change the state.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub updated_at: Timestamp,
    /// How many times the status changed. The first event counts.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::count"))]
    pub changes: u64,
    /// How many of these changes were rejections.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::count"))]
    pub rejections: u64,
    /// The `ce_id` of the last event about the status.
    pub last_event_id: String,
    /// The ids by which repeats are recognized, ordered by time: those of the hour before `updated_at`, at most 256.
    pub recent_ids: Vec<RecentId>,
    /// The last record of the event topic that the state takes into account.
    pub position: Position,
    /// Details that only Trust Hub provides; `null` until it has confirmed the owner.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::details_or_null"))]
    pub profile: Option<ProfileDetails>,
    /// The last changes of the status, at most ten, the present status last.
    pub history: Vec<StatusChange>,
}

/// An event about the status that the state takes into account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
// Generators of code name the class after it.
#[cfg_attr(test, schemars(title = "RecentId"))]
pub struct RecentId {
    /// Its `ce_id`.
    pub id: String,
    /// Its `ce_time`.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub time: Timestamp,
}

/// A change of the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
// Generators of code name the class after it.
#[cfg_attr(test, schemars(title = "StatusChange"))]
pub struct StatusChange {
    /// The new status. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::status"))]
    pub status: Status,
    /// The new status as Twilio wrote it, at most 256 bytes.
    pub raw_status: String,
    /// The time of the event.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub since: Timestamp,
}

impl ProfileState {
    /// The CloudEvents `id`: the position of the last record that the state takes into account, such as `3-1042`. The same
    /// state that is written twice has the same id.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.position.partition, self.position.offset)
    }

    /// The CloudEvents `source`: the account in Trust Hub.
    #[must_use]
    pub fn source(&self) -> String {
        cloud_events::source(&self.account_sid)
    }

    /// The CloudEvents `subject`, which is also the key of the record: the profile.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.profile_sid.as_str()
    }

    /// The headers of the record: the CloudEvents attributes, and the content type.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 8] {
        [
            (cloud_events::SPEC_VERSION_HEADER, cloud_events::SPEC_VERSION.to_owned()),
            (cloud_events::ID_HEADER, self.id()),
            (cloud_events::SOURCE_HEADER, self.source()),
            (cloud_events::TYPE_HEADER, cloud_events::STATE_TYPE.to_owned()),
            (cloud_events::SUBJECT_HEADER, self.subject().to_owned()),
            (cloud_events::TIME_HEADER, self.updated_at.to_string()),
            (cloud_events::DATA_SCHEMA_HEADER, cloud_events::STATE_DATA_SCHEMA.to_owned()),
            (cloud_events::CONTENT_TYPE_HEADER, cloud_events::CONTENT_TYPE.to_owned()),
        ]
    }
}
