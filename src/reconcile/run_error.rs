//! Why a run ends early.

use thiserror::Error;

use crate::{
    domain::DeliveryError,
    kafka::{LeaderElectionError, LeadershipLost, TopicReadError},
};

/// Why a run ended early. The events that it published until then are durable, and the next run does the rest.
#[derive(Debug, Error)]
pub(crate) enum RunError {
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
