//! The metrics of traces.

use std::sync::Arc;

use crate::{
    domain::closed_set,
    telemetry::{Counters, IntCounter, Metrics, MetricsError},
};

closed_set! {
    /// Why spans were not exported.
    pub enum SpanLoss {
        /// The queue had no space.
        QueueFull => "queue_full",
        /// The receiver could not be reached, or not in time.
        Unreachable => "unreachable",
        /// The receiver rejected them.
        Rejected => "rejected",
        /// The service stopped before they were exported.
        Stopped => "stopped",
    }
}

/// The metrics of traces.
#[derive(Debug)]
pub(crate) struct TraceMetrics {
    /// Spans that the receiver has accepted.
    pub(super) exported: IntCounter,
    /// Spans that were dropped.
    pub(super) dropped: Counters<SpanLoss>,
}

impl TraceMetrics {
    /// Registers the metrics, with each series at 0.
    ///
    /// # Errors
    /// When they are registered already.
    pub(crate) fn register(shared: &Metrics) -> Result<Arc<Self>, MetricsError> {
        let catalogue = shared.catalogue();
        Ok(Arc::new(Self {
            exported: catalogue.counter("trusthub_trace_spans_exported_total", "Spans that the receiver accepted.")?,
            dropped: catalogue.counters(
                "trusthub_trace_spans_dropped_total",
                "Spans that were not exported, by reason.",
                "reason",
            )?,
        }))
    }
}
