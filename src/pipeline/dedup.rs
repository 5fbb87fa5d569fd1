//! Recognises callbacks that arrive more than once.
//!
//! Twilio may send the same callback again, and a request that was captured can be sent again by anybody for ever:
//! there is no time in it. A repeat within the window is answered like the first one and not published again. A window
//! is memory of this process; consumers recognise all other repeats by the event's id.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::domain::{DeliveryError, Fingerprint};

/// Callbacks that are remembered at most; beyond it the oldest are forgotten.
const MOST: usize = 100_000;

/// Without an idempotency token, an identical callback is a repeat only this soon: a status may come again.
const WINDOW_WITHOUT_TOKEN: Duration = Duration::from_secs(30);

/// What became of the first of several identical callbacks.
type FirstOutcome = Result<(), DeliveryError>;

/// The repeats that wait for the first one. Nothing that holds the lock can panic.
type Waiting = Arc<Mutex<Vec<oneshot::Sender<FirstOutcome>>>>;

/// The callbacks of the last while.
#[derive(Debug, Clone)]
pub(super) struct DedupWindow {
    memory: Arc<Mutex<Cache>>,
}

/// A hundred thousand entries are most of what the service ever holds in memory, so they are small.
#[derive(Debug)]
struct Cache {
    began: Instant,
    with_token: Window,
    without_token: Window,
}

/// Nanoseconds since the memory began.
type Nanos = u64;

type Hash = [u8; 16];

#[derive(Debug)]
struct Window {
    length: Nanos,
    /// When each was claimed.
    entries: HashMap<Hash, Nanos>,
    /// Those of them that are not durable yet.
    underway: HashMap<Hash, Waiting>,
    /// In the order in which they were claimed, also those that have failed since.
    claims: VecDeque<(Nanos, Hash)>,
}

/// Whether a callback is the first of its kind.
pub(super) enum Claim {
    /// It is: publish it, and tell the ticket what became of it.
    First(FirstClaim),
    /// It is not: wait for what becomes of the first one.
    Repeat(Repeat),
}

impl DedupWindow {
    pub(super) fn new(window: Duration) -> Self {
        let memory = Cache {
            began: Instant::now(),
            with_token: Window::new(window),
            without_token: Window::new(window.min(WINDOW_WITHOUT_TOKEN)),
        };
        Self { memory: Arc::new(Mutex::new(memory)) }
    }

    /// Only callbacks whose signature was verified may ask: others could make genuine ones look like repeats.
    pub(super) fn claim(&self, fingerprint: Fingerprint, now: Instant) -> Claim {
        let mut memory = self.lock();
        let now = memory.moment(now);
        memory.forget_expired(now);
        let (window, hash) = (memory.window(fingerprint), fingerprint.bytes());
        if window.entries.contains_key(&hash) {
            return Claim::Repeat(Repeat(window.underway.get(&hash).map(wait)));
        }
        let waiting = Waiting::default();
        memory.remember(fingerprint, now, Arc::clone(&waiting));
        Claim::First(FirstClaim { duplicates: self.clone(), fingerprint, claimed: now, waiting, has_outcome: false })
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // Nothing that holds the lock can panic half-way through a change.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(waiting: &Waiting) -> oneshot::Receiver<FirstOutcome> {
    let (tell, outcome) = oneshot::channel();
    waiting.lock().unwrap_or_else(PoisonError::into_inner).push(tell);
    outcome
}

impl Cache {
    fn moment(&self, now: Instant) -> Nanos {
        nanoseconds(now.saturating_duration_since(self.began))
    }

    fn window(&mut self, fingerprint: Fingerprint) -> &mut Window {
        if fingerprint.has_token() { &mut self.with_token } else { &mut self.without_token }
    }

    fn windows(&mut self) -> [&mut Window; 2] {
        [&mut self.with_token, &mut self.without_token]
    }

    fn remember(&mut self, fingerprint: Fingerprint, claimed: Nanos, waiting: Waiting) {
        if self.with_token.claims.len() + self.without_token.claims.len() >= MOST {
            self.forget_oldest();
        }
        self.window(fingerprint).remember(fingerprint.bytes(), claimed, waiting);
    }

