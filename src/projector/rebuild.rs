//! Builds the states of a partition again from the events, and finds out what to write for that.

use std::collections::{BTreeMap, BTreeSet};

use super::{batch::state_record, moved_events::MovedEvents, partition_states::PartitionStates};
use crate::{
    domain::{
        ProfileSid,
        state::{ProfileState, StateOptions, StateWrite},
    },
    kafka::{EventRecord, StateRecord},
};

/// The states that the events lead to, and those that are known.
pub(super) struct Rebuild<'s> {
    partition: i32,
    options: StateOptions,
    /// The states that the partition has.
    present: &'s PartitionStates,
    /// The states that profiles of the partition have in other partitions, from before partitions were added.
    elsewhere: BTreeMap<i32, PartitionStates>,
    /// The known states after all events. They also have what only deleted events said.
    continued: PartitionStates,
    /// The states that the available events alone lead to.
    derived: PartitionStates,
    moved: MovedEvents,
    /// The offset that the next record has if Kafka has deleted none.
    next: i64,
    /// Whether Kafka has deleted events.
    is_incomplete: bool,
}

/// What to write for one profile, all in one transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProfileChange {
    pub(super) profile: ProfileSid,
    /// The change in its partition.
    pub(super) write: Option<StateWrite>,
    /// The other partitions in which it has a state that must be deleted.
    elsewhere: Vec<i32>,
}

impl ProfileChange {
    /// The records, where `partition` is that of the profile.
    pub(super) fn records(&self, partition: i32) -> impl Iterator<Item = StateRecord> {
        let deleted = self.elsewhere.iter().map(|other| state_record(*other, &self.profile, &StateWrite::Tombstone));
        self.write.iter().map(move |write| state_record(partition, &self.profile, write)).chain(deleted)
    }
}

impl<'s> Rebuild<'s> {
    /// `elsewhere` has the states of profiles of the partition alone.
    pub(super) fn new(
        partition: i32,
        options: StateOptions,
        present: &'s PartitionStates,
        elsewhere: BTreeMap<i32, PartitionStates>,
    ) -> Self {
        let mut continued = PartitionStates::default();
        for states in elsewhere.values().chain([present]) {
            for profile in states.profiles() {
                let (Some(state), known) = (states.get(profile), continued.get(profile)) else { continue };
                if known.is_none_or(|known| (known.updated_at, known.changes) <= (state.updated_at, state.changes)) {
                    continued.set(*profile, &StateWrite::Put(Box::new(state)));
                }
            }
        }
        let (derived, moved) = (PartitionStates::default(), MovedEvents::default());
        Self { partition, options, present, elsewhere, continued, derived, moved, next: 0, is_incomplete: false }
    }

    /// Begins with the events of the next partition.
    pub(super) fn begin_source(&mut self) {
        self.next = 0;
    }

    /// Takes a record of any profile into account. `belongs` tells whether the profile belongs to the partition. A missing
    /// offset means that Kafka has deleted events, for their age or by compaction.
    pub(super) fn apply(&mut self, record: EventRecord, belongs: impl Fn(&ProfileSid) -> bool) {
        self.is_incomplete |= record.position.offset != self.next;
        self.next = record.position.offset.saturating_add(1);
        let Some(profile) = record.as_event().profile().filter(belongs) else { return };
        if record.position.partition == self.partition && !self.moved.contains(&profile) {
            self.fold(&profile, &record);
            return;
        }
        self.moved.push(profile, record);
        if self.moved.is_full() {
            // The rest may be out of order, so that states which are known with a longer history are better.
            self.is_incomplete = true;
            self.fold_moved();
        }
    }

    /// Ends with the events of a partition, before this offset.
    pub(super) fn end_source(&mut self, end: i64) {
        self.is_incomplete |= self.next < end;
    }

    fn fold_moved(&mut self) {
        for (profile, records) in self.moved.take() {
            for record in records {
                self.fold(&profile, &record);
            }
        }
    }

