//! The metric of the log. A process has one log, so every [`Metrics`](super::Metrics) exposes the same counter.

use std::sync::OnceLock;

use prometheus::IntCounter;

/// Counts the log lines that were dropped because stderr was not read fast enough.
///
/// # Errors
/// Never for this name. The library's signature requires a result.
pub(in super::super) fn dropped_log_lines() -> prometheus::Result<IntCounter> {
    static DROPPED: OnceLock<IntCounter> = OnceLock::new();
    match DROPPED.get() {
        Some(counter) => Ok(counter.clone()),
        None => {
            let counter = IntCounter::new(
                "trusthub_log_lines_dropped_total",
                "Log lines that were dropped because stderr was not read fast enough.",
            )?;
            Ok(DROPPED.get_or_init(|| counter).clone())
        }
    }
}
