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
    /// The position in the CloudEvents `id` of a state, such as `3-1042`; `None` for another text.
    #[must_use]
    pub fn of_id(id: &str) -> Option<Self> {
        let (partition, offset) = id.split_once('-')?;
        Some(Self { partition: partition.parse().ok()?, offset: offset.parse().ok()? })
    }

    /// Whether a record at this position is at or before `other` in the same partition. Positions of different partitions
    /// have no order.
    pub(super) fn is_at_or_before(self, other: Self) -> bool {
        self.partition == other.partition && self.offset <= other.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_is_read_from_the_id_of_a_state() {
        assert_eq!(Position::of_id("3-1042"), Some(Position { partition: 3, offset: 1_042 }));
        assert_eq!(["", "3", "3-", "a-1", "5f0e"].map(Position::of_id), [None; 5]);
    }
}
