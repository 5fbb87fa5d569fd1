//! Events that profiles have in other partitions, from before partitions were added.
//!
//! A profile may have events in several partitions, and even return to one that it had left: with 3, 5 and 7 partitions it
//! may be in partition 0, then 2, then 0. No order of whole partitions is that of its events, so they are merged by time.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::{ProfileSid, Timestamp},
    kafka::EventRecord,
};

/// How much memory the events may take together.
const MAX_BYTES: usize = 64 << 20;
/// What a record takes besides its key and value.
const RECORD_BYTES: usize = 256;

/// The events of profiles that have some in other partitions.
#[derive(Debug, Default)]
pub(super) struct MovedEvents {
    by_profile: HashMap<ProfileSid, Vec<EventRecord>>,
    bytes: usize,
}

impl MovedEvents {
    /// Whether the profile has events here.
    pub(super) fn contains(&self, profile: &ProfileSid) -> bool {
        self.by_profile.contains_key(profile)
    }

    /// Adds an event. Those of one partition must be added in order.
    pub(super) fn push(&mut self, profile: ProfileSid, record: EventRecord) {
        let content = [&record.key, &record.value].into_iter().flatten().map(Vec::len).sum::<usize>();
        self.bytes = self.bytes.saturating_add(content).saturating_add(RECORD_BYTES);
        self.by_profile.entry(profile).or_default().push(record);
    }

    /// Whether the events take all the memory that they may.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES
    }

    /// The events of each profile, in the order of their times, and for each partition in its order.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (ProfileSid, Vec<EventRecord>)> + use<> {
        self.bytes = 0;
        std::mem::take(&mut self.by_profile).into_iter().map(|(profile, records)| (profile, merged(records)))
    }
}

/// An event that is earlier than its predecessor in the partition follows that directly.
fn merged(records: Vec<EventRecord>) -> Vec<EventRecord> {
    let mut latest: BTreeMap<i32, Option<Timestamp>> = BTreeMap::new();
    let mut timed: Vec<_> = records
        .into_iter()
        .map(|record| {
            let latest = latest.entry(record.position.partition).or_default();
            *latest = (*latest).max(record.ce_time().and_then(|time| time.parse().ok()));
            (*latest, record)
        })
        .collect();
    timed.sort_by_key(|(time, _)| *time);
    timed.into_iter().map(|(_, record)| record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::state::Position, projector::fixtures::event};

    #[test]
    fn events_of_several_partitions_are_merged_by_time() {
        let mut events = MovedEvents::default();
        for (partition, offset, seconds) in [(0, 1, 1), (0, 2, 9), (0, 3, 8), (1, 1, 3), (2, 1, 5), (2, 2, 4)] {
            let record = event(partition, offset, 1, "draft").later(seconds);
            events.push(record.as_event().profile().unwrap(), record);
        }
        let (_, records) = events.take().next().unwrap();
        let positions: Vec<_> = records.iter().map(|record| record.position).collect();
        let expected = [(0, 1), (1, 1), (2, 1), (2, 2), (0, 2), (0, 3)];
        assert_eq!(positions, expected.map(|(partition, offset)| Position { partition, offset }));
    }

    #[test]
    fn events_are_full_after_a_number_of_bytes() {
        let mut events = MovedEvents::default();
        let mut count = 0;
        while !events.is_full() {
            let mut record = event(0, count, 1, "draft");
            record.value = Some(vec![0; MAX_BYTES / 8]);
            events.push(event(0, 0, 1, "draft").as_event().profile().unwrap(), record);
            count += 1;
        }
        assert_eq!(count, 8);
        assert_eq!(events.take().count(), 1);
        assert!(!events.is_full() && events.take().next().is_none());
    }
}
