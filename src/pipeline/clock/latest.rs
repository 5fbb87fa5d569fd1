//! The latest event time, which the clock raises and the writer saves.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use tokio::sync::Notify;

use crate::domain::Timestamp;

/// The latest event time, shared with the writer.
#[derive(Debug)]
pub(super) struct LatestTime {
    /// Milliseconds since the Unix epoch.
    latest: AtomicI64,
    /// Notified when the time was raised.
    pub(super) raised: Notify,
}

impl Default for LatestTime {
    fn default() -> Self {
        Self { latest: AtomicI64::new(i64::MIN), raised: Notify::new() }
    }
}

impl LatestTime {
    /// Stores a later time and wakes the writer. Costs at most two atomic operations unless the writer waits, which it does
    /// only after an interval without events. The callers hold the lock of the clock, so only one thread calls this at a time.
    pub(super) fn raise(&self, time: Timestamp) {
        let millis = time.unix_millis();
        if self.latest.swap(millis, Relaxed) != millis {
            self.raised.notify_one();
        }
    }

    /// `None` before the first event.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        let millis = self.latest.load(Relaxed);
        if millis == i64::MIN { None } else { Timestamp::from_unix_millis(millis) }
    }
}
