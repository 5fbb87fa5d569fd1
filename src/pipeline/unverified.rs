//! Limits the unverified callbacks that `SIGNATURE_MODE=report-only` keeps.
//!
//! Any caller can send a callback without a valid signature. These callbacks therefore have limits of their own, in size,
//! rate, number in progress and share of the spool, far below the limits of verified ones. Beyond a limit, a callback is
//! rejected as in enforce mode. The share of the spool needs no state of its own: unverified callbacks are kept only while
//! *everything* in the spool takes less than that share. So the limit also holds across restarts, and an outage during which
//! genuine callbacks wait leaves the rest of the spool to them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    domain::{RawCallback, ReportOnlyLimit},
    telemetry::Metrics,
};

/// The largest record, in bytes. Twilio's callbacks make records of about 2 KiB.
const MAX_RECORD_BYTES: u64 = 16 << 10;

/// The capacity of the token bucket: the number of records in one burst.
const BURST: u32 = 50;

/// The token bucket gains one token in this time.
const REFILL_INTERVAL: Duration = Duration::from_millis(200);

/// One in this many callbacks in progress may be an unverified one.
const SHARE_OF_CALLBACKS: usize = 8;

/// The largest number of unverified callbacks in progress, however many callbacks there may be altogether.
const MAX_IN_PROGRESS: usize = 8;

/// Unverified callbacks are kept while everything in the spool takes less than one part in this many of its capacity.
const SHARE_OF_SPOOL: u64 = 16;

/// The size of a record beyond the texts of its request, in bytes, and of a header beyond its name and value.
const RECORD_OVERHEAD: u64 = 1024;
const HEADER_OVERHEAD: u64 = 16;

/// Decides which unverified callbacks are kept.
pub(super) struct ReportOnlyLimiter {
    metrics: Arc<Metrics>,
    max_in_progress: usize,
    state: Arc<Mutex<LimiterState>>,
}

#[derive(Debug)]
struct LimiterState {
    /// The tokens in the bucket. Each record takes one.
    tokens: u32,
    /// When the last token was added.
    refilled: Instant,
    in_progress: usize,
    bytes_in_progress: u64,
}

impl ReportOnlyLimiter {
    /// Creates a limiter for a service that handles up to `callbacks` callbacks at the same time.
    pub(super) fn new(metrics: Arc<Metrics>, callbacks: usize, now: Instant) -> Self {
        let max_in_progress = (callbacks / SHARE_OF_CALLBACKS).clamp(1, MAX_IN_PROGRESS);
        let state = LimiterState { tokens: BURST, refilled: now, in_progress: 0, bytes_in_progress: 0 };
        Self { metrics, max_in_progress, state: Arc::new(Mutex::new(state)) }
    }

    /// Returns a permit to keep this callback. The callback counts as in progress until the permit is dropped.
    ///
    /// # Errors
    /// The limit that the callback exceeds.
    pub(super) fn admit(&self, raw: &RawCallback, now: Instant) -> Result<ReportOnlyPermit, ReportOnlyLimit> {
        let bytes = admitted_bytes(raw).ok_or(ReportOnlyLimit::Size)?;
        let mut state = lock(&self.state);
        if state.in_progress >= self.max_in_progress {
            return Err(ReportOnlyLimit::InProgress);
        }
        if state.bytes_in_progress + bytes > self.remaining_spool_share() {
            return Err(ReportOnlyLimit::Spool);
        }
        state.take_token(now)?;
        state.in_progress += 1;
        state.bytes_in_progress += bytes;
        Ok(ReportOnlyPermit { state: Arc::clone(&self.state), bytes })
    }

    /// The bytes of unverified callbacks that the spool may still take. The spool's thread updates these gauges before it
    /// reports a record as durable, so they include all durable records.
    fn remaining_spool_share(&self) -> u64 {
        let spool = &self.metrics.spool;
        let [capacity, queued, parked] = [&spool.capacity, &spool.bytes, &spool.parked_bytes].map(|gauge| gauge.get());
        let [capacity, queued, parked] =
            [capacity, queued, parked].map(|bytes| u64::try_from(bytes).unwrap_or_default());
        let total = capacity.saturating_add(parked);
        (total / SHARE_OF_SPOOL).saturating_sub(queued.saturating_add(parked))
    }
}

impl LimiterState {
    fn take_token(&mut self, now: Instant) -> Result<(), ReportOnlyLimit> {
        let added = now.saturating_duration_since(self.refilled).as_millis() / REFILL_INTERVAL.as_millis();
        if let Ok(added) = u32::try_from(added)
            && added < BURST
        {
            self.tokens = (self.tokens + added).min(BURST);
            self.refilled += REFILL_INTERVAL * added;
        } else {
            self.tokens = BURST;
            self.refilled = now;
        }
        self.tokens = self.tokens.checked_sub(1).ok_or(ReportOnlyLimit::Rate)?;
        Ok(())
    }
}

/// The permit of an unverified callback that is kept and not durable yet.
#[derive(Debug)]
pub(super) struct ReportOnlyPermit {
    state: Arc<Mutex<LimiterState>>,
    bytes: u64,
}

impl Drop for ReportOnlyPermit {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.in_progress -= 1;
        state.bytes_in_progress -= self.bytes;
    }
}

fn lock(state: &Mutex<LimiterState>) -> MutexGuard<'_, LimiterState> {
    // No code that holds the lock can panic.
    state.lock()
}

/// Whether a callback is too large to be kept without a valid signature.
pub(super) fn is_too_large(raw: &RawCallback) -> bool {
    admitted_bytes(raw).is_none()
}

