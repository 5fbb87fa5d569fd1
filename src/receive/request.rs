//! From an HTTP request to a [`RawCallback`]: capped, timed, and not interpreted.

use std::time::{Duration, Instant};

use actix_web::{
    HttpMessage as _, HttpRequest,
    body::{BodyStream, to_bytes_limited},
    error::PayloadError,
    http::{Method, header},
    web,
};
use tokio::time::timeout_at;

use super::route::Route;
use crate::domain::{Encoding, RawCallback, RejectReason};

/// What one request may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of the body of a `POST`, or of the query of a `GET`.
    pub(super) fields: usize,
    /// From the head to the end of the body.
    pub(super) time: Duration,
}

/// Reads the whole request.
///
/// # Errors
/// The [`RejectReason`] of a request that is no callback, is too large or does not arrive in time.
pub(super) async fn read(
    request: &HttpRequest,
    payload: &mut web::Payload,
    route: Route,
    limits: Limits,
    received: Instant,
) -> Result<RawCallback, RejectReason> {
    let encoding = encoding(request)?;
    let deadline = (received + limits.time).into();
    let body = timeout_at(deadline, read_body(request, payload, limits.fields)).await;
    let raw = RawCallback {
        resource: route.resource,
        route: route.path,
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        query: request.uri().query().map(str::to_owned),
        encoding,
        headers: request.headers().iter().map(|(name, value)| (name, value.as_bytes())).collect(),
        body: body.unwrap_or(Err(RejectReason::TimedOut))?,
    };
    if raw.fields().len() > limits.fields {
        return Err(RejectReason::TooLarge);
    }
    // The body of a GET has no meaning and would not be covered by the signature.
    if encoding == Encoding::Query && !raw.body.is_empty() {
        return Err(RejectReason::Malformed);
    }
    Ok(raw)
}

/// What a callback holds in memory until it is durable, in bytes. Its record, which is made of the same, comes on top.
pub(super) fn held_bytes(raw: &RawCallback) -> usize {
    let query = raw.query.as_ref().map_or(0, String::len);
    raw.target.len() + query + raw.headers.bytes() + raw.body.len()
}

fn encoding(request: &HttpRequest) -> Result<Encoding, RejectReason> {
    if upgrades(request) {
        return Err(RejectReason::Malformed);
    }
    match *request.method() {
        Method::GET => Ok(Encoding::Query),
        Method::POST => body_encoding(request),
        _ => Err(RejectReason::MethodNotAllowed),
    }
}

/// Whether actix would read everything that follows as one body, whatever its stated length.
fn upgrades(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(header::UPGRADE)
        .any(|protocol| protocol.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// A compressed body is refused: its bytes are not those that were signed, and unpacking has no limit.
fn body_encoding(request: &HttpRequest) -> Result<Encoding, RejectReason> {
    let compressed = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    match request.content_type().to_ascii_lowercase().as_str() {
        _ if compressed => Err(RejectReason::UnsupportedMediaType),
        "application/x-www-form-urlencoded" => Ok(Encoding::Form),
        "application/json" => Ok(Encoding::Json),
        _ => Err(RejectReason::UnsupportedMediaType),
    }
}

async fn read_body(request: &HttpRequest, payload: &mut web::Payload, limit: usize) -> Result<Vec<u8>, RejectReason> {
    let stated = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if stated.is_some_and(|length: u64| length > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(RejectReason::TooLarge);
    }
    match to_bytes_limited(BodyStream::new(payload), limit).await {
        Ok(Ok(body)) => Ok(body.into()),
        Ok(Err(PayloadError::Incomplete(_))) => Err(RejectReason::Incomplete),
        Ok(Err(_broken)) => Err(RejectReason::Malformed),
        Err(_too_large) => Err(RejectReason::TooLarge),
    }
}
