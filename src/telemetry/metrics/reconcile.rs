//! Metrics of reconciliation.

use prometheus::IntGauge;

use super::{super::family::Counters, catalogue::Catalogue};
use crate::domain::{ReconcileResult, Resource};

/// Metrics of reconciliation: the comparison of Trust Hub with the event topic.
#[derive(Debug)]
pub struct ReconcileMetrics {
    /// Runs, by result.
    pub runs: Counters<ReconcileResult>,
    /// Missed changes, counted once their events are durable.
    pub missed: Counters<Resource>,
    /// The time of the last successful run, in seconds since the Unix epoch.
    pub last_success: IntGauge,
    /// The configured interval in seconds; 0 when this process does not reconcile.
    pub interval: IntGauge,
}

impl ReconcileMetrics {
    pub(super) fn new(catalogue: &Catalogue<'_>) -> prometheus::Result<Self> {
        Ok(Self {
            runs: catalogue.counters(
                "trusthub_reconcile_runs_total",
                "Comparisons of Trust Hub with the event topic, by result; elsewhere: another process was running one.",
                "result",
            )?,
            missed: catalogue.counters(
                "trusthub_reconcile_missed_total",
                "Status changes in Trust Hub that were missing in the event topic, counted once they are durable.",
                "resource",
            )?,
            last_success: catalogue.gauge(
                "trusthub_reconcile_last_success_timestamp_seconds",
                "Time of the last successful comparison, in seconds since the Unix epoch; 0 for never.",
            )?,
            interval: catalogue.gauge(
                "trusthub_reconcile_interval_seconds",
                "Interval between comparisons; 0 when this process makes none.",
            )?,
        })
    }
}
