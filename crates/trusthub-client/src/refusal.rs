//! What Twilio says about a request that it refused.

use std::fmt;

use serde_json::Value;

use crate::codes::number;

/// Longer than any message of Twilio that is known.
const MAX_MESSAGE_CHARS: usize = 300;
/// The members that may have the message: that of Twilio's own format, then those of RFC 9457.
const MESSAGE_FIELDS: [&str; 3] = ["message", "detail", "title"];

/// What Twilio says about a request that it refused.
///
/// Its text is one line in which special characters are escaped, such as `status 400, code 20001, "Invalid Email"`.
/// Twilio's message may quote what was sent, so an [`Error`](crate::Error) does not have it in its own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status, 400 to 499.
    pub status: u16,
    /// Twilio's error code, if the response has one.
    pub code: Option<u32>,
    /// Twilio's message as it was received, at most 300 characters; empty if the response has none.
    pub message: String,
}

impl Refusal {
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let text = |field: &&str| body.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let message = MESSAGE_FIELDS.iter().find_map(text).unwrap_or_default();
        let message = message.chars().take(MAX_MESSAGE_CHARS).collect();
        Self { status, code: body.get("code").and_then(number), message }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = self.code {
            write!(f, ", code {code}")?;
        }
        if !self.message.is_empty() {
            write!(f, ", {:?}", self.message)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> String {
        Refusal::read(400, body.as_bytes()).to_string()
    }

    #[test]
    fn refusal_is_one_line_with_status_code_and_message() {
        assert_eq!(text(r#"{"code":20001,"message":"Invalid Email"}"#), r#"status 400, code 20001, "Invalid Email""#);
        assert_eq!(text(r#"{"code":20001,"message":""}"#), "status 400, code 20001");
        assert_eq!(text("<html>"), "status 400");
    }

    #[test]
    fn message_is_escaped_and_limited() {
        let body = serde_json::json!({"message": "a\nb\u{1b}[31m\u{202e}\"ö"}).to_string();
        assert_eq!(text(&body), r#"status 400, "a\nb\u{1b}[31m\u{202e}\"ö""#);
        let long = serde_json::json!({"message": "ö".repeat(301)}).to_string();
        assert_eq!(Refusal::read(400, long.as_bytes()).message, "ö".repeat(300));
    }

    #[test]
    fn message_may_have_the_names_of_rfc_9457() {
        assert_eq!(text(r#"{"title":"Bad Request","detail":"Page is wrong"}"#), r#"status 400, "Page is wrong""#);
        assert_eq!(text(r#"{"title":"Bad Request"}"#), r#"status 400, "Bad Request""#);
    }
}
