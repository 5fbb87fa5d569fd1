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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projector::fixtures::event;

    fn rebuilt(records: &[EventRecord]) -> Rebuild {
        let mut rebuild = Rebuild::default();
        for record in records {
            rebuild.apply(record, &StateOptions::default(), |_| true);
        }
        rebuild
    }

    fn numbers(writes: &[(ProfileSid, StateWrite)]) -> Vec<(u8, bool)> {
        let number = |profile: &ProfileSid| profile.as_str().as_bytes()[33] - b'0';
        let mut numbers: Vec<_> =
            writes.iter().map(|(profile, write)| (number(profile), matches!(write, StateWrite::Put(_)))).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn only_states_that_differ_are_written() {
        let present = rebuilt(&[event(0, 0, 1, "in-review"), event(0, 1, 2, "in-review"), event(0, 2, 3, "draft")]);
        let rebuild = rebuilt(&[
            event(0, 0, 1, "in-review"),
            event(0, 1, 2, "in-review"),
            event(0, 3, 2, "twilio-approved"),
            event(0, 4, 4, "draft"),
        ]);
        let writes = rebuild.differences(&present.states, |_| true);
        assert_eq!(numbers(&writes), [(2, true), (3, false), (4, true)]);
    }

    #[test]
    fn states_whose_events_were_deleted_are_kept() {
        let present =
            rebuilt(&[event(0, 0, 1, "in-review"), event(0, 1, 2, "draft"), event(0, 2, 1, "twilio-approved")]);
        let mut rebuild = rebuilt(&[event(0, 2, 1, "twilio-approved")]);
        rebuild.truncated();
        assert_eq!(numbers(&rebuild.differences(&present.states, |_| true)), []);
        let moved = rebuild.differences(&present.states, |_| false);
        assert_eq!(numbers(&moved), [(2, false)], "a profile that belongs to another partition");
    }

    #[test]
    fn remaining_events_replace_a_state_that_contradicts_them() {
        let present = rebuilt(&[event(0, 0, 1, "in-review"), event(0, 1, 1, "draft")]);
        let mut rebuild = rebuilt(&[event(0, 1, 1, "draft"), event(0, 2, 1, "twilio-approved")]);
        rebuild.truncated();
        assert_eq!(numbers(&rebuild.differences(&present.states, |_| true)), [(1, true)]);
    }
}
