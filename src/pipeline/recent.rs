//! The last callbacks with their outcomes, for the console. Without a console, none are kept.
//!
//! # Calls that can block
//!
//! None. Recording a callback takes a lock for a few instructions; a reader holds it while it clones pointers, of which there
//! are at most [`MAX_ACCEPTED`] and [`MAX_REJECTED`].

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::domain::{DeadLetterReason, Outcome, OutcomeKind, ProfileSid, Resource, Status, Timestamp, TopicPosition};

/// How many callbacks are kept that were not rejected.
pub(crate) const MAX_ACCEPTED: usize = 500;

/// How many rejected callbacks are kept. They do not displace the others, because anyone can send them.
pub(crate) const MAX_REJECTED: usize = 200;

/// One callback with its outcome. It has nothing of the words of a rejection, which can be personal data.
#[derive(Debug, Clone)]
pub(crate) struct RecentCallback {
    /// A number that is larger than those of all callbacks before.
    pub number: u64,
    /// When it had its outcome.
    pub at: Timestamp,
    /// Its outcome.
    pub outcome: Outcome,
    /// The resource of its path.
    pub resource: Resource,
    /// The status that it announced, if it could be read.
    pub status: Option<Status>,
    /// The profile, if it could be read.
    pub profile: Option<ProfileSid>,
    /// Why it is a dead letter, also while that is in the spool.
    pub dead_letter: Option<DeadLetterReason>,
    /// The codes of a rejection of the profile.
    pub codes: Option<String>,
    /// The `ce_id` of its event or dead letter.
    pub event_id: Option<String>,
    /// Where Kafka has its record.
    pub written: Option<TopicPosition>,
    /// Why its signature does not match.
    pub diagnosis: Option<String>,
    /// The time from its head to its response.
    pub duration: Duration,
}

impl RecentCallback {
    /// The reason of its outcome.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        use crate::domain::Label as _;
        self.outcome.reason().or(self.dead_letter.map(DeadLetterReason::as_str))
    }
}

/// The last callbacks of this process.
#[derive(Debug, Default)]
pub(crate) struct RecentCallbacks {
    /// The number of the last callback; 0 before the first.
    last: AtomicU64,
    rings: Mutex<CallbackRings>,
}

#[derive(Debug, Default)]
struct CallbackRings {
    accepted: VecDeque<Arc<RecentCallback>>,
    rejected: VecDeque<Arc<RecentCallback>>,
}

impl RecentCallbacks {
    /// Records the callback that `callback` returns for its number.
    pub(super) fn record(&self, callback: impl FnOnce(u64) -> RecentCallback) {
        let mut rings = self.rings.lock();
        let number = self.last.load(Relaxed).saturating_add(1);
        let callback = callback(number);
        let (ring, limit) = match callback.outcome.kind() {
            OutcomeKind::Rejected => (&mut rings.rejected, MAX_REJECTED),
            OutcomeKind::Published
            | OutcomeKind::Spooled
            | OutcomeKind::Duplicate
            | OutcomeKind::DeadLettered
            | OutcomeKind::Unavailable => (&mut rings.accepted, MAX_ACCEPTED),
        };
        let displaced = if ring.len() >= limit { ring.pop_front() } else { None };
        ring.push_back(Arc::new(callback));
        self.last.store(number, Relaxed);
        drop(rings);
        // Freed without the lock.
        drop(displaced);
    }

    /// The number of the last callback; 0 before the first.
    pub(crate) fn last_number(&self) -> u64 {
        self.last.load(Relaxed)
    }

    /// The callbacks that are kept and have a larger number than `number`, the newest first.
    pub(crate) fn after(&self, number: u64) -> Vec<Arc<RecentCallback>> {
        let mut found: Vec<_> = {
            let rings = self.rings.lock();
            let newer = |ring: &VecDeque<Arc<RecentCallback>>| {
                let newer = ring.iter().rev().take_while(|callback| callback.number > number);
                newer.cloned().collect::<Vec<_>>()
            };
            [newer(&rings.accepted), newer(&rings.rejected)].concat()
        };
        found.sort_unstable_by_key(|callback| std::cmp::Reverse(callback.number));
        found
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::domain::RejectReason;

    fn record(recent: &RecentCallbacks, outcome: Outcome) {
        recent.record(|number| RecentCallback {
            number,
            at: SystemTime::now().into(),
            outcome,
            resource: Resource::CustomerProfile,
            status: None,
            profile: None,
            dead_letter: None,
            codes: None,
            event_id: None,
            written: None,
            diagnosis: None,
            duration: Duration::ZERO,
        });
    }

    const REJECTED: Outcome = Outcome::Rejected(RejectReason::MissingSignature);

    fn numbers(recent: &RecentCallbacks, after: u64) -> Vec<u64> {
        recent.after(after).iter().map(|callback| callback.number).collect()
    }

    #[test]
    fn callbacks_are_numbered_and_found_from_the_newest_to_the_oldest() {
        let recent = RecentCallbacks::default();
        assert_eq!((recent.last_number(), numbers(&recent, 0)), (0, vec![]));
        for outcome in [Outcome::Published, REJECTED, Outcome::Spooled, REJECTED] {
            record(&recent, outcome);
        }
        assert_eq!((recent.last_number(), numbers(&recent, 0)), (4, vec![4, 3, 2, 1]));
        assert_eq!((numbers(&recent, 2), numbers(&recent, 4)), (vec![4, 3], vec![]));
    }

    #[test]
    fn flood_of_rejected_callbacks_displaces_no_accepted_one() {
        let recent = RecentCallbacks::default();
        for _ in 0..MAX_ACCEPTED + 10 {
            record(&recent, Outcome::Published);
        }
        for _ in 0..10_000 {
            record(&recent, REJECTED);
        }
        let kept = recent.after(0);
        let accepted: Vec<_> = kept.iter().filter(|callback| callback.outcome == Outcome::Published).collect();
        assert_eq!((kept.len(), accepted.len()), (MAX_ACCEPTED + MAX_REJECTED, MAX_ACCEPTED));
        assert_eq!(accepted.last().unwrap().number, 11, "the oldest ten are displaced");
        assert_eq!(kept.first().unwrap().number, recent.last_number());
    }
}
