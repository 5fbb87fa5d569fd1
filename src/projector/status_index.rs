//! How many profiles of a partition are in which status, since when, and when their approvals expire, without reading all
//! states.
//!
//! Profiles are counted by the second in which their status began, so the index takes some 20 bytes for each profile, or less,
//! and as many for each approval that expires.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::domain::{Label as _, Resource, Status, Timestamp, state::StateSummary};

/// The numbers of profiles by status, by the beginning of the status, and by the end of the approval.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusIndex {
    /// The beginnings of the statuses, by the indexes of resource and status.
    since: BTreeMap<(usize, usize), SecondCounts>,
    /// The ends of the approvals, by the index of the resource.
    expiries: BTreeMap<usize, SecondCounts>,
}

impl StatusIndex {
    pub(super) fn add(&mut self, state: Option<StateSummary>) {
        let Some(StateSummary { resource, status, since, expires_at }) = state else { return };
        self.since.entry((resource.index(), status.index())).or_default().add(since);
        if let Some(time) = expires_at {
            self.expiries.entry(resource.index()).or_default().add(time);
        }
    }

    /// Removes a state that was added.
    pub(super) fn remove(&mut self, state: Option<StateSummary>) {
        let Some(StateSummary { resource, status, since, expires_at }) = state else { return };
        if let Some(counts) = self.since.get_mut(&(resource.index(), status.index())) {
            counts.remove(since);
        }
        if let (Some(counts), Some(time)) = (self.expiries.get_mut(&resource.index()), expires_at) {
            counts.remove(time);
        }
    }

    /// How many profiles are in the status.
    pub(super) fn profiles(&self, resource: Resource, status: Status) -> usize {
        self.since.get(&(resource.index(), status.index())).map_or(0, |counts| counts.total)
    }

    /// When the first of the profiles in the status entered it, in seconds since the Unix epoch; `None` if there are none.
    pub(super) fn oldest(&self, resource: Resource, status: Status) -> Option<i64> {
        self.since.get(&(resource.index(), status.index()))?.first()
    }

    /// How many approvals have expired by this time. Takes a time that grows with their number.
    pub(super) fn expired_by(&self, resource: Resource, time: Timestamp) -> usize {
        self.expiries.get(&resource.index()).map_or(0, |counts| counts.until(time))
    }
}

/// How many times fall into each second.
#[derive(Debug, Clone, Default)]
struct SecondCounts {
    counts: BTreeMap<u32, u32>,
    total: usize,
}

impl SecondCounts {
    fn add(&mut self, time: Timestamp) {
        let count = self.counts.entry(second(time)).or_default();
        *count = count.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }

    fn remove(&mut self, time: Timestamp) {
        let Entry::Occupied(mut entry) = self.counts.entry(second(time)) else { return };
        self.total = self.total.saturating_sub(1);
        match entry.get().saturating_sub(1) {
            0 => drop(entry.remove()),
            left => drop(entry.insert(left)),
        }
    }

    fn first(&self) -> Option<i64> {
        self.counts.first_key_value().map(|(second, _)| i64::from(*second))
    }

    fn until(&self, time: Timestamp) -> usize {
        self.counts.range(..=second(time)).map(|(_, count)| *count as usize).sum()
    }
}

/// Seconds since the Unix epoch. Times before it, and after the year 2106, count as the first and the last second, because
/// four bytes are enough for all others.
fn second(time: Timestamp) -> u32 {
    u32::try_from(time.unix_seconds().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        (UNIX_EPOCH + Duration::from_secs(seconds)).into()
    }

    fn summary(status: Status, since: u64, expires_at: Option<u64>) -> Option<StateSummary> {
        let (resource, since, expires_at) = (Resource::TrustProduct, at(since), expires_at.map(at));
        Some(StateSummary { resource, status, since, expires_at })
    }

    #[test]
    fn oldest_is_the_one_that_remains_after_older_ones_left() {
        let mut index = StatusIndex::default();
        let oldest = |index: &StatusIndex| index.oldest(Resource::TrustProduct, Status::InReview);
        assert_eq!(oldest(&index), None);
        for since in [30, 10, 20, 10] {
            index.add(summary(Status::InReview, since, None));
        }
        for (removed, expected) in [(10, Some(10)), (10, Some(20)), (30, Some(20)), (20, None)] {
            index.remove(summary(Status::InReview, removed, None));
            assert_eq!(oldest(&index), expected, "after {removed} left");
        }
        assert_eq!(index.profiles(Resource::TrustProduct, Status::InReview), 0);
    }

    #[test]
    fn approval_has_expired_from_the_second_on_in_which_it_ends() {
        let mut index = StatusIndex::default();
        for end in [100, 100, 200] {
            index.add(summary(Status::TwilioApproved, 0, Some(end)));
        }
        index.add(summary(Status::TwilioApproved, 0, None));
        let expired = |time| index.expired_by(Resource::TrustProduct, at(time));
        assert_eq!([99, 100, 199, 200, u64::from(u32::MAX) + 9].map(expired), [0, 2, 2, 3, 3]);
        assert_eq!(index.expired_by(Resource::CustomerProfile, at(200)), 0);
    }

    #[test]
    fn state_that_was_not_added_removes_nothing() {
        let mut index = StatusIndex::default();
        index.add(summary(Status::Draft, 10, None));
        index.remove(summary(Status::Draft, 11, None));
        index.remove(summary(Status::InReview, 10, None));
        assert_eq!(index.profiles(Resource::TrustProduct, Status::Draft), 1);
    }
}
