//! The value of a dead letter: the request as it arrived.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::domain::{DeadLetter, DeadLetterReason, Headers, RawCallback, SIGNATURE_HEADER, Timestamp};

/// Request headers that dead letters omit, because they can authenticate the sender.
const SECRET_HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// The length to which each text of a dead letter is cut, in characters.
pub(super) const CUT_CHARS: usize = 256;

/// The dead letter of a request.
pub(super) fn of(raw: &RawCallback, reason: DeadLetterReason, received_at: Timestamp) -> DeadLetter<'_> {
    let keeps_signature = reason == DeadLetterReason::SignatureFailed;
    let is_secret = |name| SECRET_HEADERS.contains(&name) || (name == SIGNATURE_HEADER && !keeps_signature);
    let retained = raw.headers.iter().filter(|(name, _)| !is_secret(*name));
    let body = std::str::from_utf8(&raw.body).ok();
    DeadLetter {
        method: raw.verb().as_str().into(),
        path_and_query: raw.target.as_str().into(),
        headers: retained.map(|(name, value)| (name.into(), String::from_utf8_lossy(value))).collect(),
        body: body.map(Into::into),
        body_base64: body.is_none().then(|| STANDARD.encode(&raw.body).into()),
        received_at,
        cut_from_bytes: None,
    }
}

/// The same with each text cut to a size that any topic accepts.
pub(super) fn cut(letter: DeadLetter<'_>, size: usize) -> DeadLetter<'_> {
    let cut = |text: Cow<'_, str>| text.chars().take(CUT_CHARS).collect::<String>().into();
    DeadLetter {
        path_and_query: cut(letter.path_and_query),
        headers: Vec::new(),
        body: letter.body.map(cut),
        body_base64: letter.body_base64.map(cut),
        cut_from_bytes: Some(size),
        ..letter
    }
}

/// The headers as the service saw them. One that was not UTF-8 is omitted, because the letter does not have its bytes.
pub(crate) fn complete_headers(letter: &DeadLetter<'_>) -> Headers {
    let is_complete = |(_, value): &&(Cow<'_, str>, Cow<'_, str>)| !value.contains(char::REPLACEMENT_CHARACTER);
    letter.headers.iter().filter(is_complete).map(|(name, value)| (&**name, &**value)).collect()
}

/// The raw body; `None` if the letter does not have it in a form that can be read.
pub(crate) fn raw_body(letter: &DeadLetter<'_>) -> Option<Vec<u8>> {
    match (&letter.body, &letter.body_base64) {
        (Some(text), None) => Some(text.as_bytes().to_vec()),
        (None, Some(base64)) => STANDARD.decode(&**base64).ok(),
        _ => None,
    }
}
