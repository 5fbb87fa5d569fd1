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

impl RunError {
    /// Whether this happens to a process that was suspended until its deadlines had passed.
    pub(super) fn may_follow_from_a_suspension(&self) -> bool {
        match self {
            Self::NotDurable(_)
            | Self::TopicReader(TopicReadError::Kafka { .. } | TopicReadError::Stalled { .. })
            | Self::LeadershipLost => true,
            Self::TopicReader(
                TopicReadError::NoTopic { .. } | TopicReadError::NotAllowed { .. } | TopicReadError::Schema { .. },
            )
            | Self::LeaderElection(_)
            | Self::TakenOver => false,
        }
    }
}

impl From<LeadershipLost> for RunError {
    fn from(lost: LeadershipLost) -> Self {
        match lost {
            LeadershipLost::ToAnother => Self::TakenOver,
            LeadershipLost::Undecided => Self::LeadershipLost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_topic_and_permission_do_not_follow_from_a_suspension() {
        let topic = || "events".to_owned();
        assert!(RunError::NotDurable(DeliveryError::SpoolFailed).may_follow_from_a_suspension());
        assert!(RunError::from(TopicReadError::Stalled { topic: topic() }).may_follow_from_a_suspension());
        assert!(!RunError::from(TopicReadError::NoTopic { topic: topic() }).may_follow_from_a_suspension());
        assert!(!RunError::from(TopicReadError::NotAllowed { topic: topic() }).may_follow_from_a_suspension());
    }
}
