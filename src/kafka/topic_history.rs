//! The time since which the event topic contains every published event.

use super::retention::Retention;

/// The read position in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionProgress {
    /// The oldest available offset when reading started.
    pub(super) start: i64,
    /// The next offset to read.
    pub(super) next: i64,
    /// The timestamp of the first record that was read, in milliseconds since the Unix epoch.
    pub(super) first: Option<i64>,
}

/// The time since which the partitions contain every record that was written to them.
pub(super) fn history_start<'p>(
    partitions: impl Iterator<Item = &'p PartitionProgress> + Clone,
    retention: Retention,
    now: i64,
) -> Option<i64> {
    let mut truncated = partitions.clone().filter(|partition| partition.start > 0).peekable();
    if truncated.peek().is_none() {
        // Nothing was ever deleted, so the history starts with the first record.
        return partitions.filter_map(|partition| partition.first).min();
    }
    let expiry = retention.expiry(now);
    let start = |partition: &PartitionProgress| match (partition.first, expiry) {
        (Some(first), Some(expiry)) if retention.is_time_only() => Some(first.min(expiry)),
        (Some(first), _) => Some(first),
        // All its records have expired.
        (None, expiry) => expiry,
    };
    // For a partition that is empty for an unknown reason, the history starts only now.
    truncated.map(|partition| start(partition).unwrap_or(now)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: i64 = 100 * DAY;
    const WEEK: Retention = Retention { deletes: true, millis: Some(7 * DAY), has_size: false };
    const WEEK_OR_SIZE: Retention = Retention { has_size: true, ..WEEK };
    const UNKNOWN: Retention = Retention { deletes: true, millis: None, has_size: true };
    const COMPACTED: Retention = Retention { deletes: false, ..WEEK };

    /// The day on which the history starts, for partitions given as first offset and day of the first record.
    fn start_day(partitions: &[(i64, Option<i64>)], retention: Retention) -> Option<i64> {
        let partition = |(start, day): &(i64, Option<i64>)| PartitionProgress {
            start: *start,
            next: *start,
            first: day.map(|day| day * DAY),
        };
        let partitions: Vec<_> = partitions.iter().map(partition).collect();
        history_start(partitions.iter(), retention, NOW).map(|start| start / DAY)
    }

    #[test]
    fn topic_without_any_record_has_no_history() {
        assert_eq!(start_day(&[(0, None), (0, None)], WEEK), None);
    }

    #[test]
    fn untruncated_topic_starts_with_its_first_record_in_any_partition() {
        for retention in [WEEK, UNKNOWN, COMPACTED] {
            assert_eq!(start_day(&[(0, Some(98)), (0, None), (0, Some(50))], retention), Some(50));
        }
    }

    #[test]
    fn time_retention_starts_history_at_its_limit_even_without_records() {
        assert_eq!(start_day(&[(5, Some(99)), (0, None), (7, None)], WEEK), Some(93));
        assert_eq!(start_day(&[(5, Some(90))], WEEK), Some(90), "a segment is kept as long as its last record");
    }

    #[test]
    fn size_retention_starts_history_at_the_first_record() {
        assert_eq!(start_day(&[(5, Some(99)), (5, Some(98)), (0, Some(3))], WEEK_OR_SIZE), Some(99));
        assert_eq!(
            start_day(&[(5, None)], WEEK_OR_SIZE),
            Some(93),
            "the newest record was deleted last, and because of its age"
        );
    }

    #[test]
    fn history_after_deletion_for_unknown_reasons_is_not_guessed() {
        for retention in [UNKNOWN, COMPACTED] {
            assert_eq!(start_day(&[(5, Some(99)), (0, None)], retention), Some(99));
            assert_eq!(start_day(&[(5, Some(99)), (5, None)], retention), Some(100));
        }
    }
}
