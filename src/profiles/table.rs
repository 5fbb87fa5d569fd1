//! The state of each profile, of which only the matching ones are in memory.

use std::collections::HashMap;

use super::{
    filter::ProfileFilter,
    lookup::{Completeness, Lookup},
    order::{ProfileOrder, SortKey},
    state_record::{ProfileContent, ProfileRecord, RecordRank},
};
use crate::{
    domain::{
        ProfileSid,
        state::{CompactState, ProfileState},
    },
    kafka::EventRecord,
};

/// A profile of a list.
#[derive(Debug)]
pub(crate) struct ListedProfile(CompactState);

impl ListedProfile {
    /// Its state; `None` never, see [`CompactState::decode`].
    pub(crate) fn state(&self) -> Option<ProfileState> {
        self.0.decode()
    }
}

/// What the last record of a profile says.
#[derive(Debug)]
enum LastRecord {
    /// A state that matches.
    Matching(CompactState),
    /// Another state.
    Other,
    /// A tombstone.
    Deleted,
    /// No state that this version can read.
    Unreadable,
}

#[derive(Debug)]
struct TableRow {
    rank: RecordRank,
    last: LastRecord,
}

/// The last record of each profile. The records of each partition are applied in order.
pub(super) struct ProfileTable<'f> {
    partitions: i32,
    filter: &'f ProfileFilter,
    rows: HashMap<ProfileSid, TableRow>,
}

impl<'f> ProfileTable<'f> {
    pub(super) fn new(partitions: i32, filter: &'f ProfileFilter) -> Self {
        Self { partitions, filter, rows: HashMap::new() }
    }

    /// Takes the next record of a partition into account. Records whose key is no profile are ignored.
    pub(super) fn apply(&mut self, record: &EventRecord) {
        let Some(ProfileRecord { profile, rank, content }) = ProfileRecord::parse(record) else { return };
        let former = self.rows.get(&profile);
        if former.is_none_or(|former| rank.replaces(former.rank, &profile, self.partitions)) {
            let last = match content {
                ProfileContent::State(state) if !self.filter.matches(&*state) => LastRecord::Other,
                ProfileContent::State(state) => {
                    CompactState::encode(&state).map_or(LastRecord::Unreadable, LastRecord::Matching)
                }
                ProfileContent::Deleted => LastRecord::Deleted,
                ProfileContent::Unreadable => LastRecord::Unreadable,
            };
            self.rows.insert(profile, TableRow { rank, last });
        }
    }

    /// The number of profiles that have a readable state.
    pub(super) fn total(&self) -> usize {
        self.count(|last| matches!(last, LastRecord::Matching(_) | LastRecord::Other))
    }

    /// The number of profiles that have another one.
    pub(super) fn unreadable(&self) -> usize {
        self.count(|last| matches!(last, LastRecord::Unreadable))
    }

    fn count(&self, is_counted: impl Fn(&LastRecord) -> bool) -> usize {
        self.rows.values().filter(|row| is_counted(&row.last)).count()
    }