    fn fold(&mut self, profile: &ProfileSid, record: &EventRecord) {
        let event = record.as_event();
        for states in [&mut self.derived, &mut self.continued] {
            let transition = ProfileState::apply(states.get(profile).as_ref(), &event, &self.options);
            if let Some(write) = transition.write {
                states.set(*profile, &write);
            }
        }
    }

    /// What turns the states that the topic has into the right ones.
    pub(super) fn finish(mut self) -> Vec<ProfileChange> {
        self.fold_moved();
        let known = self.elsewhere.values().chain([self.present, &self.derived]).flat_map(PartitionStates::profiles);
        let profiles: BTreeSet<_> = known.chain(self.present.unreadable()).cloned().collect();
        profiles.into_iter().filter_map(|profile| self.change(profile)).collect()
    }

    fn change(&self, profile: ProfileSid) -> Option<ProfileChange> {
        let (right, present) = (self.right_state(&profile), self.present.get(&profile));
        let is_unreadable = self.present.is_unreadable(&profile);
        let write = match (right, present) {
            (Some(right), present) => {
                let is_kept = present.is_some_and(|present| present == right) && !is_unreadable;
                (!is_kept).then(|| StateWrite::Put(Box::new(right)))
            }
            (None, Some(_)) => Some(StateWrite::Tombstone),
            // Another version of the program may be able to read it.
            (None, None) => (is_unreadable && !self.is_incomplete).then_some(StateWrite::Tombstone),
        };
        let has_state = |(_, states): &(&i32, &PartitionStates)| states.get(&profile).is_some();
        let elsewhere: Vec<_> = self.elsewhere.iter().filter(has_state).map(|(partition, _)| *partition).collect();
        (write.is_some() || !elsewhere.is_empty()).then_some(ProfileChange { profile, write, elsewhere })
    }

    /// The state that the events lead to. A known state whose events Kafka has deleted is kept, unless the remaining events
    /// contradict it.
    fn right_state(&self, profile: &ProfileSid) -> Option<ProfileState> {
        let derived = self.derived.get(profile);
        let continued = self.continued.get(profile).filter(|continued| {
            self.is_incomplete && derived.as_ref().is_none_or(|derived| has_longer_history(continued, derived))
        });
        let Some(mut kept) = continued else { return derived };
        if let Some(present) = self.present.get(profile)
            && is_same_but_for_repeats(&present, &kept)
        {
            kept = present;
        }
        if !self.options.failure_text {
            kept.failure_reason = None;
        }
        Some(kept)
    }
}

/// Whether the known state has the content of the derived one, and of earlier events besides.
fn has_longer_history(known: &ProfileState, derived: &ProfileState) -> bool {
    let is_longer = known.first_seen_at < derived.first_seen_at
        || (known.first_seen_at == derived.first_seen_at && known.changes > derived.changes);
    is_longer && (known.status, &known.last_event_id) == (derived.status, &derived.last_event_id)
}

