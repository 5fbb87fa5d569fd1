use std::num::NonZeroU64;

use futures_util::FutureExt as _;

use super::{cache::MAX_ENTRIES, *};
use crate::domain::{Fingerprint, ProfileSid};

const WINDOW: Duration = Duration::from_secs(600);

fn profile(number: u64) -> ProfileSid {
    ProfileSid::parse(&format!("BU{number:032x}")).unwrap()
}

/// The callbacks of a test: each has a fingerprint, a token (0 for none) and a profile (0 if it cannot be read).
struct Callbacks {
    /// Whether the next callbacks are dead letters.
    is_unreadable: bool,
    window: DedupWindow,
    now: Instant,
}

impl Callbacks {
    fn new() -> Self {
        Self { is_unreadable: false, window: DedupWindow::new(WINDOW), now: Instant::now() }
    }

    fn claim_at(&self, seconds: u64, fingerprint: u64, token: u64, of_profile: u64) -> Claim {
        let sid = profile(of_profile);
        // The index of a fingerprint is its first half.
        let fingerprint = Fingerprint::new(u128::from(fingerprint) << 64 | 1);
        let profile = (of_profile != 0).then_some(&sid);
        let key = DedupKey { fingerprint, token: NonZeroU64::new(token), profile, is_event: !self.is_unreadable };
        self.window.claim(&key, self.now + Duration::from_secs(seconds))
    }

    /// Claims a callback and makes it durable. Returns whether it is published, and not a repeat.
    fn is_published_at(&self, seconds: u64, fingerprint: u64, token: u64, of_profile: u64) -> bool {
        match self.claim_at(seconds, fingerprint, token, of_profile) {
            Claim::First(claim) => {
                claim.mark_durable();
                true
            }
            Claim::Repeat(_) => false,
        }
    }

    fn is_published(&self, fingerprint: u64, token: u64, of_profile: u64) -> bool {
        self.is_published_at(0, fingerprint, token, of_profile)
    }

    fn first(&self, fingerprint: u64, token: u64, of_profile: u64) -> FirstClaim {
        first(self.claim_at(0, fingerprint, token, of_profile))
    }
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
    let callbacks = Callbacks::new();
    callbacks.first(1, 7, 1).mark_durable();
    assert_eq!(repeat(callbacks.claim_at(0, 1, 7, 1)).first_outcome().now_or_never(), Some(Ok(())));
    callbacks.first(2, 8, 1).mark_durable();
}

#[tokio::test]
async fn concurrent_repeats_share_the_outcome_of_the_first() {
    for token in [0, 7] {
        for outcome in [Ok(()), Err(DeliveryError::SpoolFull)] {
            let callbacks = Callbacks::new();
            let claim = callbacks.first(1, token, 1);
            let waiting = tokio::spawn(repeat(callbacks.claim_at(0, 1, token, 1)).first_outcome());
            match outcome {
                Ok(()) => claim.mark_durable(),
                Err(failure) => claim.mark_failed(failure),
            }
            assert_eq!(waiting.await.unwrap(), outcome);
        }
    }
}

#[test]
fn repeat_learns_the_outcome_of_a_first_callback_that_was_evicted() {
    type End = fn(FirstClaim);
    let ends: [(End, FirstOutcome); 3] = [
        (FirstClaim::mark_durable, Ok(())),
        (|claim| claim.mark_failed(DeliveryError::SpoolFull), Err(DeliveryError::SpoolFull)),
        (drop, Err(DeliveryError::Abandoned)),
    ];
    for (end, outcome) in ends {
        let callbacks = Callbacks::new();
        let claim = callbacks.first(1, 7, 1);
        let waiting = repeat(callbacks.claim_at(0, 1, 7, 1));
        let next = first(callbacks.claim_at(600, 1, 7, 1));
        end(claim);
        assert_eq!(waiting.first_outcome().now_or_never(), Some(outcome));
        next.mark_failed(DeliveryError::SpoolFull);
        assert!(callbacks.window.lock().has_only_failed_entries());
    }
}

#[tokio::test]
async fn next_callback_after_a_failure_is_the_first() {
    for token in [0, 7] {
        let callbacks = Callbacks::new();
        callbacks.first(1, token, 1).mark_failed(DeliveryError::SpoolFull);
        let claim = callbacks.first(1, token, 1);
        let waiting = repeat(callbacks.claim_at(0, 1, token, 1));
        drop(claim);
        assert_eq!(waiting.first_outcome().await, Err(DeliveryError::Abandoned), "abandoned");
        callbacks.first(1, token, 1).mark_durable();
    }
}

#[test]
fn callback_is_evicted_after_its_window() {
    let callbacks = Callbacks::new();
    assert!(callbacks.is_published(1, 7, 1) && callbacks.is_published(2, 0, 2));
    assert!(!callbacks.is_published_at(29, 2, 0, 2));
    assert!(callbacks.is_published_at(30, 2, 0, 2), "without a token");
    assert!(!callbacks.is_published_at(599, 1, 7, 1));
    assert!(callbacks.is_published_at(600, 1, 7, 1), "with a token");
}

