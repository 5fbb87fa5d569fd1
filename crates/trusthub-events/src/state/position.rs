//! The place of a record in the event topic.

use serde::{Deserialize, Serialize};

/// The place of a record in the event topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
// Generators of code name the class after it.
#[cfg_attr(test, schemars(title = "Position"))]
pub struct Position {
    /// The number of the partition, from 0.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::count"))]
    pub partition: i32,
    /// The offset in the partition, from 0.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::count"))]
    pub offset: i64,
}

impl Position {
    /// Whether a record at this position is at or before `other` in the same partition. Positions of different partitions
    /// have no order.
    pub(super) fn is_at_or_before(self, other: Self) -> bool {
        self.partition == other.partition && self.offset <= other.offset
    }
}
