//! The second port: probes, metrics and version. It reads memory only, so that a slow Kafka never fails a probe.
//!
//! Handlers run on the only worker of the server and make no blocking call. The port has few connections, and the one that
//! has waited longest makes way for a new one: a probe is answered while the port is flooded, and what the flood costs is
//! small.

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

/// Enough for the probes of the machine and several monitoring systems. A connection can hold 140 KiB of an unfinished
/// head, so all of them hold at most 9 MiB.
const LIMITS: ConnectionLimits = ConnectionLimits { active: 16, active_bytes: usize::MAX, held: 48, open: 64 };

/// The longest that the head of a request may take; probes and scrapes send it in one packet.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an idle connection is kept: longer than a minute, the usual time between two scrapes.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What the admin port shows.
#[derive(Clone)]
pub struct Admin {
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Whether a callback could be made durable now and the service is not stopping.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether every loop still turns.
    pub liveness: Liveness,
}

/// The most descriptors that the admin port takes.
#[must_use]
pub fn most_descriptors() -> usize {
    LIMITS.descriptors()
}

/// The server on the admin port. It stops only through its handle. Its worker is registered in `admin.liveness`.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(listener: TcpListener, admin: Admin) -> io::Result<Server> {
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

async fn handle(admin: web::Data<Admin>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let slot = request.conn_data::<ConnectionSlot>();
    // The connection begins to wait again with this request, so it is not the next one that makes way.
    let active = slot.and_then(|slot| {
        slot.head_arrived();
        slot.activate(0)
    });
    let mut response = answer(&admin, &request);
    // No page has a use for a body, and a body may have no end. A connection that was cut has had its last request.
    if active.is_none() || has_body(&request) {
        response.head_mut().set_connection_type(ConnectionType::Close);
        if let Some(slot) = slot {
            slot.leave(payload);
        }
    }
    response
}

fn answer(admin: &Admin, request: &HttpRequest) -> HttpResponse {
    let page = match request.uri().path() {
        "/livez" => livez,
        "/readyz" => readyz,
        "/metrics" => metrics,
        "/version" => version,
        _ => return HttpResponse::NotFound().finish(),
    };
    match *request.method() {
        // To HEAD, actix sends the head of this answer only.
        Method::GET | Method::HEAD => page(admin),
        Method::OPTIONS => HttpResponse::NoContent().insert_header(allowed()).finish(),
        _ => HttpResponse::MethodNotAllowed().insert_header(allowed()).finish(),
    }
}

/// The verbs of every page.
fn allowed() -> Allow {
    Allow(vec![Method::GET, Method::HEAD, Method::OPTIONS])
}

fn livez(admin: &Admin) -> HttpResponse {
    match admin.liveness.stuck(Instant::now()) {
        None => HttpResponse::Ok().body("ok\n"),
        Some(what) => HttpResponse::ServiceUnavailable().body(format!("{what} is stuck\n")),
    }
}

fn readyz(admin: &Admin) -> HttpResponse {
    if (admin.ready)() {
        HttpResponse::Ok().body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().body("not ready\n")
    }
}

fn metrics(admin: &Admin) -> HttpResponse {
    match admin.metrics.render() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn version(_: &Admin) -> HttpResponse {
    let version = serde_json::json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
    HttpResponse::Ok().json(version)
}
