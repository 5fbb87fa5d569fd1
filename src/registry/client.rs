//! Sends requests to the schema registry.
//!
//! The [API](https://docs.confluent.io/platform/current/schema-registry/develop/api.html) is Confluent's, which Apicurio,
//! Karapace and Redpanda have as well.

use std::{future::pending, time::Duration};

use reqwest::{Client, Method, Response, StatusCode, Url, header};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    error::{RegistryError, is_not_found, message_of},
    subjects::Subject,
};
use crate::{
    config::{RegistryConfig, RegistryUser},
    http_client::{self, HttpTimeouts, HttpTrust},
};

/// How long a request may take, with its response.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest schema of this project has 10 kB.
const MAX_RESPONSE_BYTES: usize = 1024 * 1024;

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A client of one registry. It opens no connection before the first request.
#[derive(Debug)]
pub(crate) struct RegistryClient {
    client: Client,
    base: Url,
    user: Option<RegistryUser>,
}

impl RegistryClient {
    /// Creates the client.
    ///
    /// # Errors
    /// [`RegistryError::Setup`] when the URL is not valid, or when it needs certificate authorities and the system has none.
    pub(crate) fn new(config: &RegistryConfig) -> Result<Self, RegistryError> {
        let base = Url::parse(&config.url).map_err(|_| RegistryError::Setup("it is not a valid URL".to_owned()))?;
        let timeouts = HttpTimeouts { connect: CONNECT_TIMEOUT, total: REQUEST_TIMEOUT };
        let client = http_client::create(HttpTrust::of_system(base.scheme() == "https"), timeouts)
            .map_err(|error| RegistryError::Setup(error.without_url().to_string()))?;
        Ok(Self { client, base, user: config.user.clone() })
    }

    /// Completes when the password is another one than now.
    pub(super) fn password_changed(&self) -> impl Future<Output = ()> + Send + use<> {
        let changed = self.user.as_ref().map(|user| user.password.changed());
        async move {
            match changed {
                Some(changed) => changed.await,
                None => pending().await,
            }
        }
    }

    /// The id of a schema. Registers it if it is not yet registered and `registers`.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(super) async fn id_of(&self, subject: &Subject, registers: bool) -> Result<u32, RegistryError> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }

        let path: &[&str] =
            if registers { &["subjects", &subject.name, "versions"] } else { &["subjects", &subject.name] };
        let body = json!({ "schema": subject.text(), "schemaType": subject.schema_type() }).to_string();
        let answer = self.send(Method::POST, path, Some(body)).await?;
        match answer {
            RegistryResponse::Success(body) => parsed(&body).map(|Registered { id }| id),
            RegistryResponse::Failure(StatusCode::NOT_FOUND, body) if !registers && is_not_found(&body) => {
                Err(RegistryError::NotRegistered(subject.name.clone()))
            }
            RegistryResponse::Failure(StatusCode::CONFLICT, body) => {
                Err(RegistryError::Incompatible { subject: subject.name.clone(), message: message_of(&body) })
            }
            RegistryResponse::Failure(status, body) => Err(refused(status, &body)),
        }
    }

    /// The text of the schema with this id.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub(crate) async fn schema_of(&self, id: u32) -> Result<String, RegistryError> {
        #[derive(Deserialize)]
        struct Found {
            schema: String,
        }

        match self.send(Method::GET, &["schemas", "ids", &id.to_string()], None).await? {
            RegistryResponse::Success(body) => parsed(&body).map(|Found { schema }| schema),
            RegistryResponse::Failure(StatusCode::NOT_FOUND, body) if is_not_found(&body) => {
                Err(RegistryError::UnknownId(id))
            }
            RegistryResponse::Failure(status, body) => Err(refused(status, &body)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<String>,
    ) -> Result<RegistryResponse, RegistryError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut request = self.client.request(method, url).header(header::ACCEPT, MEDIA_TYPE);
        if let Some(RegistryUser { name, password }) = &self.user {
            request = request.basic_auth(name, Some(password.current().expose_secret()));
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, MEDIA_TYPE).body(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let body = read(response).await?;
        Ok(if status.is_success() { RegistryResponse::Success(body) } else { RegistryResponse::Failure(status, body) })
    }
}

enum RegistryResponse {
    Success(Vec<u8>),
    Failure(StatusCode, Vec<u8>),
}

fn refused(status: StatusCode, body: &[u8]) -> RegistryError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied(status.as_u16()),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => RegistryError::NotARegistry,
        _ => RegistryError::Status { status: status.as_u16(), message: message_of(body) },
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(body).map_err(|_| RegistryError::NotARegistry)
}

async fn read(response: Response) -> Result<Vec<u8>, RegistryError> {
    http_client::read(response, MAX_RESPONSE_BYTES).await?.ok_or(RegistryError::NotARegistry)
}
