//! The admin port: probes, metrics and version. It reads only memory, so a slow Kafka or disk never fails a probe.
//!
//! Handlers run on the only worker of the server and make no blocking call. The port allows few connections, and the one that
//! has been idle longest is evicted for a new one. So a probe is answered even while the port is flooded, and a flood costs
//! little.

use std::{
    io,
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::Server,
    http::{ConnectionType, Method, header::Allow},
    web,
};

use crate::{
    http_server::{ConnectionLimits, ConnectionSlot, ConnectionTable, admit_into, has_body, watch_worker},
    liveness::Liveness,
    telemetry::Metrics,
};

/// Enough for the probes of the kubelet and several monitoring systems. A connection can hold 140 KiB of an unfinished head, so
/// all of them together hold at most 9 MiB.
const LIMITS: ConnectionLimits = ConnectionLimits { active: 16, active_bytes: usize::MAX, held: 48, open: 64 };

/// The longest that the head of a request may take; probes and scrapes send it in one packet.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection stays open: longer than a minute, the usual interval of scrapes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The state of the service that the admin port shows.
#[derive(Clone)]
pub(crate) struct AdminState {
    /// The metrics behind `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Whether the service is ready: a callback could be made durable now, and the service is not shutting down.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
    /// The loops that `/livez` checks.
    pub liveness: Liveness,
}

/// The largest number of descriptors that the admin port needs.
#[must_use]
pub(crate) fn max_descriptors() -> usize {
    LIMITS.descriptors()
}

/// Creates the server of the admin port. It stops only through its handle. Its worker is registered in `admin.liveness`.
///
/// # Errors
/// An I/O error if the listener cannot be used.
pub(crate) fn server(listener: TcpListener, admin: AdminState) -> io::Result<Server> {
    let admin = web::Data::new(admin);
    let app = move || {
        watch_worker(&admin.liveness, "the worker of the admin port");
        App::new().app_data(admin.clone()).default_service(web::to(handle))
    };
    let server = HttpServer::new(app)
        .on_connect(admit_into(ConnectionTable::new(LIMITS), HEAD_TIMEOUT))
        .workers(1)
        .max_connections(LIMITS.open)
        .client_request_timeout(Duration::ZERO)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?;
    Ok(server.run())
}

async fn handle(admin: web::Data<AdminState>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let slot = request.conn_data::<ConnectionSlot>();
    // The connection becomes idle again after this request, so it is not the next one to be evicted.
    let active = slot.and_then(|slot| {
        slot.on_head();
        slot.activate(0)
    });
    let mut response = respond(&admin, &request);
    // No page needs a request body, and a body may be endless. A connection that was evicted gets no further response.
    if active.is_none() || has_body(&request) {
        response.head_mut().set_connection_type(ConnectionType::Close);
        if let Some(slot) = slot {
            slot.mark_last_request(payload);
        }
    }
    response
}

fn respond(admin: &AdminState, request: &HttpRequest) -> HttpResponse {
    let page = match request.uri().path() {
        "/livez" => livez,
        "/readyz" => readyz,
        "/metrics" => metrics,
        "/version" => version,
        _ => return HttpResponse::NotFound().finish(),
    };
    match *request.method() {
        // For HEAD, actix sends only the head of this response.
        Method::GET | Method::HEAD => page(admin),
        Method::OPTIONS => HttpResponse::NoContent().insert_header(allowed_methods()).finish(),
        _ => HttpResponse::MethodNotAllowed().insert_header(allowed_methods()).finish(),
    }
}

/// The methods that every page accepts.
fn allowed_methods() -> Allow {
    Allow(vec![Method::GET, Method::HEAD, Method::OPTIONS])
}

fn livez(admin: &AdminState) -> HttpResponse {
    match admin.liveness.find_stuck(Instant::now()) {
        None => HttpResponse::Ok().body("ok\n"),
        Some(what) => HttpResponse::ServiceUnavailable().body(format!("{what} is stuck\n")),
    }
}

fn readyz(admin: &AdminState) -> HttpResponse {
    if (admin.ready)() {
        HttpResponse::Ok().body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().body("not ready\n")
    }
}

fn metrics(admin: &AdminState) -> HttpResponse {
    match admin.metrics.render() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn version(_: &AdminState) -> HttpResponse {
    let version = serde_json::json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
    HttpResponse::Ok().json(version)
}
