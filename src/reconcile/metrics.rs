//! Metrics of reconciliation.

use std::sync::Arc;

use crate::{
    domain::{ReconcileResult, Resource},
    telemetry::{Counters, Gauges, IntGauge, Metrics, MetricsError, Operations},
};

/// Metrics of reconciliation: the comparison of Trust Hub with the event topic.
#[derive(Debug)]
pub(crate) struct ReconcileMetrics {
    /// Tracks the calls out of the process.
    pub(crate) operations: Arc<Operations>,
    /// Runs, by result.
    pub(crate) runs: Counters<ReconcileResult>,
    /// Missed changes, counted once their events are durable.
    pub(crate) missed: Counters<Resource>,
    /// Descriptions of profiles, counted once they are durable.
    pub(super) described: Counters<Resource>,
    /// Deletions of profiles, counted once they are durable.
    pub(super) deleted: Counters<Resource>,
    /// Profiles whose status callback does not lead to this service.
    pub(super) without_callback: Gauges<Resource>,
    /// The time of the last successful run, in seconds since the Unix epoch.
    pub(crate) last_success: IntGauge,
    /// The configured interval in seconds; 0 when this process does not reconcile.
    pub(crate) interval: IntGauge,
}

impl ReconcileMetrics {
    /// Registers the metrics, with each series at 0.
    ///
    /// # Errors
    /// When they are registered already.
    pub(crate) fn register(shared: &Metrics) -> Result<Arc<Self>, MetricsError> {
        let catalogue = shared.catalogue();
        Ok(Arc::new(Self {
            operations: Arc::clone(&shared.operations),
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
            described: catalogue.counters(
                "trusthub_reconcile_described_total",
                "Profiles whose details in Trust Hub were new to the states of profiles, counted once they are durable.",
                "resource",
            )?,
            deleted: catalogue.counters(
                "trusthub_reconcile_deleted_total",
                "Profiles with a state that Trust Hub did not have any more, counted once their deletions are durable.",
                "resource",
            )?,
            without_callback: catalogue.gauges(
                "trusthub_profiles_without_callback",
                "Profiles whose status callback does not lead to this service, if this instance made the last comparison; otherwise 0. The maximum over all instances counts.",
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
        }))
    }
}
