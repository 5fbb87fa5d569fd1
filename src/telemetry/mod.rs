//! Metrics and logs.

mod family;
mod logging;
mod metrics;

pub use family::{Counters, Gauges, PairedCounters, PairedGauges};
pub use logging::{flush_logs, init_logging};
pub use metrics::{
    AclOperation, AgeGauge, Metrics, Operation, OperationGuard, Operations, ReconcileMetrics, SpoolMetrics,
};
