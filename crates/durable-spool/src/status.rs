//! The state of the spool in atomics, for callers that must not wait for its thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    contents::Contents,
    observer::{DiskOperation, SpoolObserver, SpoolState},
};

/// The disk counts as hung when one call of the `spool` thread has taken nearly the time that an append may take: this much
/// less. A new append could not be stored in its time.
const STALL_MARGIN: Duration = Duration::from_secs(1);

/// Maximum number of appends that wait for the thread.
const MAX_WAITING: usize = 8_192;
/// Maximum total size of the appends that wait. A single append may be larger when no other waits.
const MAX_WAITING_BYTES: usize = 32 << 20;

/// Written by the `spool` thread, read by all others.
#[derive(Debug)]
pub(crate) struct SpoolStatus {
    observer: Arc<dyn SpoolObserver>,
    /// A call that takes longer means that the disk hangs.
    stalled_after: Duration,
    /// Twice the number of queued entries, plus one while a salvage is pending. One value, because a salvage ends with its entries
    /// in the queue: a reader of two values could see neither.
    queue: AtomicU64,
    has_space: AtomicBool,
    start: Instant,
    /// When the current call of the thread began, in milliseconds since `start` plus one; 0 when there is none.
    busy_since: AtomicU64,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
}

impl SpoolStatus {
    pub(crate) fn new(observer: Arc<dyn SpoolObserver>, append_timeout: Duration) -> Self {
        Self {
            observer,
            stalled_after: append_timeout.saturating_sub(STALL_MARGIN),
            queue: AtomicU64::new(0),
            has_space: AtomicBool::new(false),
            start: Instant::now(),
            busy_since: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
        }
    }

    /// Updates the state, and tells the observer. Called before the reply to the request that changed them, so that the caller who
    /// receives the reply sees the change.
    pub(crate) fn update(
        &self,
        contents: &Contents,
        available: u64,
        is_full: bool,
        is_usable: bool,
        is_salvaging: bool,
    ) {
        self.queue.store((contents.queued << 1) | u64::from(is_salvaging), Ordering::Release);
        self.has_space.store(is_usable && !is_full, Ordering::Release);
        self.observer.state_changed(&SpoolState {
            queued: contents.queued,
            queued_bytes: contents.queue_bytes,
            capacity_bytes: contents.queue_bytes.saturating_add(available),
            parked: contents.parked,
            parked_bytes: contents.parked_bytes,
            is_full,
            oldest: contents.oldest,
        });
    }

    /// Records that the thread has ended.
    pub(crate) fn set_closed(&self) {
        self.has_space.store(false, Ordering::Release);
    }

    pub(crate) fn observer(&self) -> &dyn SpoolObserver {
        self.observer.as_ref()
    }

    pub(crate) fn queued(&self) -> u64 {
        self.queue.load(Ordering::Acquire) >> 1
    }

    #[cfg(test)]
    pub(crate) fn is_salvaging(&self) -> bool {
        self.queue.load(Ordering::Acquire) & 1 == 1
    }

    /// Whether the queue is empty and no salvage is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.load(Ordering::Acquire) == 0
    }

    pub(crate) fn has_waiting_appends(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    pub(crate) fn has_space(&self) -> bool {
        self.has_space.load(Ordering::Acquire) && !self.is_stalled()
    }

    /// Whether the current call of the thread has taken so long that the disk counts as hung.
    pub(crate) fn is_stalled(&self) -> bool {
        match self.busy_since.load(Ordering::Acquire) {
            0 => false,
            since => self.elapsed_millis().saturating_sub(since) >= to_millis(self.stalled_after),
        }
    }

    /// Records that the thread begins a call that may take long.
    pub(crate) fn begin(self: &Arc<Self>, operation: DiskOperation) -> BusyGuard {
        self.busy_since.store(self.elapsed_millis(), Ordering::Release);
        self.observer.operation_began(operation);
        BusyGuard { status: Arc::clone(self), operation }
    }

    fn elapsed_millis(&self) -> u64 {
        to_millis(self.start.elapsed()).saturating_add(1)
    }

    /// Reserves space for an append among those that wait for the thread; `None` when too many are waiting.
    pub(crate) fn try_reserve(self: &Arc<Self>, bytes: usize) -> Option<AppendReservation> {
        // Count first and check afterwards, so that two concurrent appends cannot both take the last slot.
        let (count, before) =
            (self.waiting.fetch_add(1, Ordering::AcqRel), self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel));
        let reservation = AppendReservation { status: Arc::clone(self), bytes };
        let fits = count < MAX_WAITING && before.saturating_add(bytes) <= MAX_WAITING_BYTES;
        (count == 0 || fits).then_some(reservation)
    }
}

/// Marks the thread as busy until it is dropped.
#[must_use = "the call ends when this is dropped"]
pub(crate) struct BusyGuard {
    status: Arc<SpoolStatus>,
    operation: DiskOperation,
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.status.busy_since.store(0, Ordering::Release);
        self.status.observer.operation_ended(self.operation);
    }
}

/// The share of an append in the limits on waiting appends, released when it is dropped.
#[derive(Debug)]
pub(crate) struct AppendReservation {
    status: Arc<SpoolStatus>,
    bytes: usize,
}

impl Drop for AppendReservation {
    fn drop(&mut self) {
        self.status.waiting.fetch_sub(1, Ordering::AcqRel);
        self.status.waiting_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

fn to_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Arc<SpoolStatus> {
        Arc::new(SpoolStatus::new(Arc::new(()), Duration::from_secs(13)))
    }

    #[test]
    fn waiting_appends_are_bounded_by_number() {
        let status = status();
        let waiting: Vec<_> = std::iter::from_fn(|| status.try_reserve(1)).take(2 * MAX_WAITING).collect();
        assert_eq!(waiting.len(), MAX_WAITING);
        drop(waiting);
        assert!(status.try_reserve(1).is_some());
    }

    #[test]
    fn waiting_appends_are_bounded_by_size_but_a_single_one_may_always_wait() {
        let status = status();
        let large = status.try_reserve(2 * MAX_WAITING_BYTES).unwrap();
        assert!(status.try_reserve(1).is_none());
        drop(large);
        let waiting: Vec<_> = std::iter::from_fn(|| status.try_reserve(MAX_WAITING_BYTES / 4)).take(9).collect();
        assert_eq!(waiting.len(), 4);
    }

    #[test]
    fn queue_is_empty_only_without_entries_and_without_a_pending_salvage() {
        let status = status();
        for (queued, is_salvaging, is_empty) in
            [(0, false, true), (0, true, false), (2, true, false), (2, false, false)]
        {
            status.update(&Contents { queued, ..Contents::default() }, 1_000, false, true, is_salvaging);
            assert_eq!((status.queued(), status.is_empty()), (queued, is_empty), "{is_salvaging}");
        }
    }

    #[test]
    fn long_call_means_no_space_until_it_ends() {
        let status = SpoolStatus::new(Arc::new(()), Duration::from_secs(13));
        let status = Arc::new(SpoolStatus { start: Instant::now() - Duration::from_secs(12), ..status });
        status.update(&Contents::default(), 1_000, false, true, false);
        let busy = status.begin(DiskOperation::Write);
        assert!(status.has_space());
        // As if the call had begun at the start.
        status.busy_since.store(1, Ordering::Release);
        assert!(!status.has_space());
        drop(busy);
        assert!(status.has_space());
    }
}
