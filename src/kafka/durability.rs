//! Whether acknowledged records survive the loss of one broker, as far as Kafka tells.

use rdkafka::admin::ConfigResource;

/// The setting that says how many replicas must have a record before it is acknowledged.
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// What is known of a topic, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The loss of one broker can lose acknowledged records.
    NotDurable,
    /// Kafka does not tell enough. Some managed clusters do not report the setting, and the right to read it may be missing.
    Unknown,
    /// Acknowledged records survive it.
    Durable,
}

impl Durability {
    /// Of a topic with so many replicas, of which so many must have a record; `None` when that was not told.
    pub(super) fn of(replication: usize, min_in_sync: Option<usize>) -> Self {
        match min_in_sync {
            _ if replication <= 1 => Self::NotDurable,
            Some(..=1) => Self::NotDurable,
            Some(2..) => Self::Durable,
            None => Self::Unknown,
        }
    }

    /// Whether it is known, and known to be durable: the values of the two metrics.
    pub(super) fn known_and_durable(self) -> (bool, bool) {
        (self != Self::Unknown, self == Self::Durable)
    }
}

/// The setting of a topic; `None` when it is not reported.
pub(super) fn min_in_sync(settings: &ConfigResource) -> Option<usize> {
    settings.get(MIN_INSYNC_REPLICAS)?.value.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_is_durable_with_two_replicas_that_must_have_a_record() {
        for (replication, min_in_sync, durability) in [
            (3, Some(2), Durability::Durable),
            (2, Some(2), Durability::Durable),
            (3, Some(1), Durability::NotDurable),
            (1, Some(2), Durability::NotDurable),
            (1, None, Durability::NotDurable),
            (3, None, Durability::Unknown),
        ] {
            assert_eq!(Durability::of(replication, min_in_sync), durability, "{replication}, {min_in_sync:?}");
        }
    }

    #[test]
    fn worst_topic_counts() {
        use Durability::{Durable, NotDurable, Unknown};
        assert_eq!([Durable, Unknown].into_iter().min(), Some(Unknown));
        assert_eq!([Unknown, NotDurable].into_iter().min(), Some(NotDurable));
    }
}