/// The size of the record that counts, unless it is larger than the limit.
fn admitted_bytes(raw: &RawCallback) -> Option<u64> {
    record_bytes(raw).filter(|bytes| *bytes <= MAX_RECORD_BYTES)
}

/// An upper bound of the size of the record, in JSON. `None` when the request alone is larger than any record.
fn record_bytes(raw: &RawCallback) -> Option<u64> {
    let headers = || raw.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value]);
    let texts = || [raw.target.as_bytes(), &raw.body].into_iter().chain(headers());
    let length = |text: &[u8]| u64::try_from(text.len()).unwrap_or(u64::MAX);
    let plain: u64 = texts().map(length).sum();
    if plain > MAX_RECORD_BYTES {
        return None;
    }
    let escaped: u64 = texts().flatten().map(|byte| escaped(*byte)).sum();
    let headers = raw.headers.iter().map(|_| HEADER_OVERHEAD).sum::<u64>();
    Some(RECORD_OVERHEAD + headers + escaped)
}

/// The largest number of bytes that JSON takes for one byte of a text.
fn escaped(byte: u8) -> u64 {
    match byte {
        b'"' | b'\\' => 2,
        b' '..=b'~' => 1,
        // The replacement character, if the text is not UTF-8.
        0x80.. => 3,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Encoding, Resource};

    fn callback(body: &[u8]) -> RawCallback {
        RawCallback {
            resource: Resource::CustomerProfile,
            route: "/callbacks/customer-profiles".into(),
            target: "/callbacks/customer-profiles".into(),
            query: None,
            encoding: Encoding::Form,
            headers: [("host", "hooks.example.com"), ("x-a", "\u{1}\"")].into_iter().collect(),
            body: body.into(),
        }
    }

    fn unverified(capacity: i64, callbacks: usize) -> (ReportOnlyLimiter, Instant) {
        let metrics = Arc::new(Metrics::new(|destination| destination.to_string()).unwrap());
        metrics.spool.capacity.set(capacity);
        let now = Instant::now();
        (ReportOnlyLimiter::new(metrics, callbacks, now), now)
    }

    #[test]
    fn burst_is_admitted_and_then_five_records_a_second() {
        let (unverified, now) = unverified(i64::MAX, 4096);
        let admitted = |now| (0..1000).take_while(|_| unverified.admit(&callback(b"a=b"), now).is_ok()).count();
        assert_eq!(admitted(now), 50);
        assert_eq!(unverified.admit(&callback(b"a=b"), now).unwrap_err(), ReportOnlyLimit::Rate);
        let passed = [1, 199, 200, 1000, 1399, 1_000_000].map(|millis| admitted(now + Duration::from_millis(millis)));
        assert_eq!(passed, [0, 0, 1, 4, 1, 50]);
    }

    #[test]
    fn number_in_progress_is_limited() {
        for (callbacks, expected) in [(1, 1), (16, 2), (4096, 8)] {
            let (unverified, now) = unverified(i64::MAX, callbacks);
            let mut admitted: Vec<_> =
                (0..expected).map(|_| unverified.admit(&callback(b"a=b"), now).unwrap()).collect();
            assert_eq!(unverified.admit(&callback(b"a=b"), now).unwrap_err(), ReportOnlyLimit::InProgress);
            admitted.pop();
            assert!(unverified.admit(&callback(b"a=b"), now).is_ok());
        }
    }

    #[test]
    fn share_of_the_spool_counts_all_its_records_and_those_in_progress() {
        let (unverified, now) = unverified(16 * 3000, 4096);
        let first = unverified.admit(&callback(&[b'a'; 500]), now).unwrap();
        assert_eq!(unverified.admit(&callback(&[b'a'; 500]), now).unwrap_err(), ReportOnlyLimit::Spool);
        drop(first);
        assert!(unverified.admit(&callback(&[b'a'; 500]), now).is_ok());
        unverified.metrics.spool.bytes.set(1500);
        assert_eq!(unverified.admit(&callback(&[b'a'; 500]), now).unwrap_err(), ReportOnlyLimit::Spool);
        unverified.metrics.spool.bytes.set(0);
        unverified.metrics.spool.parked_bytes.set(1600);
        assert_eq!(unverified.admit(&callback(&[b'a'; 500]), now).unwrap_err(), ReportOnlyLimit::Spool);
    }

    #[test]
    fn record_is_never_larger_than_its_counted_size() {
        let (unverified, now) = unverified(i64::MAX, 4096);
        let text = "ü\u{7f}".repeat(1000);
        let bodies: [&[u8]; 6] = [b"", &[b'a'; 9000], &[1; 2000], text.as_bytes(), &[0xff; 3000], &[b'"'; 4000]];
        for body in bodies {
            let raw = callback(body);
            // As in a dead letter: valid UTF-8 as text, and any other body in base64.
            let headers: Vec<_> =
                raw.headers.iter().map(|(name, value)| (name, String::from_utf8_lossy(value))).collect();
            let base64 = body.len() * 4 / 3 + 4;
            let text = std::str::from_utf8(body).map_or("x".repeat(base64), str::to_owned);
            let written = serde_json::to_vec(&(&raw.target, headers, text)).unwrap().len();
            let counted = unverified.admit(&raw, now).unwrap().bytes;
            assert!(counted >= written as u64 && counted <= MAX_RECORD_BYTES, "{counted} for {written}");
        }
        for body in [vec![b'a'; 20_000], vec![1; 3000]] {
            assert_eq!(unverified.admit(&callback(&body), now).unwrap_err(), ReportOnlyLimit::Size);
        }
    }
}
