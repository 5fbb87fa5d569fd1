//! Applies records to the states of their profiles, without changing the states before Kafka has them.

use std::collections::{BTreeMap, BTreeSet};

use super::partition_states::PartitionStates;
use crate::{
    domain::{
        ProfileSid,
        state::{ProfileState, StateOptions, StateOutcome, StateWrite},
    },
    kafka::{EventRecord, StateRecord, partition_of},
};

/// The changes of one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The last write of each profile, by partition.
    writes: BTreeMap<(i32, ProfileSid), StateWrite>,
    /// The next offset of each partition with records in the batch.
    next: BTreeMap<i32, i64>,
    outcomes: Vec<StateOutcome>,
    /// The partitions to which the profiles of other records belong.
    missed_by: BTreeSet<i32>,
}

impl Batch {
    /// Applies a record, unless its profile belongs to another partition. `states` are those of its partition, of which the
    /// topic has `partitions`.
    pub(super) fn apply(
        &mut self,
        states: &PartitionStates,
        record: &EventRecord,
        (options, partitions): (&StateOptions, i32),
    ) {
        let (event, partition) = (record.as_event(), record.position.partition);
        self.next.insert(partition, record.position.offset.saturating_add(1));
        let Some(profile) = event.profile() else {
            self.outcomes.push(ProfileState::apply(None, &event, options).outcome);
            return;
        };
        let home = partition_of(&profile, partitions);
        if home != partition {
            self.missed_by.insert(home);
            self.outcomes.push(StateOutcome::OtherPartition);
            return;
        }
        let key = (partition, profile);
        let current = match self.writes.get(&key) {
            Some(StateWrite::Put(state)) => Some((**state).clone()),
            Some(StateWrite::Tombstone) => None,
            None => states.get(&key.1),
        };
        let transition = ProfileState::apply(current.as_ref(), &event, options);
        self.outcomes.push(transition.outcome);
        if let Some(write) = transition.write {
            self.writes.insert(key, write);
        }
    }

    /// What became of each record.
    pub(super) fn outcomes(&self) -> &[StateOutcome] {
        &self.outcomes
    }

    /// The next offset of each partition with records in the batch.
    pub(super) fn next_offsets(&self) -> &BTreeMap<i32, i64> {
        &self.next
    }

    /// The partitions to which the profiles belong whose records were not applied.
    pub(super) fn missed_by(&self) -> &BTreeSet<i32> {
        &self.missed_by
    }

    /// The records to write.
    pub(super) fn records(&self) -> Vec<StateRecord> {
        self.writes.iter().map(|((partition, profile), write)| state_record(*partition, profile, write)).collect()
    }

    /// The writes of a partition, once Kafka has them.
    pub(super) fn into_writes(self) -> impl Iterator<Item = (i32, ProfileSid, StateWrite)> {
        self.writes.into_iter().map(|((partition, profile), write)| (partition, profile, write))
    }
}

/// The record of the state topic for this write.
pub(super) fn state_record(partition: i32, profile: &ProfileSid, write: &StateWrite) -> StateRecord {
    let key = profile.as_str().to_owned();
    match write {
        StateWrite::Put(state) => {
            let mut state = state.clone();
            // In memory, a negative offset is that of a topic which was deleted.
            state.position.offset = state.position.offset.max(0);
            let value = serde_json::to_vec(&state).ok();
            StateRecord { partition, key, headers: state.headers().into(), value }
        }
        StateWrite::Tombstone => StateRecord { partition, key, headers: Vec::new(), value: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::state::Position, projector::fixtures::event};

    fn apply(batch: &mut Batch, states: &PartitionStates, records: &[EventRecord]) {
        for record in records {
            batch.apply(states, record, (&StateOptions::default(), 1));
        }
    }

    #[test]
    fn events_of_one_profile_become_one_record() {
        let (mut batch, states) = (Batch::default(), PartitionStates::default());
        let records = [event(0, 3, 1, "in-review"), event(0, 4, 2, "in-review"), event(0, 5, 1, "twilio-approved")];
        apply(&mut batch, &states, &records);
        let values: Vec<_> =
            batch.records().into_iter().map(|record| (record.partition, record.value.unwrap())).collect();
        let states: Vec<ProfileState> =
            values.iter().map(|(_, value)| serde_json::from_slice(value).unwrap()).collect();
        assert_eq!(states.iter().map(|state| state.changes).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(batch.next_offsets(), &BTreeMap::from([(0, 6)]));
        assert_eq!(batch.outcomes(), [StateOutcome::Applied; 3]);
    }

    #[test]
    fn states_in_memory_change_only_when_they_are_told() {
        let (mut batch, mut states) = (Batch::default(), PartitionStates::default());
        apply(&mut batch, &states, &[event(0, 0, 1, "in-review")]);
        assert_eq!(states.len(), 0);
        for (_, profile, write) in batch.into_writes() {
            states.set(profile, &write);
        }
        let mut batch = Batch::default();
        apply(&mut batch, &states, &[event(0, 0, 1, "in-review"), event(0, 1, 1, "twilio-approved")]);
        assert_eq!(batch.outcomes(), [StateOutcome::Repeat, StateOutcome::Applied]);
    }

    #[test]
    fn event_of_a_profile_of_another_partition_is_not_applied() {
        let (mut batch, states) = (Batch::default(), PartitionStates::default());
        let record = event(0, 3, 1, "in-review");
        let home = partition_of(&record.as_event().profile().unwrap(), 6);
        assert_ne!(home, 0);
        batch.apply(&states, &record, (&StateOptions::default(), 6));
        assert_eq!((batch.records(), batch.outcomes()), (Vec::new(), &[StateOutcome::OtherPartition][..]));
        assert_eq!(batch.missed_by(), &BTreeSet::from([home]));
        batch.apply(&states, &event(home, 4, 1, "in-review"), (&StateOptions::default(), 6));
        assert_eq!(batch.next_offsets(), &BTreeMap::from([(0, 4), (home, 5)]));
        assert_eq!(batch.outcomes().last(), Some(&StateOutcome::Applied));
    }

    #[test]
    fn record_of_a_state_with_a_forgotten_position_has_a_valid_offset() {
        let record = event(0, 3, 1, "in-review");
        let mut states = PartitionStates::default();
        let Some(StateWrite::Put(state)) =
            ProfileState::apply(None, &record.as_event(), &StateOptions::default()).write
        else {
            panic!("no state")
        };
        let profile = state.profile_sid;
        states.set(profile, &StateWrite::Put(state));
        states.forget_positions_from(0, 0);
        let forgotten = StateWrite::Put(Box::new(states.get(&profile).unwrap()));
        let value: ProfileState =
            serde_json::from_slice(&state_record(0, &profile, &forgotten).value.unwrap()).unwrap();
        assert_eq!(value.position.offset, 0);
    }

    #[test]
    fn record_that_changes_nothing_still_advances_the_offset() {
        let (mut batch, states) = (Batch::default(), PartitionStates::default());
        let other = EventRecord::of_type("io.example.v1", Position { partition: 2, offset: 7 });
        apply(&mut batch, &states, &[other]);
        assert_eq!((batch.records(), batch.outcomes()), (Vec::new(), &[StateOutcome::Unreadable][..]));
        assert_eq!(batch.next_offsets(), &BTreeMap::from([(2, 8)]));
    }
}
