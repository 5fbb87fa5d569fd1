//! The partitions that this instance owns.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::{
    partition::{LoadedPartition, OwnedPartition},
    status_index::StatusIndex,
};
use crate::{
    domain::{ProfileSid, state::StateWrite},
    kafka::{AssignmentChange, Committed, EventRecord, NextOffset, ProjectionError},
};

/// The partitions that this instance owns.
#[derive(Debug, Default)]
pub(super) struct OwnedPartitions {
    owned: BTreeMap<i32, OwnedPartition>,
    /// The ends of these partitions of the event topic, when they were last asked for.
    ends: BTreeMap<i32, i64>,
    /// The offsets that former owners have committed, for partitions whose states are not in memory.
    committed: BTreeMap<i32, i64>,
}

/// What the metrics show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) profiles: usize,
    pub(super) partitions: i64,
    /// The records that are not applied yet; `None` if that is not known for all partitions.
    pub(super) lag: Option<i64>,
}

impl OwnedPartitions {
    /// Takes a rebalance into account, and drops the records of revoked partitions.
    pub(super) fn accept(&mut self, change: AssignmentChange, records: &mut Vec<EventRecord>) {
        match change {
            AssignmentChange::Assigned(partitions) => {
                partitions.into_iter().for_each(|partition| self.reset(partition))
            }
            AssignmentChange::Revoked(partitions) => {
                self.owned.retain(|partition, _| !partitions.contains(partition));
                self.ends.retain(|partition, _| !partitions.contains(partition));
                self.committed.retain(|partition, _| !partitions.contains(partition));
                records.retain(|record| !partitions.contains(&record.position.partition));
            }
        }
    }

    /// The states of the partition are to be read.
    pub(super) fn reset(&mut self, partition: i32) {
        self.owned.insert(partition, OwnedPartition::assigned());
    }

    /// The states of the partition are in memory.
    pub(super) fn insert(&mut self, partition: i32, loaded: LoadedPartition) {
        self.owned.insert(partition, OwnedPartition::Loaded(loaded));
    }

    /// The next partition after this one whose states are not in memory. After the last one comes the first.
    pub(super) fn assigned_after(&mut self, last: i32) -> Option<(i32, &mut OwnedPartition)> {
        let assigned = self.owned.iter_mut().filter(|(_, owned)| matches!(owned, OwnedPartition::Assigned { .. }));
        assigned
            .min_by_key(|(partition, _)| (**partition <= last, **partition))
            .map(|(partition, owned)| (*partition, owned))
    }

    /// Whether the states of a partition are not in memory.
    pub(super) fn has_assigned(&self) -> bool {
        self.owned.values().any(|owned| matches!(owned, OwnedPartition::Assigned { .. }))
    }

    /// Reads these partitions again from their next offset on.
    pub(super) fn restart(&mut self, partitions: &[i32]) {
        for (partition, loaded) in self.all_loaded() {
            loaded.is_started &= !partitions.contains(&partition);
        }
    }

    /// Lets the group deliver the records of loaded partitions. One that is not ready for that is tried again. Each try can take a
    /// second, so none begins after the stop.
    pub(super) fn start_loaded(
        &mut self,
        stop: &CancellationToken,
        start: impl Fn(i32, i64) -> Result<(), ProjectionError>,
    ) {
        for (partition, loaded) in self.all_loaded().filter(|(_, loaded)| !loaded.is_started) {
            if stop.is_cancelled() {
                return;
            }
            match start(partition, loaded.next) {
                Ok(()) => loaded.is_started = true,
                Err(error) => tracing::debug!(%error, partition, "cannot start the partition yet"),
            }
        }
    }

    /// The partition, if its states are in memory.
    pub(super) fn loaded(&self, partition: i32) -> Option<&LoadedPartition> {
        match self.owned.get(&partition)? {
            OwnedPartition::Loaded(loaded) => Some(loaded),
            OwnedPartition::Assigned { .. } => None,
        }
    }

    /// All partitions whose states are in memory.
    pub(super) fn all_loaded(&mut self) -> impl Iterator<Item = (i32, &mut LoadedPartition)> {
        self.owned.iter_mut().filter_map(|(partition, owned)| match owned {
            OwnedPartition::Loaded(loaded) => Some((*partition, loaded)),
            OwnedPartition::Assigned { .. } => None,
        })
    }

