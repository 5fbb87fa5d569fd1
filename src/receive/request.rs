//! Reads an HTTP request into a [`RawCallback`], with limits of size and time, and without interpreting it.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest,
    body::{BodyStream, to_bytes_limited},
    error::PayloadError,
    web,
};
use tokio::time::timeout_at;

use super::{head::RequestHead, route::Route};
use crate::domain::{RawCallback, RejectReason};

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
/// The [`RejectReason`] of a request that is not a callback, is too large, or does not arrive in time.
pub(super) async fn read(
    request: &HttpRequest,
    payload: &mut web::Payload,
    route: Route<'_>,
    limits: RequestLimits,
    received: Instant,
) -> Result<RawCallback, RejectReason> {
    let headers = request.headers().iter().map(|(name, value)| (name, value.as_bytes())).collect();
    let head = RequestHead { method: request.method(), uri: request.uri(), headers };
    let encoding = head.encoding()?;
    head.check_stated_length(limits.max_bytes)?;
    let deadline = (received + limits.timeout).into();
    let body = timeout_at(deadline, read_body(payload, limits.max_bytes)).await;
    head.with_body(route, encoding, body.unwrap_or(Err(RejectReason::TimedOut))?, limits.max_bytes)
}

/// The memory that a callback holds until it is durable, in bytes. Its record, which is made from the same texts, is not
/// included.
pub(super) fn memory_bytes(raw: &RawCallback) -> usize {
    let query = raw.query.as_ref().map_or(0, String::len);
    raw.target.len() + query + raw.headers.bytes() + raw.body.len()
}

async fn read_body(payload: &mut web::Payload, limit: usize) -> Result<Vec<u8>, RejectReason> {
    match to_bytes_limited(BodyStream::new(payload), limit).await {
        Ok(Ok(body)) => Ok(body.into()),
        Ok(Err(PayloadError::Incomplete(_))) => Err(RejectReason::Incomplete),
        Ok(Err(_broken)) => Err(RejectReason::Malformed),
        Err(_too_large) => Err(RejectReason::TooLarge),
    }
}
