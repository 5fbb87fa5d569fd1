//! The second port: probes, metrics and version. It reads memory only, so that a slow Kafka never fails a probe.

use std::{io, net::TcpListener, sync::Arc, time::Instant};

use actix_web::{App, HttpResponse, HttpServer, dev::Server, web};

use crate::{liveness::Liveness, telemetry::Metrics};

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

/// The server on the admin port. It stops only through its handle.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(listener: TcpListener, admin: Admin) -> io::Result<Server> {
    let admin = web::Data::new(admin);
    let app = move || {
        App::new()
            .app_data(admin.clone())
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
            .route("/version", web::get().to(version))
    };
    Ok(HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

async fn livez(admin: web::Data<Admin>) -> HttpResponse {
    match admin.liveness.stuck(Instant::now()) {
        None => HttpResponse::Ok().body("ok\n"),
        Some(what) => HttpResponse::ServiceUnavailable().body(format!("{what} is stuck\n")),
    }
}

async fn readyz(admin: web::Data<Admin>) -> HttpResponse {
    if (admin.ready)() {
        HttpResponse::Ok().body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable().body("not ready\n")
    }
}

async fn metrics(admin: web::Data<Admin>) -> HttpResponse {
    match admin.metrics.render() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

async fn version() -> HttpResponse {
    let version = serde_json::json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
    HttpResponse::Ok().json(version)
}