/// Whether the states differ only because events were taken into account again.
fn is_same_but_for_repeats(present: &ProfileState, continued: &ProfileState) -> bool {
    let ProfileState { position, recent_ids, .. } = present.clone();
    ProfileState { position, recent_ids, ..continued.clone() } == *present
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kafka::partition_of, projector::fixtures::event};

    const WITH_TEXT: StateOptions = StateOptions { failure_text: true };

    /// The states that these events lead to.
    fn states(records: &[EventRecord]) -> PartitionStates {
        let mut states = PartitionStates::default();
        for record in records {
            let event = record.as_event();
            let profile = event.profile().unwrap();
            let write = ProfileState::apply(states.get(&profile).as_ref(), &event, &WITH_TEXT).write;
            write.into_iter().for_each(|write| states.set(profile, &write));
        }
        states
    }

    /// The changes of a partition that all profiles belong to. The records of each partition must follow each other.
    fn changes_of(mut rebuild: Rebuild<'_>, records: &[EventRecord]) -> Vec<ProfileChange> {
        for source in records.chunk_by(|one, next| one.position.partition == next.position.partition) {
            rebuild.begin_source();
            source.iter().for_each(|record| rebuild.apply(record.clone(), |_| true));
            rebuild.end_source(source.last().unwrap().position.offset + 1);
        }
        rebuild.finish()
    }

    fn changes(present: &PartitionStates, records: &[EventRecord]) -> Vec<ProfileChange> {
        changes_of(Rebuild::new(0, WITH_TEXT, present, BTreeMap::new()), records)
    }

    fn numbers(changes: &[ProfileChange]) -> Vec<(u8, bool)> {
        let number = |change: &ProfileChange| change.profile.as_str().as_bytes()[33] - b'0';
        changes.iter().map(|change| (number(change), matches!(change.write, Some(StateWrite::Put(_))))).collect()
    }

    fn put(change: &ProfileChange) -> &ProfileState {
        let Some(StateWrite::Put(state)) = &change.write else { panic!("{change:?}") };
        state
    }

    #[test]
    fn only_states_that_differ_are_written() {
        let before = [event(0, 0, 1, "in-review"), event(0, 1, 2, "in-review"), event(0, 2, 3, "draft")];
        let [one, two, _] = &before;
        let other = event(0, 2, 4, "draft");
        let now = [one.clone(), two.clone(), other, event(0, 3, 2, "twilio-approved")];
        assert_eq!(numbers(&changes(&states(&before), &now)), [(2, true), (3, false), (4, true)]);
        assert_eq!(changes(&states(&now), &now), []);
    }

    #[test]
    fn states_whose_events_were_deleted_are_kept() {
        let all = [event(0, 0, 1, "in-review"), event(0, 1, 2, "draft"), event(0, 2, 1, "twilio-approved")];
        assert_eq!(changes(&states(&all), &all[2..]), []);
    }

    #[test]
    fn states_whose_events_were_compacted_are_kept() {
        let [one, two] = [event(0, 0, 1, "draft"), event(0, 1, 2, "draft")];
        let all = [one, two, event(0, 2, 1, "in-review"), event(0, 3, 1, "twilio-approved")];
        let compacted = [all[1].clone(), all[3].clone()];
        assert_eq!(changes(&states(&all), &compacted), []);
        // The first offset is there, and so is the last one.
        let compacted = [event(0, 0, 3, "draft"), all[3].clone()];
        assert_eq!(numbers(&changes(&states(&all), &compacted)), [(3, true)]);
    }

    #[test]
    fn missing_end_of_the_events_means_that_some_were_deleted() {
        let all = [event(0, 0, 1, "in-review"), event(0, 1, 2, "draft")];
        let present = states(&all);
        let mut rebuild = Rebuild::new(0, WITH_TEXT, &present, BTreeMap::new());
        rebuild.begin_source();
        rebuild.apply(all[0].clone(), |_| true);
        rebuild.end_source(2);
        assert_eq!(rebuild.finish(), []);
    }

    #[test]
    fn remaining_events_are_added_to_a_known_state() {
        let all = [event(0, 0, 1, "in-review"), event(0, 1, 1, "draft"), event(0, 2, 1, "twilio-approved")];
        let changes = changes(&states(&all[..2]), &all[1..]);
        assert_eq!((changes.len(), put(&changes[0])), (1, &states(&all).get(&changes[0].profile).unwrap()));
    }

    #[test]
    fn remaining_events_replace_a_state_that_contradicts_them() {
        let known = [event(0, 0, 1, "in-review"), event(0, 1, 1, "draft").later(60)];
        let changes = changes(&states(&known), &[event(0, 1, 1, "twilio-approved"), event(0, 2, 1, "draft")]);
        assert_eq!((changes.len(), put(&changes[0]).changes), (1, 2));
    }

    #[test]
    fn moved_state_is_taken_over_even_if_its_events_were_deleted() {
        let former = states(&[event(1, 0, 1, "in-review"), event(1, 1, 2, "draft"), event(1, 2, 1, "twilio-approved")]);
        let expected = |number| former.get(&event(1, 0, number, "draft").as_event().profile().unwrap()).unwrap();
        let present = PartitionStates::default();
        let rebuild = Rebuild::new(0, WITH_TEXT, &present, BTreeMap::from([(1, former.clone())]));
        let changes = changes_of(rebuild, &[event(1, 2, 1, "twilio-approved")]);
        assert_eq!(changes.iter().map(put).collect::<Vec<_>>(), [&expected(1), &expected(2)]);
        let records: Vec<_> = changes[0].records(0).map(|record| (record.partition, record.value.is_some())).collect();
        assert_eq!(records, [(0, true), (1, false)], "both are in one transaction");
    }

    #[test]
    fn state_that_has_moved_already_is_deleted_elsewhere() {
        let records = [event(1, 0, 1, "in-review")];
        let (former, present) = (states(&records), states(&records));
        let rebuild = Rebuild::new(0, WITH_TEXT, &present, BTreeMap::from([(1, former)]));
        let changes = changes_of(rebuild, &records);
        assert_eq!((changes[0].write.as_ref(), changes[0].elsewhere.as_slice()), (None, &[1][..]));
    }

    #[test]
    fn profile_that_returned_to_a_partition_has_its_events_in_order() {
        let profile = |partition, offset, status, seconds| event(partition, offset, 1, status).later(seconds);
        let events = [
            profile(2, 0, "in-review", 2),
            profile(0, 0, "draft", 1),
            profile(0, 1, "twilio-rejected", 3),
            profile(0, 2, "in-review", 4),
        ];
        let changes = changes(&PartitionStates::default(), &events);
        let history: Vec<_> = put(&changes[0]).history.iter().map(|change| change.raw_status.as_str()).collect();
        assert_eq!(history, ["draft", "in-review", "twilio-rejected", "in-review"]);
    }

    #[test]
    fn kept_state_loses_its_failure_text_on_request() {
        let record = event(0, 0, 1, "twilio-rejected");
        let mut present = states(std::slice::from_ref(&record));
        let profile = record.as_event().profile().unwrap();
        let mut state = present.get(&profile).unwrap();
        state.failure_reason = Some("Jane Doe moved".to_owned());
        present.set(profile, &StateWrite::Put(Box::new(state)));
        for failure_text in [true, false] {
            let rebuild = Rebuild::new(0, StateOptions { failure_text }, &present, BTreeMap::new());
            let changes = changes_of(rebuild, &[event(0, 7, 2, "draft")]);
            let written: Vec<_> =
                changes.iter().map(put).filter(|state| state.first_seen_at.to_string().contains(":00.")).collect();
            assert_eq!(written.len(), usize::from(!failure_text));
            assert!(written.iter().all(|state| state.failure_reason.is_none()));
        }
    }

    #[test]
    fn record_that_is_no_state_is_replaced() {
        let events = [event(0, 0, 1, "in-review"), event(0, 1, 2, "draft")];
        let mut present = states(&events[..1]);
        for number in [2, 3] {
            present.mark_unreadable(event(0, 0, number, "draft").as_event().profile().unwrap());
        }
        assert_eq!(numbers(&changes(&present, &events)), [(2, true), (3, false)]);
        assert_eq!(numbers(&changes(&present, &events[1..])), [(2, true)], "another version may read the other");
    }

    #[test]
    fn events_of_profiles_of_other_partitions_are_left_out() {
        let records: Vec<_> = (0..8_u32).map(|number| event(0, number.into(), number, "draft")).collect();
        let present = PartitionStates::default();
        let mut rebuild = Rebuild::new(0, WITH_TEXT, &present, BTreeMap::new());
        rebuild.begin_source();
        records.iter().for_each(|record| rebuild.apply(record.clone(), |profile| partition_of(profile, 2) == 0));
        let changes = rebuild.finish();
        assert!(changes.iter().all(|change| partition_of(&change.profile, 2) == 0));
        assert!((1..8).contains(&changes.len()), "{}", changes.len());
    }
}
