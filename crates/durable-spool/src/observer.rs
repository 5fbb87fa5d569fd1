//! What the application learns about the spool, for its metrics and its logs.

use std::{
    fmt, io,
    time::{Duration, SystemTime},
};

/// What the spool holds and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolState {
    /// Number of records in the queue.
    pub queued: u64,
    /// Total size of the records in the queue with their frames.
    pub queued_bytes: u64,
    /// The size that the records in the queue may reach now, as limited by [`SpoolLimits`](crate::SpoolLimits).
    pub capacity_bytes: u64,
    /// Number of parked records.
    pub parked: u64,
    /// Total size of the parked records with their frames.
    pub parked_bytes: u64,
    /// Whether there is no space for another record.
    pub is_full: bool,
    /// When the first record of the queue was stored.
    pub oldest: Option<SystemTime>,
}

/// A call whose duration depends on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskOperation {
    /// Reads records, or opens the store.
    Read,
    /// Writes and syncs.
    Write,
}

/// Receives what happens in a spool. Each method ignores its event unless it is implemented; `()` ignores all events.
///
/// The `spool` thread calls the methods, and everything in the spool waits for them: they must return at once and must not
/// panic.
pub trait SpoolObserver: fmt::Debug + Send + Sync + 'static {
    /// The state was read or changed. Also called once a second, because other processes use the disk, too.
    fn state_changed(&self, state: &SpoolState) {
        let _ = state;
    }

    /// A group of records was written and synced, or could not be, within this time.
    fn group_synced(&self, duration: Duration) {
        let _ = duration;
    }

    /// The store or this many of its records are damaged.
    fn damage_found(&self, count: u64) {
        let _ = count;
    }

    /// This many records of damaged stores were put back into the queue.
    fn records_salvaged(&self, count: u64) {
        let _ = count;
    }

    /// A salvage has ended. It put `salvaged` records back, and could not read others. The spool does not log this, because
    /// only the application knows how to get the others.
    fn records_lost(&self, salvaged: u64) {
        let _ = salvaged;
    }

    /// A call on the disk began. It ends before the next one begins, but it may take as long as the disk hangs.
    fn operation_began(&self, operation: DiskOperation) {
        let _ = operation;
    }

    /// The call on the disk that began last has ended.
    fn operation_ended(&self, operation: DiskOperation) {
        let _ = operation;
    }

    /// [`inspect()`](crate::inspect()) will not work. The spool does not log this, because only the application knows what
    /// its users inspect the spool with. Called on the thread that opens the spool.
    fn inspection_unavailable(&self, error: &io::Error) {
        let _ = error;
    }
}

impl SpoolObserver for () {}
