//! The set-up of logs.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
};

use crate::config::{LogFormat, log_filter};

/// Sends the process's logs to stderr; without a format, as text on a terminal and as JSON elsewhere. The first call wins;
/// later ones change nothing.
///
/// `filter` is in the syntax of `RUST_LOG`; one that cannot be read lets errors through.
pub fn init_logging(format: Option<LogFormat>, filter: &str) {
    let on_terminal = io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match format.unwrap_or(if on_terminal { LogFormat::Pretty } else { LogFormat::Json }) {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        LogFormat::Pretty => lines.with_ansi(on_terminal).with_target(false).boxed(),
    };
    let filter = log_filter(filter).unwrap_or_else(|| Targets::new().with_default(LevelFilter::ERROR));
    // A second call happens only in tests that start several services; their logs go where the first one said.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}
