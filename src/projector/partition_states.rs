//! The states of the profiles of one partition, in memory.

use std::collections::HashMap;

use crate::domain::{
    ProfileSid,
    state::{CompactState, ProfileState, StateWrite},
};

/// The states of the profiles of one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionStates {
    states: HashMap<ProfileSid, CompactState>,
}

impl PartitionStates {
    /// The state of a profile, if it has one.
    pub(super) fn get(&self, profile: &ProfileSid) -> Option<ProfileState> {
        self.states.get(profile)?.decode()
    }

    /// Takes a record of the state topic into account, or a write that Kafka has committed.
    pub(super) fn set(&mut self, profile: ProfileSid, write: &StateWrite) {
        let encoded = match write {
            StateWrite::Put(state) => CompactState::encode(state).ok(),
            StateWrite::Tombstone => None,
        };
        match encoded {
            Some(encoded) => drop(self.states.insert(profile, encoded)),
            None => drop(self.states.remove(&profile)),
        }
    }

    /// The profiles that have a state.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &ProfileSid> {
        self.states.keys()
    }

    /// How many profiles have a state.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Makes the states accept events at any offset again, because the event topic was created again.
    pub(super) fn forget_positions(&mut self) {
        let profiles: Vec<_> = self.states.keys().cloned().collect();
        for profile in profiles {
            if let Some(mut state) = self.get(&profile) {
                state.position.offset = -1;
                self.set(profile, &StateWrite::Put(Box::new(state)));
            }
        }
    }
}
