//! The public HTTP server: reads a request into a [`RawCallback`], passes it to the pipeline, and maps the outcome to a response.
//!
//! # Invariants
//!
//! - Every request to a callback path, in any spelling of its slashes and letters, has an outcome, which the pipeline counts.
//!   Requests to other paths are answered 404, and those to `/healthz` 200; both count nowhere.
//! - The size of a request and the time to read it are limited, and its content is not interpreted.
//! - The body of a response is a fixed short text that never explains a rejection.
//! - No response is a redirect: Twilio would follow it with a `GET` that its signature does not match.
//! - A connection ends after a rejected request. Bytes behind such a request may be a part of it, so they are not read as a
//!   request of their own.
//!
//! # Failures
//!
//! | What fails | Response |
//! |---|---|
//! | the head is not complete in time | 400, and the connection is closed (`http_server`) |
//! | the body is not complete in time, or the caller closes the connection | 400 if it can be sent; `timed_out` or `incomplete` |
//! | too many requests are in progress, or they hold too many bytes | 503, `overloaded` |
//! | the system has no descriptor left for the connection | the connection is closed, or 503, `overloaded` |
//! | the caller closes the connection while its callback is in progress | none: the pipeline finishes the callback |
//!
//! # Calls that can block
//!
//! None. Handlers run on the workers of the server: threads with a runtime of their own.

mod decide;
mod head;
mod health;
mod request;
mod response;
mod route;

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

pub(crate) use actix_web::dev::{Server, ServerHandle};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::{Method, StatusCode},
    web,
};

pub(crate) use self::{
    decide::{Answer, CapturedRequest, Decider, Decision},
    route::CallbackPath,
};

use self::{
    health::{HEALTH_PATH, health},
    request::{RequestLimits, memory_bytes, read},
    response::{respond, status_of},
    route::{Route, Routes},
};
use crate::{
    config::HttpConfig,
    domain::{DeliveryError, Outcome, PublicUrl, RawCallback},
    http_server::{
        ActiveRequest, ConnectionLimits, ConnectionSlot, ConnectionTable, admit_into, has_body, watch_worker,
    },
    liveness::Liveness,
    pipeline::{OutcomeGuard, Pipeline},
    shutdown::ShutdownFlag,
    traces::RequestLine,
};

/// The longest that the head of a request may take; it is one packet or two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest number of threads that read and answer requests. More are no faster: the work for a callback takes
/// microseconds.
const MAX_WORKERS: usize = 4;

/// Handles the requests of the public port. All workers share it.
pub(crate) struct CallbackHandler {
    pipeline: Arc<Pipeline>,
    routes: Routes,
    limits: RequestLimits,
    shutdown: ShutdownFlag,
}

impl CallbackHandler {
    /// Creates a handler that passes callbacks to `pipeline`, for the callback paths below `urls`.
    #[must_use]
    pub(crate) fn new(pipeline: Arc<Pipeline>, urls: &[PublicUrl], http: &HttpConfig, shutdown: ShutdownFlag) -> Self {
        let limits = RequestLimits { max_bytes: http.max_body_bytes, timeout: http.request_timeout };
        Self { pipeline, routes: Routes::new(urls), limits, shutdown }
    }

    async fn status(&self, request: &HttpRequest, payload: &mut web::Payload) -> StatusCode {
        match self.routes.find(request.uri().path()) {
            Some(route) => status_of(self.outcome(request, payload, route).await),
            None if request.uri().path() == HEALTH_PATH => health(request.method(), has_body(request)),
            None => {
                tracing::debug!(method = %request.method(), path = request.uri().path(), "unknown path");
                StatusCode::NOT_FOUND
            }
        }
    }

    async fn outcome(&self, request: &HttpRequest, payload: &mut web::Payload, route: Route<'_>) -> Outcome {
        let received = self.receive(request, payload, route).await;
        // Moved as a whole: the future of the handler would otherwise reserve space for it while it waits.
        match received.map(|(guard, raw, active)| self.pipeline.accept(guard, raw, active)) {
            Ok(accepted) => accepted.await,
            Err(outcome) => outcome,
        }
    }

