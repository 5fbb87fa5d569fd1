//! Compares Trust Hub with the event topic, and publishes the status changes that no callback announced.
//!
//! Twilio does not resend a lost callback, but its API returns the current state of each profile. The topic shows what
//! consumers believe. There is no other stored state: every run reads the whole topic. Each difference becomes an event
//! with the origin `reconciliation`, which is published like any other event, through the
//! [`pipeline`](crate::pipeline).
//!
//! | Module | Does |
//! | --- | --- |
//! | `run` | one run: reads the topic, lists the profiles, and has differences repaired |
//! | `view` | what consumers believe, by the rules of `docs/events.md` |
//! | `plan` | classifies a difference between Trust Hub and the topic |
//! | `repair` | fetches and publishes a missed status without overwriting a newer one |
//! | `schedule` | periodic runs in the service |
//! | `callback_urls` | sets the status callback URLs of all profiles |

mod callback_urls;
#[cfg(test)]
mod fixtures;
mod plan;
mod repair;
mod run;
mod schedule;
#[cfg(test)]
mod tests;
mod view;

use thiserror::Error;
use trusthub_client::{AccountClient, Collection, Profile};

use self::repair::RepairCandidate;
pub use self::{
    callback_urls::{CallbackUrl, CallbackUrlError, UrlChange, UrlUpdate, UrlUpdater},
    plan::Comparison,
    run::{ReconcileProgress, ReconcileSummary, Reconciler, RunOptions},
    schedule::Schedule,
};
use crate::{
    domain::{AccountSid, DeliveryError, ProfileSid, Resource, Status, Timestamp},
    kafka::{LeaderElectionError, LeadershipLost, TopicReadError},
};

/// Why a run ended early. The events that it published until then are durable, and the next run does the rest.
#[derive(Debug, Error)]
pub enum RunError {
    /// The event topic cannot be read.
    #[error(transparent)]
    TopicReader(#[from] TopicReadError),
    /// It is unknown which process leads.
    #[error(transparent)]
    LeaderElection(#[from] LeaderElectionError),
    /// Another process leads now.
    #[error("another process has taken over the reconciliation")]
    TakenOver,
    /// This process lost its leadership because Kafka was unreachable for too long.
    #[error("lost leadership: the group has not elected a new leader")]
    LeadershipLost,
    /// An event could not be made durable.
    #[error("cannot publish an event ({0}); see trusthub_kafka_publish_failures_total, or the log")]
    NotDurable(DeliveryError),
}

impl From<LeadershipLost> for RunError {
    fn from(lost: LeadershipLost) -> Self {
        match lost {
            LeadershipLost::ToAnother => Self::TakenOver,
            LeadershipLost::Undecided => Self::LeadershipLost,
        }
    }
}

/// What a run did about a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Published no event, because of the result of the comparison or because the run only reports.
    NotPublished(Comparison),
    /// Published an event with the current status.
    Published,
    /// Could not fetch the profile or publish its event, for this reason.
    Failed(String),
}

/// A profile that a run reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
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
    fn of_candidate(candidate: &RepairCandidate, believed: Option<Status>, action: Action) -> Self {
        Self {
            account: candidate.account.sid().clone(),
            profile: candidate.profile.clone(),
            resource: candidate.collection.resource(),
            believed,
            actual: None,
            action,
        }
    }

    fn of_profile(profile: &Profile, believed: Option<Status>, action: Action) -> Self {
        Self {
            account: profile.account_sid.clone(),
            profile: profile.sid.clone(),
            resource: profile.resource,
            believed,
            actual: Some((profile.status, profile.date_updated)),
            action,
        }
    }
}

/// A list of profiles that could not be read completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFailure {
    /// The account of the profiles.
    pub account: AccountSid,
    /// The kind of profile.
    pub resource: Resource,
    /// The error that ended the list, or that one profile caused.
    pub error: trusthub_client::Error,
}

impl ListFailure {
    fn new(account: &AccountClient, collection: Collection, error: trusthub_client::Error) -> Self {
        Self { account: account.sid().clone(), resource: collection.resource(), error }
    }
}

/// Receives the findings and the progress of a run.
pub trait Observer: Send {
    /// The run made progress.
    fn progress(&mut self, progress: ReconcileProgress);

    /// The run found a profile to report.
    fn found(&mut self, finding: &Finding);

    /// A list of profiles could not be read completely.
    fn list_failed(&mut self, failure: &ListFailure);
}
