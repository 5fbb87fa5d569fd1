//! The set-up of logs.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::LogFormat;

/// Sends the process's logs to stderr; without a format, as text on a terminal and as JSON elsewhere. The first call wins; later ones change nothing.
///
/// `filter` is in the syntax of `RUST_LOG`; directives that cannot be read are left out.
pub fn init_logging(format: Option<LogFormat>, filter: &str) {
    let on_terminal = io::stderr().is_terminal();
    let builder = fmt().with_env_filter(EnvFilter::new(filter)).with_writer(io::stderr);
    // A second call happens only in tests that start several services; their logs go where the first one said.
    let _ = match format.unwrap_or(if on_terminal { LogFormat::Pretty } else { LogFormat::Json }) {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Pretty => builder.with_ansi(on_terminal).with_target(false).try_init(),
    };
}
