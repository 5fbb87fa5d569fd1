//! HTTP as Twilio speaks it: each time a fresh connection, checked certificates, and two clocks.

use std::{error::Error, future::Future, io, sync::Arc, time::Duration};

use reqwest::{ClientBuilder, Method, Response, header::LOCATION, redirect, retry};
use tokio::{
    sync::Notify,
    task_local,
    time::{Instant, sleep_until, timeout_at},
};
use tower::{BoxError, util::MapFutureLayer};

use super::{journal::Failure, request::Request};
use crate::domain::Verb;

task_local! {
    /// The connection that the request of this task needs. reqwest has a time limit for connections per client only, and
    /// does not tell when the time of the answer begins.
    static DIAL: Dial;
}

#[derive(Clone)]
struct Dial {
    deadline: Instant,
    connected: Arc<Notify>,
}

/// How long one request may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) read: Duration,
    /// The end of everything.
    pub(super) deadline: Instant,
}

/// What Twilio looks at in an answer. The body is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Where it sends the caller to.
    pub(super) location: Option<String>,
}

pub(super) struct Client(reqwest::Client);

impl Client {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        install_crypto();
        // A machine without any CA certificates can still call http; https finds no certificate valid then.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build())?;
        Ok(Self(client))
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(&self, request: &Request, token: &str, limits: Limits) -> Result<Answer, Failure> {
        let dial =
            Dial { deadline: limits.deadline.min(Instant::now() + limits.connect), connected: Arc::new(Notify::new()) };
        let read_limit = read_limit(Arc::clone(&dial.connected), limits);
        let result = tokio::select! {
            answer = DIAL.scope(dial, self.builder(request, token).send()) => {
                answer.map(|answer| read(&answer)).map_err(|error| failure(&error))
            }
            () = read_limit => Err(Failure::ReadTimeout),
        };
        match result {
            Err(Failure::ConnectTimeout | Failure::ReadTimeout) if Instant::now() >= limits.deadline => {
                Err(Failure::TotalTimeout)
            }
            result => result,
        }
    }

    fn builder(&self, request: &Request, token: &str) -> reqwest::RequestBuilder {
        let builder = match request.verb {
            Verb::Get => self.0.request(Method::GET, &request.url),
            Verb::Post => self
                .0
                .request(Method::POST, &request.url)
                .header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
                .body(request.fields.clone()),
        };
        builder
            .header("User-Agent", "TwilioProxy/1.1")
            .header("X-Home-Region", "us1")
            .header("I-Twilio-Idempotency-Token", token)
            .header("X-Twilio-Signature", &request.signature)
    }
}

/// What reqwest takes for TLS.
pub(super) fn install_crypto() {
    // It fails when there is something already, which is as good.
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

/// Ends when the answer should have come. Its time begins when there is a connection.
async fn read_limit(connected: Arc<Notify>, limits: Limits) {
    connected.notified().await;
    sleep_until(limits.deadline.min(Instant::now() + limits.read)).await;
}

fn read(response: &Response) -> Answer {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let status = response.status().as_u16();
    let redirects = [301, 302, 303, 307].contains(&status);
    Answer { status, location: location.filter(|_| redirects).map(str::to_owned) }
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        Failure::InvalidUrl
    } else if !error.is_connect() {
        Failure::Read
    } else if error.is_dns() {
        Failure::Dns
    } else if error.is_timeout() {
        Failure::ConnectTimeout
    } else if causes(error).any(is_tls) {
        Failure::Tls
    } else {
        Failure::Connect
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// An error of rustls comes wrapped in errors of I/O, which do not name it as their source. An end without a reason is
/// that of a handshake: where there is no TLS, nothing is read to connect.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().map_or_else(
        || cause.is::<rustls::Error>(),
        |error| error.kind() == io::ErrorKind::UnexpectedEof || error.get_ref().is_some_and(|inner| is_tls(inner)),
    )
}
