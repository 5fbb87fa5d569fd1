//! How the process stops and what it says meanwhile.

use std::time::Duration;

use serde::Deserialize;
use tracing_subscriber::filter::Targets;

use super::{
    Row,
    catalogue::{LOG_FORMAT, RUST_LOG, SHUTDOWN_DELAY_SECS, SHUTDOWN_TIMEOUT_SECS},
    validate::Reader,
};

/// How long stopping may take.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// Not ready any more, but still serving in full, so that load balancers notice.
    pub delay: Duration,
    /// After the delay: the time to finish what was received.
    pub timeout: Duration,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// The format, where it was chosen; else it depends on whether a terminal reads it.
    pub format: Option<LogFormat>,
    /// Directives that say what is logged; known to be valid.
    pub filter: String,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

const LOG_FORMATS: [(&str, LogFormat); 2] = [("json", LogFormat::Json), ("pretty", LogFormat::Pretty)];

impl LogFormat {
    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Pretty => "pretty",
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ShutdownSection {
    delay_secs: Option<String>,
    timeout_secs: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LogSection {
    format: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RustSection {
    log: Option<String>,
}

impl ShutdownSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<Shutdown> {
        let delay = reader.number(&SHUTDOWN_DELAY_SECS, self.delay_secs, 0..=600);
        let timeout = reader.number(&SHUTDOWN_TIMEOUT_SECS, self.timeout_secs, 1..=600);
        Some(Shutdown { delay: Duration::from_secs(delay?), timeout: Duration::from_secs(timeout?) })
    }
}

impl LogSection {
    /// The format that was chosen, if any.
    pub(super) fn read(self, reader: &mut Reader) -> Option<LogFormat> {
        reader.word(&LOG_FORMAT, self.format, &LOG_FORMATS)
    }
}

impl RustSection {
    pub(super) fn read(self, reader: &mut Reader) -> Option<String> {
        let text = reader.text(&RUST_LOG, self.log)?;
        if log_filter(&text).is_none() {
            reader.report(
                &RUST_LOG,
                "is not a log filter; write a level such as info, or target=level with commas between",
            );
        }
        Some(text)
    }
}

/// The filter that directives in the syntax of `RUST_LOG` make; `None` when there are none, or one cannot be read.
#[must_use]
pub fn log_filter(text: &str) -> Option<Targets> {
    let directives: Vec<_> = text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    // An empty text would be taken for a target, of which everything is logged.
    if directives.is_empty() { None } else { directives.join(",").parse().ok() }
}

impl Shutdown {
    pub(super) fn describe(&self) -> Vec<Row> {
        vec![
            (SHUTDOWN_DELAY_SECS.name, self.delay.as_secs().to_string()),
            (SHUTDOWN_TIMEOUT_SECS.name, self.timeout.as_secs().to_string()),
        ]
    }
}

impl Log {
    pub(super) fn describe(&self) -> Vec<Row> {
        let format = self.format.map(LogFormat::as_str);
        vec![(LOG_FORMAT.name, format.unwrap_or_default().to_owned()), (RUST_LOG.name, self.filter.clone())]
    }
}
