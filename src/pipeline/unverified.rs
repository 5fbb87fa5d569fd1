//! What `SIGNATURE_MODE=report-only` keeps of strangers: little, slowly, and a small share of the spool.
//!
//! Anybody can send a callback without a right signature. So these have limits of their own, far below those of verified
//! ones, and above a limit a callback is refused as it is in enforce mode. The share of the spool needs no memory: they
//! are kept only while *everything* in the spool is less than that share, so it holds over restarts, and an outage in
//! which genuine callbacks wait leaves the rest of the spool to them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    domain::{RawCallback, ReportOnlyLimit},
    telemetry::Metrics,
};

/// The largest record, in bytes. Twilio's callbacks become some 2 KiB.
const LARGEST: u64 = 16 << 10;

/// Records in one burst.
const BURST: u32 = 50;

/// One more record may follow after this time.
const BETWEEN: Duration = Duration::from_millis(200);

/// Records that are not durable yet, in comparison with the callbacks that may be in progress.
const SHARE_OF_CALLBACKS: usize = 8;

/// And however many those are.
const MOST_UNDERWAY: usize = 8;

/// They are kept while everything in the spool is less than one of so many parts of what fits into it.
const PARTS_OF_SPOOL: u64 = 16;

/// What a record has beside the texts of its request, and one header beside its own.
const ENVELOPE: u64 = 1024;
const HEADER: u64 = 16;

/// Admits unverified callbacks.
pub(super) struct Unverified {
    metrics: Arc<Metrics>,
    most_underway: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// Records that may come at once, and since when there are so many.
    burst: u32,
    since: Instant,
    underway: usize,
    underway_bytes: u64,
}

impl Unverified {
    /// Beside so many callbacks that may be in progress altogether.
    pub(super) fn new(metrics: Arc<Metrics>, callbacks: usize, now: Instant) -> Self {
        let most_underway = (callbacks / SHARE_OF_CALLBACKS).clamp(1, MOST_UNDERWAY);
        let state = State { burst: BURST, since: now, underway: 0, underway_bytes: 0 };
        Self { metrics, most_underway, state: Arc::new(Mutex::new(state)) }
    }

    /// The right to keep this callback. It counts as underway until that is dropped.
    ///
    /// # Errors
    /// The limit that it is above.
    pub(super) fn admit(&self, raw: &RawCallback, now: Instant) -> Result<Admitted, ReportOnlyLimit> {
        let bytes = record_bytes(raw).filter(|bytes| *bytes <= LARGEST).ok_or(ReportOnlyLimit::Size)?;
        let mut state = lock(&self.state);
        if state.underway >= self.most_underway {
            return Err(ReportOnlyLimit::InProgress);
        }
        if state.underway_bytes + bytes > self.left_of_share() {
            return Err(ReportOnlyLimit::Spool);
        }
        state.take(now)?;
        state.underway += 1;
        state.underway_bytes += bytes;
        Ok(Admitted { state: Arc::clone(&self.state), bytes })
    }

    /// What the spool may still take of them. Its thread sets the gauges before it answers, so what was durable is in them.
    fn left_of_share(&self) -> u64 {
        let spool = &self.metrics.spool;
        let [capacity, queued, parked] = [&spool.capacity, &spool.bytes, &spool.parked_bytes].map(|gauge| gauge.get());
        let [capacity, queued, parked] =
            [capacity, queued, parked].map(|bytes| u64::try_from(bytes).unwrap_or_default());
        let all = capacity.saturating_add(parked);
        (all / PARTS_OF_SPOOL).saturating_sub(queued.saturating_add(parked))
    }
}

impl State {
    fn take(&mut self, now: Instant) -> Result<(), ReportOnlyLimit> {
        let more = now.saturating_duration_since(self.since).as_millis() / BETWEEN.as_millis();
        if let Ok(more) = u32::try_from(more)
            && more < BURST
        {
            self.burst = (self.burst + more).min(BURST);
            self.since += BETWEEN * more;
        } else {
            self.burst = BURST;
            self.since = now;
        }
        self.burst = self.burst.checked_sub(1).ok_or(ReportOnlyLimit::Rate)?;
        Ok(())
    }
}

