//! How the spool stands, for those who may not wait for its thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::store::Contents;
use crate::telemetry::Metrics;

/// Written by the thread, read by everybody.
#[derive(Debug)]
pub(super) struct Standing {
    metrics: Arc<Metrics>,
    events: AtomicU64,
    room: AtomicBool,
}

impl Standing {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, events: AtomicU64::new(0), room: AtomicBool::new(false) }
    }

    /// Shown before the answer to what changed it, so that who has the answer sees the change.
    pub(super) fn show(&self, contents: &Contents, available: u64, full: bool, usable: bool) {
        self.events.store(contents.events, Ordering::Release);
        self.room.store(usable && !full, Ordering::Release);
        let spool = &self.metrics.spool;
        spool.events.set(gauge(contents.events));
        spool.bytes.set(gauge(contents.bytes));
        spool.capacity.set(gauge(contents.bytes.saturating_add(available)));
        spool.parked.set(gauge(contents.parked));
        spool.full.set(full.into());
        spool.oldest.set(contents.oldest);
    }

    /// Nobody answers any more.
    pub(super) fn closed(&self) {
        self.room.store(false, Ordering::Release);
    }

    pub(super) fn damaged(&self, count: u64) {
        self.metrics.spool.damaged.inc_by(count);
    }

    pub(super) fn synced(&self, took: Duration) {
        self.metrics.spool.sync_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn events(&self) -> u64 {
        self.events.load(Ordering::Acquire)
    }

    pub(super) fn has_room(&self) -> bool {
        self.room.load(Ordering::Acquire)
    }
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
