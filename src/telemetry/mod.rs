//! Metrics and logs.

mod family;
mod logging;
mod metrics;
mod rounded;

pub use family::{Counters, Gauges, PairedCounters, PairedGauges};
pub(crate) use logging::{LoggedRequest, flush_logs, init_logging, init_logging_with_outcomes, write_line};
pub use metrics::{AgeGauge, Metrics, Operation, OperationGuard, Operations, SpoolMetrics};
/// Two metrics have the same name.
pub use prometheus::Error as MetricsError;
pub(crate) use prometheus::{Histogram, IntCounter, IntGauge};
pub(crate) use rounded::{milliseconds, seconds};
