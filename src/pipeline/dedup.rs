//! Recognizes callbacks that arrive more than once.
//!
//! Twilio may send the same callback again. A captured request can be replayed at any later time, because it carries no
//! timestamp. A repeat within the window gets the same answer as the first callback and is not published again. The window is
//! held in the memory of this process. Consumers recognize all other repeats by the id of the event.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::domain::{DeliveryError, Fingerprint};

/// The largest number of callbacks in both windows. Beyond it, the oldest are evicted.
const MAX_ENTRIES: usize = 100_000;

/// Without an idempotency token, an identical callback is a repeat only within this time: a profile may return to a status.
const WINDOW_WITHOUT_TOKEN: Duration = Duration::from_secs(30);

/// Whether the first of several identical callbacks became durable.
type FirstOutcome = Result<(), DeliveryError>;

/// The repeats that wait for the first callback. No code that holds the lock can panic.
type Waiters = Arc<Mutex<Vec<oneshot::Sender<FirstOutcome>>>>;

/// The recent callbacks. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct DedupWindow {
    cache: Arc<Mutex<Cache>>,
}

/// The entries, in one window for callbacks with an idempotency token and one for those without. A full cache makes up most
/// of the service's memory, so entries are small.
#[derive(Debug)]
struct Cache {
    start: Instant,
    with_token: Window,
    without_token: Window,
}

/// Nanoseconds since the cache was created.
type Nanos = u64;

type Hash = [u8; 16];

#[derive(Debug)]
struct Window {
    length: Nanos,
    /// When each callback was claimed.
    entries: HashMap<Hash, Nanos>,
    /// The entries that are not durable yet.
    pending: HashMap<Hash, Waiters>,
    /// All claims in their order, including those that have failed since.
    claims: VecDeque<(Nanos, Hash)>,
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
        let cache = Cache {
            start: Instant::now(),
            with_token: Window::new(window),
            without_token: Window::new(window.min(WINDOW_WITHOUT_TOKEN)),
        };
        Self { cache: Arc::new(Mutex::new(cache)) }
    }

    /// Claims a callback as the first of its kind, or finds that it is a repeat. Only verified callbacks may be claimed:
    /// others could make genuine ones look like repeats.
    pub(super) fn claim(&self, fingerprint: Fingerprint, now: Instant) -> Claim {
        let mut cache = self.lock();
        let now = cache.nanos_at(now);
        cache.evict_expired(now);
        let (window, hash) = (cache.window(fingerprint), fingerprint.bytes());
        if window.entries.contains_key(&hash) {
            return Claim::Repeat(Repeat(window.pending.get(&hash).map(add_waiter)));
        }
        let waiters = Waiters::default();
        cache.insert(fingerprint, now, Arc::clone(&waiters));
        Claim::First(FirstClaim { window: self.clone(), fingerprint, claimed: now, waiters, has_outcome: false })
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // No code that holds the lock can panic halfway through a change.
        self.cache.lock()
    }
}

fn add_waiter(waiters: &Waiters) -> oneshot::Receiver<FirstOutcome> {
    let (sender, outcome) = oneshot::channel();
    waiters.lock().push(sender);
    outcome
}

impl Cache {
    fn nanos_at(&self, now: Instant) -> Nanos {
        nanoseconds(now.saturating_duration_since(self.start))
    }

    fn window(&mut self, fingerprint: Fingerprint) -> &mut Window {
        if fingerprint.has_token() { &mut self.with_token } else { &mut self.without_token }
    }

    fn windows(&mut self) -> [&mut Window; 2] {
        [&mut self.with_token, &mut self.without_token]
    }

    fn insert(&mut self, fingerprint: Fingerprint, claimed: Nanos, waiters: Waiters) {
        if self.with_token.claims.len() + self.without_token.claims.len() >= MAX_ENTRIES {
            self.evict_oldest();
        }
        self.window(fingerprint).insert(fingerprint.bytes(), claimed, waiters);
    }

    fn evict_expired(&mut self, now: Nanos) {
        for window in self.windows() {
            while window.oldest().is_some_and(|claimed| now.saturating_sub(claimed) >= window.length) {
                window.evict_oldest();
            }
        }
    }

    fn evict_oldest(&mut self) {
        let with_claims = self.windows().into_iter().filter(|window| !window.claims.is_empty());
        if let Some(window) = with_claims.min_by_key(|window| window.oldest()) {
            window.evict_oldest();
        }
    }

    fn remove(&mut self, fingerprint: Fingerprint, claimed: Nanos) {
        self.window(fingerprint).remove(fingerprint.bytes(), claimed);
    }
}

