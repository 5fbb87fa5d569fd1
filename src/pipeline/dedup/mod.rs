//! Recognizes callbacks that arrive more than once.
//!
//! Twilio may send the same callback again. A captured request can be replayed at any later time, because it carries no
//! timestamp. A repeat within the window gets the same answer as the first callback and is not published again. The window is
//! held in the memory of this process. Consumers recognize all other repeats by the id of the event.
//!
//! What a repeat is rests on the bytes that were signed:
//!
//! - With an idempotency token: the same fingerprint with the same token within the window.
//! - Without one: the fingerprint that was accepted last for the profile, within 30 seconds. A profile can return to a status,
//!   so after A and B, another A is news. If the profile cannot be read, the last callback with the fingerprint counts.
//!
//! A callback that reads as an event is no repeat of a dead letter, so no spelling of a captured callback hides a genuine one.
//!
//! A fingerprint that comes again under another token is no repeat, because a genuine second change looks the same as a replay
//! under a fresh token. The claim says so, and the pipeline counts it.

mod cache;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

pub(super) use self::cache::DedupKey;
use self::cache::{Cache, FirstOutcome, Inserted, Nanos, Waiters};
use crate::domain::DeliveryError;

/// The recent callbacks. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct DedupWindow {
    start: Instant,
    cache: Arc<Mutex<Cache>>,
}

/// Whether a callback is the first of its kind.
pub(super) enum Claim {
    /// The first one. Publish it, and report the result to the claim.
    First(FirstClaim),
    /// A repeat. Wait for the outcome of the first one.
    Repeat(Repeat),
}

impl DedupWindow {
    pub(super) fn new(window: Duration) -> Self {
        Self { start: Instant::now(), cache: Arc::new(Mutex::new(Cache::new(window))) }
    }

    /// Claims a callback as the first of its kind, or finds that it is a repeat. Only verified callbacks may be claimed:
    /// others could make genuine ones look like repeats. Callbacks must be claimed in the order of receipt.
    pub(super) fn claim(&self, key: &DedupKey<'_>, now: Instant) -> Claim {
        let now = self.nanos_at(now);
        let mut cache = self.lock();
        cache.evict_expired(now);
        if let Some(first) = cache.find_first(key, now) {
            return Claim::Repeat(Repeat(cache.pending(first).map(add_waiter)));
        }
        let is_resigned = cache.has_another_token(key);
        let inserted = cache.insert(key, now);
        drop(cache);
        Claim::First(FirstClaim { window: self.clone(), inserted, is_resigned, has_outcome: false })
    }

    fn nanos_at(&self, now: Instant) -> Nanos {
        Nanos::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(Nanos::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // No code that holds the lock can panic halfway through a change.
        self.cache.lock()
    }
}

fn add_waiter(waiters: &mut Waiters) -> oneshot::Receiver<FirstOutcome> {
    let (sender, outcome) = oneshot::channel();
    waiters.push(sender);
    outcome
}

/// The claim of the first callback of its kind, until it has an outcome. A claim that is dropped without one has failed: the
/// next identical callback is the first again.
#[must_use = "a claim that is dropped counts as failed"]
pub(super) struct FirstClaim {
    window: DedupWindow,
    inserted: Inserted,
    is_resigned: bool,
    has_outcome: bool,
}

impl FirstClaim {
    /// Whether the same signed bytes came before, within the window, with another idempotency token.
    pub(super) fn is_resigned(&self) -> bool {
        self.is_resigned
    }

    /// Records that the callback is durable. From now on its repeats are answered immediately.
    pub(super) fn mark_durable(self) {
        let waiters = self.window.lock().mark_durable(self.inserted.sequence);
        self.notify(waiters, Ok(()));
    }

    /// Records that the callback failed. The repeats that wait for it fail as well; a later one is the first again.
    pub(super) fn mark_failed(self, failure: DeliveryError) {
        let waiters = self.remove();
        self.notify(waiters, Err(failure));
    }

    fn notify(mut self, waiters: Waiters, outcome: FirstOutcome) {
        self.has_outcome = true;
        for waiter in waiters {
            // The waiter may have been cancelled.
            let _ = waiter.send(outcome);
        }
    }

    fn remove(&self) -> Waiters {
        self.window.lock().forget(self.inserted)
    }
}

impl Drop for FirstClaim {
    fn drop(&mut self) {
        if !self.has_outcome {
            // Dropping their senders tells the repeats that it was abandoned.
            drop(self.remove());
        }
    }
}

/// A callback that is not the first of its kind. `None` when the first one is durable already.
pub(super) struct Repeat(Option<oneshot::Receiver<FirstOutcome>>);

impl Repeat {
    /// Waits for the outcome of the first callback.
    pub(super) async fn first_outcome(self) -> FirstOutcome {
        match self.0 {
            None => Ok(()),
            Some(outcome) => outcome.await.unwrap_or(Err(DeliveryError::Abandoned)),
        }
    }
}
