//! Sends spans to an OTLP receiver (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::{error::Error as _, fs, time::Duration};

use reqwest::{
    Certificate, Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use rustls::crypto::ring;
use secrecy::ExposeSecret as _;
use thiserror::Error;

use crate::config::ExportConfig;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of a response is read, so that its connection can be used again. It is empty, or a few words.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The client of the receiver cannot be created.
#[derive(Debug, Error)]
#[error("{variable} cannot be used: {problem}")]
pub(crate) struct ReceiverError {
    variable: &'static str,
    problem: String,
}

/// Why spans were not accepted.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum SendError {
    /// There is no response.
    #[error("no response: {0}")]
    NoResponse(String),
    /// The receiver asks for a repetition, after this pause if it says so.
    #[error("HTTP {0}")]
    Unavailable(u16, Option<Duration>),
    /// The receiver does not accept the spans.
    #[error("HTTP {0}")]
    Rejected(u16),
}

/// An OTLP receiver.
pub(super) struct Receiver {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl Receiver {
    /// Opens no connection before the first request.
    ///
    /// # Errors
    /// [`ReceiverError`] when the URL, a header or the certificate authorities cannot be used.
    pub(super) fn new(config: &ExportConfig) -> Result<Self, ReceiverError> {
        let failed = |variable, problem: String| ReceiverError { variable, problem };
        let of_url = |problem| failed("OTEL_EXPORTER_OTLP_ENDPOINT", problem);
        let url = Url::parse(&config.url).map_err(|error| of_url(error.to_string()))?;
        // The provider is process-wide; another part of the process may already have installed the same one.
        let _ = ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            .timeout(config.timeout);
        let builder = match (url.scheme(), &config.certificate) {
            ("https", None) => builder.https_only(true),
            ("https", Some(path)) => {
                let authorities = certificates(path);
                let authorities = authorities.map_err(|problem| failed("OTEL_EXPORTER_OTLP_CERTIFICATE", problem))?;
                builder.https_only(true).tls_certs_only(authorities)
            }
            // Plain HTTP needs no certificate authorities, and a proxy would see the headers.
            _ => builder.tls_certs_only([]).no_proxy(),
        };
        let client = builder.build().map_err(|error| of_url(error.without_url().to_string()))?;
        let headers = headers(config).ok_or_else(|| failed("OTEL_EXPORTER_OTLP_HEADERS", "not a header".to_owned()))?;
        Ok(Self { client, url, headers })
    }

    /// Sends a batch once.
    ///
    /// # Errors
    /// [`SendError`].
    pub(super) async fn send(&self, media_type: &'static str, body: Vec<u8>) -> Result<(), SendError> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        let request = request.header(CONTENT_TYPE, media_type).body(body);
        let response = request.send().await.map_err(|error| SendError::NoResponse(innermost(error)))?;
        let (status, pause) = (response.status(), pause(&response));
        discard(response).await;
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(SendError::Unavailable(status.as_u16(), pause)),
            _ => Err(SendError::Rejected(status.as_u16())),
        }
    }
}

fn certificates(path: &str) -> Result<Vec<Certificate>, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err("it has no certificate; write the path of a PEM file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn headers(config: &ExportConfig) -> Option<HeaderMap> {
    let pairs = config.headers.iter().map(|(name, value)| {
        let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    });
    pairs.collect()
}

/// The pause that the response asks for, in seconds. A date is ignored, as if there were none.
fn pause(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?;
    value.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

async fn discard(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > MAX_RESPONSE_BYTES {
            return;
        }
    }
}

/// The innermost cause, which says most, without the URL.
fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.last().map_or_else(|| error.to_string(), ToString::to_string)
}
