//! The states of the profiles of one partition, in memory.

use std::collections::{HashMap, HashSet};

use crate::domain::{
    ProfileSid,
    state::{CompactState, ProfileState, StateWrite},
};

/// The offset of a state that accepts every event.
const BEFORE_ALL_EVENTS: i64 = -1;

/// The states of the profiles of one partition.
#[derive(Debug, Clone, Default)]
pub(super) struct PartitionStates {
    states: HashMap<ProfileSid, CompactState>,
    /// The profiles whose last record is no state.
    unreadable: HashSet<ProfileSid>,
}

impl PartitionStates {
    /// The state of a profile, if it has one.
    pub(super) fn get(&self, profile: &ProfileSid) -> Option<ProfileState> {
        self.states.get(profile)?.decode()
    }

    /// Takes a record of the state topic into account, or a write that Kafka has committed.
    pub(super) fn set(&mut self, profile: ProfileSid, write: &StateWrite) {
        self.unreadable.remove(&profile);
        let encoded = match write {
            StateWrite::Put(state) => CompactState::encode(state).ok(),
            StateWrite::Tombstone => None,
        };
        match encoded {
            Some(encoded) => drop(self.states.insert(profile, encoded)),
            None => drop(self.states.remove(&profile)),
        }
    }

    /// Takes a record into account that is neither a state nor a tombstone.
    pub(super) fn mark_unreadable(&mut self, profile: ProfileSid) {
        self.states.remove(&profile);
        self.unreadable.insert(profile);
    }

    /// The profiles whose last record is no state.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &ProfileSid> {
        self.unreadable.iter()
    }

    /// Whether the last record of the profile is no state.
    pub(super) fn is_unreadable(&self, profile: &ProfileSid) -> bool {
        self.unreadable.contains(profile)
    }

    /// The profiles that have a state.
    pub(super) fn profiles(&self) -> impl Iterator<Item = &ProfileSid> {
        self.states.keys()
    }

    /// How many profiles have a state.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Makes the states accept the events of this partition from this offset on, and returns how many did not. A state and
    /// the offset after its events are written together, so such a state has events of a topic that was deleted, or that are
    /// to be read again.
    pub(super) fn forget_positions_from(&mut self, partition: i32, next: i64) -> usize {
        let states = self.states.keys().filter_map(|profile| Some((profile.clone(), self.get(profile)?)));
        let is_ahead = |state: &ProfileState| state.position.partition == partition && state.position.offset >= next;
        let ahead: Vec<_> = states.filter(|(_, state)| is_ahead(state)).collect();
        let count = ahead.len();
        for (profile, mut state) in ahead {
            state.position.offset = BEFORE_ALL_EVENTS;
            self.set(profile, &StateWrite::Put(Box::new(state)));
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::state::{StateOptions, StateOutcome},
        projector::fixtures::event,
    };

    #[test]
    fn events_of_a_topic_that_was_created_again_are_no_repeats() {
        let mut states = PartitionStates::default();
        for record in [event(0, 3, 1, "draft"), event(0, 7, 2, "draft")] {
            let event = record.as_event();
            let write = ProfileState::apply(None, &event, &StateOptions::default()).write.unwrap();
            states.set(event.profile().unwrap(), &write);
        }
        assert_eq!(states.forget_positions_from(1, 0), 0, "they have events of another partition");
        assert_eq!(states.forget_positions_from(0, 4), 1);
        for (number, expected) in [(1, StateOutcome::Repeat), (2, StateOutcome::Applied)] {
            let record = event(0, 2, number, "in-review").later(60);
            let event = record.as_event();
            let state = states.get(&event.profile().unwrap());
            assert_eq!(ProfileState::apply(state.as_ref(), &event, &StateOptions::default()).outcome, expected);
        }
    }
}