/// An unverified callback that is kept and not durable yet.
#[derive(Debug)]
pub(super) struct Admitted {
    state: Arc<Mutex<State>>,
    bytes: u64,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.underway -= 1;
        state.underway_bytes -= self.bytes;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing that holds the lock can panic.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the record is at most, in JSON. `None` when the request alone is larger than any record.
fn record_bytes(raw: &RawCallback) -> Option<u64> {
    let headers = || raw.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value]);
    let texts = || [raw.target.as_bytes(), &raw.body].into_iter().chain(headers());
    let length = |text: &[u8]| u64::try_from(text.len()).unwrap_or(u64::MAX);
    let plain: u64 = texts().map(length).sum();
    if plain > LARGEST {
        return None;
    }
    let escaped: u64 = texts().flatten().map(|byte| escaped(*byte)).sum();
    let headers = raw.headers.iter().map(|_| HEADER).sum::<u64>();
    Some(ENVELOPE + headers + escaped)
}

/// The bytes that JSON takes at most for one byte of a text.
fn escaped(byte: u8) -> u64 {
    match byte {
        b'"' | b'\\' => 2,
        b' '..=b'~' => 1,
        // As a replacement character, when the text is not UTF-8.
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
            route: "/callbacks/customer-profiles",
            target: "/callbacks/customer-profiles".into(),
            query: None,
            encoding: Encoding::Form,
            headers: [("host", "hooks.example.com"), ("x-a", "\u{1}\"")].into_iter().collect(),
            body: body.into(),
        }
    }

    fn unverified(capacity: i64, callbacks: usize) -> (Unverified, Instant) {
        let metrics = Arc::new(Metrics::new(|destination| destination.to_string()).unwrap());
        metrics.spool.capacity.set(capacity);
        let now = Instant::now();
        (Unverified::new(metrics, callbacks, now), now)
    }

    #[test]
    fn burst_is_admitted_and_then_five_in_a_second() {
        let (unverified, now) = unverified(i64::MAX, 4096);
        let admitted = |now| (0..1000).take_while(|_| unverified.admit(&callback(b"a=b"), now).is_ok()).count();
        assert_eq!(admitted(now), 50);
        assert_eq!(unverified.admit(&callback(b"a=b"), now).unwrap_err(), ReportOnlyLimit::Rate);
        let passed = [1, 199, 200, 1000, 1399, 1_000_000].map(|millis| admitted(now + Duration::from_millis(millis)));
        assert_eq!(passed, [0, 0, 1, 4, 1, 50]);
    }

    #[test]
    fn few_are_in_progress_at_the_same_time() {
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
    fn share_of_the_spool_counts_everything_in_it_and_what_is_underway() {
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
    fn record_is_never_larger_than_it_counts_for() {
        let (unverified, now) = unverified(i64::MAX, 4096);
        let text = "ü\u{7f}".repeat(1000);
        let bodies: [&[u8]; 6] = [b"", &[b'a'; 9000], &[1; 2000], text.as_bytes(), &[0xff; 3000], &[b'"'; 4000]];
        for body in bodies {
            let raw = callback(body);
            // As a dead letter has it: texts where they are texts, and a body of other bytes in base64.
            let headers: Vec<_> =
                raw.headers.iter().map(|(name, value)| (name, String::from_utf8_lossy(value))).collect();
            let base64 = body.len() * 4 / 3 + 4;
            let text = std::str::from_utf8(body).map_or("x".repeat(base64), str::to_owned);
            let written = serde_json::to_vec(&(&raw.target, headers, text)).unwrap().len();
            let counted = unverified.admit(&raw, now).unwrap().bytes;
            assert!(counted >= written as u64 && counted <= LARGEST, "{counted} for {written}");
        }
        for body in [vec![b'a'; 20_000], vec![1; 3000]] {
            assert_eq!(unverified.admit(&callback(&body), now).unwrap_err(), ReportOnlyLimit::Size);
        }
    }
}
