//! Why there are no AWS credentials.

use std::io;

use thiserror::Error;

/// How much of a server's own words is repeated.
const MAX_MESSAGE_CHARS: usize = 160;

/// Why there are no AWS credentials, and what to do about it. The messages contain no secret.
#[derive(Debug, Error)]
pub(crate) enum CredentialError {
    /// The client cannot be created, for example because the system has no certificate authorities.
    #[error("cannot create an HTTP client for AWS credentials: {0}")]
    Setup(String),
    /// The file of a token is missing, not readable, or no text of a plausible size.
    #[error("{variable} cannot be read ({reason}); check its path and the program that writes it")]
    TokenFile {
        /// The variable with its path.
        variable: &'static str,
        /// What is wrong.
        reason: io::ErrorKind,
    },
    /// There is no response.
    #[error("{service} does not answer: {reason}; {hint}")]
    Unreachable {
        /// The name of the service.
        service: &'static str,
        /// What is wrong.
        reason: String,
        /// What to check.
        hint: &'static str,
    },
    /// The service does not issue credentials.
    #[error("{service} answers HTTP {status}: {message}; {hint}")]
    Rejected {
        /// The name of the service.
        service: &'static str,
        /// The status.
        status: u16,
        /// The service's own words.
        message: String,
        /// What to check.
        hint: &'static str,
    },
    /// The response has no credentials.
    #[error("{service} does not answer with credentials; {hint}")]
    Malformed {
        /// The name of the service.
        service: &'static str,
        /// What to check.
        hint: &'static str,
    },
    /// The credentials that the service has have expired.
    #[error("{service} has only credentials that expired; check the clock of this machine, and that service")]
    Expired {
        /// The name of the service.
        service: &'static str,
    },
}

/// The text in one short line.
pub(super) fn short(text: &str) -> String {
    let printable = text.trim().chars().map(|char| if char.is_control() { ' ' } else { char });
    let short: String = printable.take(MAX_MESSAGE_CHARS).collect();
    if short.is_empty() { "no reason given".to_owned() } else { short }
}
