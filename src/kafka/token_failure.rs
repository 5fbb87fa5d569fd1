//! Reports why librdkafka cannot get an OAuth token: each reason once in the log, until Kafka was available.
//!
//! Every client of the process requests tokens itself, so that one failure has many reports. A client keeps its token until it
//! expires, so a failed renewal is not an outage yet.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The end of the first part of librdkafka's message, "Failed to acquire …" in its `rdkafka_sasl_oauthbearer.c`. The reason
/// follows.
const MESSAGE: &str = "SASL OAUTHBEARER token: ";
/// The longest reason. It can contain the whole answer of an identity provider.
const MAX_CHARS: usize = 400;

/// For how long after the last report it is the same failure, even if Kafka is available meanwhile: a client learns
/// of it when it is polled, which can be after another client got a token.
const LATE: Duration = Duration::from_secs(60);

/// How many reasons of one failure are logged at most.
const MAX_REASONS: usize = 8;

/// The present or the last failure.
static FAILURE: Mutex<TokenFailure> = Mutex::new(TokenFailure { reasons: Vec::new(), last: None, is_over: false });

/// A time in which no token can be had, and what was logged about it.
struct TokenFailure {
    /// The reasons without their digits: libcurl's contain durations.
    reasons: Vec<String>,
    /// When a client reported a reason last.
    last: Option<Instant>,
    /// Whether Kafka was available since.
    is_over: bool,
}

impl TokenFailure {
    /// Adds a report. Returns whether it is to be logged.
    fn is_new(&mut self, reason: &str, now: Instant) -> bool {
        if self.is_over && self.last.is_none_or(|last| now.duration_since(last) > LATE) {
            self.reasons.clear();
            self.is_over = false;
        }
        self.last = Some(now);
        let reason = reason.replace(|c: char| c.is_ascii_digit(), "");
        let is_new = self.reasons.len() < MAX_REASONS && !self.reasons.contains(&reason);
        if is_new {
            self.reasons.push(reason);
        }
        is_new
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
    if FAILURE.lock().is_new(&reason, Instant::now()) {
        tracing::warn!(reason, "cannot get an OAuth token for Kafka; retrying every 10 s");
    }
    Some(reason)
}

/// The message of librdkafka about a token that cannot be had for this reason.
pub(super) fn message(reason: &str) -> String {
    format!("Failed to acquire {MESSAGE}{reason}")
}

/// Notes that Kafka is available: a failure that begins later is logged again.
pub(super) fn end() {
    FAILURE.lock().is_over = true;
}

pub(super) fn reason(message: &str) -> Option<String> {
    let (_, reason) = message.split_once(MESSAGE)?;
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = reason.trim().chars().take(MAX_CHARS).map(printable).collect();
    // The messages of this process already say what to do.
    if ["KAFKA_OAUTH_TOKEN_FILE", "AWS"].iter().any(|own| short.contains(own)) {
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
    fn each_reason_of_a_failure_is_logged_once() {
        let start = Instant::now();
        let mut failure = TokenFailure { reasons: Vec::new(), last: None, is_over: false };
        assert!(failure.is_new("no connection after 7 ms", start) && failure.is_new("reset", start));
        assert!(!failure.is_new("no connection after 31 ms", start + 100 * LATE), "the same failure");
        failure.is_over = true;
        let late = start + 101 * LATE;
        assert!(!failure.is_new("reset", late), "a late report of another client");
        failure.is_over = true;
        assert!(failure.is_new("reset", late + 2 * LATE), "the next failure");
        let others = (0..100_usize).filter(|count| failure.is_new(&"x".repeat(*count), late + 2 * LATE));
        assert_eq!(others.count(), MAX_REASONS - 1, "an identity provider cannot fill the log");
    }

    #[test]
    fn other_messages_are_not_about_a_token() {
        assert_eq!(reason("SASL authentication error: {\"status\":\"invalid_token\"}"), None);
    }
}
