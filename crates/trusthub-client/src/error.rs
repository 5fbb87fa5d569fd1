//! The errors of a request to Trust Hub.

use std::time::Duration;

use thiserror::Error;
use trusthub_events::ProfileSid;

use crate::{refusal::Refusal, transport_error::TransportError};

/// Twilio's error code for an edit of a profile that is under review.
const NOT_EDITABLE: u32 = 60711;
const NOT_FOUND: u32 = 20404;
const TOO_MANY_REQUESTS: u32 = 20429;
/// The credentials are valid and lack a permission.
const NO_PERMISSION: u32 = 70051;
/// The account requires Public Key Client Validation, or does not have it although a proxy uses it.
const CLIENT_VALIDATION: [u32; 2] = [70052, 70053];

/// Why a request gave no usable response. The text contains neither credentials nor anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The credentials are not valid for this account.
    #[error(
        "Trust Hub rejected the credentials of the account; check the token, or the API key, which must not be a \
         Restricted one"
    )]
    Unauthorized(Refusal),
    /// The credentials are valid and do not permit the request.
    #[error(
        "the credentials do not permit this request; if they are a Restricted API key, use a Standard or Main key, \
         otherwise check that the account is active"
    )]
    Forbidden(Refusal),
    /// The account accepts only requests that are signed with a private key of its owner, which this client has not. Or
    /// a gateway signs requests for an account without that feature.
    #[error(
        "Twilio's Public Key Client Validation prevents this request, because this client does not support it; turn off \
         its enforcement for the account in Twilio's Console"
    )]
    ClientValidation(Refusal),
    /// There is no such profile, or it belongs to another account.
    #[error("the account has no such profile")]
    NotFound,
    /// The server has no such list.
    #[error("the account has no such list; check the base URL")]
    NoList,
    /// The profile is under review.
    #[error("the profile cannot be edited in its current status")]
    NotEditable(Refusal),
    /// The account exceeded Twilio's rate limit. Retries did not help, or Twilio asked for too long a pause.
    #[error("too many requests: Trust Hub limits the rate of this account")]
    TooManyRequests {
        /// How long Twilio asked the client to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// Trust Hub rejected the request for another reason.
    #[error("Trust Hub rejected the request with status {}{}", .0.status, code_suffix(.0.code))]
    Invalid(Refusal),
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
        match status {
            400..=499 => Self::from_refusal(Refusal::read(status, body), retry_after),
            500..=599 => Self::Server { status },
            _ => Self::Unexpected { status },
        }
    }

    fn from_refusal(refusal: Refusal, retry_after: Option<Duration>) -> Self {
        match (refusal.status, refusal.code) {
            (_, Some(NOT_EDITABLE)) => Self::NotEditable(refusal),
            (_, Some(code)) if CLIENT_VALIDATION.contains(&code) => Self::ClientValidation(refusal),
            (_, Some(NO_PERMISSION)) => Self::Forbidden(refusal),
            (401, _) => Self::Unauthorized(refusal),
            (404, _) | (_, Some(NOT_FOUND)) => Self::NotFound,
            (429, _) | (_, Some(TOO_MANY_REQUESTS)) => Self::TooManyRequests { retry_after },
            (403, _) => Self::Forbidden(refusal),
            _ => Self::Invalid(refusal),
        }
    }

    /// What Twilio says about the request, if it refused it and a reason is needed.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Unauthorized(refusal)
            | Self::Forbidden(refusal)
            | Self::ClientValidation(refusal)
            | Self::NotEditable(refusal)
            | Self::Invalid(refusal) => Some(refusal),
            Self::NotFound
            | Self::NoList
            | Self::TooManyRequests { .. }
            | Self::Server { .. }
            | Self::Unexpected { .. }
            | Self::Timeout
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Malformed { .. }
            | Self::TooLarge
            | Self::ForeignPage { .. }
            | Self::EndlessList => None,
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

    fn refusal(status: u16, code: Option<u32>) -> Refusal {
        Refusal { status, code, message: String::new() }
    }

    #[test]
    fn response_maps_to_the_error_of_its_code_or_else_of_its_status() {
        let invalid = |status, code| Error::Invalid(refusal(status, code));
        let forbidden = |status, code| Error::Forbidden(refusal(status, code));
        let validation = |status, code| Error::ClientValidation(refusal(status, Some(code)));
        for (status, body, error) in [
            (401, r#"{"code":20003,"status":401}"#, Error::Unauthorized(refusal(401, Some(20003)))),
            (401, "", Error::Unauthorized(refusal(401, None))),
            (403, r#"{"code":20003}"#, forbidden(403, Some(20003))),
            (403, "", forbidden(403, None)),
            (401, r#"{"code":70051}"#, forbidden(401, Some(70051))),
            (401, r#"{"code":70052}"#, validation(401, 70052)),
            (403, r#"{"code":70053}"#, validation(403, 70053)),
            (400, r#"{"code":20003}"#, invalid(400, Some(20003))),
            (403, r#"{"code":20403}"#, forbidden(403, Some(20403))),
            (404, r#"{"code":20404}"#, Error::NotFound),
            (404, "<html>", Error::NotFound),
            (400, r#"{"code":60711}"#, Error::NotEditable(refusal(400, Some(60711)))),
            (400, r#"{"code":"60711"}"#, Error::NotEditable(refusal(400, Some(60711)))),
            (404, r#"{"code":60711}"#, Error::NotEditable(refusal(404, Some(60711)))),
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
    fn twilio_message_is_in_the_refusal_but_not_in_the_error_text() {
        for (status, code) in [(400, 20001), (400, 60711), (401, 20003), (403, 70051), (401, 70052)] {
            let error = from_json(status, &format!(r#"{{"code":{code},"message":"Invalid Email ada@example.com"}}"#));
            assert!(!error.to_string().contains("ada@example.com"), "{error}");
            assert_eq!(error.refusal().unwrap().message, "Invalid Email ada@example.com");
        }
        assert_eq!(from_json(404, r#"{"message":"not found"}"#).refusal(), None);
    }

    #[test]
    fn malformed_field_is_named_with_its_profile() {
        let sid = format!("BU{}", "0".repeat(32));
        let profile = ProfileSid::parse(&sid).ok();
        let error = Error::Malformed { field: "status", profile };
        assert_eq!(error.to_string(), format!("the response field status is missing or malformed (profile {sid})"));
    }
}