    /// The profiles that match, in this order.
    pub(super) fn into_matching(self, order: ProfileOrder) -> Vec<ListedProfile> {
        let mut sorted: Vec<(Option<SortKey<'static>>, ProfileSid, CompactState)> = Vec::new();
        for (profile, row) in self.rows {
            if let LastRecord::Matching(compact) = row.last {
                let key = compact.decode().and_then(|state| order.key_of(&state).map(SortKey::into_owned));
                sorted.push((key, profile, compact));
            }
        }
        sorted.sort_unstable_by(|(one, sid, _), (other, other_sid, _)| {
            order.compare(one.as_ref(), other.as_ref()).then_with(|| sid.cmp(other_sid))
        });
        sorted.into_iter().map(|(_, _, compact)| ListedProfile(compact)).collect()
    }

    /// What is known about one profile.
    pub(super) fn into_lookup(mut self, profile: &ProfileSid, completeness: Completeness) -> Lookup {
        match self.rows.remove(profile).map(|row| row.last) {
            Some(LastRecord::Matching(compact)) => {
                compact.decode().map_or(Lookup::Unreadable, |state| Lookup::Found(Box::new(state), completeness))
            }
            Some(LastRecord::Unreadable) => Lookup::Unreadable,
            Some(LastRecord::Deleted | LastRecord::Other) | None => Lookup::Missing(completeness),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Status, cloud_events, state::Position},
        kafka::partition_of,
        profiles::fixtures::{sid, state, time},
    };

    const PARTITIONS: i32 = 6;

    /// A record of the state topic.
    fn record(partition: i32, number: u32, value: Option<&ProfileState>) -> EventRecord {
        let mut record = EventRecord::of_type(cloud_events::STATE_TYPE, Position { partition, offset: 0 });
        record.key = Some(sid(number).as_str().into());
        record.value = value.map(|state| serde_json::to_vec(state).unwrap());
        record
    }

    fn home(number: u32) -> i32 {
        partition_of(&sid(number), PARTITIONS)
    }

    fn table<'f>(filter: &'f ProfileFilter, records: &[EventRecord]) -> ProfileTable<'f> {
        let mut table = ProfileTable::new(PARTITIONS, filter);
        records.iter().for_each(|record| table.apply(record));
        table
    }

    fn listed(filter: &ProfileFilter, records: &[EventRecord]) -> Vec<Status> {
        let matching = table(filter, records).into_matching(ProfileOrder::default());
        matching.iter().map(|profile| profile.state().unwrap().status).collect()
    }

    fn rejected(number: u32) -> ProfileState {
        ProfileState { status: Status::TwilioRejected, ..state(number) }
    }

    #[test]
    fn last_record_of_a_profile_counts_for_the_filter() {
        let filter = ProfileFilter { statuses: vec![Status::TwilioRejected], ..ProfileFilter::default() };
        let approved = ProfileState { status: Status::TwilioApproved, ..state(1) };
        let records = [record(home(1), 1, Some(&rejected(1))), record(home(1), 1, Some(&approved))];
        assert_eq!(listed(&filter, &records[..1]), [Status::TwilioRejected]);
        assert_eq!(listed(&filter, &records), []);
        assert_eq!(table(&filter, &records).total(), 1);
    }

    #[test]
    fn deleted_profile_is_neither_listed_nor_counted() {
        let filter = ProfileFilter::default();
        let records = [record(home(1), 1, Some(&state(1))), record(home(1), 1, None)];
        assert_eq!((listed(&filter, &records), table(&filter, &records).total()), (vec![], 0));
        assert!(matches!(table(&filter, &records).into_lookup(&sid(1), Ok(0)), Lookup::Missing(Ok(0))));
    }

    #[test]
    fn state_that_cannot_be_read_is_counted_and_replaces_the_one_before() {
        let filter = ProfileFilter::default();
        let known = record(home(1), 1, Some(&state(1)));
        let mut broken = known.clone();
        broken.value = Some(b"{}".to_vec());
        let mut later_version = EventRecord::of_type("io.trusthub-bridge.profile.state.v2", known.position);
        (later_version.key, later_version.value) = (known.key.clone(), known.value.clone());
        for unreadable in [broken, later_version] {
            let records = [known.clone(), unreadable, record(home(2), 2, Some(&state(2)))];
            let table = table(&filter, &records);
            assert_eq!((table.total(), table.unreadable()), (1, 1));
            assert!(matches!(table.into_lookup(&sid(1), Ok(0)), Lookup::Unreadable));
        }
    }

    #[test]
    fn later_state_counts_while_a_profile_moves_to_another_partition() {
        let filter = ProfileFilter::default();
        let [own, former] = [0, 1].map(|step| (home(1) + step) % PARTITIONS);
        let later = ProfileState { updated_at: time(12, 0), ..rejected(1) };
        for (kept, replaced) in [
            (record(own, 1, Some(&later)), record(former, 1, Some(&state(1)))),
            (record(former, 1, Some(&later)), record(own, 1, Some(&state(1)))),
            (record(own, 1, Some(&rejected(1))), record(former, 1, Some(&state(1)))),
            (record(own, 1, Some(&rejected(1))), record(former, 1, None)),
        ] {
            for records in [[kept.clone(), replaced.clone()], [replaced.clone(), kept.clone()]] {
                assert_eq!(listed(&filter, &records), [Status::TwilioRejected], "{records:?}");
            }
        }
        assert_eq!(listed(&filter, &[record(former, 1, Some(&rejected(1)))]), [Status::TwilioRejected]);
    }

    #[test]
    fn profiles_with_equal_fields_are_sorted_by_their_sid() {
        let filter = ProfileFilter::default();
        let records: Vec<_> = [3, 1, 2].map(|number| record(home(number), number, Some(&state(number)))).into();
        let matching = table(&filter, &records).into_matching(ProfileOrder::default());
        let sids: Vec<_> = matching.iter().map(|profile| profile.state().unwrap().profile_sid).collect();
        assert_eq!(sids, [1, 2, 3].map(sid));
    }
}
