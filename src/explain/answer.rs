//! The first lines of the output: what the service would answer, why, and what to change.

use crate::{
    domain::{Label as _, Outcome, PublicUrl, RejectReason},
    receive::{Answer, CallbackPath, Decision},
};

/// What the advice may name.
pub(super) struct AnswerFacts<'a> {
    /// The path as received.
    pub(super) path: &'a str,
    /// The limit of a body in bytes.
    pub(super) max_bytes: usize,
    /// The callback path, if it is not the documented one.
    pub(super) spelling: Option<&'a CallbackPath>,
    /// Whether the signature matches the path that the received one resembles.
    pub(super) matches: bool,
}

/// What the service would answer.
pub(super) fn lines(decision: &Decision, facts: &AnswerFacts<'_>) -> Vec<String> {
    let (result, advice) = match decision.answer {
        Answer::NotHttp => ("the HTTP server cannot parse it".to_owned(), Some(not_http())),
        Answer::HealthCheck => ("it is a health check, not a callback".to_owned(), None),
        Answer::OtherPath(resembling) => {
            ("its path is not a callback path".to_owned(), Some(other_path(resembling, facts)))
        }
        Answer::Outcome(outcome) => describe(outcome, facts),
    };
    let first = format!("would be answered {}: {result}", decision.status);
    std::iter::once(first).chain(advice).collect()
}

fn not_http() -> String {
    "The method, the path or a header has characters that HTTP does not allow, or there is no path.".to_owned()
}

fn other_path(resembling: Option<&str>, facts: &AnswerFacts<'_>) -> String {
    let path = facts.path;
    match resembling {
        None => format!(
            "No callback path resembles {path}. Correct the callback URL at Twilio, or the proxy, so that the path ends \
             with one of the paths in docs/signatures.md."
        ),
        Some(route) if facts.matches => format!(
            "Twilio signed the path {route}, but it arrived as {path}. Configure the proxy in front of this service to \
             forward the path unchanged."
        ),
        Some(route) if !is_prefix_allowed(path, route) => format!(
            "The service expects {route} alone or below the path of PUBLIC_URL, and PUBLIC_URL cannot have the part of {path} \
             before the route. Correct the callback URL at Twilio, or the proxy."
        ),
        Some(route) => format!(
            "The service expects {route} alone or below the path of PUBLIC_URL, which is compared exactly, and {path} is \
             neither. If Twilio was given this path, write the part before the route in PUBLIC_URL."
        ),
    }
}

/// Whether `PUBLIC_URL` may have the part of a path before the last segments, as many as the route has.
fn is_prefix_allowed(path: &str, route: &str) -> bool {
    let segments = route.matches('/').count();
    let path = path.trim_end_matches('/');
    let start = path.rmatch_indices('/').nth(segments.saturating_sub(1)).map_or(0, |(start, _)| start);
    let prefix = path.get(..start).unwrap_or_default().trim_end_matches('/');
    PublicUrl::parse(&format!("https://hooks.example.com{prefix}")).is_ok()
}

/// The result and the advice.
fn describe(outcome: Outcome, facts: &AnswerFacts<'_>) -> (String, Option<String>) {
    match outcome {
        Outcome::Published | Outcome::Spooled | Outcome::Duplicate => {
            ("it becomes an event".to_owned(), facts.spelling.map(other_spelling))
        }
        Outcome::DeadLettered(reason) => {
            let reason = reason.as_str();
            let advice = "docs/events.md says what each reason means. The callback is kept, but becomes no event.";
            (format!("it becomes a dead letter, with the reason {reason}"), Some(advice.to_owned()))
        }
        Outcome::Rejected(reason) => {
            let advice = match reason {
                RejectReason::TooLarge => Some(too_large(&format!("HTTP_MAX_BODY_BYTES={}", facts.max_bytes))),
                other => rejection_advice(other),
            };
            (format!("it is rejected as {}", reason.as_str()), advice)
        }
        Outcome::Unavailable(reason) => (format!("it cannot be stored ({})", reason.as_str()), None),
    }
}

fn other_spelling(path: &CallbackPath) -> String {
    let CallbackPath { requested, documented } = path;
    format!(
        "The service also logs a warning, because the path {requested} is another spelling of {documented}. Correct the \
         callback URL at Twilio."
    )
}

fn too_large(limit: &str) -> String {
    format!("Its body, or the query of a GET, has more than {limit} bytes.")
}

/// What to change so that a request is not rejected for this reason; `None` if only the request itself shows it.
pub(crate) fn rejection_advice(reason: RejectReason) -> Option<String> {
    let advice = match reason {
        RejectReason::MissingSignature => {
            "It has no X-Twilio-Signature header: the sender is not Twilio, or the proxy or the capture drops the header."
        }
        RejectReason::MalformedSignature => {
            "It has several X-Twilio-Signature headers that differ, or the header is not base64 of 20 bytes as Twilio \
             writes it: 28 characters that end with =. If its X-Twilio-Webhooks-Signature-Settings header names \
             HMAC_SHA256, the signature has 32 bytes and 44 characters."
        }
        RejectReason::MalformedSignatureSettings => {
            "Its X-Twilio-Webhooks-Signature-Settings header names no single SharedKey: configure the proxy to forward the \
             header unchanged, as in key=webhooks_sharedkey_…,algorithm=HMAC_SHA256."
        }
        RejectReason::UnknownAlgorithm => {
            "Its X-Twilio-Webhooks-Signature-Settings header names an algorithm other than HMAC_SHA1 and HMAC_SHA256: \
             select one of these at Twilio."
        }
        RejectReason::UnknownSharedKey => {
            "The SharedKey that its X-Twilio-Webhooks-Signature-Settings header names is not configured for its account: \
             add the key to TWILIO_SHARED_KEYS, or to the shared_keys of the account in TWILIO_ACCOUNTS_FILE."
        }
        RejectReason::AlgorithmNotAllowed => {
            "Its SharedKey is bound to another algorithm: write the id without an algorithm in TWILIO_SHARED_KEYS or in the \
             shared_keys of the account, or select the algorithm that the key is bound to at Twilio."
        }
        RejectReason::UnknownAccount => {
            "The request names no account, or one that is not configured: correct TWILIO_ACCOUNT_SID, or add the account to \
             TWILIO_ACCOUNTS_FILE."
        }
        RejectReason::TooLarge => return Some(too_large("HTTP_MAX_BODY_BYTES")),
        RejectReason::UnsupportedMediaType => {
            "Its Content-Type is neither application/x-www-form-urlencoded nor application/json, or it has a \
             Content-Encoding. Configure the proxy to forward both headers unchanged."
        }
        RejectReason::Malformed => {
            "It is a GET with a body, asks for another protocol with Upgrade, or has more than 1000 fields."
        }
        RejectReason::MethodNotAllowed => "Its method is neither POST nor GET. Choose one of them at Twilio.",
        RejectReason::SignatureMismatch
        | RejectReason::UrlMismatch
        | RejectReason::BodyHashMismatch
        | RejectReason::TimedOut
        | RejectReason::Incomplete => return None,
    };
    Some(advice.to_owned())
}