    /// What the metrics show about the states in memory, for each partition.
    pub(super) fn indexes(&self) -> impl Iterator<Item = &StatusIndex> {
        self.owned.values().filter_map(|owned| match owned {
            OwnedPartition::Loaded(loaded) => Some(loaded.states.index()),
            OwnedPartition::Assigned { .. } => None,
        })
    }

    /// The partition of the record is started at a later offset, so the event topic was created again.
    pub(super) fn is_from_new_topic(&self, record: &EventRecord) -> bool {
        let loaded = self.loaded(record.position.partition);
        loaded.is_some_and(|loaded| loaded.is_started && record.position.offset < loaded.next)
    }

    /// Whether the record is the next one of a partition that is started. Others were fetched before that.
    pub(super) fn is_expected(&self, record: &EventRecord) -> bool {
        let loaded = self.loaded(record.position.partition);
        loaded.is_some_and(|loaded| loaded.is_started && record.position.offset >= loaded.next)
    }

    /// The offset to commit for a partition.
    pub(super) fn next_offset(&self, partition: i32, next: i64) -> Option<NextOffset> {
        self.loaded(partition).map(|loaded| NextOffset { partition, next, counts: loaded.counts })
    }

    /// Changes the states in memory as Kafka has them now.
    pub(super) fn take(&mut self, writes: impl IntoIterator<Item = (i32, ProfileSid, StateWrite)>) {
        for (partition, profile, write) in writes {
            if let Some(OwnedPartition::Loaded(loaded)) = self.owned.get_mut(&partition) {
                loaded.states.set(profile, &write);
                loaded.state_end = loaded.state_end.saturating_add(1);
            }
        }
    }

    /// Continues at these offsets.
    pub(super) fn advance(&mut self, next: &BTreeMap<i32, i64>) {
        for (partition, loaded) in self.all_loaded() {
            loaded.next = next.get(&partition).copied().unwrap_or(loaded.next);
        }
    }

    /// The numbers of the owned partitions.
    pub(super) fn partitions(&self) -> Vec<i32> {
        self.owned.keys().copied().collect()
    }

    pub(super) fn set_end(&mut self, partition: i32, end: i64) {
        self.ends.insert(partition, end);
    }

