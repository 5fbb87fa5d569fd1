//! The public edge: makes the [`RawCallback`](crate::domain::RawCallback), hands it to the pipeline, answers.
//!
//! Whatever the answer, its body is a fixed short text. A redirect is never answered: Twilio would follow it with a
//! `GET` whose signature does not match any more.

mod answer;
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

use self::{
    answer::{respond, status},
    read::{Limits, read},
    route::{Route, Routes},
};
use crate::{
    config::Http,
    domain::{Outcome, PublicUrl},
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

    async fn answer(&self, request: &HttpRequest, payload: web::Payload) -> StatusCode {
        match self.routes.find(request.uri().path()) {
            Some(route) => status(self.outcome(request, payload, route).await),
            None => StatusCode::NOT_FOUND,
        }
    }

    async fn outcome(&self, request: &HttpRequest, payload: web::Payload, route: Route) -> Outcome {
        let case = self.pipeline.open(route.resource, Instant::now());
        match read(request, payload, route, self.limits, case.received()).await {
            Ok(raw) => self.pipeline.accept(case, raw).await,
            Err(refusal) => case.conclude(Outcome::Rejected(refusal)),
        }
    }
}

async fn handle(edge: web::Data<Edge>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let status = edge.answer(&request, payload).await;
    // A connection that outlives its request would keep the server from stopping.
    respond(status, edge.stopping.has_begun())
}

/// The server on the public port. It stops only through its handle, and waits at most `shutdown` for its handlers.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(listener: TcpListener, http: &Http, shutdown: Duration, edge: Edge) -> io::Result<Server> {
    let edge = web::Data::new(edge);
    let workers =
        std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS).min(http.max_connections);
    let server = HttpServer::new(move || App::new().app_data(edge.clone()).default_service(web::to(handle)))
        .workers(workers)
        .max_connections(http.max_connections / workers)
        .client_request_timeout(HEAD_TIMEOUT.min(http.request_timeout))
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .shutdown_timeout(shutdown.as_secs())
        .listen(listener)?;
    Ok(server.run())
}
