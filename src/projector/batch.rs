//! Applies records to the states of their profiles, without changing the states before Kafka has them.

use std::collections::BTreeMap;

use super::partition_states::PartitionStates;
use crate::{
    domain::{
        ProfileSid,
        state::{ProfileState, StateOptions, StateOutcome, StateWrite},
    },
    kafka::{EventRecord, StateRecord},
};

/// The changes of one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The last write of each profile, by partition.
    writes: BTreeMap<(i32, ProfileSid), StateWrite>,
    /// The next offset of each partition with records in the batch.
    next: BTreeMap<i32, i64>,
    outcomes: Vec<StateOutcome>,
}

impl Batch {
    /// Applies a record. `states` are those of its partition.
    pub(super) fn apply(&mut self, states: &PartitionStates, record: &EventRecord, options: &StateOptions) {
        let (event, partition) = (record.as_event(), record.position.partition);
        self.next.insert(partition, record.position.offset.saturating_add(1));
        let Some(profile) = event.profile() else {
            self.outcomes.push(ProfileState::apply(None, &event, options).outcome);
            return;
        };
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
            let value = serde_json::to_vec(state).ok();
            StateRecord { partition, key, headers: state.headers().into(), value }
        }
        StateWrite::Tombstone => StateRecord { partition, key, headers: Vec::new(), value: None },
    }
}
