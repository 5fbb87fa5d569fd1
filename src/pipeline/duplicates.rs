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

use crate::domain::{Fingerprint, Unkept};

/// Callbacks that are remembered at most; beyond it the oldest are forgotten.
const MOST: usize = 100_000;

/// Without an idempotency token, an identical callback is a repeat only this soon: a status may come again.
const WINDOW_WITHOUT_TOKEN: Duration = Duration::from_secs(30);

/// What became of the first of several identical callbacks.
type FirstOutcome = Result<(), Unkept>;

/// The repeats that wait for the first one. Nothing that holds the lock can panic.
type Waiting = Arc<Mutex<Vec<oneshot::Sender<FirstOutcome>>>>;

/// The callbacks of the last while.
#[derive(Debug, Clone)]
pub(super) struct Duplicates {
    window: Duration,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    entries: HashMap<Fingerprint, Entry>,
    with_token: VecDeque<(Instant, Fingerprint)>,
    without_token: VecDeque<(Instant, Fingerprint)>,
}

#[derive(Debug)]
struct Entry {
    claimed: Instant,
    /// `None` once the first callback is durable.
    underway: Option<Waiting>,
}

/// Whether a callback is the first of its kind.
pub(super) enum Claim {
    /// It is: publish it, and tell the ticket what became of it.
    First(Ticket),
    /// It is not: wait for what becomes of the first one.
    Repeat(Repeat),
}

