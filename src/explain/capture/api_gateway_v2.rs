//! An event of Amazon API Gateway, payload version 2.0 (HTTP APIs), or of a Lambda function URL.
//!
//! Source: "Create AWS Lambda proxy integrations for HTTP APIs" in the documentation of API Gateway. Several headers with one
//! name are joined by commas.

use serde::Deserialize;
use twilio_signature::Members;

use super::{
    captured::{Capture, CaptureError},
    json,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpApiEvent {
    raw_path: Option<String>,
    #[serde(default)]
    raw_query_string: String,
    headers: Option<Members<String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: Option<HttpApiContext>,
}

#[derive(Deserialize)]
struct HttpApiContext {
    http: Option<HttpApiRequest>,
}

#[derive(Deserialize)]
struct HttpApiRequest {
    method: Option<String>,
}

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    let event: HttpApiEvent = json::parse(text)?;
    let method = event.request_context.and_then(|context| context.http?.method);
    let mut target = event.raw_path.ok_or(CaptureError::Missing("rawPath"))?;
    if !event.raw_query_string.is_empty() {
        target = format!("{target}?{}", event.raw_query_string);
    }
    let Members(headers) = event.headers.ok_or(CaptureError::Missing("headers"))?;
    Ok(Capture {
        method: method.ok_or(CaptureError::Missing("requestContext.http.method"))?,
        target,
        headers: headers.into_iter().collect(),
        body: json::body(event.body.as_deref(), event.is_base64_encoded)?,
        notes: Vec::new(),
    })
}
