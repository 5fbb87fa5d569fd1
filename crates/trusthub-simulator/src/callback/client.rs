//! An HTTP client that behaves as Twilio's: a new connection for each request, verified certificates, and separate
//! timeouts for the connection and for the response.

use std::{error::Error, future::Future, io, sync::Arc, time::Duration};

use reqwest::{ClientBuilder, Method, Response, header::LOCATION, redirect, retry};
use tokio::{
    sync::Notify,
    task_local,
    time::{Instant, sleep_until, timeout_at},
};
use tower::{BoxError, util::MapFutureLayer};

use super::{
    journal::CallbackFailure,
    request::{CallbackMethod, CallbackRequest},
};

task_local! {
    /// The connection attempt of the request that this task sends. It is task-local because reqwest has a connection
    /// timeout per client only, and does not report when the connection is established.
    static DIAL: Dial;
}

#[derive(Clone)]
struct Dial {
    deadline: Instant,
    connected: Arc<Notify>,
}

/// The settings header in Twilio's spelling.
const SETTINGS: &str = "X-Twilio-Webhooks-Signature-Settings";

/// The time limits of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttemptTimeouts {
    pub(super) connect: Duration,
    /// From the established connection to the head of the response.
    pub(super) read: Duration,
    /// The end of all attempts at this callback.
    pub(super) deadline: Instant,
}

/// The part of a response that Twilio evaluates. The body is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReceiverResponse {
    pub(super) status: u16,
    /// The target of a redirect.
    pub(super) location: Option<String>,
}

pub(super) struct CallbackClient(reqwest::Client);

impl CallbackClient {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        install_crypto();
        // A machine without CA certificates can still send to http URLs; every certificate of an https URL is invalid then.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build())?;
        Ok(Self(client))
    }

    /// Sends a request and waits for the head of the response.
    pub(super) async fn send(
        &self,
        request: &CallbackRequest,
        token: &str,
        timeouts: AttemptTimeouts,
    ) -> Result<ReceiverResponse, CallbackFailure> {
        let deadline = timeouts.deadline.min(Instant::now() + timeouts.connect);
        let dial = Dial { deadline, connected: Arc::new(Notify::new()) };
        let read_timeout = read_timeout(Arc::clone(&dial.connected), timeouts);
        let result = tokio::select! {
            response = DIAL.scope(dial, self.builder(request, token).send()) => {
                response.map(|response| read(&response)).map_err(|error| failure(&error))
            }
            () = read_timeout => Err(CallbackFailure::ReadTimeout),
        };
        match result {
            Err(CallbackFailure::ConnectTimeout | CallbackFailure::ReadTimeout)
                if Instant::now() >= timeouts.deadline =>
            {
                Err(CallbackFailure::TotalTimeout)
            }
            result => result,
        }
    }

    fn builder(&self, request: &CallbackRequest, token: &str) -> reqwest::RequestBuilder {
        let builder = match request.verb {
            CallbackMethod::Get => self.0.request(Method::GET, &request.url),
            CallbackMethod::Post => self
                .0
                .request(Method::POST, &request.url)
                .header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
                .body(request.fields.clone()),
        };
        let builder = match &request.settings {
            Some(settings) => builder.header(SETTINGS, settings),
            None => builder,
        };
        builder
            .header("User-Agent", "TwilioProxy/1.1")
            .header("X-Home-Region", "us1")
            .header("I-Twilio-Idempotency-Token", token)
            .header("X-Twilio-Signature", &request.signature)
    }
}

/// Installs the TLS implementation that reqwest uses.
pub(super) fn install_crypto() {
    // This fails if one is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn builder() -> ClientBuilder {
    reqwest::Client::builder()
        .connector_layer(MapFutureLayer::new(dial))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .pool_max_idle_per_host(0)
        .http1_title_case_headers()
        .no_proxy()
}

/// Connects, TLS handshake included, within the limit of the task's [`DIAL`].
async fn dial<T>(connecting: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    let dial = DIAL.get();
    let connection =
        timeout_at(dial.deadline, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    dial.connected.notify_one();
    Ok(connection)
}

/// Ends when the response is overdue. The timeout starts when the connection is established.
async fn read_timeout(connected: Arc<Notify>, timeouts: AttemptTimeouts) {
    connected.notified().await;
    sleep_until(timeouts.deadline.min(Instant::now() + timeouts.read)).await;
}

fn read(response: &Response) -> ReceiverResponse {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let status = response.status().as_u16();
    let is_redirect = [301, 302, 303, 307].contains(&status);
    ReceiverResponse { status, location: location.filter(|_| is_redirect).map(str::to_owned) }
}

fn failure(error: &reqwest::Error) -> CallbackFailure {
    if error.is_builder() {
        CallbackFailure::InvalidUrl
    } else if !error.is_connect() {
        CallbackFailure::Read
    } else if error.is_dns() {
        CallbackFailure::Dns
    } else if error.is_timeout() {
        CallbackFailure::ConnectTimeout
    } else if causes(error).any(is_tls) {
        CallbackFailure::Tls
    } else {
        CallbackFailure::Connect
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Returns whether the cause is a failed TLS handshake. Errors of rustls are wrapped in I/O errors that do not name them as
/// their source. An unexpected end of file also means a handshake, since nothing is read while connecting without TLS.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().map_or_else(
        || cause.is::<rustls::Error>(),
        |error| error.kind() == io::ErrorKind::UnexpectedEof || error.get_ref().is_some_and(|inner| is_tls(inner)),
    )
}
