//! What operators see: the catalogue of metrics and the set-up of logs.

mod family;
mod logging;
mod metrics;

pub use family::{Counters, Gauges, PairedCounters, PairedGauges};
pub use logging::{flush_logs, init_logging};
pub use metrics::{Metrics, Operation, OperationGuard, Operations, ReconcileMetrics, Right, Since, SpoolMetrics};