    /// Reads a request. It counts as active until its callback has an outcome, even if this handler is cancelled before then.
    ///
    /// # Errors
    /// The outcome of a request that the pipeline does not get.
    async fn receive(
        &self,
        request: &HttpRequest,
        payload: &mut web::Payload,
        route: Route<'_>,
    ) -> Result<(OutcomeGuard, RawCallback, ActiveRequest), Outcome> {
        const OVERLOADED: Outcome = Outcome::Unavailable(DeliveryError::Overloaded);
        let line = RequestLine { method: traced_method(request.method()), route: route.documented() };
        let guard = self.pipeline.start_request(route.resource, line, Instant::now());
        // A connection has no slot when the system is short of descriptors.
        let Some(slot) = request.conn_data::<ConnectionSlot>().filter(|slot| !slot.is_saturated()) else {
            return Err(guard.finish(OVERLOADED));
        };
        let read = read(request, payload, route, self.limits, guard.received()).await;
        let bytes = read.as_ref().map_or(0, memory_bytes);
        match (slot.activate(bytes), read) {
            (None, _) => Err(guard.finish(OVERLOADED)),
            (Some(active), Ok(raw)) => Ok((guard, raw, active)),
            (Some(_active), Err(reason)) => Err(guard.finish(Outcome::Rejected(reason))),
        }
    }
}

async fn handle(handler: web::Data<CallbackHandler>, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let slot = request.conn_data::<ConnectionSlot>();
    if let Some(slot) = slot {
        slot.on_head();
        if slot.has_had_last_request() {
            return close(slot).await;
        }
    }
    let status = handler.status(&request, &mut payload).await;
    let is_error = !status.is_success();
    if let Some(slot) = slot.filter(|_| is_error) {
        slot.mark_last_request(payload);
    }
    let allowed = if request.uri().path() == HEALTH_PATH { "GET, HEAD" } else { "GET, POST" };
    // While the service stops, a connection that outlives its request would keep the server from stopping.
    respond(status, allowed, is_error || handler.shutdown.has_begun())
}

/// The status code of an outcome.
pub(crate) fn status_code_of(outcome: Outcome) -> u16 {
    status_of(outcome).as_u16()
}

/// The method as a span names it: one of a closed set.
fn traced_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ if method.as_str() == "QUERY" => "QUERY",
        _ => "_OTHER",
    }
}

/// Closes a connection that sent bytes behind a rejected request. They may be a part of that request, smuggled in as a request
/// of their own, so they are not handled. This also bounds the responses that a caller who does not read them can pile up.
async fn close(slot: &ConnectionSlot) -> HttpResponse {
    // During this pause actix writes the response to the rejected request.
    tokio::task::yield_now().await;
    slot.close();
    respond(StatusCode::BAD_REQUEST, "", true)
}

/// The limits of the connections to the public port.
fn limits(http: &HttpConfig) -> ConnectionLimits {
    ConnectionLimits::for_requests(http.max_in_flight, http.max_body_bytes)
}

/// The largest number of descriptors that the public port needs.
#[must_use]
pub(crate) fn max_descriptors(http: &HttpConfig) -> usize {
    limits(http).descriptors()
}

/// Creates the server of the public port. It stops only through its handle, and then waits up to `shutdown_timeout` for its
/// handlers. Each of its workers is registered in `liveness`.
///
/// # Errors
/// An I/O error if the listener cannot be used.
pub(crate) fn server(
    listener: TcpListener,
    http: &HttpConfig,
    shutdown_timeout: Duration,
    handler: CallbackHandler,
    liveness: Liveness,
) -> io::Result<Server> {
    let handler = web::Data::new(handler);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
    let limits = limits(http);
    let app = move || {
        watch_worker(&liveness, "a worker of the public port");
        App::new().app_data(handler.clone()).default_service(web::to(handle))
    };
    let server = HttpServer::new(app)
        .on_connect(admit_into(ConnectionTable::new(limits), HEAD_TIMEOUT.min(http.request_timeout)))
        .workers(workers)
        .max_connections(limits.open.div_ceil(workers))
        .client_request_timeout(Duration::ZERO)
        .keep_alive(http.keep_alive)
        .disable_signals()
        .shutdown_timeout(shutdown_timeout.as_secs())
        .listen(listener)?;
    Ok(server.run())
}
