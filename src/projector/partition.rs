//! A partition that this instance owns.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::partition_states::PartitionStates;
use crate::{
    domain::{
        ProfileSid,
        state::{ProfileState, StateWrite},
    },
    kafka::{Committed, EventRecord, PartitionCounts},
};

/// How long the transaction of a former owner may stay open before it is logged.
const REPORT_OPEN_TRANSACTION: Duration = Duration::from_secs(30);

/// A partition that this instance owns.
#[derive(Debug)]
pub(super) enum OwnedPartition {
    /// Its states are not in memory yet.
    Assigned {
        /// When it was assigned.
        since: Instant,
        /// Whether the log says that a transaction of the former owner is open.
        is_reported: bool,
    },
    /// Its states are in memory.
    Loaded(LoadedPartition),
}

impl OwnedPartition {
    pub(super) fn assigned() -> Self {
        Self::Assigned { since: Instant::now(), is_reported: false }
    }

    /// Logs once that the states cannot be read before a transaction ends.
    pub(super) fn report_open_transaction(&mut self, partition: i32) {
        if let Self::Assigned { since, is_reported } = self
            && !*is_reported
            && since.elapsed() > REPORT_OPEN_TRANSACTION
        {
            *is_reported = true;
            tracing::warn!(partition, "the states of profiles wait for an open transaction of their former owner");
        }
    }
}

/// A partition whose states are in memory.
#[derive(Debug)]
pub(super) struct LoadedPartition {
    pub(super) states: PartitionStates,
    /// The next offset to apply.
    pub(super) next: i64,
    /// An offset that the end of the state partition has reached. A smaller one means that the topic was created again.
    pub(super) state_end: i64,
    pub(super) counts: PartitionCounts,
    /// Whether the group delivers the records of the partition.
    pub(super) is_started: bool,
}

/// Takes a record of the state topic into account, if it is about one of these profiles.
pub(super) fn read_state(states: &mut PartitionStates, record: &EventRecord, belongs: impl Fn(&ProfileSid) -> bool) {
    let Some(profile) = record.key_profile().filter(belongs) else { return };
    match record.value.as_deref().map(serde_json::from_slice::<ProfileState>) {
        None => states.set(profile, &StateWrite::Tombstone),
        Some(Ok(state)) => states.set(profile, &StateWrite::Put(Box::new(state))),
        Some(Err(error)) => {
            tracing::debug!(%error, "a record of the state topic is no state");
            states.mark_unreadable(profile);
        }
    }
}

/// How the next owner of a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// At this offset, with the states that the topic has.
    At(i64),
    /// With the states of all events, because partitions were added.
    Rebuild,
    /// It cannot begin: other instances already know of more partitions.
    Outdated,
}

/// How to begin with a partition, where `partitions` is the number of partitions of the event topic.
pub(super) fn beginning(partition: i32, committed: &BTreeMap<i32, Committed>, partitions: i32) -> Beginning {
    let counts = || committed.values().filter_map(|committed| committed.counts);
    if counts().any(|counts| counts.now > partitions) {
        return Beginning::Outdated;
    }
    match committed.get(&partition) {
        Some(own) if own.counts.is_some_and(|counts| counts.now < partitions) => Beginning::Rebuild,
        Some(own) => Beginning::At(own.next),
        // The partition did not exist when the group began.
        None if counts().any(|counts| counts.initial <= partition) => Beginning::Rebuild,
        None => Beginning::At(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::state::StateOptions,
        projector::{batch::state_record, fixtures::event},
    };

    fn committed(partitions: &[(i32, i32, i32)]) -> BTreeMap<i32, Committed> {
        let entry = |(partition, now, initial): &(i32, i32, i32)| {
            (*partition, Committed { next: 7, counts: Some(PartitionCounts { now: *now, initial: *initial }) })
        };
        partitions.iter().map(entry).collect()
    }

    #[test]
    fn record_that_is_no_state_hides_the_state_before_it() {
        let mut states = PartitionStates::default();
        let profile = event(0, 0, 1, "draft").as_event().profile().unwrap();
        let write = ProfileState::apply(None, &event(0, 0, 1, "draft").as_event(), &StateOptions::default()).write;
        let mut state = event(0, 0, 1, "draft");
        state.value = state_record(0, &profile, &write.unwrap()).value;
        // The value of an event is no state.
        for (record, expected) in [(&state, (1, 0)), (&event(0, 1, 1, "draft"), (0, 1)), (&state, (1, 0))] {
            read_state(&mut states, record, |_| true);
            assert_eq!((states.len(), states.unreadable().count()), expected);
        }
        read_state(&mut states, &event(0, 1, 1, "draft"), |_| false);
        assert_eq!(states.len(), 1);
    }

    #[test]
    fn first_owner_begins_at_the_first_event() {
        assert_eq!(beginning(2, &committed(&[]), 3), Beginning::At(0));
        assert_eq!(beginning(2, &committed(&[(0, 3, 3), (1, 3, 3)]), 3), Beginning::At(0));
    }

    #[test]
    fn next_owner_begins_at_the_committed_offset() {
        assert_eq!(beginning(1, &committed(&[(1, 3, 3)]), 3), Beginning::At(7));
        let unknown = BTreeMap::from([(1, Committed { next: 7, counts: None })]);
        assert_eq!(beginning(1, &unknown, 3), Beginning::At(7), "committed by another program");
    }

    #[test]
    fn added_partitions_are_rebuilt_and_so_are_the_others() {
        let before = committed(&[(0, 3, 3), (1, 3, 3), (2, 3, 3)]);
        for partition in 0..6 {
            assert_eq!(beginning(partition, &before, 6), Beginning::Rebuild, "{partition}");
        }
        // The owners of the others have rebuilt them already.
        let after = committed(&[(0, 6, 3), (1, 6, 3), (2, 6, 3), (4, 6, 6)]);
        assert_eq!(beginning(3, &after, 6), Beginning::Rebuild);
        assert_eq!(beginning(1, &after, 6), Beginning::At(7));
        assert_eq!(beginning(4, &after, 6), Beginning::At(7));
    }

    #[test]
    fn rebuild_that_its_owner_did_not_finish_is_begun_again() {
        let before = committed(&[(0, 3, 3), (1, 3, 3), (2, 3, 3)]);
        for partition in [1, 4] {
            let former = before.get(&partition).and_then(|former| former.counts);
            let mut during = before.clone();
            let commit = |counts| Committed { next: 0, counts: Some(counts) };
            during.insert(partition, commit(PartitionCounts::interim(former, 6)));
            assert_eq!(beginning(partition, &during, 6), Beginning::Rebuild, "{partition}");
            let known = during.get(&partition).and_then(|former| former.counts);
            during.insert(partition, commit(PartitionCounts::of(known, 6)));
            assert_eq!(beginning(partition, &during, 6), Beginning::At(0), "{partition}");
            assert_eq!(beginning(5, &during, 6), Beginning::Rebuild);
        }
    }

    #[test]
    fn instance_that_does_not_know_of_added_partitions_cannot_begin() {
        let after = committed(&[(0, 3, 3), (1, 6, 3)]);
        assert_eq!(beginning(0, &after, 3), Beginning::Outdated);
        assert_eq!(beginning(2, &after, 3), Beginning::Outdated);
    }
}
