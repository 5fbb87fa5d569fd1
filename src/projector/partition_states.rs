//! The states of the profiles of one partition, in memory.

use std::collections::{HashMap, HashSet};

use super::status_index::StatusIndex;
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
    /// What the metrics show about these states.
    index: StatusIndex,
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
            Some(encoded) => {
                self.index.add(encoded.summary());
                let former = self.states.insert(profile, encoded);
                self.index.remove(former.as_ref().and_then(CompactState::summary));
            }
            None => self.remove(&profile),
        }
    }

    fn remove(&mut self, profile: &ProfileSid) {
        let former = self.states.remove(profile);
        self.index.remove(former.as_ref().and_then(CompactState::summary));
    }

    /// Takes a record into account that is neither a state nor a tombstone.
    pub(super) fn mark_unreadable(&mut self, profile: ProfileSid) {
        self.remove(&profile);
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

    /// How many of the profiles are in which status, and since when.
    pub(super) fn index(&self) -> &StatusIndex {
        &self.index
    }

    /// How many profiles have a state.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Makes the states accept the events of this partition from this offset on, and returns how many did not. A state and
    /// the offset after its events are written together, so such a state has events of a topic that was deleted, or that are
    /// to be read again.
    pub(super) fn forget_positions_from(&mut self, partition: i32, next: i64) -> usize {
        let states = self.states.keys().filter_map(|profile| Some((*profile, self.get(profile)?)));
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
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{
            Label, Resource, Status, Timestamp,
            state::{StateOptions, StateOutcome},
        },
        projector::fixtures::event,
    };

    fn state(number: u32) -> ProfileState {
        let write = ProfileState::apply(None, &event(0, 0, number, "draft").as_event(), &StateOptions::default()).write;
        let Some(StateWrite::Put(state)) = write else { panic!("no state") };
        *state
    }

    fn one_of<L: Label + std::fmt::Debug>() -> impl Strategy<Value = L> {
        (0..L::ALL.len()).prop_map(|index| L::ALL[index])
    }

    fn second() -> impl Strategy<Value = Timestamp> {
        (0..5_000_i64).prop_map(|millis| Timestamp::from_unix_millis(millis).unwrap())
    }

    /// A state of one of a few profiles; `None` if it has none any more, or its record is no state.
    fn write() -> impl Strategy<Value = (u32, Option<ProfileState>, bool)> {
        let fields = (one_of::<Resource>(), one_of::<Status>(), second(), prop::option::of(second()));
        (0..6_u32, prop::option::weighted(0.8, fields), any::<bool>()).prop_map(|(number, fields, is_readable)| {
            let written = fields.map(|(resource, status, since, end)| {
                let valid_until = end.map(|end| end.to_string());
                ProfileState { resource, status, raw_status: status.to_string(), since, valid_until, ..state(number) }
            });
            (number, written, is_readable)
        })
    }

    proptest! {
        #[test]
        fn index_has_what_reading_all_states_would_find(writes in prop::collection::vec(write(), 0..60)) {
            let mut states = PartitionStates::default();
            for (number, written, is_readable) in writes {
                let profile = state(number).profile_sid;
                match written {
                    Some(state) => states.set(profile, &StateWrite::Put(Box::new(state))),
                    None if is_readable => states.set(profile, &StateWrite::Tombstone),
                    None => states.mark_unreadable(profile),
                }
            }
            let all: Vec<_> = states.profiles().filter_map(|profile| states.get(profile)).collect();
            prop_assert_eq!(all.len(), states.len());
            for &resource in Resource::ALL {
                for &status in Status::ALL {
                    let those = || all.iter().filter(|state| state.resource == resource && state.status == status);
                    prop_assert_eq!(states.index().profiles(resource, status), those().count());
                    let oldest = those().map(|state| state.since.unix_seconds()).min();
                    prop_assert_eq!(states.index().oldest(resource, status), oldest);
                }
                for second in 0..6 {
                    let time = Timestamp::from_unix_millis(second * 1_000).unwrap();
                    let ends = all.iter().filter(|state| state.resource == resource).filter_map(ProfileState::expires_at);
                    let expired = ends.filter(|end| end.unix_seconds() <= second).count();
                    prop_assert_eq!(states.index().expired_by(resource, time), expired);
                }
            }
        }
    }

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
