//! The HTTP API of the simulator: Twilio's paths under `/v1`, and the control requests under `/simulator`.

mod call;
mod control;
mod error;
mod list;
mod parameters;
mod profiles;
mod render;

use std::{io, net::TcpListener, sync::Arc};

pub use actix_web::dev::Server;
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, ResponseError as _,
    web::{self, Data, PayloadConfig, ServiceConfig},
};

use self::{error::ApiError, parameters::MAX_BODY_BYTES};
use super::instance::Simulator;

/// The description of the API in the OpenAPI format.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Creates the HTTP server. It runs while it is awaited.
///
/// # Errors
/// [`io::Error`] if the listener cannot be used.
pub fn server(listener: TcpListener, simulator: Arc<Simulator>) -> io::Result<Server> {
    let simulator = Data::from(simulator);
    let app = move || {
        App::new()
            .app_data(simulator.clone())
            .app_data(PayloadConfig::new(MAX_BODY_BYTES))
            .configure(twilio)
            .configure(control)
            .route("/openapi.json", web::get().to(openapi))
            .default_service(web::to(not_found))
    };
    Ok(HttpServer::new(app).workers(2).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

fn twilio(config: &mut ServiceConfig) {
    let resource =
        |path: &str| web::resource(format!("/v1/{{kind}}{path}")).default_service(web::to(method_not_allowed));
    config
        .service(resource("").route(web::get().to(list::profiles)).route(web::post().to(profiles::create)))
        .service(
            resource("/{sid}")
                .route(web::get().to(profiles::fetch))
                .route(web::post().to(profiles::update))
                .route(web::delete().to(profiles::delete)),
        )
        .service(
            resource("/{sid}/EntityAssignments")
                .route(web::get().to(profiles::list_assignments))
                .route(web::post().to(profiles::assign)),
        )
        .service(
            resource("/{sid}/EntityAssignments/{assignment}")
                .route(web::get().to(profiles::fetch_assignment))
                .route(web::delete().to(profiles::unassign)),
        )
        .service(resource("/{sid}/Evaluations").route(web::get().to(profiles::list_nothing)))
        .service(resource("/{sid}/ChannelEndpointAssignments").route(web::get().to(profiles::list_nothing)));
}

fn control(config: &mut ServiceConfig) {
    let resource = |path: &str| web::resource(format!("/simulator{path}")).default_service(web::to(method_not_allowed));
    config
        .service(resource("/profiles").route(web::post().to(control::seed)))
        .service(resource("/profiles/{sid}/approve").route(web::post().to(control::approve)))
        .service(resource("/profiles/{sid}/reject").route(web::post().to(control::reject)))
        .service(resource("/profiles/{sid}/expire").route(web::post().to(control::expire)))
        .service(resource("/settings").route(web::get().to(control::settings)).route(web::post().to(control::set)))
        .service(resource("/callbacks").route(web::get().to(control::callbacks)));
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI)
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    ApiError::not_found(&request).error_response()
}

async fn method_not_allowed() -> HttpResponse {
    ApiError::method_not_allowed().error_response()
}
