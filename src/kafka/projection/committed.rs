//! What the group remembers about a partition, besides its offset.

use std::fmt;

/// The number of partitions of the event topic, which is in the metadata of each committed offset. It tells the next owner
/// that partitions were added, so that profiles have moved to other partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartitionCounts {
    /// The number when the offset was committed.
    pub now: i32,
    /// The number when the group first committed an offset of this partition.
    pub initial: i32,
}

impl PartitionCounts {
    /// Those to commit, where `former` are the last ones of the partition.
    pub(crate) fn of(former: Option<Self>, now: i32) -> Self {
        Self { now, initial: former.map_or(now, |former| former.initial) }
    }

    /// Those to commit while states are being built again because partitions were added, up to `now`: the next owner begins
    /// that again.
    pub(crate) fn interim(former: Option<Self>, now: i32) -> Self {
        former.unwrap_or(Self { now: 0, initial: now })
    }

    pub(super) fn parse(metadata: &str) -> Option<Self> {
        let (now, initial) = metadata.strip_prefix("partitions=")?.split_once(" initial=")?;
        Some(Self { now: now.parse().ok()?, initial: initial.parse().ok()? })
    }
}

impl fmt::Display for PartitionCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partitions={} initial={}", self.now, self.initial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_were_written() {
        let counts = PartitionCounts { now: 12, initial: 6 };
        assert_eq!(PartitionCounts::parse(&counts.to_string()), Some(counts));
        for other in ["", "partitions=6", "partitions=x initial=6", "something else"] {
            assert_eq!(PartitionCounts::parse(other), None, "{other}");
        }
    }
}
