//! Determines whether acknowledged records survive the loss of one broker, as far as Kafka reports it.

use rdkafka::admin::ConfigResource;

/// The topic setting for how many replicas must have a record before it is acknowledged.
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// What is known about one topic or several. The least durable one sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TopicDurability {
    /// The loss of one broker can lose acknowledged records.
    NotDurable,
    /// Kafka does not report enough. Some managed clusters hide the setting, and `DESCRIBE_CONFIGS` may be missing.
    Unknown,
    /// Acknowledged records survive the loss of one broker.
    Durable,
}

impl TopicDurability {
    /// Classifies a topic by its replication factor and its `min.insync.replicas`; `None` when Kafka did not report the
    /// latter.
    pub(super) fn classify(replication: usize, min_in_sync: Option<usize>) -> Self {
        match min_in_sync {
            _ if replication <= 1 => Self::NotDurable,
            Some(..=1) => Self::NotDurable,
            Some(2..) => Self::Durable,
            None => Self::Unknown,
        }
    }

    /// Whether the durability is known, and whether the topic is known to be durable: the values of the two metrics.
    pub(super) fn known_and_durable(self) -> (bool, bool) {
        (self != Self::Unknown, self == Self::Durable)
    }
}

/// Reads `min.insync.replicas`; `None` when Kafka does not report it.
pub(super) fn min_in_sync(settings: &ConfigResource) -> Option<usize> {
    settings.get(MIN_INSYNC_REPLICAS)?.value.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_is_durable_with_two_replicas_that_must_have_each_record() {
        for (replication, min_in_sync, durability) in [
            (3, Some(2), TopicDurability::Durable),
            (2, Some(2), TopicDurability::Durable),
            (3, Some(1), TopicDurability::NotDurable),
            (1, Some(2), TopicDurability::NotDurable),
            (1, None, TopicDurability::NotDurable),
            (3, None, TopicDurability::Unknown),
        ] {
            assert_eq!(
                TopicDurability::classify(replication, min_in_sync),
                durability,
                "{replication}, {min_in_sync:?}"
            );
        }
    }

    #[test]
    fn least_durable_topic_sorts_first() {
        use TopicDurability::{Durable, NotDurable, Unknown};
        assert_eq!([Durable, Unknown].into_iter().min(), Some(Unknown));
        assert_eq!([Unknown, NotDurable].into_iter().min(), Some(NotDurable));
    }
}
