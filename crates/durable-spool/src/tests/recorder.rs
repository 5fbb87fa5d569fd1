//! An observer that remembers what it was told.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::{SpoolObserver, SpoolState};

#[derive(Debug, Default)]
pub(super) struct Recorder {
    state: Mutex<SpoolState>,
    damaged: AtomicU64,
    salvaged: AtomicU64,
}

impl Recorder {
    pub(super) fn state(&self) -> SpoolState {
        *self.state.lock()
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Acquire)
    }

    pub(super) fn salvaged(&self) -> u64 {
        self.salvaged.load(Ordering::Acquire)
    }
}

impl SpoolObserver for Recorder {
    fn state_changed(&self, state: &SpoolState) {
        *self.state.lock() = *state;
    }

    fn damage_found(&self, count: u64) {
        self.damaged.fetch_add(count, Ordering::AcqRel);
    }

    fn records_salvaged(&self, count: u64) {
        self.salvaged.fetch_add(count, Ordering::AcqRel);
    }
}
