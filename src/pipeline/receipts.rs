//! Numbers the receipts of this process, so that callbacks without an idempotency token have different ids.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::normalize::ReceiptId;

/// A random id of the process. A number that starts again at 0 in each process, or a time, could repeat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessId([u8; 16]);

impl ProcessId {
    /// Creates an id from the random numbers of the system.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(crate) fn random() -> io::Result<Self> {
        let mut id = [0; 16];
        getrandom::getrandom(&mut id)?;
        Ok(Self(id))
    }
}

/// Numbers the receipts.
pub(super) struct ReceiptCounter {
    process: ProcessId,
    next: AtomicU64,
}

impl ReceiptCounter {
    pub(super) fn new(process: ProcessId) -> Self {
        Self { process, next: AtomicU64::new(0) }
    }

    /// The receipt of one callback.
    pub(super) fn next(&self) -> ReceiptId {
        ReceiptId { process: self.process.0, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn receipts_of_all_processes_have_different_ids() {
        let counters = [(); 3].map(|()| ReceiptCounter::new(ProcessId::random().unwrap()));
        let ids: HashSet<_> =
            counters.iter().flat_map(|counter| (0..3).map(|_| counter.next().unverified_id())).collect();
        assert_eq!(ids.len(), 9);
    }
}
