//! Requests AWS credentials from the source that the configuration names.

use std::time::Duration;

use reqwest::Client;

use super::{agent, error::CredentialError, issuer::AwsCredentials, web_identity};
use crate::{
    config::{AwsCredentialSource, MskIamConfig},
    domain::Timestamp,
    http_client::{self, HttpTimeouts, HttpTrust},
};

/// How long a request may take, with its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take: one to an instance metadata service that does not exist is not answered at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Requests credentials. Does not remember them.
pub(crate) struct CredentialClient {
    msk: MskIamConfig,
    http: Client,
}

impl CredentialClient {
    /// Creates the client. It opens no connection before the first request.
    ///
    /// # Errors
    /// [`CredentialError::Setup`] if the source needs certificate authorities, and the system has none.
    pub(crate) fn new(msk: &MskIamConfig) -> Result<Self, CredentialError> {
        let is_encrypted = match &msk.credentials {
            AwsCredentialSource::WebIdentity(identity) => {
                web_identity::url(identity, &msk.region).starts_with("https:")
            }
            AwsCredentialSource::Container { url, .. } => url.starts_with("https:"),
            AwsCredentialSource::InstanceMetadata { endpoint } => endpoint.starts_with("https:"),
            AwsCredentialSource::Environment(_) => false,
        };
        let timeouts = HttpTimeouts { connect: CONNECT_TIMEOUT, total: REQUEST_TIMEOUT };
        let http = http_client::create(HttpTrust::of_system(is_encrypted), timeouts)
            .map_err(|error| CredentialError::Setup(error.without_url().to_string()))?;
        Ok(Self { msk: msk.clone(), http })
    }

    /// Requests credentials that are valid at this time.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub(crate) async fn fetch(&self, now: Timestamp) -> Result<AwsCredentials, CredentialError> {
        let (issuer, credentials) = match &self.msk.credentials {
            AwsCredentialSource::Environment(keys) => return Ok(AwsCredentials { keys: keys.clone(), expires: None }),
            AwsCredentialSource::WebIdentity(identity) => {
                (web_identity::STS, web_identity::fetch(&self.http, identity, &self.msk.region).await?)
            }
            AwsCredentialSource::Container { url, authorization } => {
                (agent::CONTAINER, agent::fetch_container(&self.http, url, authorization.as_ref()).await?)
            }
            AwsCredentialSource::InstanceMetadata { endpoint } => {
                (agent::INSTANCE, agent::fetch_instance(&self.http, endpoint).await?)
            }
        };
        match credentials.expires {
            Some(expires) if expires <= now => Err(CredentialError::Expired { service: issuer.name }),
            _ => Ok(credentials),
        }
    }
}
