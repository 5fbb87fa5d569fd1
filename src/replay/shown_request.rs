//! The request of a dead letter as people may see it.

use crate::domain::{DeadLetter, SIGNATURE_HEADER};

/// A request without its signature, which would be valid for everyone who sees it. The texts come from outside: escape them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownRequest {
    /// The method.
    pub method: String,
    /// The path and query as received.
    pub path_and_query: String,
    /// The headers that the letter has, each with its name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: ShownBody,
}

/// The body of a request, as far as a letter has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShownBody {
    /// There is none.
    Empty,
    /// It is text.
    Text(String),
    /// It is not text, and in base64 here.
    Base64(String),
}

impl ShownRequest {
    /// What may be shown of this letter.
    pub(crate) fn of(letter: &DeadLetter<'_>) -> Self {
        let headers = letter.headers.iter().map(|(name, value)| {
            let is_signature = name.eq_ignore_ascii_case(SIGNATURE_HEADER);
            (name.to_string(), if is_signature { "[redacted]".to_owned() } else { value.to_string() })
        });
        let body = match (&letter.body, &letter.body_base64) {
            (Some(text), _) if !text.is_empty() => ShownBody::Text(text.to_string()),
            (None, Some(base64)) => ShownBody::Base64(base64.to_string()),
            _ => ShownBody::Empty,
        };
        Self {
            method: letter.method.to_string(),
            path_and_query: letter.path_and_query.to_string(),
            headers: headers.collect(),
            body,
        }
    }
}
