//! Metrics of the comparison of Trust Hub with the topic.

use prometheus::IntGauge;

use super::{super::family::Counters, catalogue::Catalogue};
use crate::domain::{ReconcileResult, Resource};

/// Of the comparison of Trust Hub with the topic.
#[derive(Debug)]
pub struct ReconcileMetrics {
    /// Comparisons by how they ended.
    pub runs: Counters<ReconcileResult>,
    /// Changes that no callback had made known, counted once they are durable.
    pub missed: Counters<Resource>,
    /// When a comparison last succeeded.
    pub last_success: IntGauge,
    /// How often this process compares.
    pub interval: IntGauge,
}

impl ReconcileMetrics {
    pub(super) fn new(catalogue: &Catalogue<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            runs: catalogue.counters(
                "trusthub_reconcile_runs_total",
                "Comparisons of Trust Hub with the topic, by how they ended; elsewhere: another process was at it.",
                "result",
            )?,
            missed: catalogue.counters(
                "trusthub_reconcile_missed_total",
                "Changes that Trust Hub has and the topic had not, counted once they are durable.",
                "resource",
            )?,
            last_success: catalogue.gauge(
                "trusthub_reconcile_last_success_timestamp_seconds",
                "When a comparison last succeeded, in seconds since the Unix epoch; 0 for never.",
            )?,
            interval: catalogue.gauge(
                "trusthub_reconcile_interval_seconds",
                "Time from one comparison to the next; 0 when this process makes none.",
            )?,
        })
    }
}