#[test]
fn only_the_last_callback_of_a_profile_is_repeated_without_a_token() {
    let callbacks = Callbacks::new();
    let (a, b) = (1, 2);
    let published = [(a, 0), (a, 0), (b, 0), (a, 0), (a, 0), (b, 7), (a, 0), (b, 0)]
        .map(|(fingerprint, token)| callbacks.is_published(fingerprint, token, 1));
    assert_eq!(published, [true, false, true, true, false, true, true, true]);
}

#[test]
fn dead_letter_is_repeated_by_dead_letters_but_hides_no_event() {
    for token in [0, 7] {
        let mut callbacks = Callbacks::new();
        callbacks.is_unreadable = true;
        assert!(callbacks.is_published(1, token, 1) && !callbacks.is_published(1, token, 1));
        callbacks.is_unreadable = false;
        assert!(callbacks.is_published(1, token, 1) && !callbacks.is_published(1, token, 1));
        callbacks.is_unreadable = true;
        assert!(!callbacks.is_published(1, token, 1), "a dead letter repeats an event");
    }
}

#[test]
fn profiles_do_not_disturb_each_other() {
    let callbacks = Callbacks::new();
    let published = [(1, 1), (2, 2), (1, 1), (2, 2), (3, 2), (1, 1)]
        .map(|(fingerprint, profile)| callbacks.is_published(fingerprint, 0, profile));
    assert_eq!(published, [true, true, false, false, true, false]);
}

#[test]
fn callback_without_a_profile_repeats_the_last_one_with_its_fingerprint() {
    let callbacks = Callbacks::new();
    let published = [1, 2, 1, 2].map(|fingerprint| callbacks.is_published(fingerprint, 0, 0));
    assert_eq!(published, [true, true, false, false]);
    assert!(callbacks.is_published_at(30, 1, 0, 0));
}

#[test]
fn callback_with_its_token_is_a_repeat_whatever_came_between() {
    let callbacks = Callbacks::new();
    let published = [(1, 7), (2, 0), (2, 8), (1, 7), (2, 8)]
        .map(|(fingerprint, token)| callbacks.is_published(fingerprint, token, 1));
    assert_eq!(published, [true, true, true, false, false]);
}

#[test]
fn fingerprint_under_another_token_is_published_and_reported() {
    let callbacks = Callbacks::new();
    let resigned = |seconds, fingerprint, token| {
        let claim = first(callbacks.claim_at(seconds, fingerprint, token, fingerprint));
        let is_resigned = claim.is_resigned();
        claim.mark_durable();
        is_resigned
    };
    assert!(!resigned(0, 1, 7));
    assert!(resigned(0, 1, 8));
    assert!(!resigned(0, 2, 9), "another fingerprint");
    assert!(resigned(30, 2, 0), "without its token");
    assert!(!resigned(60, 2, 0), "again without a token");
    assert!(resigned(61, 2, 9 + 1));
    assert!(!resigned(661, 2, 11), "after the window");
}

#[test]
fn failed_callback_is_not_the_last_of_its_profile() {
    let callbacks = Callbacks::new();
    assert!(callbacks.is_published(1, 0, 1));
    callbacks.first(2, 0, 1).mark_failed(DeliveryError::SpoolFull);
    assert!(!callbacks.is_published(1, 0, 1), "it is the last again");
    let [second, third] = [2, 3].map(|fingerprint| callbacks.first(fingerprint, 0, 1));
    second.mark_failed(DeliveryError::SpoolFull);
    third.mark_failed(DeliveryError::SpoolFull);
    assert!(callbacks.is_published(2, 0, 1), "a failed callback is no last one either");
    let fourth = callbacks.first(4, 0, 1);
    assert!(callbacks.is_published(5, 0, 1));
    fourth.mark_failed(DeliveryError::SpoolFull);
    assert!(!callbacks.is_published(5, 0, 1), "a failure before it changes nothing");
}

#[test]
fn failed_callback_is_not_counted_as_resigned() {
    let callbacks = Callbacks::new();
    callbacks.first(1, 7, 1).mark_failed(DeliveryError::SpoolFull);
    assert!(!callbacks.first(1, 8, 1).is_resigned());
}

#[test]
fn cache_is_bounded_and_evicts_the_oldest_first() {
    let callbacks = Callbacks::new();
    let length = || callbacks.window.lock().len();
    let most = MAX_ENTRIES as u64;
    for number in 1..=most + 1 {
        assert!(callbacks.is_published(number, if number % 2 == 0 { number } else { 0 }, number));
    }
    assert_eq!(length(), MAX_ENTRIES);
    assert!(callbacks.is_published(1, 0, 1), "the oldest is evicted");
    assert!(!callbacks.is_published(most, most, most), "a later one is not");
    for number in 2 * most..3 * most {
        callbacks.first(number, number, number).mark_failed(DeliveryError::SpoolFull);
    }
    assert_eq!(length(), MAX_ENTRIES, "failed claims are bounded, too");
    assert!(callbacks.window.lock().has_only_failed_entries(), "and leave nothing in the indexes");
}

#[test]
fn full_window_takes_at_most_110_bytes_for_each_callback() {
    let callbacks = Callbacks::new();
    for number in 1..=MAX_ENTRIES as u64 {
        assert!(callbacks.is_published(number, number, number));
    }
    let bytes = callbacks.window.lock().bytes() as f64 / MAX_ENTRIES as f64;
    assert!((100.0..=110.0).contains(&bytes), "docs/performance.md says 107 bytes, and not {bytes}");
}
