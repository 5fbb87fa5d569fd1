//! What the formats that are JSON have in common.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value};

use super::{captured::CaptureError, format::Format};

/// The kind of a JSON text.
pub(super) fn detect(text: &[u8]) -> Result<Format, CaptureError> {
    let value: Value = parse(text)?;
    let has = |pointer: &str| value.pointer(pointer).is_some();
    let format = if has("/log/entries") {
        Format::Har
    } else if has("/requestContext/elb") {
        Format::LoadBalancer
    } else if has("/rawPath") {
        Format::ApiGatewayV2
    } else if has("/httpMethod") {
        Format::ApiGatewayV1
    } else if ["", "/value", "/payload", "/record"].iter().any(|record| has(&format!("{record}/path_and_query")))
        || has("/record/destination")
        || has("/payload")
        || has("/value")
    {
        Format::DeadLetter
    } else {
        return Err(CaptureError::UnknownJson);
    };
    Ok(format)
}

/// Parses the only JSON value of a text.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, CaptureError> {
    let values = Deserializer::from_slice(text).into_iter::<Value>().take_while(Result::is_ok).count();
    if values > 1 {
        return Err(CaptureError::SeveralRecords(values));
    }
    serde_json::from_slice(text).map_err(|error| CaptureError::NotJson(error.to_string()))
}

/// A body that may be in base64.
pub(super) fn body(text: Option<&str>, is_base64: bool) -> Result<Vec<u8>, CaptureError> {
    let text = text.unwrap_or_default();
    if !is_base64 {
        return Ok(text.into());
    }
    STANDARD.decode(text).map_err(|_| CaptureError::NotBase64("body"))
}
