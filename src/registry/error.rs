//! Why a request to the schema registry failed.

use std::error::Error as _;

use serde::Deserialize;
use thiserror::Error;

/// How much of the registry's own words is repeated.
const MAX_MESSAGE_CHARS: usize = 300;

/// Why a request to the schema registry failed, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RegistryError {
    /// The client cannot be created.
    #[error("SCHEMA_REGISTRY_URL cannot be used: {0}")]
    Setup(String),
    /// There is no answer.
    #[error("the schema registry does not answer: {0}; check SCHEMA_REGISTRY_URL and the network")]
    Unreachable(String),
    /// The registry does not accept the credentials.
    #[error(
        "the schema registry rejects the user (HTTP {0}); check SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD, and \
         what that user may do"
    )]
    Denied(u16),
    /// The schema is not registered, and must not be.
    #[error(
        "the schema registry does not have the schema of subject {0}; register it from the folder schemas/, or set \
         SCHEMA_REGISTRY_AUTO_REGISTER=true"
    )]
    NotRegistered(String),
    /// The registry does not accept the schema.
    #[error(
        "the schema registry rejects the schema of subject {subject} as incompatible: {message}; change the compatibility of \
         that subject, see docs/events.md"
    )]
    Incompatible {
        /// The subject.
        subject: String,
        /// The registry's own words.
        message: String,
    },
    /// No schema has this id.
    #[error(
        "the schema registry has no schema with the id {0}; check that SCHEMA_REGISTRY_URL is the registry of the topic"
    )]
    UnknownId(u32),
    /// Any other status.
    #[error("the schema registry answers HTTP {status}: {message}; look into its log")]
    Status {
        /// The status.
        status: u16,
        /// The registry's own words.
        message: String,
    },
    /// The response is not that of a registry.
    #[error(
        "SCHEMA_REGISTRY_URL does not answer as a schema registry; write the base URL of Confluent's API, with its path if it \
         has one"
    )]
    NotARegistry,
}

impl RegistryError {
    /// Whether the registry has decided about the subject, so that asking again gives the same answer until someone changes
    /// something. A registry that does not answer, or fails, has decided nothing.
    pub(crate) fn is_rejection(&self) -> bool {
        match self {
            Self::Denied(_) | Self::NotRegistered(_) | Self::Incompatible { .. } => true,
            Self::Status { status, .. } => (400..500).contains(status) && !matches!(status, 408 | 429),
            Self::Setup(_) | Self::Unreachable(_) | Self::UnknownId(_) | Self::NotARegistry => false,
        }
    }
}

impl From<reqwest::Error> for RegistryError {
    /// The innermost cause says most. The URL is omitted: what uses it says so.
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        Self::Unreachable(causes.last().map_or_else(|| error.to_string(), ToString::to_string))
    }
}

/// Whether the registry itself says that it does not have a subject, a version or a schema. A proxy, or a server that is no
/// registry, answers 404 without such a code.
pub(super) fn is_not_found(body: &[u8]) -> bool {
    /// The subject, the version, the schema.
    const NOT_FOUND: [u32; 3] = [40401, 40402, 40403];

    #[derive(Deserialize)]
    struct RefusalCode {
        error_code: u32,
    }

    serde_json::from_slice(body).is_ok_and(|RefusalCode { error_code }| NOT_FOUND.contains(&error_code))
}

/// What the registry says about a request that it refuses.
pub(super) fn message_of(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }

    let message = serde_json::from_slice(body).map_or_else(|_| String::new(), |Refusal { message }| message);
    let printable = message.chars().map(|char| if char.is_control() { ' ' } else { char });
    let short: String = printable.take(MAX_MESSAGE_CHARS).collect();
    if short.trim().is_empty() { "no reason given".to_owned() } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registry_says_that_a_schema_is_not_found() {
        for code in [40401, 40402, 40403] {
            assert!(is_not_found(format!(r#"{{"error_code":{code},"message":"x"}}"#).as_bytes()), "{code}");
        }
        for body in
            ["", "<html>", "{}", "[]", r#"{"error_code":404}"#, r#"{"error_code":"40403"}"#, r#"{"error_code":-1}"#]
        {
            assert!(!is_not_found(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn message_is_short_and_in_one_line() {
        assert_eq!(message_of(br#"{"error_code":409,"message":"a\nb"}"#), "a b");
        assert_eq!(message_of(b"<html>"), "no reason given");
        let long = serde_json::json!({"message": "x".repeat(10_000)}).to_string();
        assert_eq!(message_of(long.as_bytes()).len(), MAX_MESSAGE_CHARS);
    }
}
