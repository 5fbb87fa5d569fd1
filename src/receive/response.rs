//! The HTTP response for each outcome.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};

use crate::domain::{Outcome, RejectReason};

/// The status code of an outcome. The codes of rejections tell the caller as little as possible.
pub(super) fn status_of(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::Published | Outcome::Spooled | Outcome::Duplicate | Outcome::DeadLettered(_) => StatusCode::NO_CONTENT,
        Outcome::Rejected(reason) => match reason {
            RejectReason::MissingSignature
            | RejectReason::MalformedSignature
            | RejectReason::MalformedSignatureSettings
            | RejectReason::UnknownAlgorithm
            | RejectReason::UnknownSharedKey
            | RejectReason::AlgorithmNotAllowed
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

/// Builds the response with this status: a fixed short text, or no body for 204. `allowed` is the value of the header `Allow`
/// of a 405. `closes` closes the connection after the response.
pub(super) fn respond(status: StatusCode, allowed: &'static str, closes: bool) -> HttpResponse {
    let mut response = HttpResponseBuilder::new(status);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.insert_header((header::ALLOW, allowed));
    }
    if closes {
        response.force_close();
    }
    match status {
        StatusCode::NO_CONTENT => response.finish(),
        _ => response.content_type("text/plain").body(status.canonical_reason().unwrap_or_default()),
    }
}
