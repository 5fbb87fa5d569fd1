//! Passes every request on to the subscribers once it is answered.

use std::time::{Instant, SystemTime};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::error::ApiError;
use crate::{
    instance::Simulator,
    request_feed::{AnsweredRequest, Refusal},
};

/// The limits in bytes on what is passed on, which bound the memory of the subscribers.
const MAX_METHOD: usize = 16;
const MAX_PATH: usize = 200;
const MAX_MESSAGE: usize = 300;

/// A middleware that observes requests and their responses, and changes neither.
pub(super) async fn observe<B: MessageBody>(
    simulator: Data<Simulator>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (time, began) = (SystemTime::now(), Instant::now());
    let (method, path) = (cut(request.method().as_str(), MAX_METHOD), cut(request.path(), MAX_PATH));
    let response = next.call(request).await?;
    simulator.requests().send(AnsweredRequest {
        time: time.into(),
        method,
        path,
        status: response.status().as_u16(),
        refusal: response.response().error().and_then(refusal),
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(response)
}

fn refusal(error: &Error) -> Option<Refusal> {
    let error = error.as_error::<ApiError>()?;
    Some(Refusal { code: error.code(), message: cut(error.message(), MAX_MESSAGE) })
}

/// Returns the beginning of a text, with an ellipsis if that is not all of it.
fn cut(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes);
    match text.split_at_checked(end) {
        Some((beginning, rest)) if !rest.is_empty() => format!("{beginning}…"),
        _ => text.to_owned(),
    }
}