impl Duplicates {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, memory: Arc::default() }
    }

    /// Only callbacks whose signature was verified may ask: others could make genuine ones look like repeats.
    pub(super) fn claim(&self, fingerprint: Fingerprint, now: Instant) -> Claim {
        let mut memory = self.lock();
        memory.forget_expired(self.window, now);
        match memory.entries.get(&fingerprint) {
            Some(entry) => Claim::Repeat(Repeat(entry.underway.as_ref().map(wait))),
            None => {
                let waiting = Waiting::default();
                memory.remember(fingerprint, Entry { claimed: now, underway: Some(Arc::clone(&waiting)) });
                let duplicates = self.clone();
                Claim::First(Ticket { duplicates, fingerprint, claimed: now, waiting, has_outcome: false })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // Nothing that holds the lock can panic half-way through a change.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait(waiting: &Waiting) -> oneshot::Receiver<FirstOutcome> {
    let (tell, outcome) = oneshot::channel();
    waiting.lock().unwrap_or_else(PoisonError::into_inner).push(tell);
    outcome
}

impl Memory {
    fn remember(&mut self, fingerprint: Fingerprint, entry: Entry) {
        if self.with_token.len() + self.without_token.len() >= MOST {
            self.forget_oldest();
        }
        self.queue(fingerprint.has_token()).push_back((entry.claimed, fingerprint));
        self.entries.insert(fingerprint, entry);
    }

    fn queue(&mut self, has_token: bool) -> &mut VecDeque<(Instant, Fingerprint)> {
        if has_token { &mut self.with_token } else { &mut self.without_token }
    }

    fn forget_expired(&mut self, window: Duration, now: Instant) {
        for (has_token, window) in [(true, window), (false, window.min(WINDOW_WITHOUT_TOKEN))] {
            while self.queue(has_token).front().is_some_and(|(claimed, _)| now.duration_since(*claimed) >= window) {
                self.forget_first(has_token);
            }
        }
    }

    fn forget_oldest(&mut self) {
        let age = |queue: &VecDeque<(Instant, Fingerprint)>| queue.front().map(|(claimed, _)| *claimed);
        let has_token = match (age(&self.with_token), age(&self.without_token)) {
            (Some(with), Some(without)) => with <= without,
            (with, _) => with.is_some(),
        };
        self.forget_first(has_token);
    }

    fn forget_first(&mut self, has_token: bool) {
        if let Some((claimed, fingerprint)) = self.queue(has_token).pop_front() {
            self.forget(fingerprint, claimed);
        }
    }

    /// A later callback may have claimed the same fingerprint after an earlier one had failed.
    fn forget(&mut self, fingerprint: Fingerprint, claimed: Instant) {
        if self.entries.get(&fingerprint).is_some_and(|entry| entry.claimed == claimed) {
            self.entries.remove(&fingerprint);
        }
    }
}

/// Held by the first callback until it has its outcome. Dropped without one, it was none: the next may try.
#[must_use = "a dropped ticket says that the callback failed"]
pub(super) struct Ticket {
    duplicates: Duplicates,
    fingerprint: Fingerprint,
    claimed: Instant,
    waiting: Waiting,
    has_outcome: bool,
}

impl Ticket {
    /// The callback is durable: from now on its repeats are answered at once.
    pub(super) fn durable(self) {
        let mut memory = self.duplicates.lock();
        if let Some(entry) = memory.entries.get_mut(&self.fingerprint).filter(|entry| entry.claimed == self.claimed) {
            entry.underway = None;
        }
        drop(memory);
        self.tell(Ok(()));
    }

    /// The callback failed, and so do those that wait for it; a later one may try again.
    pub(super) fn failed(self, failure: Unkept) {
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

impl Drop for Ticket {
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
            Some(outcome) => outcome.await.unwrap_or(Err(Unkept::Abandoned)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(600);

    fn with_token(number: u128) -> Fingerprint {
        Fingerprint::new(number, true)
    }

    fn first(claim: Claim) -> Ticket {
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

    #[tokio::test]
    async fn a_repeat_of_a_durable_callback_is_answered_at_once() {
        let (duplicates, now) = (Duplicates::new(WINDOW), Instant::now());
        first(duplicates.claim(with_token(1), now)).durable();
        assert_eq!(repeat(duplicates.claim(with_token(1), now)).first_outcome().await, Ok(()));
        first(duplicates.claim(with_token(2), now)).durable();
    }

    #[tokio::test]
    async fn concurrent_repeats_share_the_outcome_of_the_first() {
        let (duplicates, now) = (Duplicates::new(WINDOW), Instant::now());
        for outcome in [Ok(()), Err(Unkept::SpoolFull)] {
            let ticket = first(duplicates.claim(with_token(1), now));
            let waiting = repeat(duplicates.claim(with_token(1), now));
            let waiting = tokio::spawn(waiting.first_outcome());
            match outcome {
                Ok(()) => ticket.durable(),
                Err(failure) => ticket.failed(failure),
            }
            assert_eq!(waiting.await.unwrap(), outcome);
            duplicates.lock().forget(with_token(1), now);
        }
    }

    #[tokio::test]
    async fn after_a_failure_the_next_one_is_the_first() {
        let (duplicates, now) = (Duplicates::new(WINDOW), Instant::now());
        first(duplicates.claim(with_token(1), now)).failed(Unkept::SpoolFull);
        let ticket = first(duplicates.claim(with_token(1), now));
        let waiting = repeat(duplicates.claim(with_token(1), now));
        drop(ticket);
        assert_eq!(waiting.first_outcome().await, Err(Unkept::Abandoned), "abandoned");
        first(duplicates.claim(with_token(1), now)).durable();
    }

    #[test]
    fn a_callback_is_forgotten_after_its_window() {
        let (duplicates, now) = (Duplicates::new(WINDOW), Instant::now());
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
        let (duplicates, now) = (Duplicates::new(WINDOW), Instant::now());
        for number in 0..=MOST as u128 {
            first(duplicates.claim(Fingerprint::new(number, number % 2 == 0), now)).durable();
        }
        assert_eq!(duplicates.lock().entries.len(), MOST);
        first(duplicates.claim(with_token(0), now)).durable();
        drop(repeat(duplicates.claim(with_token(MOST as u128), now)));
        for number in 0..=MOST as u128 {
            let fingerprint = with_token(MOST as u128 + 1 + number);
            first(duplicates.claim(fingerprint, now)).failed(Unkept::SpoolFull);
        }
        let memory = duplicates.lock();
        assert!(memory.with_token.len() + memory.without_token.len() <= MOST, "failures are bounded, too");
    }
}
