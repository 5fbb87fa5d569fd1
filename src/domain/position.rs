//! The position of a record in its topic.

use std::{fmt, sync::Arc};

/// The position of a record. Within a partition, offsets ascend with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordPosition {
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
}

/// `PARTITION/OFFSET`.
impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.offset)
    }
}

/// Where Kafka has written a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPosition {
    /// The name of the topic.
    pub topic: Arc<str>,
    /// The position in the topic.
    pub position: RecordPosition,
}
