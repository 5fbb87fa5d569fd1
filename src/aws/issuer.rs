//! Credentials, and the services that issue them.

use reqwest::{RequestBuilder, StatusCode};

use super::error::{CredentialError, short};
use crate::{config::AwsKeys, domain::Timestamp, http_client};

/// The largest response; those of AWS have less than 10 kB.
const MAX_RESPONSE_BYTES: usize = 65_536;

/// An access key, and until when it is valid.
#[derive(Debug, Clone)]
pub(crate) struct AwsCredentials {
    /// The key.
    pub(crate) keys: AwsKeys,
    /// When it expires; `None` if it does not.
    pub(crate) expires: Option<Timestamp>,
}

/// A service that issues credentials, as messages name it.
#[derive(Clone, Copy)]
pub(super) struct Issuer {
    pub(super) name: &'static str,
    /// What to check if it does not issue any.
    pub(super) hint: &'static str,
}

impl Issuer {
    /// Sends a request. Returns the body of a successful response, or the status and the body of another one.
    pub(super) async fn send(
        self,
        request: RequestBuilder,
    ) -> Result<Result<Vec<u8>, (StatusCode, Vec<u8>)>, CredentialError> {
        let unreachable = |error: reqwest::Error| self.unreachable(error);
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = http_client::read(response, MAX_RESPONSE_BYTES).await.map_err(unreachable)?;
        let body = body.ok_or_else(|| self.malformed())?;
        Ok(if status.is_success() { Ok(body) } else { Err((status, body)) })
    }

    /// The error of an answer that is not successful.
    pub(super) fn rejected(self, status: StatusCode, message: &str) -> CredentialError {
        let Self { name: service, hint } = self;
        CredentialError::Rejected { service, status: status.as_u16(), message: short(message), hint }
    }

    /// The error of an answer without credentials.
    pub(super) fn malformed(self) -> CredentialError {
        CredentialError::Malformed { service: self.name, hint: self.hint }
    }

    fn unreachable(self, error: reqwest::Error) -> CredentialError {
        let reason =
            if error.is_timeout() { "the request timed out".to_owned() } else { short(&http_client::innermost(error)) };
        CredentialError::Unreachable { service: self.name, reason, hint: self.hint }
    }
}
