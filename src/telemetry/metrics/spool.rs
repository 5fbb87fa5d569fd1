//! Metrics of the durable queue on disk.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use prometheus::{Gauge, Histogram, IntCounter, IntGauge};

use super::{
    super::family::{Counters, Gauges},
    catalogue::Catalogue,
};
use crate::domain::{Label as _, PublishFailure, Timestamp};

/// Of the durable queue on disk.
#[derive(Debug)]
pub struct SpoolMetrics {
    /// Records that wait for Kafka.
    pub events: IntGauge,
    /// Their size.
    pub bytes: IntGauge,
    /// What they may grow to, as things are.
    pub capacity: IntGauge,
    /// When the oldest of them was stored.
    pub oldest: Since,
    /// Whether there is no room for another.
    pub full: IntGauge,
    /// Records that were set aside because neither topic takes them or because they are damaged.
    pub parked: IntGauge,
    /// Their size.
    pub parked_bytes: IntGauge,
    /// Damage that was found.
    pub damaged: IntCounter,
    /// Records that were found in damaged stores and put back into the queue.
    pub salvaged: IntCounter,
    /// One group of records written and synced.
    pub sync_seconds: Histogram,
    /// Why records went to the spool: once for each change from Kafka to the spool.
    pub failovers: Counters<PublishFailure>,
    /// Why records go to the spool now.
    pub outage: Gauges<PublishFailure>,
    /// Records that went from the spool to Kafka.
    pub drained: IntCounter,
}

/// A gauge of seconds since a moment: computed when it is read, so that it grows by itself.
#[derive(Debug)]
pub struct Since {
    /// Milliseconds since the Unix epoch; 0 for never.
    moment: AtomicI64,
    gauge: Gauge,
}

impl Since {
    /// The moment to count from; `None` shows as 0.
    pub fn set(&self, moment: Option<Timestamp>) {
        self.moment.store(moment.map_or(0, Timestamp::unix_millis), Ordering::Relaxed);
    }

    pub(super) fn refresh(&self) {
        let now = Timestamp::from(SystemTime::now());
        let moment = self.moment.load(Ordering::Relaxed);
        let millis = if moment == 0 { 0 } else { now.unix_millis().saturating_sub(moment).max(0) };
        self.gauge.set(Duration::from_millis(millis.unsigned_abs()).as_secs_f64());
    }
}

impl SpoolMetrics {
    /// Shows why Kafka does not take records now; `None` when it does.
    pub fn show_cause(&self, cause: Option<PublishFailure>) {
        for reason in PublishFailure::ALL {
            self.outage.of(*reason).set(i64::from(Some(*reason) == cause));
        }
    }

    pub(super) fn new(catalogue: &Catalogue<'_>) -> prometheus::Result<Self> {
        let seconds = Gauge::new("trusthub_spool_oldest_seconds", "Age of the oldest record in the spool.")?;
        catalogue.0.register(Box::new(seconds.clone()))?;
        Ok(Self {
            events: catalogue.gauge("trusthub_spool_events", "Records in the spool that wait for Kafka.")?,
            bytes: catalogue.gauge("trusthub_spool_bytes", "Size of the records in the spool that wait for Kafka.")?,
            capacity: catalogue.gauge(
                "trusthub_spool_capacity_bytes",
                "Size that the records in the spool may grow to: SPOOL_MAX_BYTES, or less where the disk has less room.",
            )?,
            oldest: Since { moment: AtomicI64::new(0), gauge: seconds },
            full: catalogue.gauge("trusthub_spool_full", "1 when the spool has no room for another record.")?,
            parked: catalogue.gauge(
                "trusthub_spool_parked",
                "Records set aside in the spool: neither topic takes them, or they are damaged.",
            )?,
            parked_bytes: catalogue.gauge("trusthub_spool_parked_bytes", "Size of the parked records in the spool.")?,
            damaged: catalogue.counter("trusthub_spool_damaged_total", "Damage found in the spool.")?,
            salvaged: catalogue.counter(
                "trusthub_spool_salvaged_total",
                "Records found in damaged stores of the spool and put back into the queue.",
            )?,
            sync_seconds: catalogue.histogram(
                "trusthub_spool_sync_duration_seconds",
                "Time to write and sync the records that were waiting for it.",
            )?,
            failovers: catalogue.counters(
                "trusthub_spool_failovers_total",
                "Changes from publishing directly to spooling, by what was wrong with Kafka.",
                "reason",
            )?,
            outage: catalogue.gauges(
                "trusthub_spool_cause",
                "1 for the reason why Kafka does not take records now, so that they go to the spool.",
                "reason",
            )?,
            drained: catalogue.counter("trusthub_spool_drained_total", "Records that went from the spool to Kafka.")?,
        })
    }
}
