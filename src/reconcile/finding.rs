//! What a run reports.

use trusthub_client::{AccountClient, Collection, Profile};

use super::{candidate::RepairCandidate, client_error::describe, plan::Comparison};
use crate::domain::{AccountSid, ProfileSid, Resource, Status, Timestamp};

/// What a run did about a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Published no event, because of the result of the comparison or because the run only reports.
    NotPublished(Comparison),
    /// Published an event with the current status: the event with this id.
    Published(String),
    /// Told the states what only Trust Hub knows about the profile, in the event with this id; `None` in a dry run.
    Described(Option<String>),
    /// Told the states that Trust Hub does not have the profile any more, in the event with this id; `None` in a dry run.
    Deleted(Option<String>),
    /// Could not fetch the profile or publish its event, for this reason.
    Failed(String),
}

impl Action {
    /// The same action with the id of its event, if it has one.
    pub(super) fn with_id(self, id: String) -> Self {
        match self {
            Self::Described(_) => Self::Described(Some(id)),
            Self::Deleted(_) => Self::Deleted(Some(id)),
            Self::NotPublished(_) | Self::Published(_) | Self::Failed(_) => self,
        }
    }
}

/// A profile that a run reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The account of the profile.
    pub account: AccountSid,
    /// The SID of the profile.
    pub profile: ProfileSid,
    /// The kind of profile.
    pub resource: Resource,
    /// The status that consumers believed; `None` if the topic has no event of the profile.
    pub believed: Option<Status>,
    /// The status in Trust Hub and the time of the last change; `None` if the profile could not be fetched.
    pub actual: Option<(Status, Timestamp)>,
    /// What the run did about the profile.
    pub action: Action,
}

impl Finding {
    pub(super) fn of_candidate(candidate: &RepairCandidate, believed: Option<Status>, action: Action) -> Self {
        Self {
            account: candidate.account,
            profile: candidate.profile,
            resource: candidate.collection.resource(),
            believed,
            actual: None,
            action,
        }
    }

    pub(super) fn of_profile(profile: &Profile, believed: Option<Status>, action: Action) -> Self {
        Self {
            account: profile.account_sid,
            profile: profile.sid,
            resource: profile.resource,
            believed,
            actual: Some((profile.status, profile.date_updated)),
            action,
        }
    }
}

/// A list of profiles that could not be read completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListFailure {
    /// The account of the profiles.
    pub account: AccountSid,
    /// The kind of profile.
    pub resource: Resource,
    /// The error that ended the list, or that one profile caused.
    pub error: String,
}

impl ListFailure {
    pub(super) fn new(account: &AccountClient, collection: Collection, error: &trusthub_client::Error) -> Self {
        Self { account: *account.sid(), resource: collection.resource(), error: describe(error) }
    }
}
