//! Which partitions must be built again because events of their profiles are in other partitions.
//!
//! That happens when partitions were added before the first owner began, and while instances still publish to the former
//! partitions. The owner that finds such events does not apply them, and requests a rebuild of the right partition, which
//! reads all partitions.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How long after the first such event, so that one rebuild finds as many of them as possible.
const DELAY: Duration = Duration::from_secs(10);
/// The time between two requests, so that a program which writes to wrong partitions causes a bounded amount of work.
const INTERVAL: Duration = Duration::from_secs(60);

/// The partitions to build again, and when.
#[derive(Debug, Default)]
pub(super) struct RequestedRebuilds {
    partitions: BTreeSet<i32>,
    due: Option<Instant>,
    last: Option<Instant>,
}

impl RequestedRebuilds {
    /// Adds partitions.
    pub(super) fn add(&mut self, partitions: &BTreeSet<i32>, now: Instant) {
        self.partitions.extend(partitions);
        if !self.partitions.is_empty() && self.due.is_none() {
            let soonest = now + DELAY;
            self.due = Some(self.last.map_or(soonest, |last| soonest.max(last + INTERVAL)));
        }
    }

    /// The partitions of which a rebuild is to be requested now.
    pub(super) fn take_due(&mut self, now: Instant) -> BTreeSet<i32> {
        if self.due.is_none_or(|due| now < due) {
            return BTreeSet::new();
        }
        self.due = None;
        self.last = Some(now);
        std::mem::take(&mut self.partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_requested_together_and_not_too_often() {
        let (mut requested, start) = (RequestedRebuilds::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        requested.add(&BTreeSet::new(), at(0));
        assert_eq!(requested.take_due(at(100)), BTreeSet::new());
        requested.add(&BTreeSet::from([3]), at(100));
        requested.add(&BTreeSet::from([5, 3]), at(105));
        assert_eq!(requested.take_due(at(109)), BTreeSet::new());
        assert_eq!(requested.take_due(at(110)), BTreeSet::from([3, 5]));
        requested.add(&BTreeSet::from([4]), at(111));
        assert_eq!(requested.take_due(at(169)), BTreeSet::new());
        assert_eq!(requested.take_due(at(170)), BTreeSet::from([4]));
    }
}
