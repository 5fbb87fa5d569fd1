//! Reads an HTTP request into a [`RawCallback`], with limits of size and time, and without interpreting it.

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

/// The limits of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLimits {
    /// The largest size of the body of a `POST`, or of the query of a `GET`, in bytes.
    pub(super) max_bytes: usize,
    /// The time from the head to the end of the body.
    pub(super) timeout: Duration,
}

/// Reads the whole request, whose head was read at `received`.
///
/// # Errors
/// The [`RejectReason`] of a request that is no callback, is too large, or does not arrive in time.
pub(super) async fn read(
    request: &HttpRequest,
    payload: &mut web::Payload,
    route: Route<'_>,
    limits: RequestLimits,
    received: Instant,
) -> Result<RawCallback, RejectReason> {
    let encoding = encoding(request)?;
    let deadline = (received + limits.timeout).into();
    let body = timeout_at(deadline, read_body(request, payload, limits.max_bytes)).await;
    let raw = RawCallback {
        resource: route.resource,
        route: route.spelling(),
        target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
        query: request.uri().query().map(str::to_owned),
        encoding,
        headers: request.headers().iter().map(|(name, value)| (name, value.as_bytes())).collect(),
        body: body.unwrap_or(Err(RejectReason::TimedOut))?,
    };
    if raw.fields().len() > limits.max_bytes {
        return Err(RejectReason::TooLarge);
    }
    // The body of a GET has no meaning and would not be covered by the signature.
    if encoding == Encoding::Query && !raw.body.is_empty() {
        return Err(RejectReason::Malformed);
    }
    Ok(raw)
}

/// The memory that a callback holds until it is durable, in bytes. Its record, which is made from the same texts, is not
/// included.
pub(super) fn memory_bytes(raw: &RawCallback) -> usize {
    let query = raw.query.as_ref().map_or(0, String::len);
    raw.target.len() + query + raw.headers.bytes() + raw.body.len()
}

fn encoding(request: &HttpRequest) -> Result<Encoding, RejectReason> {
    if upgrades_to_websocket(request) {
        return Err(RejectReason::Malformed);
    }
    match *request.method() {
        Method::GET => Ok(Encoding::Query),
        Method::POST => body_encoding(request),
        _ => Err(RejectReason::MethodNotAllowed),
    }
}

/// Whether actix would read all bytes that follow as one body, whatever `Content-Length` says.
fn upgrades_to_websocket(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(header::UPGRADE)
        .any(|protocol| protocol.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// Rejects a compressed body: its bytes are not those that were signed, and its decompressed size has no limit.
fn body_encoding(request: &HttpRequest) -> Result<Encoding, RejectReason> {
    let is_compressed = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    match request.content_type().to_ascii_lowercase().as_str() {
        _ if is_compressed => Err(RejectReason::UnsupportedMediaType),
        "application/x-www-form-urlencoded" => Ok(Encoding::Form),
        "application/json" => Ok(Encoding::Json),
        _ => Err(RejectReason::UnsupportedMediaType),
    }
}

async fn read_body(request: &HttpRequest, payload: &mut web::Payload, limit: usize) -> Result<Vec<u8>, RejectReason> {
    let content_length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if content_length.is_some_and(|length: u64| length > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(RejectReason::TooLarge);
    }
    match to_bytes_limited(BodyStream::new(payload), limit).await {
        Ok(Ok(body)) => Ok(body.into()),
        Ok(Err(PayloadError::Incomplete(_))) => Err(RejectReason::Incomplete),
        Ok(Err(_broken)) => Err(RejectReason::Malformed),
        Err(_too_large) => Err(RejectReason::TooLarge),
    }
}