fn nanoseconds(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

impl Window {
    fn new(length: Duration) -> Self {
        Self { length: nanoseconds(length), entries: HashMap::new(), pending: HashMap::new(), claims: VecDeque::new() }
    }

    fn insert(&mut self, hash: Hash, claimed: Nanos, waiters: Waiters) {
        self.claims.push_back((claimed, hash));
        self.entries.insert(hash, claimed);
        self.pending.insert(hash, waiters);
    }

    /// Whether the entry is the one of this claim. After a claim failed, a later callback may have claimed the same hash.
    fn is_claimed(&self, hash: Hash, claimed: Nanos) -> bool {
        self.entries.get(&hash) == Some(&claimed)
    }

    fn mark_durable(&mut self, hash: Hash, claimed: Nanos) {
        if self.is_claimed(hash, claimed) {
            self.pending.remove(&hash);
        }
    }

    fn oldest(&self) -> Option<Nanos> {
        self.claims.front().map(|(claimed, _)| *claimed)
    }

    fn evict_oldest(&mut self) {
        if let Some((claimed, hash)) = self.claims.pop_front() {
            self.remove(hash, claimed);
        }
    }

    fn remove(&mut self, hash: Hash, claimed: Nanos) {
        if self.is_claimed(hash, claimed) {
            self.entries.remove(&hash);
            self.pending.remove(&hash);
        }
    }
}

/// The claim of the first callback of its kind, until it has an outcome. A claim that is dropped without one has failed: the
/// next identical callback is the first again.
#[must_use = "a claim that is dropped counts as failed"]
pub(super) struct FirstClaim {
    window: DedupWindow,
    fingerprint: Fingerprint,
    claimed: Nanos,
    waiters: Waiters,
    has_outcome: bool,
}

impl FirstClaim {
    /// Records that the callback is durable. From now on its repeats are answered immediately.
    pub(super) fn mark_durable(self) {
        let mut cache = self.window.lock();
        cache.window(self.fingerprint).mark_durable(self.fingerprint.bytes(), self.claimed);
        drop(cache);
        self.notify_waiters(Ok(()));
    }

    /// Records that the callback failed. The repeats that wait for it fail as well; a later one is the first again.
    pub(super) fn mark_failed(self, failure: DeliveryError) {
        self.remove();
        self.notify_waiters(Err(failure));
    }

    /// No more waiters are added at this point: the claim is no longer pending.
    fn notify_waiters(mut self, outcome: FirstOutcome) {
        self.has_outcome = true;
        for waiter in mem::take(&mut *self.waiters.lock()) {
            // The waiter may have been cancelled.
            let _ = waiter.send(outcome);
        }
    }

    fn remove(&self) {
        self.window.lock().remove(self.fingerprint, self.claimed);
    }
}

impl Drop for FirstClaim {
    fn drop(&mut self) {
        if !self.has_outcome {
            self.remove();
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn with_token(number: u128) -> Fingerprint {
        Fingerprint::new(number, true)
    }

    fn first(claim: Claim) -> FirstClaim {
        match claim {
            Claim::First(claim) => claim,
            Claim::Repeat(_) => panic!("it is a repeat"),
        }
    }

    fn repeat(claim: Claim) -> Repeat {
        match claim {
            Claim::First(_) => panic!("it is the first"),
            Claim::Repeat(repeat) => repeat,
        }
    }

    #[test]
    fn repeat_of_a_durable_callback_has_its_outcome_at_once() {
        let (window, now) = (DedupWindow::new(WINDOW), Instant::now());
        first(window.claim(with_token(1), now)).mark_durable();
        assert_eq!(repeat(window.claim(with_token(1), now)).first_outcome().now_or_never(), Some(Ok(())));
        first(window.claim(with_token(2), now)).mark_durable();
    }

    #[tokio::test]
    async fn concurrent_repeats_share_the_outcome_of_the_first() {
        let (window, now) = (DedupWindow::new(WINDOW), Instant::now());
        for outcome in [Ok(()), Err(DeliveryError::SpoolFull)] {
            let claim = first(window.claim(with_token(1), now));
            let waiting = repeat(window.claim(with_token(1), now));
            let waiting = tokio::spawn(waiting.first_outcome());
            match outcome {
                Ok(()) => claim.mark_durable(),
                Err(failure) => claim.mark_failed(failure),
            }
            assert_eq!(waiting.await.unwrap(), outcome);
            let mut cache = window.lock();
            let claimed = cache.nanos_at(now);
            cache.remove(with_token(1), claimed);
        }
    }

    #[tokio::test]
    async fn next_callback_after_a_failure_is_the_first() {
        let (window, now) = (DedupWindow::new(WINDOW), Instant::now());
        first(window.claim(with_token(1), now)).mark_failed(DeliveryError::SpoolFull);
        let claim = first(window.claim(with_token(1), now));
        let waiting = repeat(window.claim(with_token(1), now));
        drop(claim);
        assert_eq!(waiting.first_outcome().await, Err(DeliveryError::Abandoned), "abandoned");
        first(window.claim(with_token(1), now)).mark_durable();
    }

    #[test]
    fn callback_is_evicted_after_its_window() {
        let (window, now) = (DedupWindow::new(WINDOW), Instant::now());
        let without = Fingerprint::new(1, false);
        first(window.claim(with_token(1), now)).mark_durable();
        first(window.claim(without, now)).mark_durable();
        let after = |seconds| now + Duration::from_secs(seconds);
        drop(repeat(window.claim(without, after(29))));
        first(window.claim(without, after(30))).mark_durable();
        drop(repeat(window.claim(with_token(1), after(599))));
        first(window.claim(with_token(1), after(600))).mark_durable();
    }

    #[test]
    fn cache_is_bounded_and_evicts_the_oldest_first() {
        let (window, now) = (DedupWindow::new(WINDOW), Instant::now());
        for number in 0..=MAX_ENTRIES as u128 {
            first(window.claim(Fingerprint::new(number, number % 2 == 0), now)).mark_durable();
        }
        let entries = window.lock().windows().map(|window| window.entries.len());
        assert_eq!(entries.iter().sum::<usize>(), MAX_ENTRIES);
        first(window.claim(with_token(0), now)).mark_durable();
        drop(repeat(window.claim(with_token(MAX_ENTRIES as u128), now)));
        for number in 0..=MAX_ENTRIES as u128 {
            let fingerprint = with_token(MAX_ENTRIES as u128 + 1 + number);
            first(window.claim(fingerprint, now)).mark_failed(DeliveryError::SpoolFull);
        }
        let claims = window.lock().windows().map(|window| window.claims.len());
        assert!(claims.iter().sum::<usize>() <= MAX_ENTRIES, "failed claims are bounded, too");
    }
}
