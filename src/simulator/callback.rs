//! Sends callbacks as Twilio does.

use std::time::Duration;

use reqwest::Client;
use secrecy::SecretString;
use thiserror::Error;

use crate::verify::{EmptyKey, SigningKey, sign};

/// Twilio waits this long for an answer.
const BUDGET: Duration = Duration::from_secs(15);

/// A callback that was not answered at all.
#[derive(Debug, Error)]
#[error("no answer: {0}")]
pub struct Refused(#[from] reqwest::Error);

/// Signs and sends callbacks.
pub struct Caller {
    client: Client,
    key: SigningKey,
}

impl Caller {
    /// Signs with this auth token.
    ///
    /// # Errors
    /// [`EmptyKey`].
    ///
    /// # Panics
    /// Never: without TLS there is nothing in the client that could fail.
    pub fn new(token: &SecretString) -> Result<Self, EmptyKey> {
        Ok(Self { client: Client::new(), key: SigningKey::from_auth_token(token)? })
    }

    /// Sends a form and returns the status code of the answer. `idempotency` tells this delivery apart from others.
    ///
    /// # Errors
    /// [`Refused`] when there is no answer.
    pub async fn send(&self, url: &str, form: &[(&str, &str)], idempotency: &str) -> Result<u16, Refused> {
        let pairs: Vec<_> = form.iter().map(|(name, value)| (Vec::from(*name), Vec::from(*value))).collect();
        let request = self
            .client
            .post(url)
            .timeout(BUDGET)
            .header("User-Agent", "TwilioProxy/1.1")
            .header("X-Home-Region", "us1")
            .header("I-Twilio-Idempotency-Token", idempotency)
            .header("X-Twilio-Signature", sign(&self.key, url, &pairs).to_string())
            .header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(encode(form));
        Ok(request.send().await?.status().as_u16())
    }
}

fn encode(form: &[(&str, &str)]) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    let one = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    form.iter().map(|(name, value)| format!("{}={}", one(name), one(value))).collect::<Vec<_>>().join("&")
}
