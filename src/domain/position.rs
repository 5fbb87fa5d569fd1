//! Where a record stands in its topic.

/// The place of a record: within a partition, offsets ascend with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordPosition {
    /// The partition.
    pub partition: i32,
    /// The offset within it.
    pub offset: i64,
}
