//! Compares Trust Hub with the topic of events, and publishes what no callback has made known.
//!
//! Twilio does not repeat a callback that was lost, but it still tells what a profile is when it is asked. The topic tells
//! what consumers believe, and there is no other memory: every run reads it. What differs becomes an event of its own
//! origin, which goes the way of every other one, through the [`pipeline`](crate::pipeline).

mod callbacks;
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

use self::repair::Candidate;
pub use self::{
    callbacks::{Callback, CallbackUrl, CallbackUrlError, Callbacks, Change},
    plan::Judgement,
    run::{Mode, Progress, Reconciler, Summary},
    schedule::Schedule,
};
use crate::{
    domain::{AccountSid, DeliveryError, ProfileSid, Resource, Status, Timestamp},
    kafka::{HistoryError, LeadershipLost, LockError},
    trusthub::{self, Account, Collection, Profile},
};

/// Why a run did not come to its end. What it published until then is durable, and the next run does the rest.
#[derive(Debug, Error)]
pub enum Stop {
    /// The topic cannot be read.
    #[error(transparent)]
    TopicReader(#[from] HistoryError),
    /// It is not known whose turn it is.
    #[error(transparent)]
    LeaderElection(#[from] LockError),
    /// Another process was given the turn.
    #[error("another process has taken over")]
    TakenOver,
    /// Nobody knows whose turn it is, since Kafka could not be reached for too long.
    #[error("this process lost its place in the consumer group, and nobody knows who has it")]
    LockLost,
    /// An event could not be made durable.
    #[error("an event could not be published ({0}); see trusthub_kafka_publish_failures_total, or the log")]
    NotDurable(DeliveryError),
}

impl From<LeadershipLost> for Stop {
    fn from(lost: LeadershipLost) -> Self {
        match lost {
            LeadershipLost::ToAnother => Self::TakenOver,
            LeadershipLost::Undecided => Self::LockLost,
        }
    }
}

/// What became of a profile that is worth telling of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This is to be said of it; nothing was published.
    Judged(Judgement),
    /// Consumers are told now.
    Published,
    /// It could not be asked for or published.
    Failed(String),
}

/// A profile that is worth telling of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose it is.
    pub account: AccountSid,
    /// Which it is.
    pub profile: ProfileSid,
    /// What kind it is.
    pub resource: Resource,
    /// The status that consumers had; `None` when the topic says nothing of it.
    pub believed: Option<Status>,
    /// The status that Trust Hub told, and since when it is so at the latest; `None` when it told nothing.
    pub told: Option<(Status, Timestamp)>,
    /// What became of it.
    pub verdict: Verdict,
}

impl Finding {
    fn of(candidate: &Candidate, believed: Option<Status>, verdict: Verdict) -> Self {
        Self {
            account: candidate.account.sid().clone(),
            profile: candidate.profile.clone(),
            resource: candidate.collection.resource(),
            believed,
            told: None,
            verdict,
        }
    }

    fn of_profile(profile: &Profile, believed: Option<Status>, verdict: Verdict) -> Self {
        Self {
            account: profile.account_sid.clone(),
            profile: profile.sid.clone(),
            resource: profile.resource,
            believed,
            told: Some((profile.status, profile.date_updated)),
            verdict,
        }
    }
}

/// The profiles of an account that could not be listed to their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// Whose.
    pub account: AccountSid,
    /// What kind.
    pub resource: Resource,
    /// Why.
    pub error: trusthub::Error,
}

impl Unlisted {
    fn of(account: &Account, collection: Collection, error: trusthub::Error) -> Self {
        Self { account: account.sid().clone(), resource: collection.resource(), error }
    }
}

/// Hears what a run does.
pub trait Observer: Send {
    /// How far it is.
    fn progress(&mut self, progress: Progress);

    /// A profile is worth telling of.
    fn found(&mut self, finding: &Finding);

    /// Profiles could not be listed.
    fn unlisted(&mut self, unlisted: &Unlisted);
}
