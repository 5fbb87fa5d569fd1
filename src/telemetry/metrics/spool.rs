//! Metrics of the spool.

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

/// Metrics of the spool, the durable queue on disk.
#[derive(Debug)]
pub struct SpoolMetrics {
    /// The number of records that wait for Kafka.
    pub events: IntGauge,
    /// The size of the records that wait for Kafka.
    pub bytes: IntGauge,
    /// The size that these records may reach, as limited by the configuration and by the free space on the disk.
    pub capacity: IntGauge,
    /// The age of the oldest record that waits for Kafka.
    pub oldest: AgeGauge,
    /// 1 when the spool has no space for another record.
    pub full: IntGauge,
    /// The number of parked records: no topic accepts them, their schema has no id, or they are damaged.
    pub parked: IntGauge,
    /// The size of the parked records.
    pub parked_bytes: IntGauge,
    /// Detected damage.
    pub damaged: IntCounter,
    /// Records recovered from damaged stores and put back into the queue.
    pub salvaged: IntCounter,
    /// The time to write and sync one group of records.
    pub sync_seconds: Histogram,
    /// Failovers from Kafka to the spool, by reason.
    pub failovers: Counters<PublishFailure>,
    /// The current reason why records go to the spool.
    pub outage: Gauges<PublishFailure>,
    /// Records published from the spool.
    pub drained: IntCounter,
}

/// A gauge of the seconds since a given time, computed when the metrics are rendered.
#[derive(Debug)]
pub struct AgeGauge {
    /// Milliseconds since the Unix epoch; 0 for none.
    since: AtomicI64,
    gauge: Gauge,
}

impl AgeGauge {
    /// Sets the time to count from. `None` shows as 0.
    pub fn set(&self, since: Option<Timestamp>) {
        self.since.store(since.map_or(0, Timestamp::unix_millis), Ordering::Relaxed);
    }

    /// The time since then; `None` without a time to count from.
    pub fn age(&self) -> Option<Duration> {
        let now = Timestamp::from(SystemTime::now());
        let since = Some(self.since.load(Ordering::Relaxed)).filter(|since| *since != 0)?;
        Some(Duration::from_millis(now.unix_millis().saturating_sub(since).max(0).unsigned_abs()))
    }

    pub(super) fn refresh(&self) {
        self.gauge.set(self.age().unwrap_or_default().as_secs_f64());
    }
}

impl SpoolMetrics {
    /// Shows the reason why Kafka does not accept records now; `None` when it does.
    pub fn show_cause(&self, cause: Option<PublishFailure>) {
        for reason in PublishFailure::ALL {
            self.outage.of(*reason).set(i64::from(Some(*reason) == cause));
        }
    }

    pub(super) fn new(catalogue: &Catalogue<'_>) -> prometheus::Result<Self> {
        let seconds = Gauge::new("trusthub_spool_oldest_seconds", "Age of the oldest record in the spool.")?;
        catalogue.registry.register(Box::new(seconds.clone()))?;
        Ok(Self {
            events: catalogue.gauge("trusthub_spool_events", "Records in the spool that wait for Kafka.")?,
            bytes: catalogue.gauge("trusthub_spool_bytes", "Size of the records in the spool that wait for Kafka.")?,
            capacity: catalogue.gauge(
                "trusthub_spool_capacity_bytes",
                "Size that the records in the spool may grow to: SPOOL_MAX_BYTES, or less if the disk has less free space.",
            )?,
            oldest: AgeGauge { since: AtomicI64::new(0), gauge: seconds },
            full: catalogue.gauge("trusthub_spool_full", "1 when the spool has no space for another record.")?,
            parked: catalogue.gauge(
                "trusthub_spool_parked",
                "Records parked in the spool: no topic accepts them, their schema has no id, or they are damaged.",
            )?,
            parked_bytes: catalogue.gauge("trusthub_spool_parked_bytes", "Size of the parked records in the spool.")?,
            damaged: catalogue.counter("trusthub_spool_damaged_total", "Damage found in the spool.")?,
            salvaged: catalogue.counter(
                "trusthub_spool_salvaged_total",
                "Records recovered from damaged stores of the spool and put back into the queue.",
            )?,
            sync_seconds: catalogue.histogram(
                "trusthub_spool_sync_duration_seconds",
                "Time to write and sync a group of records.",
            )?,
            failovers: catalogue.counters(
                "trusthub_spool_failovers_total",
                "Failovers from Kafka to the spool, by reason.",
                "reason",
            )?,
            outage: catalogue.gauges(
                "trusthub_spool_cause",
                "1 for the reason why Kafka does not accept records now, so that they go to the spool.",
                "reason",
            )?,
            drained: catalogue.counter("trusthub_spool_drained_total", "Records published from the spool to Kafka.")?,
        })
    }
}
