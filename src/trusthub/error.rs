//! What can go wrong with a request.

use std::{error::Error as _, time::Duration};

use serde_json::Value;
use thiserror::Error;

use super::fields::number;
use crate::domain::ProfileSid;

/// Twilio's code of a profile that is under review.
const NOT_EDITABLE: u32 = 60711;
const UNAUTHORIZED: u32 = 20003;
const NOT_FOUND: u32 = 20404;
const TOO_MANY_REQUESTS: u32 = 20429;

/// Why there is no answer, or none of use. Its text holds neither credentials nor anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The credentials do not open this account.
    #[error("the credentials of the account were refused")]
    Unauthorized,
    /// There is no such profile, or it belongs to another account.
    #[error("the account has no such profile")]
    NotFound,
    /// The profile is under review.
    #[error("the profile cannot be edited in its present status")]
    NotEditable,
    /// The account asks too often; repeating has not helped.
    #[error("too many requests")]
    TooManyRequests {
        /// How long Twilio wants to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// The request was refused for another reason.
    #[error("the request was refused with status {status}{}", shown(*.code))]
    Invalid {
        /// The status of the answer, 400 to 499.
        status: u16,
        /// Twilio's error code.
        code: Option<u32>,
        /// Twilio's words. They may quote what was sent, so they are no part of the error's text.
        message: String,
    },
    /// Trust Hub failed.
    #[error("Trust Hub failed with status {status}")]
    Server {
        /// The status of the answer, 500 to 599.
        status: u16,
    },
    /// An answer that Trust Hub does not give, such as a redirect.
    #[error("was answered with status {status}, which is not Trust Hub's; is TRUSTHUB_BASE_URL right?")]
    Unexpected {
        /// The status of the answer.
        status: u16,
    },
    /// The answer was not complete in time.
    #[error("no complete answer in time")]
    Timeout,
    /// No connection could be opened, so nothing was sent.
    #[error("no connection: {reason}")]
    Connect {
        /// What the system or TLS says.
        reason: String,
    },
    /// The connection ended before the answer did.
    #[error("the connection broke: {reason}")]
    Broken {
        /// What the system or TLS says.
        reason: String,
    },
    /// A part of the answer that this service cannot do without is absent or of another form.
    #[error("{field} of the answer is missing or malformed{}", of(.profile.as_ref()))]
    Malformed {
        /// The field as Twilio calls it; `body` for the whole.
        field: &'static str,
        /// Whose field it is, if that could be read.
        profile: Option<ProfileSid>,
    },
    /// The answer is longer than any that Trust Hub gives.
    #[error("the answer is too long")]
    TooLarge,
    /// The list continues at another place, where the credentials must not go.
    #[error("the list continues at {origin}, to which no credentials are sent; is TRUSTHUB_BASE_URL right?")]
    ForeignPage {
        /// Scheme, host and port of that place.
        origin: String,
    },
    /// The list comes back to a page that was read, or does not end.
    #[error("the list does not end")]
    EndlessList,
}

fn shown(code: Option<u32>) -> String {
    code.map(|code| format!(" and code {code}")).unwrap_or_default()
}

fn of(profile: Option<&ProfileSid>) -> String {
    profile.map(|sid| format!(" (profile {sid})")).unwrap_or_default()
}

impl Error {
    pub(super) fn malformed(field: &'static str) -> Self {
        Self::Malformed { field, profile: None }
    }

    /// What an answer says that is not a success. Of several signs Twilio's code is the more exact.
    pub(super) fn of_answer(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let told = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let code = told.get("code").and_then(number);
        match (status, code) {
            (500..=599, _) => Self::Server { status },
            (400..=499, Some(NOT_EDITABLE)) => Self::NotEditable,
            (401, _) | (400..=499, Some(UNAUTHORIZED)) => Self::Unauthorized,
            (404, _) | (400..=499, Some(NOT_FOUND)) => Self::NotFound,
            (429, _) | (400..=499, Some(TOO_MANY_REQUESTS)) => Self::TooManyRequests { retry_after },
            (400..=499, code) => {
                let message = told.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
                Self::Invalid { status, code, message }
            }
            _ => Self::Unexpected { status },
        }
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Connect { reason: root_cause(&error) }
        } else if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Broken { reason: root_cause(&error) }
        }
    }
}

/// The outer errors repeat the URL and say little else.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_json(status: u16, body: &str) -> Error {
        Error::of_answer(status, body.as_bytes(), None)
    }

    #[test]
    fn each_answer_becomes_the_error_that_its_code_or_else_its_status_says() {
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
            assert_eq!(of_json(status, body), error, "{status} {body}");
        }
    }

    #[test]
    fn twilios_words_are_kept_but_not_in_the_text_of_the_error() {
        let error = of_json(400, r#"{"code":20001,"message":"Invalid Email ada@example.com"}"#);
        assert_eq!(error.to_string(), "the request was refused with status 400 and code 20001");
        assert!(matches!(error, Error::Invalid { message, .. } if message == "Invalid Email ada@example.com"));
    }

    #[test]
    fn a_malformed_field_is_named_with_its_profile() {
        let sid = format!("BU{}", "0".repeat(32));
        let profile = ProfileSid::parse(&sid).ok();
        let error = Error::Malformed { field: "status", profile };
        assert_eq!(error.to_string(), format!("status of the answer is missing or malformed (profile {sid})"));
    }
}
