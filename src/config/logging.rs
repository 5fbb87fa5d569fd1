//! The log, and the time limits of a stop.

use std::time::Duration;

use serde::Deserialize;
use tracing_subscriber::filter::Targets;

use super::{
    catalogue::{LOG_FORMAT, RUST_LOG, SHUTDOWN_DELAY_SECS, SHUTDOWN_TIMEOUT_SECS},
    describe::Row,
    validate::Validator,
};

/// The time limits of a stop.
#[derive(Debug, Clone)]
pub struct ShutdownConfig {
    /// How long the service still accepts callbacks while it is not ready, so that load balancers can react.
    pub delay: Duration,
    /// How long the service waits after the delay for callbacks in progress.
    pub timeout: Duration,
}

/// The format and the filter of the log.
#[derive(Debug, Clone)]
pub struct LoggingConfig {
    /// The format; `None` means `pretty` on a terminal and `json` elsewhere.
    pub format: Option<LogFormat>,
    /// The directives that select what is logged, in the syntax of `RUST_LOG`; they are valid.
    pub filter: String,
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people to read.
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
    pub(super) fn validate(self, validator: &mut Validator) -> Option<ShutdownConfig> {
        let delay = validator.parse_number(&SHUTDOWN_DELAY_SECS, self.delay_secs, 0..=600);
        let timeout = validator.parse_number(&SHUTDOWN_TIMEOUT_SECS, self.timeout_secs, 1..=600);
        Some(ShutdownConfig { delay: Duration::from_secs(delay?), timeout: Duration::from_secs(timeout?) })
    }
}

impl LogSection {
    /// Returns the format, if one is set.
    pub(super) fn validate(self, validator: &mut Validator) -> Option<LogFormat> {
        validator.parse_choice(&LOG_FORMAT, self.format, &LOG_FORMATS)
    }
}

impl RustSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<String> {
        let text = validator.value_or_default(&RUST_LOG, self.log)?;
        if log_filter(&text).is_none() {
            validator.report(
                &RUST_LOG,
                "is not a log filter; write a level such as info, or target=level pairs separated by commas",
            );
        }
        Some(text)
    }
}

/// Parses directives in the syntax of `RUST_LOG`. Returns `None` if there are no directives or one is not valid.
#[must_use]
pub fn log_filter(text: &str) -> Option<Targets> {
    let directives: Vec<_> = text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    // An empty directive would be taken for a target that logs at every level.
    if directives.is_empty() { None } else { directives.join(",").parse().ok() }
}

impl ShutdownConfig {
    pub(super) fn describe(&self) -> Vec<Row> {
        vec![
            (SHUTDOWN_DELAY_SECS.name, self.delay.as_secs().to_string()),
            (SHUTDOWN_TIMEOUT_SECS.name, self.timeout.as_secs().to_string()),
        ]
    }
}

impl LoggingConfig {
    pub(super) fn describe(&self) -> Vec<Row> {
        let format = self.format.map(LogFormat::as_str);
        vec![(LOG_FORMAT.name, format.unwrap_or_default().to_owned()), (RUST_LOG.name, self.filter.clone())]
    }
}
