//! The tasks that only one process does at a time.

use crate::config::KafkaConfig;

/// What only the leader does. Each task has a group of its own, and each event topic has a leader for each task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaderTask {
    /// The reconciliation with Trust Hub.
    Reconcile,
    /// The replay of dead letters.
    Replay,
}

impl LeaderTask {
    /// The id of the consumer group that elects the leader.
    pub(super) fn group_id(self, kafka: &KafkaConfig) -> String {
        let task = match self {
            Self::Reconcile => "reconcile",
            Self::Replay => "replay",
        };
        format!("trusthub-bridge-{task}.{}", kafka.topic)
    }
}
