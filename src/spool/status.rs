//! The state of the spool, for those who may not wait for its thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::store::Contents;
use crate::telemetry::{Metrics, Operation, OperationGuard};

/// When one call of the thread takes longer, the disk hangs: what comes now could not be stored while Twilio waits.
const STALLED_AFTER: Duration = Duration::from_secs(12);

/// Appends that may wait for the thread at once.
const MOST_WAITING: usize = 8_192;
/// Their size. One append may be larger when no other waits.
const MOST_WAITING_BYTES: usize = 32 << 20;

/// Written by the thread, read by everybody.
#[derive(Debug)]
pub(super) struct SpoolStatus {
    metrics: Arc<Metrics>,
    events: AtomicU64,
    room: AtomicBool,
    salvaging: AtomicBool,
    start: Instant,
    /// When the call began that the thread is making, in milliseconds since the start plus one; 0 for none.
    busy_since: AtomicU64,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
}

impl SpoolStatus {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            events: AtomicU64::new(0),
            room: AtomicBool::new(false),
            salvaging: AtomicBool::new(false),
            start: Instant::now(),
            busy_since: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
        }
    }

    /// Shown before the answer to what changed it, so that who has the answer sees the change.
    pub(super) fn show(&self, contents: &Contents, available: u64, full: bool, usable: bool, salvaging: bool) {
        self.events.store(contents.events, Ordering::Release);
        self.salvaging.store(salvaging, Ordering::Release);
        self.room.store(usable && !full, Ordering::Release);
        let spool = &self.metrics.spool;
        spool.events.set(gauge(contents.events));
        spool.bytes.set(gauge(contents.bytes));
        spool.capacity.set(gauge(contents.bytes.saturating_add(available)));
        spool.parked.set(gauge(contents.parked));
        spool.parked_bytes.set(gauge(contents.parked_bytes));
        spool.full.set(full.into());
        spool.oldest.set(contents.oldest);
    }

    /// The thread has ended.
    pub(super) fn closed(&self) {
        self.room.store(false, Ordering::Release);
    }

    pub(super) fn damaged(&self, count: u64) {
        self.metrics.spool.damaged.inc_by(count);
    }

    pub(super) fn salvaged(&self, count: u64) {
        self.metrics.spool.salvaged.inc_by(count);
    }

    pub(super) fn synced(&self, took: Duration) {
        self.metrics.spool.sync_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }

    pub(super) fn is_salvaging(&self) -> bool {
        self.salvaging.load(Ordering::Acquire)
    }

    /// Whether an append waits for the thread.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    pub(super) fn has_room(&self) -> bool {
        self.room.load(Ordering::Acquire) && !self.is_stalled()
    }

    /// Whether the disk has kept the thread for too long.
    pub(super) fn is_stalled(&self) -> bool {
        match self.busy_since.load(Ordering::Acquire) {
            0 => false,
            since => self.millis().saturating_sub(since) >= millis(STALLED_AFTER),
        }
    }

    /// The thread makes a call that may take long.
    pub(super) fn begin(self: &Arc<Self>, operation: Operation) -> Busy {
        self.busy_since.store(self.millis(), Ordering::Release);
        Busy { standing: Arc::clone(self), _operation: self.metrics.operations.begin(operation) }
    }

    fn millis(&self) -> u64 {
        millis(self.start.elapsed()).saturating_add(1)
    }

    /// Counts an append that waits for the thread, unless too much waits already.
    pub(super) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Waiting> {
        // Counted first, so that no two of them take the last place.
        let (count, before) =
            (self.waiting.fetch_add(1, Ordering::AcqRel), self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel));
        let waiting = Waiting { standing: Arc::clone(self), bytes };
        let fits = count < MOST_WAITING && before.saturating_add(bytes) <= MOST_WAITING_BYTES;
        (count == 0 || fits).then_some(waiting)
    }
}

/// A call that the thread is making.
#[must_use = "the call ends when this is dropped"]
pub(super) struct Busy {
    standing: Arc<SpoolStatus>,
    _operation: OperationGuard,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.standing.busy_since.store(0, Ordering::Release);
    }
}

/// An append that waits for the thread.
#[derive(Debug)]
pub(super) struct Waiting {
    standing: Arc<SpoolStatus>,
    bytes: usize,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.standing.waiting.fetch_sub(1, Ordering::AcqRel);
        self.standing.waiting_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Arc<SpoolStatus> {
        Arc::new(SpoolStatus::new(Arc::new(Metrics::new(|destination| destination.to_string()).unwrap())))
    }

    #[test]
    fn appends_that_wait_are_bounded_by_number() {
        let standing = standing();
        let waiting: Vec<_> = std::iter::from_fn(|| standing.reserve(1)).take(2 * MOST_WAITING).collect();
        assert_eq!(waiting.len(), MOST_WAITING);
        drop(waiting);
        assert!(standing.reserve(1).is_some());
    }

    #[test]
    fn appends_that_wait_are_bounded_by_size_but_one_may_always_wait() {
        let standing = standing();
        let large = standing.reserve(2 * MOST_WAITING_BYTES).unwrap();
        assert!(standing.reserve(1).is_none());
        drop(large);
        let waiting: Vec<_> = std::iter::from_fn(|| standing.reserve(MOST_WAITING_BYTES / 4)).take(9).collect();
        assert_eq!(waiting.len(), 4);
    }

    #[test]
    fn call_that_takes_long_means_that_there_is_no_room_until_it_ends() {
        let metrics = Arc::clone(&standing().metrics);
        let standing = Arc::new(SpoolStatus { start: Instant::now() - STALLED_AFTER, ..SpoolStatus::new(metrics) });
        standing.show(&Contents::default(), 1_000, false, true, false);
        let busy = standing.begin(Operation::SpoolWrite);
        assert!(standing.has_room());
        // As if it had begun at the start.
        standing.busy_since.store(1, Ordering::Release);
        assert!(!standing.has_room());
        drop(busy);
        assert!(standing.has_room());
    }
}
