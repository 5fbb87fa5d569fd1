//! The public edge: makes the [`RawCallback`](crate::domain::RawCallback), hands it to the pipeline, answers.
//!
//! Whatever the answer, its body is a fixed short text. A redirect is never answered: Twilio would follow it with a
//! `GET` whose signature does not match any more.

mod answer;
mod connections;
mod read;
mod route;

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

pub use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use tokio::net::TcpStream;

use self::{
    answer::{respond, status},
    connections::{Connections, Room, Seat},
    read::{Limits, read},
    route::{Route, Routes},
};
use crate::{
    config::Http,
    domain::{Outcome, PublicUrl, Unkept},
    lifecycle::Stopping,
    pipeline::Pipeline,
};

/// The longest that the head of a request may take; it is one packet or two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection is kept: longer than the 60 s of common proxies, so that they close it and not we,
/// while a request is on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Threads that read and answer requests. More bring nothing: the work for a callback takes microseconds.
const MOST_WORKERS: usize = 4;

/// What the handlers share.
pub struct Edge {
    pipeline: Arc<Pipeline>,
    routes: Routes,
    limits: Limits,
    stopping: Stopping,
}

impl Edge {
    /// The edge in front of `pipeline`, for the paths below `urls`.
    #[must_use]
    pub fn new(pipeline: Arc<Pipeline>, urls: &[PublicUrl], http: &Http, stopping: Stopping) -> Self {
        let limits = Limits { fields: http.max_body_bytes, time: http.request_timeout };
        Self { pipeline, routes: Routes::below(urls), limits, stopping }
    }

    async fn answer(&self, request: &HttpRequest, payload: &mut web::Payload) -> StatusCode {
        match self.routes.find(request.uri().path()) {
            Some(route) => status(self.outcome(request, payload, route).await),
            None => StatusCode::NOT_FOUND,
        }
    }

    async fn outcome(&self, request: &HttpRequest, payload: &mut web::Payload, route: Route) -> Outcome {
        const OVERLOADED: Outcome = Outcome::Unavailable(Unkept::Overloaded);
        let case = self.pipeline.open(route.resource, Instant::now());
        // Without a seat the system is short of descriptors.
        let Some(seat) = request.conn_data::<Seat>().filter(|seat| !seat.is_in_vain()) else {
            return case.conclude(OVERLOADED);
        };
        let read = read(request, payload, route, self.limits, case.received()).await;
        match (seat.work(), read) {
            (None, _) => case.conclude(OVERLOADED),
            (Some(_work), Ok(raw)) => self.pipeline.accept(case, raw).await,
            (Some(_work), Err(refusal)) => case.conclude(Outcome::Rejected(refusal)),
        }
    }
}

async fn handle(edge: web::Data<Edge>, request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    let seat = request.conn_data::<Seat>();
    if let Some(seat) = seat.filter(|seat| seat.has_left()) {
        return hang_up(seat).await;
    }
    let status = edge.answer(&request, &mut payload).await;
    let refused = !status.is_success();
    if let Some(seat) = seat.filter(|_| refused) {
        seat.leave(payload);
    }
    // A connection that outlives its request would keep the server from stopping.
    respond(status, refused || edge.stopping.has_begun())
}

/// What comes behind a refused request is not read: it may be a part of that request, smuggled in as one of its own.
/// Nor can answers pile up that nobody fetches.
async fn hang_up(seat: &Seat) -> HttpResponse {
    // In this pause actix writes the answer to the refused request.
    tokio::task::yield_now().await;
    seat.cut();
    respond(StatusCode::BAD_REQUEST, true)
}

/// The most descriptors that the public port takes when so many connections may work: each connection has a second one,
/// by which it can be cut.
#[must_use]
pub fn most_descriptors(max_connections: usize) -> usize {
    Room::for_work(max_connections).open.saturating_mul(2)
}

/// The server on the public port. It stops only through its handle, and waits at most `shutdown` for its handlers.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(listener: TcpListener, http: &Http, shutdown: Duration, edge: Edge) -> io::Result<Server> {
    let edge = web::Data::new(edge);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
    let room = Room::for_work(http.max_connections);
    let connections = Connections::new(room);
    let server = HttpServer::new(move || App::new().app_data(edge.clone()).default_service(web::to(handle)))
        .on_connect(move |stream, data| {
            let stream = stream.downcast_ref::<TcpStream>();
            if let Some(seat) = stream.and_then(|stream| connections.admit(stream).ok()) {
                data.insert(seat);
            }
        })
        .workers(workers)
        .max_connections(room.open.div_ceil(workers))
        .client_request_timeout(HEAD_TIMEOUT.min(http.request_timeout))
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .shutdown_timeout(shutdown.as_secs())
        .listen(listener)?;
    Ok(server.run())
}
