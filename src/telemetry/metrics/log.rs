//! What became of the log, which is the process's: all catalogues show the same counter.

use std::sync::OnceLock;

use prometheus::IntCounter;

/// Lines that were dropped because stderr was not read.
///
/// # Errors
/// Never for this name; the library's signature asks for it.
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
