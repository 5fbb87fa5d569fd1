//! Builds the states of a partition again from the events, and finds out what to write for that.

use super::partition_states::PartitionStates;
use crate::{
    domain::{
        ProfileSid,
        state::{ProfileState, StateOptions, StateWrite},
    },
    kafka::EventRecord,
};

/// The states that the events lead to.
#[derive(Debug, Default)]
pub(super) struct Rebuild {
    states: PartitionStates,
    /// Whether Kafka has deleted events.
    is_truncated: bool,
}

impl Rebuild {
    /// Says that the first events of a partition are not available.
    pub(super) fn truncated(&mut self) {
        self.is_truncated = true;
    }

    /// Applies a record if its profile belongs to the partition.
    pub(super) fn apply(
        &mut self,
        record: &EventRecord,
        options: &StateOptions,
        belongs: impl Fn(&ProfileSid) -> bool,
    ) {
        let event = record.as_event();
        let Some(profile) = event.profile().filter(belongs) else { return };
        let transition = ProfileState::apply(self.states.get(&profile).as_ref(), &event, options);
        if let Some(write) = transition.write {
            self.states.set(profile, &write);
        }
    }

    /// The writes that turn the present states into those that the events lead to. States of which Kafka has deleted events
    /// are kept, unless the remaining events contradict them.
    pub(super) fn differences(
        &self,
        present: &PartitionStates,
        belongs: impl Fn(&ProfileSid) -> bool,
    ) -> Vec<(ProfileSid, StateWrite)> {
        let mut writes = Vec::new();
        for profile in self.states.profiles() {
            let Some(rebuilt) = self.states.get(profile) else { continue };
            let is_kept = present
                .get(profile)
                .is_some_and(|known| known == rebuilt || (self.is_truncated && has_longer_history(&known, &rebuilt)));
            if !is_kept {
                writes.push((profile.clone(), StateWrite::Put(Box::new(rebuilt))));
            }
        }
        let gone = present.profiles().filter(|profile| self.states.get(profile).is_none());
        let gone = gone.filter(|profile| !self.is_truncated || !belongs(profile));
        writes.extend(gone.map(|profile| (profile.clone(), StateWrite::Tombstone)));
        writes
    }
}

/// Whether the known state has the content of the rebuilt one, and of earlier events besides.
fn has_longer_history(known: &ProfileState, rebuilt: &ProfileState) -> bool {
    known.first_seen_at < rebuilt.first_seen_at
        && (known.status, &known.last_event_id) == (rebuilt.status, &rebuilt.last_event_id)
}
