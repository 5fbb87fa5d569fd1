//! Sends HTTP requests: builds URLs, limits concurrency and retries.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reqwest::{Client, Method, Response, Url, header, redirect};
use rustls::crypto::ring;
use secrecy::ExposeSecret as _;
use time::OffsetDateTime;
use tokio::{sync::Semaphore, time::sleep};
use trusthub_events::ProfileSid;

use crate::{
    credentials::Credentials,
    error::Error,
    profile::Collection,
    retry::{ApiLimits, FailedAttempt, retry_after},
    setup_error::SetupError,
};

/// A page of a thousand profiles has about 1.5 MB.
const MAX_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";

/// The HTTP client that all accounts share.
#[derive(Debug)]
pub(crate) struct ApiClient {
    client: Client,
    /// The base URL of Trust Hub.
    trust_hub: Url,
    /// The base URL of the API for numbers, which has the regulatory bundles.
    numbers: Url,
    permits: Semaphore,
    pub(crate) limits: ApiLimits,
    /// Requests sent so far, retries included.
    pub(crate) requests: AtomicU64,
}

/// One request, which may be sent several times.
struct ApiRequest<'a> {
    method: Method,
    url: Url,
    credentials: &'a Credentials,
    form: Option<String>,
}

impl ApiClient {
    pub(crate) fn new(base_url: &str, user_agent: &str, limits: ApiLimits) -> Result<Self, SetupError> {
        let base = Url::parse(base_url).map_err(|_| SetupError::BaseUrl)?;
        let client = client(&base, user_agent, &limits).map_err(|error| SetupError::Http(error.into()))?;
        let (permits, requests) = (Semaphore::new(limits.concurrency), AtomicU64::new(0));
        Ok(Self { client, numbers: numbers_url(&base), trust_hub: base, permits, limits, requests })
    }

    /// The URL of a collection, or of one profile in it.
    pub(crate) fn url(&self, collection: Collection, sid: Option<&ProfileSid>) -> Url {
        let mut url = match collection {
            Collection::CustomerProfiles | Collection::TrustProducts => self.trust_hub.clone(),
            Collection::RegulatoryBundles => self.numbers.clone(),
        };
        let prefix = url.path().trim_end_matches('/');
        let profile = sid.map(|sid| format!("/{sid}")).unwrap_or_default();
        url.set_path(&format!("{prefix}/{}{profile}", collection.path()));
        url
    }

    pub(crate) async fn get(&self, credentials: &Credentials, url: Url) -> Result<Vec<u8>, Error> {
        self.send_with_retries(ApiRequest { method: Method::GET, url, credentials, form: None }).await
    }

    pub(crate) async fn post(&self, credentials: &Credentials, url: Url, form: String) -> Result<Vec<u8>, Error> {
        self.send_with_retries(ApiRequest { method: Method::POST, url, credentials, form: Some(form) }).await
    }

    /// Returns the body of a successful response. Retries as [`ApiLimits::pause`] decides.
    async fn send_with_retries(&self, request: ApiRequest<'_>) -> Result<Vec<u8>, Error> {
        let mut attempts = 0;
        loop {
            let failure = match self.attempt(&request).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            attempts += 1;
            let Some(pause) = self.limits.pause(&failure, &request.method, attempts) else {
                return Err(failure.error);
            };
            tracing::debug!(error = %failure.error, attempts, ?pause, "retrying the request to Trust Hub");
            sleep(pause).await;
        }
    }

    /// Holds a permit from the connection to the last byte of the response, but not during the pause before a retry.
    async fn attempt(&self, request: &ApiRequest<'_>) -> Result<Vec<u8>, FailedAttempt> {
        let _permit = self.permits.acquire().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response =
            self.send(request).await.map_err(|error| FailedAttempt { error: error.into(), retry_after: None })?;
        let (status, retry_after) = (response.status(), requested_pause(&response));
        let body = read(response).await;
        if status.is_success() {
            return body.map_err(|error| FailedAttempt { error, retry_after: None });
        }
        // The status alone is enough when the body cannot be read.
        let error = Error::from_response(status.as_u16(), &body.unwrap_or_default(), retry_after);
        Err(FailedAttempt { error, retry_after })
    }

    async fn send(&self, request: &ApiRequest<'_>) -> reqwest::Result<Response> {
        let Credentials { user, password, .. } = request.credentials;
        let builder = self.client.request(request.method.clone(), request.url.clone());
        let builder = builder.basic_auth(user, Some(password.expose_secret()));
        let builder = match request.form.clone() {
            Some(form) => builder.header(header::CONTENT_TYPE, FORM).body(form),
            None => builder,
        };
        builder.send().await
    }
}

/// The base URL of the API for numbers. Twilio has a host for each API, also in its regions. A simulator or a gateway has
/// all of them at one base URL.
fn numbers_url(base: &Url) -> Url {
    let mut numbers = base.clone();
    let domain = base.host_str().and_then(|host| host.strip_prefix("trusthub."));
    if let Some(domain) = domain.filter(|domain| *domain == "twilio.com" || domain.ends_with(".twilio.com")) {
        // The host stays valid.
        let _ = numbers.set_host(Some(&format!("numbers.{domain}")));
    }
    numbers
}

fn client(base: &Url, user_agent: &str, limits: &ApiLimits) -> reqwest::Result<Client> {
    // The provider is process-wide; another part of the process may already have installed the same one.
    let _ = ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(user_agent)
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(limits.connect_timeout)
        .timeout(limits.request_timeout);
    match base.scheme() {
        "https" => builder.https_only(true),
        // Plain HTTP needs no certificate authorities, and a proxy would see the credentials.
        _ => builder.tls_certs_only([]).no_proxy(),
    }
    .build()
}

fn requested_pause(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    retry_after(value, OffsetDateTime::now_utc())
}

async fn read(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
            return Err(Error::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundles(base: &str) -> String {
        let client = ApiClient::new(base, "test/1.0", ApiLimits::default()).unwrap();
        client.url(Collection::RegulatoryBundles, None).to_string()
    }

    #[test]
    fn bundles_are_at_the_numbers_host_of_twilio_or_at_the_base_url() {
        const PATH: &str = "/v2/RegulatoryCompliance/Bundles";
        for (base, expected) in [
            ("https://trusthub.twilio.com", "https://numbers.twilio.com"),
            ("https://trusthub.dublin.ie1.twilio.com:8443", "https://numbers.dublin.ie1.twilio.com:8443"),
            ("https://trusthub.twilio.com.example.com", "https://trusthub.twilio.com.example.com"),
            ("https://trusthub.nottwilio.com", "https://trusthub.nottwilio.com"),
            ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
            ("https://gateway.example.com/twilio/", "https://gateway.example.com/twilio"),
        ] {
            assert_eq!(bundles(base), format!("{expected}{PATH}"), "{base}");
        }
    }
}