    /// Takes into account what the group has committed.
    pub(super) fn set_committed(&mut self, committed: &BTreeMap<i32, Committed>) {
        for partition in self.owned.keys() {
            self.committed.insert(*partition, committed.get(partition).map_or(0, |committed| committed.next));
        }
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { profiles: 0, partitions: 0, lag: Some(0) };
        for (partition, owned) in &self.owned {
            let next = match owned {
                OwnedPartition::Loaded(loaded) => Some(&loaded.next),
                OwnedPartition::Assigned { .. } => self.committed.get(partition),
            };
            let left = self.ends.get(partition).zip(next).map(|(end, next)| end.saturating_sub(*next).max(0));
            totals.lag = totals.lag.zip(left).map(|(lag, left)| lag.saturating_add(left));
            let OwnedPartition::Loaded(loaded) = owned else { continue };
            totals.profiles = totals.profiles.saturating_add(loaded.states.len());
            totals.partitions = totals.partitions.saturating_add(1);
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{domain::state::Position, kafka::PartitionCounts, projector::partition_states::PartitionStates};

    fn loaded(next: i64) -> LoadedPartition {
        let counts = PartitionCounts { now: 3, initial: 3 };
        LoadedPartition { states: PartitionStates::default(), next, state_end: 0, counts, is_started: true }
    }

    fn record(partition: i32, offset: i64) -> EventRecord {
        EventRecord::of_type("io.example.v1", Position { partition, offset })
    }

    #[test]
    fn records_of_a_revoked_partition_are_dropped() {
        let mut owned = OwnedPartitions::default();
        owned.insert(0, loaded(0));
        owned.insert(1, loaded(0));
        let mut records = vec![record(0, 0), record(1, 0), record(0, 1)];
        owned.accept(AssignmentChange::Revoked(vec![0]), &mut records);
        assert_eq!(records, [record(1, 0)]);
        assert_eq!((owned.partitions(), owned.indexes().count()), (vec![1], 1));
    }

    #[test]
    fn only_the_next_records_of_started_partitions_are_expected() {
        let mut owned = OwnedPartitions::default();
        owned.accept(AssignmentChange::Assigned(vec![0, 1]), &mut Vec::new());
        assert!(!owned.is_expected(&record(0, 5)), "its states are not in memory");
        assert_eq!(owned.indexes().count(), 0);
        assert!(!owned.is_from_new_topic(&record(0, 4)), "its states are not in memory");
        owned.insert(0, loaded(5));
        assert!(owned.is_expected(&record(0, 5)) && !owned.is_expected(&record(0, 4)));
        assert!(!owned.is_from_new_topic(&record(0, 5)) && owned.is_from_new_topic(&record(0, 4)));
        owned.insert(1, LoadedPartition { is_started: false, ..loaded(0) });
        assert!(!owned.is_expected(&record(1, 0)), "it is not started");
        owned.insert(1, LoadedPartition { is_started: false, ..loaded(5) });
        assert!(!owned.is_from_new_topic(&record(1, 0)), "it is not started");
    }

    #[test]
    fn end_of_the_states_is_known_without_asking() {
        let mut owned = OwnedPartitions::default();
        owned.insert(0, loaded(0));
        let profile = |digit: &str| ProfileSid::parse(&format!("BU{}", digit.repeat(32))).unwrap();
        owned.take([(0, profile("1"), StateWrite::Tombstone), (0, profile("2"), StateWrite::Tombstone)]);
        assert_eq!(owned.loaded(0).map(|loaded| loaded.state_end), Some(2));
    }

    #[test]
    fn lag_counts_the_records_that_are_not_applied() {
        let mut owned = OwnedPartitions::default();
        owned.accept(AssignmentChange::Assigned(vec![2]), &mut Vec::new());
        owned.insert(0, loaded(5));
        owned.insert(1, loaded(9));
        for (partition, end) in [(0, 8), (1, 7), (2, 100)] {
            owned.set_end(partition, end);
        }
        assert_eq!(owned.totals().lag, None, "the offset of an assigned partition is not known");
        owned.set_committed(&BTreeMap::from([(2, Committed { next: 90, counts: None })]));
        assert_eq!(owned.totals(), Totals { profiles: 0, partitions: 2, lag: Some(13) });
        owned.advance(&BTreeMap::from([(0, 8)]));
        assert_eq!(owned.totals().lag, Some(10));
        owned.set_committed(&BTreeMap::new());
        assert_eq!(owned.totals().lag, Some(100), "nothing is committed");
    }

    #[test]
    fn partition_that_cannot_be_loaded_does_not_keep_others_waiting() {
        let mut owned = OwnedPartitions::default();
        owned.accept(AssignmentChange::Assigned(vec![0, 1, 3]), &mut Vec::new());
        owned.insert(2, loaded(0));
        let mut last = -1;
        let order = [(); 5].map(|()| {
            last = owned.assigned_after(last).unwrap().0;
            last
        });
        assert_eq!(order, [0, 1, 3, 0, 1]);
    }

    #[test]
    fn stop_waits_for_one_partition_that_does_not_start_at_most() {
        let mut owned = OwnedPartitions::default();
        (0..3).for_each(|partition| owned.insert(partition, LoadedPartition { is_started: false, ..loaded(5) }));
        let (stop, tries) = (CancellationToken::new(), RefCell::new(Vec::new()));
        let start = |partition, next| {
            tries.borrow_mut().push((partition, next));
            if partition == 1 {
                stop.cancel();
                return Err(ProjectionError::outdated("it is not ready"));
            }
            Ok(())
        };
        owned.start_loaded(&stop, start);
        assert_eq!(*tries.borrow(), [(0, 5), (1, 5)]);
        assert!(owned.is_expected(&record(0, 5)) && !owned.is_expected(&record(1, 5)));
    }

    #[test]
    fn restarted_partition_is_not_expected_before_it_is_started() {
        let mut owned = OwnedPartitions::default();
        owned.insert(0, loaded(5));
        owned.insert(1, loaded(5));
        owned.restart(&[1, 7]);
        assert!(owned.is_expected(&record(0, 5)) && !owned.is_expected(&record(1, 5)));
    }
}
