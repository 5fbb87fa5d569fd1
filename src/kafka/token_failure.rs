//! Reports why librdkafka cannot get an OAuth token: once in the log, until the reason changes or Kafka was available.
//!
//! Every client of the process requests tokens itself, so that one failure has many reports. A client keeps its token until it
//! expires, so a failed renewal is not an outage yet.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The end of the first part of librdkafka's message, "Failed to acquire …" in its `rdkafka_sasl_oauthbearer.c`. The reason
/// follows.
const MESSAGE: &str = "SASL OAUTHBEARER token: ";
/// The longest reason. It can contain the whole answer of an identity provider.
const MAX_CHARS: usize = 300;

/// For how long after the last report of a reason it is the same failure, even if Kafka is available meanwhile: a client learns
/// of it when it is polled, which can be after another client got a token.
const LATE: Duration = Duration::from_secs(60);

/// The reason that was logged last.
static REPORTED: Mutex<Option<ReportedFailure>> = Mutex::new(None);

/// A reason that was logged.
struct ReportedFailure {
    reason: String,
    /// When a client reported it last.
    last: Instant,
    /// Whether Kafka was available since.
    is_over: bool,
}

impl ReportedFailure {
    /// Whether a report of this reason is about the same failure.
    fn covers(&self, reason: &str, now: Instant) -> bool {
        self.reason == reason && !(self.is_over && now.duration_since(self.last) > LATE)
    }
}

/// Parts of a reason, and what to check.
const HINTS: [(&[&str], &str); 4] = [
    (
        &["SSL", "certificate", "CA cert"],
        "check that KAFKA_OAUTH_CA_LOCATION contains the certificate authority of the token endpoint",
    ),
    (
        &["resolve host", "onnect to", "timed out", "Empty reply", "Recv failure", "Send failure"],
        "check KAFKA_OAUTH_TOKEN_URL and that its host can be reached",
    ),
    (
        &["invalid_client", "unauthorized_client", "nauthorized"],
        "check KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET",
    ),
    (
        &["JWT", "not JSON", "access_token", "parse JSON"],
        "KAFKA_OAUTH_TOKEN_URL must answer with a JSON Web Token that has the claims exp and sub",
    ),
];

/// Returns the reason if this message of librdkafka is about a token that it cannot get, and logs it if it is new.
pub(super) fn report(message: &str) -> Option<String> {
    let reason = reason(message)?;
    let now = Instant::now();
    let mut reported = REPORTED.lock();
    match &mut *reported {
        Some(known) if known.covers(&reason, now) => known.last = now,
        _ => {
            tracing::warn!(reason, "cannot get an OAuth token for Kafka; retrying every 10 s");
            *reported = Some(ReportedFailure { reason: reason.clone(), last: now, is_over: false });
        }
    }
    Some(reason)
}

/// Notes that Kafka is available: a failure that begins later is logged again.
pub(super) fn end() {
    if let Some(reported) = &mut *REPORTED.lock() {
        reported.is_over = true;
    }
}

fn reason(message: &str) -> Option<String> {
    let (_, reason) = message.split_once(MESSAGE)?;
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = reason.trim().chars().take(MAX_CHARS).map(printable).collect();
    // The process's own endpoint for token files already says what to do.
    if short.contains("KAFKA_OAUTH_TOKEN_FILE") {
        return Some(short);
    }
    let hint = HINTS.iter().find(|(parts, _)| parts.iter().any(|part| short.contains(part)));
    Some(hint.map_or(short.clone(), |(_, hint)| format!("{short}; {hint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_of(text: &str) -> String {
        reason(&format!("{MESSAGE}{text}")).unwrap()
    }

    #[test]
    fn reason_names_the_variable_to_check() {
        for (text, variable) in [
            ("Could not resolve host: idp.example", "KAFKA_OAUTH_TOKEN_URL"),
            ("Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server", "KAFKA_OAUTH_TOKEN_URL"),
            ("SSL certificate problem: unable to get local issuer certificate", "KAFKA_OAUTH_CA_LOCATION"),
            ("{\"error\":\"invalid_client\"}", "KAFKA_OAUTH_CLIENT_SECRET"),
            ("Failed to decode JWT payload: The token is invalid with less than 2 delimiters", "exp and sub"),
        ] {
            let reason = reason_of(text);
            assert!(reason.starts_with(text) && reason.contains(variable), "{reason}");
        }
        let of_file = "KAFKA_OAUTH_TOKEN_FILE has no JSON Web Token with the claims exp and sub";
        assert_eq!(reason_of(of_file), of_file);
    }

    #[test]
    fn answer_of_an_identity_provider_is_one_short_line() {
        let reason = reason_of(&format!("<html>\r\n\u{1b}[31m{}", "x".repeat(100_000)));
        assert!(reason.starts_with("<html>") && reason.chars().count() == MAX_CHARS);
        assert!(!reason.contains(char::is_control));
    }

    #[test]
    fn failure_is_reported_again_after_kafka_was_available_for_a_while() {
        let last = Instant::now();
        let mut known = ReportedFailure { reason: "one".to_owned(), last, is_over: false };
        assert!(known.covers("one", last + 100 * LATE) && !known.covers("other", last));
        known.is_over = true;
        assert!(known.covers("one", last + LATE), "a late report of another client");
        assert!(!known.covers("one", last + 2 * LATE));
    }

    #[test]
    fn other_messages_are_not_about_a_token() {
        assert_eq!(reason("SASL authentication error: {\"status\":\"invalid_token\"}"), None);
    }
}
