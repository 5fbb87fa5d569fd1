//! Sends spans to an OTLP receiver (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::{fs, time::Duration};

use reqwest::{
    Certificate, Client, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use secrecy::ExposeSecret as _;
use thiserror::Error;

use super::otlp;
use crate::{
    config::{ExportConfig, SpanEncoding},
    http_client::{self, HttpTimeouts, HttpTrust},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of a response is read. It is empty, or a few words.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

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
    /// The receiver accepts the spans except this many. They must not be repeated.
    #[error("the receiver rejected {0} spans of a request that it accepted")]
    PartlyRejected(u64),
}

impl SendError {
    /// The status of the response; `None` without one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::NoResponse(_) => None,
            Self::Unavailable(status, _) | Self::Rejected(status) => Some(*status),
            Self::PartlyRejected(_) => Some(StatusCode::OK.as_u16()),
        }
    }
}

/// An OTLP receiver.
pub(super) struct Receiver {
    client: Client,
    url: Url,
    headers: HeaderMap,
    encoding: SpanEncoding,
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
        let trust = match (url.scheme(), &config.certificate) {
            ("https", Some(path)) => {
                let authorities = certificates(path);
                HttpTrust::Only(authorities.map_err(|problem| failed("OTEL_EXPORTER_OTLP_CERTIFICATE", problem))?)
            }
            (scheme, _) => HttpTrust::of_system(scheme == "https"),
        };
        let timeouts = HttpTimeouts { connect: CONNECT_TIMEOUT.min(config.timeout), total: config.timeout };
        let client = http_client::create(trust, timeouts).map_err(|error| of_url(error.without_url().to_string()))?;
        let headers = headers(config).ok_or_else(|| failed("OTEL_EXPORTER_OTLP_HEADERS", "not a header".to_owned()))?;
        Ok(Self { client, url, headers, encoding: config.encoding })
    }

    /// The request that exports a batch. Its clones share the body.
    pub(super) fn request(&self, media_type: &'static str, body: Vec<u8>) -> RequestBuilder {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        request.header(CONTENT_TYPE, media_type).body(body)
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// [`SendError`].
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<(), SendError> {
        let no_response = |error| SendError::NoResponse(http_client::innermost(error));
        let response = request.send().await.map_err(no_response)?;
        let (status, pause) = (response.status(), pause(&response));
        // The whole response is read so that its connection can be used again. What it says beyond its status can be missing.
        let body = http_client::read(response, MAX_RESPONSE_BYTES).await.ok().flatten().unwrap_or_default();
        match status {
            _ if status.is_success() => match otlp::rejected_spans(self.encoding, &body) {
                0 => Ok(()),
                rejected => Err(SendError::PartlyRejected(rejected)),
            },
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
