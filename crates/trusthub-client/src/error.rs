//! The errors of a request to Trust Hub.

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use trusthub_events::ProfileSid;

use crate::{codes::number, transport_error::TransportError};

/// Twilio's error code for an edit of a profile that is under review.
const NOT_EDITABLE: u32 = 60711;
const UNAUTHORIZED: u32 = 20003;
const NOT_FOUND: u32 = 20404;
const TOO_MANY_REQUESTS: u32 = 20429;

/// Why a request gave no usable response. The text contains neither credentials nor anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The credentials are not valid for this account.
    #[error("Trust Hub rejected the credentials of the account")]
    Unauthorized,
    /// There is no such profile, or it belongs to another account.
    #[error("the account has no such profile")]
    NotFound,
    /// The profile is under review.
    #[error("the profile cannot be edited in its current status")]
    NotEditable,
    /// The account exceeded Twilio's rate limit. Retries did not help, or Twilio asked for too long a pause.
    #[error("too many requests: Trust Hub limits the rate of this account")]
    TooManyRequests {
        /// How long Twilio asked the client to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// Trust Hub rejected the request for another reason.
    #[error("Trust Hub rejected the request with status {status}{}", code_suffix(*.code))]
    Invalid {
        /// The HTTP status, 400 to 499.
        status: u16,
        /// Twilio's error code, if the response has one.
        code: Option<u32>,
        /// Twilio's message. It may quote what was sent, so it is not part of the error's text.
        message: String,
    },
    /// Trust Hub failed to process the request.
    #[error("Trust Hub failed with status {status}")]
    Server {
        /// The HTTP status, 500 to 599.
        status: u16,
    },
    /// A status that Trust Hub never returns, such as a redirect.
    #[error("the server returned status {status}, which Trust Hub never returns; check the base URL")]
    Unexpected {
        /// The HTTP status.
        status: u16,
    },
    /// The response was not complete in time.
    #[error("the response was not complete in time")]
    Timeout,
    /// No connection could be opened, so nothing was sent.
    #[error("cannot connect: {source}")]
    Connect {
        /// The cause.
        source: TransportError,
    },
    /// The connection closed before the response was complete.
    #[error("the connection failed: {source}")]
    Broken {
        /// The cause.
        source: TransportError,
    },
    /// A field that the client requires is missing from the response or has the wrong type.
    #[error("the response field {field} is missing or malformed{}", profile_suffix(.profile.as_ref()))]
    Malformed {
        /// Twilio's name for the field; `body` for the whole response.
        field: &'static str,
        /// The profile that the field belongs to, if its SID could be read.
        profile: Option<ProfileSid>,
    },
    /// The response is larger than any that Trust Hub returns.
    #[error("the response is too large")]
    TooLarge,
    /// The next page is on another origin, which must not receive the credentials.
    #[error("the next page of the list is at {origin}, which must not receive the credentials; check the base URL")]
    ForeignPage {
        /// Scheme, host and port of the next page.
        origin: String,
    },
    /// The list returns to a page that was already read, or has too many pages.
    #[error("the list does not end")]
    EndlessList,
}

fn code_suffix(code: Option<u32>) -> String {
    code.map(|code| format!(" and code {code}")).unwrap_or_default()
}

fn profile_suffix(profile: Option<&ProfileSid>) -> String {
    profile.map(|sid| format!(" (profile {sid})")).unwrap_or_default()
}

impl Error {
    pub(crate) fn malformed(field: &'static str) -> Self {
        Self::Malformed { field, profile: None }
    }

    /// Maps an unsuccessful response to an error. Twilio's error code is more exact than the HTTP status, so it takes
    /// precedence.
    pub(crate) fn from_response(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let code = body.get("code").and_then(number);
        match (status, code) {
            (500..=599, _) => Self::Server { status },
            (400..=499, Some(NOT_EDITABLE)) => Self::NotEditable,
            (401, _) | (400..=499, Some(UNAUTHORIZED)) => Self::Unauthorized,
            (404, _) | (400..=499, Some(NOT_FOUND)) => Self::NotFound,
            (429, _) | (400..=499, Some(TOO_MANY_REQUESTS)) => Self::TooManyRequests { retry_after },
            (400..=499, code) => {
                let message = body.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
                Self::Invalid { status, code, message }
            }
            _ => Self::Unexpected { status },
        }
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Connect { source: error.into() }
        } else if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Broken { source: error.into() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_json(status: u16, body: &str) -> Error {
        Error::from_response(status, body.as_bytes(), None)
    }

    #[test]
    fn response_maps_to_the_error_of_its_code_or_else_of_its_status() {
        let invalid = |status, code| Error::Invalid { status, code, message: String::new() };
        for (status, body, error) in [
            (401, r#"{"code":20003,"message":"Authenticate","status":401}"#, Error::Unauthorized),
            (403, r#"{"code":20003}"#, Error::Unauthorized),
            (401, "", Error::Unauthorized),
            (404, r#"{"code":20404}"#, Error::NotFound),
            (404, "<html>", Error::NotFound),
            (400, r#"{"code":60711}"#, Error::NotEditable),
            (400, r#"{"code":"60711"}"#, Error::NotEditable),
            (404, r#"{"code":60711}"#, Error::NotEditable),
            (429, "null", Error::TooManyRequests { retry_after: None }),
            (400, r#"{"code":20001,"message":""}"#, invalid(400, Some(20001))),
            (400, r#"{"code":-1,"message":7}"#, invalid(400, None)),
            (418, "[]", invalid(418, None)),
            (500, r#"{"code":20404}"#, Error::Server { status: 500 }),
            (503, "", Error::Server { status: 503 }),
            (302, r#"{"code":20404}"#, Error::Unexpected { status: 302 }),
            (700, "", Error::Unexpected { status: 700 }),
        ] {
            assert_eq!(from_json(status, body), error, "{status} {body}");
        }
    }

    #[test]
    fn twilio_message_is_kept_but_not_shown_in_the_error_text() {
        let error = from_json(400, r#"{"code":20001,"message":"Invalid Email ada@example.com"}"#);
        assert_eq!(error.to_string(), "Trust Hub rejected the request with status 400 and code 20001");
        assert!(matches!(error, Error::Invalid { message, .. } if message == "Invalid Email ada@example.com"));
    }

    #[test]
    fn malformed_field_is_named_with_its_profile() {
        let sid = format!("BU{}", "0".repeat(32));
        let profile = ProfileSid::parse(&sid).ok();
        let error = Error::Malformed { field: "status", profile };
        assert_eq!(error.to_string(), format!("the response field status is missing or malformed (profile {sid})"));
    }
}
