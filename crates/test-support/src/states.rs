//! The states of profiles: those that the events lead to, and those that a reader of the state topic sees.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde_json::Value;
use trusthub_events::{
    ProfileSid,
    state::{Position, ProfileState, StateEvent, StateOptions, StateWrite},
    view,
};

use super::kafka::Record;

/// The state of each profile.
pub type States = BTreeMap<ProfileSid, ProfileState>;

/// How many problems of a kind are listed.
const FEW: usize = 5;

/// What the rules derive from the records of the event topic. The records of each partition are added in order.
#[derive(Debug, Default)]
pub struct DerivedStates {
    /// The states after the last record.
    pub states: States,
    /// The values of the field `Number` of the callbacks.
    pub(crate) numbers: BTreeSet<u64>,
    /// How many records there are.
    pub(crate) records: usize,
}

impl Extend<Record> for DerivedStates {
    fn extend<I: IntoIterator<Item = Record>>(&mut self, records: I) {
        records.into_iter().for_each(|record| self.apply(&record));
    }
}

impl DerivedStates {
    fn apply(&mut self, record: &Record) {
        self.records += 1;
        self.numbers.extend(number_of(record));
        let event = StateEvent {
            key: record.key.as_deref(),
            record: view::Record {
                ce_id: record.header("ce_id"),
                ce_type: record.header("ce_type"),
                ce_time: record.header("ce_time"),
                value: record.payload.as_deref(),
            },
            position: Position { partition: record.partition, offset: record.offset },
        };
        let Some(profile) = event.profile() else { return };
        match ProfileState::apply(self.states.get(&profile), &event, &StateOptions::default()).write {
            Some(StateWrite::Put(state)) => drop(self.states.insert(profile, *state)),
            Some(StateWrite::Tombstone) => drop(self.states.remove(&profile)),
            None => {}
        }
    }
}

fn number_of(record: &Record) -> Option<u64> {
    let event: Value = serde_json::from_slice(record.payload.as_ref()?).ok()?;
    event["extra"]["Number"][0].as_str()?.parse().ok()
}

/// What a reader of the state topic sees. The records of each partition are added in order.
#[derive(Debug, Default)]
pub(crate) struct PublishedStates {
    /// The states after the last record.
    pub(crate) states: States,
    /// How many records there are.
    pub(crate) records: usize,
    /// Records that repeat or precede what the record before them already took into account.
    regressions: Vec<String>,
}

impl Extend<Record> for PublishedStates {
    fn extend<I: IntoIterator<Item = Record>>(&mut self, records: I) {
        records.into_iter().for_each(|record| self.take(&record));
    }
}

impl PublishedStates {
    fn take(&mut self, record: &Record) {
        self.records += 1;
        let profile = ProfileSid::parse(std::str::from_utf8(record.key.as_ref().unwrap()).unwrap()).unwrap();
        let Some(value) = &record.payload else {
            self.states.remove(&profile);
            return;
        };
        let state: ProfileState = serde_json::from_slice(value).unwrap();
        assert_eq!(state.position.partition, record.partition, "a state is in the partition of its events");
        if let Some(former) = self.states.get(&profile)
            && (state.changes < former.changes || state.position.offset <= former.position.offset)
        {
            let places = [former, &state].map(|state| (state.changes, state.position.offset));
            let offset = record.offset;
            self.regressions.push(format!("{profile}: {places:?} at offset {offset} of {}", record.partition));
        }
        self.states.insert(profile, state);
    }

    /// Whether the history of the states is wrong, whatever follows.
    pub(crate) fn has_regressed(&self) -> bool {
        !self.regressions.is_empty()
    }

    /// What is wrong with the history of the states, and how the last ones differ from the derived ones; empty if nothing is.
    pub(crate) fn problems(&self, derived: &DerivedStates) -> String {
        let mut problems = String::new();
        let mut list = |what: &str, all: &[String]| {
            if !all.is_empty() {
                let few = all.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join("\n  ");
                writeln!(problems, "{} {what}:\n  {few}", all.len()).unwrap();
            }
        };
        list("states go back or are repeated (changes and offset, before and after)", &self.regressions);
        let profiles: BTreeSet<_> = self.states.keys().chain(derived.states.keys()).collect();
        let wrong = profiles.into_iter().filter_map(|profile| {
            let (published, derived) = (self.states.get(profile), derived.states.get(profile));
            (published != derived).then(|| format!("{profile}: {published:?} instead of {derived:?}"))
        });
        list("wrong states", &wrong.collect::<Vec<_>>());
        problems
    }
}
