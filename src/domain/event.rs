//! An event before it becomes a record.

use trusthub_events::cloud_events::{EVENT_TYPE, TEST_EVENT_TYPE};

use super::{
    AccountSid, Construction, DataSchema, DeadLetterReason, ProfileDeleted, ProfileDescribed, ProfileSid,
    ProfileStatusChanged, Timestamp, TraceContext,
};

/// A [`ProfileStatusChanged`] with its CloudEvents attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The CloudEvents `id`, which repeats of one event share on every replica.
    pub id: String,
    /// Whether this is a test event: its type is [`TEST_EVENT_TYPE`], and no status changed.
    pub is_test: bool,
    /// The trace context of the event: that of the request, or of the span that publishes the event.
    pub trace: Option<TraceContext>,
    /// How the signed message of the callback was built; `None` for an event without a callback.
    pub construction: Option<Construction>,
    /// The change itself.
    pub data: ProfileStatusChanged,
}

impl Event {
    /// The CloudEvents `type`.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        if self.is_test { TEST_EVENT_TYPE } else { EVENT_TYPE }
    }
}

/// What only Trust Hub says about a profile, beside changes of its status, with its CloudEvents `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileNotice {
    /// The CloudEvents `id`, which the notices of processes that find the same share.
    pub id: String,
    /// The notice itself.
    pub content: NoticeContent,
}

/// The data of a [`ProfileNotice`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeContent {
    /// The details of a profile, and its owner.
    Described(ProfileDescribed),
    /// The profile does not exist any more.
    Deleted(ProfileDeleted),
}

impl NoticeContent {
    /// The schema of the data.
    #[must_use]
    pub fn schema(&self) -> DataSchema {
        match self {
            Self::Described(_) => DataSchema::ProfileDescribed,
            Self::Deleted(_) => DataSchema::ProfileDeleted,
        }
    }

    /// The account that owns the profile.
    #[must_use]
    pub fn account(&self) -> &AccountSid {
        match self {
            Self::Described(described) => &described.account_sid,
            Self::Deleted(deleted) => &deleted.account_sid,
        }
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &ProfileSid {
        match self {
            Self::Described(described) => &described.profile_sid,
            Self::Deleted(deleted) => &deleted.profile_sid,
        }
    }

    /// When Trust Hub was asked.
    #[must_use]
    pub fn received_at(&self) -> Timestamp {
        match self {
            Self::Described(described) => described.received_at,
            Self::Deleted(deleted) => deleted.received_at,
        }
    }
}

/// What a dead letter says beside the request: its reason, and what the event would have had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterAttributes {
    /// Why the callback did not become an event.
    pub reason: DeadLetterReason,
    /// The profile, if it could be read.
    pub profile: Option<ProfileSid>,
    /// The CloudEvents `id` that the event would have had.
    pub event_id: String,
    /// The time of receipt, which is the CloudEvents `time` that the event would have had.
    pub received_at: Timestamp,
    /// How the signed message was built; `None` if no construction matched.
    pub construction: Option<Construction>,
    /// The trace context, as that of an [`Event`].
    pub trace: Option<TraceContext>,
}
