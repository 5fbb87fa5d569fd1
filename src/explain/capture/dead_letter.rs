//! A dead letter of this service: its value, or a JSON line that contains it, with the reason in a header of the record.
//! `kcat -J` prints the value as text in `payload`, `spool export` as an object in `record.payload`, and `dev --once` as an
//! object in `value`.

use serde::Deserialize;
use serde_json::Value;

use super::{
    captured::{Capture, CaptureError},
    json,
};
use crate::domain::{DeadLetterReason, Label as _, SIGNATURE_HEADER};

/// The value of a dead letter.
#[derive(Deserialize)]
struct DeadLetterValue {
    method: String,
    path_and_query: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    cut_from_bytes: Option<usize>,
}

pub(super) fn read(text: &[u8]) -> Result<Capture, CaptureError> {
    let line: Value = json::parse(text)?;
    let record = line.get("record").unwrap_or(&line);
    let value = match record.get("payload").or_else(|| record.get("value")) {
        Some(Value::String(text)) => json::parse(text.as_bytes())?,
        Some(value) => value.clone(),
        None => record.clone(),
    };
    if value.get("path_and_query").is_none() {
        let is_event = value.get("profile_sid").is_some();
        return Err(if is_event { CaptureError::Event } else { CaptureError::Missing("path_and_query") });
    }
    let letter: DeadLetterValue =
        serde_json::from_value(value).map_err(|error| CaptureError::NotJson(error.to_string()))?;
    if let Some(bytes) = letter.cut_from_bytes {
        return Err(CaptureError::Cut(bytes));
    }
    let is_signed = letter.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(SIGNATURE_HEADER));
    match reason(record.get("headers")) {
        Some(reason) if !is_signed && reason != DeadLetterReason::SignatureFailed.as_str() => {
            Err(CaptureError::SignatureMatched(reason.to_owned()))
        }
        _ => capture(letter),
    }
}

/// The reason in the headers of a record: an object, a list of pairs, or a flat list of alternating names and values.
fn reason(headers: Option<&Value>) -> Option<&str> {
    const NAME: &str = "reason";
    let headers = headers?;
    if let Some(value) = headers.get(NAME) {
        return value.as_str();
    }
    let items = headers.as_array()?;
    let in_pair =
        items.iter().find(|item| item.get(0).and_then(Value::as_str) == Some(NAME)).and_then(|item| item.get(1));
    let flat = || items.chunks(2).find(|pair| pair.first().and_then(Value::as_str) == Some(NAME))?.get(1);
    in_pair.or_else(flat)?.as_str()
}

fn capture(letter: DeadLetterValue) -> Result<Capture, CaptureError> {
    let body = match &letter.body_base64 {
        Some(base64) => json::body(Some(base64), true)?,
        None => json::body(letter.body.as_deref(), false)?,
    };
    Ok(Capture {
        method: letter.method,
        target: letter.path_and_query,
        headers: letter.headers.into_iter().collect(),
        body,
        notes: Vec::new(),
    })
}
