//! The public edge: makes the [`RawCallback`](crate::domain::RawCallback), hands it to the pipeline, answers.
//!
//! Whatever the answer, its body is a fixed short text. A redirect is never answered: Twilio would follow it with a
//! `GET` whose signature does not match any more.
//!
//! Handlers run on the workers of the server and make no blocking call.

mod request;
mod response;
mod route;

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

pub use actix_web::dev::{Server, ServerHandle};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::{Method, StatusCode},
    web,
};

use self::{
    request::{Limits, held_bytes, read},
    response::{respond, status},
    route::{Route, Routes},
};
use crate::{
    config::Http,
    domain::{DeliveryError, Outcome, PublicUrl},
    http_server::{ConnectionLimits, ConnectionSlot, ConnectionTable, admit_into, has_body, watch_worker},
    liveness::Liveness,
    pipeline::Pipeline,
    shutdown::Stopping,
};

/// The longest that the head of a request may take; it is one packet or two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Threads that read and answer requests. More bring nothing: the work for a callback takes microseconds.
const MOST_WORKERS: usize = 4;

/// Where load balancers ask whether this port answers. It is no callback path, so it counts nowhere.
const HEALTH_PATH: &str = "/healthz";

/// What the handlers share.
pub struct CallbackHandler {
    pipeline: Arc<Pipeline>,
    routes: Routes,
    limits: Limits,
    stopping: Stopping,
}

impl CallbackHandler {
    /// The edge in front of `pipeline`, for the paths below `urls`.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, urls: &[PublicUrl], http: &Http, stopping: Stopping) -> Self {
        let limits = Limits { fields: http.max_body_bytes, time: http.request_timeout };
        Self { pipeline, routes: Routes::below(urls), limits, stopping }
    }

    async fn answer(&self, request: &HttpRequest, payload: &mut web::Payload) -> StatusCode {
        match self.routes.find(request.uri().path()) {
            Some(route) => status(self.outcome(request, payload, route).await),
            None if request.uri().path() == HEALTH_PATH => health(request),
            None => StatusCode::NOT_FOUND,
        }
    }

    async fn outcome(&self, request: &HttpRequest, payload: &mut web::Payload, route: Route) -> Outcome {
        const OVERLOADED: Outcome = Outcome::Unavailable(DeliveryError::Overloaded);
        let case = self.pipeline.open(route.resource, Instant::now());
        // Without a slot the system is short of descriptors.
        let Some(slot) = request.conn_data::<ConnectionSlot>().filter(|slot| !slot.is_saturated()) else {
            return case.conclude(OVERLOADED);
        };
        let read = read(request, payload, route, self.limits, case.received()).await;
        let bytes = read.as_ref().map_or(0, held_bytes);
        match (slot.activate(bytes), read) {
            (None, _) => case.conclude(OVERLOADED),
            // It counts until the callback is durable, also when this handler is cancelled before.
            (Some(active), Ok(raw)) => self.pipeline.accept(case, raw, active).await,
            (Some(_active), Err(refusal)) => case.conclude(Outcome::Rejected(refusal)),
        }
    }
}

/// The port answers, whatever becomes of callbacks: an instance that is overloaded or stopping still serves.
fn health(request: &HttpRequest) -> StatusCode {
    match *request.method() {
        Method::GET | Method::HEAD if has_body(request) => StatusCode::BAD_REQUEST,
        Method::GET | Method::HEAD => StatusCode::OK,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    }
}

async fn handle(edge: web::Data<CallbackHandler>, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let slot = request.conn_data::<ConnectionSlot>();
    if let Some(slot) = slot {
        slot.head_arrived();
        if slot.has_left() {
            return hang_up(slot).await;
        }
    }
    let status = edge.answer(&request, &mut payload).await;
    let refused = !status.is_success();
    if let Some(slot) = slot.filter(|_| refused) {
        slot.leave(payload);
    }
    let allowed = if request.uri().path() == HEALTH_PATH { "GET, HEAD" } else { "GET, POST" };
    // A connection that outlives its request would keep the server from stopping.
    respond(status, allowed, refused || edge.stopping.has_begun())
}

/// What comes behind a refused request is not read: it may be a part of that request, smuggled in as one of its own.
/// Nor can answers pile up that nobody fetches.
async fn hang_up(slot: &ConnectionSlot) -> HttpResponse {
    // In this pause actix writes the answer to the refused request.
    tokio::task::yield_now().await;
    slot.close();
    respond(StatusCode::BAD_REQUEST, "", true)
}

/// The limits of the public port when so many callbacks may be in progress.
fn limits(http: &Http) -> ConnectionLimits {
    ConnectionLimits::for_requests(http.max_connections, http.max_body_bytes)
}

/// The most descriptors that the public port takes.
#[must_use]
pub fn most_descriptors(http: &Http) -> usize {
    limits(http).descriptors()
}

/// The server on the public port. It stops only through its handle, and waits at most `shutdown` for its handlers. Each
/// of its workers is registered in `liveness`.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(
    listener: TcpListener,
    http: &Http,
    shutdown: Duration,
    edge: CallbackHandler,
    liveness: Liveness,
) -> io::Result<Server> {
    let edge = web::Data::new(edge);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let limits = limits(http);
    let app = move || {
        watch_worker(&liveness, "a worker of the public port");
        App::new().app_data(edge.clone()).default_service(web::to(handle))
    };
    let server = HttpServer::new(app)
        .on_connect(admit_into(ConnectionTable::new(limits), HEAD_TIMEOUT.min(http.request_timeout)))
        .workers(workers)
        .max_connections(limits.open.div_ceil(workers))
        .client_request_timeout(Duration::ZERO)
        .keep_alive(http.keep_alive)
        .disable_signals()
        .shutdown_timeout(shutdown.as_secs())
        .listen(listener)?;
    Ok(server.run())
}