    fn forget_expired(&mut self, now: Nanos) {
        for window in self.windows() {
            while window.oldest().is_some_and(|claimed| now.saturating_sub(claimed) >= window.length) {
                window.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        let with_claims = self.windows().into_iter().filter(|window| !window.claims.is_empty());
        if let Some(window) = with_claims.min_by_key(|window| window.oldest()) {
            window.forget_oldest();
        }
    }

    fn forget(&mut self, fingerprint: Fingerprint, claimed: Nanos) {
        self.window(fingerprint).forget(fingerprint.bytes(), claimed);
    }
}

fn nanoseconds(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

impl Window {
    fn new(length: Duration) -> Self {
        Self { length: nanoseconds(length), entries: HashMap::new(), underway: HashMap::new(), claims: VecDeque::new() }
    }

    fn remember(&mut self, hash: Hash, claimed: Nanos, waiting: Waiting) {
        self.claims.push_back((claimed, hash));
        self.entries.insert(hash, claimed);
        self.underway.insert(hash, waiting);
    }

    /// A later callback may have claimed the same after an earlier one had failed.
    fn is_claimed(&self, hash: Hash, claimed: Nanos) -> bool {
        self.entries.get(&hash) == Some(&claimed)
    }

    fn durable(&mut self, hash: Hash, claimed: Nanos) {
        if self.is_claimed(hash, claimed) {
            self.underway.remove(&hash);
        }
    }

    fn oldest(&self) -> Option<Nanos> {
        self.claims.front().map(|(claimed, _)| *claimed)
    }

    fn forget_oldest(&mut self) {
        if let Some((claimed, hash)) = self.claims.pop_front() {
            self.forget(hash, claimed);
        }
    }

    fn forget(&mut self, hash: Hash, claimed: Nanos) {
        if self.is_claimed(hash, claimed) {
            self.entries.remove(&hash);
            self.underway.remove(&hash);
        }
    }
}

/// Held by the first callback until it has its outcome. Dropped without one, it was none: the next may try.
#[must_use = "a dropped ticket says that the callback failed"]
pub(super) struct FirstClaim {
    duplicates: DedupWindow,
    fingerprint: Fingerprint,
    claimed: Nanos,
    waiting: Waiting,
    has_outcome: bool,
}

impl FirstClaim {
    /// The callback is durable: from now on its repeats are answered at once.
    pub(super) fn durable(self) {
        let mut memory = self.duplicates.lock();
        memory.window(self.fingerprint).durable(self.fingerprint.bytes(), self.claimed);
        drop(memory);
        self.tell(Ok(()));
    }

    /// The callback failed, and so do those that wait for it; a later one may try again.
    pub(super) fn failed(self, failure: DeliveryError) {
        self.forget();
        self.tell(Err(failure));
    }

    /// Nobody begins to wait any more.
    fn tell(mut self, outcome: FirstOutcome) {
        self.has_outcome = true;
        for waiting in mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)) {
            // Whoever waited may have gone.
            let _ = waiting.send(outcome);
        }
    }

    fn forget(&self) {
        self.duplicates.lock().forget(self.fingerprint, self.claimed);
    }
}

impl Drop for FirstClaim {
    fn drop(&mut self) {
        if !self.has_outcome {
            self.forget();
        }
    }
}

/// A callback that is not the first of its kind.
pub(super) struct Repeat(Option<oneshot::Receiver<FirstOutcome>>);

impl Repeat {
    /// Waits until the first one has its outcome.
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
            Claim::First(ticket) => ticket,
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
    fn a_repeat_of_a_durable_callback_is_answered_at_once() {
        let (duplicates, now) = (DedupWindow::new(WINDOW), Instant::now());
        first(duplicates.claim(with_token(1), now)).durable();
        assert_eq!(repeat(duplicates.claim(with_token(1), now)).first_outcome().now_or_never(), Some(Ok(())));
        first(duplicates.claim(with_token(2), now)).durable();
    }

    #[tokio::test]
    async fn concurrent_repeats_share_the_outcome_of_the_first() {
        let (duplicates, now) = (DedupWindow::new(WINDOW), Instant::now());
        for outcome in [Ok(()), Err(DeliveryError::SpoolFull)] {
            let ticket = first(duplicates.claim(with_token(1), now));
            let waiting = repeat(duplicates.claim(with_token(1), now));
            let waiting = tokio::spawn(waiting.first_outcome());
            match outcome {
                Ok(()) => ticket.durable(),
                Err(failure) => ticket.failed(failure),
            }
            assert_eq!(waiting.await.unwrap(), outcome);
            let mut memory = duplicates.lock();
            let claimed = memory.moment(now);
            memory.forget(with_token(1), claimed);
        }
    }

    #[tokio::test]
    async fn after_a_failure_the_next_one_is_the_first() {
        let (duplicates, now) = (DedupWindow::new(WINDOW), Instant::now());
        first(duplicates.claim(with_token(1), now)).failed(DeliveryError::SpoolFull);
        let ticket = first(duplicates.claim(with_token(1), now));
        let waiting = repeat(duplicates.claim(with_token(1), now));
        drop(ticket);
        assert_eq!(waiting.first_outcome().await, Err(DeliveryError::Abandoned), "abandoned");
        first(duplicates.claim(with_token(1), now)).durable();
    }

    #[test]
    fn a_callback_is_forgotten_after_its_window() {
        let (duplicates, now) = (DedupWindow::new(WINDOW), Instant::now());
        let without = Fingerprint::new(1, false);
        first(duplicates.claim(with_token(1), now)).durable();
        first(duplicates.claim(without, now)).durable();
        let after = |seconds| now + Duration::from_secs(seconds);
        drop(repeat(duplicates.claim(without, after(29))));
        first(duplicates.claim(without, after(30))).durable();
        drop(repeat(duplicates.claim(with_token(1), after(599))));
        first(duplicates.claim(with_token(1), after(600))).durable();
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_are_forgotten_first() {
        let (duplicates, now) = (DedupWindow::new(WINDOW), Instant::now());
        for number in 0..=MOST as u128 {
            first(duplicates.claim(Fingerprint::new(number, number % 2 == 0), now)).durable();
        }
        let entries = duplicates.lock().windows().map(|window| window.entries.len());
        assert_eq!(entries.iter().sum::<usize>(), MOST);
        first(duplicates.claim(with_token(0), now)).durable();
        drop(repeat(duplicates.claim(with_token(MOST as u128), now)));
        for number in 0..=MOST as u128 {
            let fingerprint = with_token(MOST as u128 + 1 + number);
            first(duplicates.claim(fingerprint, now)).failed(DeliveryError::SpoolFull);
        }
        let claims = duplicates.lock().windows().map(|window| window.claims.len());
        assert!(claims.iter().sum::<usize>() <= MOST, "failures are bounded, too");
    }
}
