//! Trust Hub's REST API.

use serde::Deserialize;
use trusthub_client::{ApiLimits, SetupError, TrustHub};

use super::{
    Problems,
    catalogue::TRUSTHUB_BASE_URL,
    describe::Row,
    plain_http::{is_loopback, unencrypted_authority},
    validate::Validator,
};
use crate::domain::{PublicUrl, PublicUrlError, USER_AGENT};

/// Trust Hub's REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustHubConfig {
    /// Scheme, host, optional port and optional path prefix, without a trailing slash. The version and the rest of the path
    /// are appended to it.
    pub base_url: String,
}

#[derive(Deserialize)]
pub(super) struct TrustHubSection {
    base_url: Option<String>,
}

impl TrustHubSection {
    pub(super) fn validate(self, validator: &mut Validator) -> Option<TrustHubConfig> {
        let text = validator.value_or_default(&TRUSTHUB_BASE_URL, self.base_url)?;
        // It has the same parts as a public URL.
        match PublicUrl::parse(&text) {
            Ok(url) => Some(TrustHubConfig { base_url: url.as_str().to_owned() }),
            Err(error) => {
                validator.report(&TRUSTHUB_BASE_URL, problem(error));
                None
            }
        }
    }
}

fn problem(error: PublicUrlError) -> &'static str {
    match error {
        PublicUrlError::Scheme => {
            "does not start with https:// (or http:// for a simulator); write https://trusthub.twilio.com"
        }
        PublicUrlError::Host => "has no valid host; write https://trusthub.twilio.com",
        PublicUrlError::UserInfo | PublicUrlError::Credentials => {
            "contains a user name or an '@'; set credentials in TWILIO_AUTH_TOKEN or TWILIO_ACCOUNTS_FILE, and write only \
             scheme, host, port and path here"
        }
        PublicUrlError::Port => "has an invalid port; write a number from 1 to 65535 after the host, or omit the port",
        PublicUrlError::Query => "has a query or fragment; remove everything from the '?' or '#' on",
        PublicUrlError::Path => "has a path that is not a plain prefix; write https://trusthub.twilio.com",
    }
}

impl TrustHubConfig {
    /// Creates the client for this API. It opens no connection yet.
    ///
    /// # Errors
    /// [`Problems`] when the base URL is not valid, or when it needs certificate authorities and the system has none.
    pub fn client(&self, limits: ApiLimits) -> Result<TrustHub, Problems> {
        TrustHub::new(&self.base_url, USER_AGENT, limits).map_err(|error| {
            let problem = match error {
                SetupError::BaseUrl => "is not a valid URL; write https://trusthub.twilio.com".to_owned(),
                SetupError::Http(cause) => {
                    format!("cannot be used ({cause}); install certificate authorities (ca-certificates)")
                }
            };
            Problems::one(TRUSTHUB_BASE_URL.name, problem)
        })
    }

    /// Whether Trust Hub is a simulator on this machine.
    pub(super) fn is_on_this_machine(&self) -> bool {
        unencrypted_authority(&self.base_url).is_some_and(is_loopback)
    }

    /// Warns about plain HTTP to another machine, because every request contains credentials.
    pub(super) fn warning(&self) -> Option<String> {
        let authority = unencrypted_authority(&self.base_url)?;
        (!is_loopback(authority)).then(|| {
            let name = TRUSTHUB_BASE_URL.name;
            format!("{name} is not https; the network can read credentials, so use it only with a simulator")
        })
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        vec![(TRUSTHUB_BASE_URL.name, self.base_url.clone())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_url_that_cannot_be_called_is_a_configuration_problem() {
        let config = TrustHubConfig { base_url: "http://1.2.3.999".to_owned() };
        let problems = config.client(ApiLimits::default()).unwrap_err().to_string();
        assert!(problems.contains("TRUSTHUB_BASE_URL: is not a valid URL; write https://"), "{problems}");
    }
}
