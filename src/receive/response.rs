//! The answer to each outcome.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};

use crate::domain::{Outcome, RejectReason};

/// The status code of each outcome. A refusal's code tells the caller no more than it has to know.
pub(super) fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::Published | Outcome::Spooled | Outcome::Duplicate | Outcome::DeadLettered(_) => StatusCode::NO_CONTENT,
        Outcome::Rejected(refusal) => match refusal {
            RejectReason::MissingSignature
            | RejectReason::MalformedSignature
            | RejectReason::SignatureMismatch
            | RejectReason::UrlMismatch
            | RejectReason::UnknownAccount
            | RejectReason::BodyHashMismatch => StatusCode::FORBIDDEN,
            RejectReason::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            RejectReason::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            RejectReason::Malformed | RejectReason::TimedOut | RejectReason::Incomplete => StatusCode::BAD_REQUEST,
            RejectReason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        },
        Outcome::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A response with a fixed short text, and none where there is nothing to say. `allowed` are the verbs that a wrong one is
/// told; `last` closes the connection.
pub(super) fn respond(status: StatusCode, allowed: &'static str, last: bool) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(status);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.insert_header((header::ALLOW, allowed));
    }
    if last {
        response.force_close();
    }
    match status {
        StatusCode::NO_CONTENT => response.finish(),
        _ => response.content_type("text/plain").body(status.canonical_reason().unwrap_or_default()),
    }
}
