//! The HTTP API of the simulator: Twilio's paths under `/v1`, and the control requests under `/simulator`.

mod account_call;
mod addresses;
mod allowed_host;
mod bundle_query;
mod bundles;
mod call;
mod control;
mod definitions;
mod emails;
mod endpoints;
mod error;
mod evaluations;
mod guard;
mod inquiries;
mod kafka;
mod list;
mod multipart;
mod objects;
mod observe;
mod parameters;
mod primary_profiles;
mod profile_list;
mod profiles;
mod provisional_copies;
mod regulations;
mod render;
mod render_objects;
mod render_regulations;
mod review_rules;
mod routes;
mod signing;
mod welcome;

use std::{io, net::TcpListener, sync::Arc};

pub use actix_web::dev::Server;
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    middleware::from_fn,
    web::{self, Data, PayloadConfig},
};

pub use self::allowed_host::{AllowedHost, AllowedHostError};
use self::{
    error::{ApiError, ApiResult},
    guard::RequestGuard,
    parameters::MAX_BODY_BYTES,
};
use super::instance::Simulator;

/// The description of the API in the OpenAPI format. The build script has removed its white space.
pub const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Creates the HTTP server. It runs while it is awaited.
///
/// A request must name one of these hosts in `Host`, an address of the server, `localhost`, or a name that ends in
/// `.localhost`. If the listener is not on loopback, names without a dot and those that containers have for the machine
/// that runs them are valid, too. Requests of web pages of other origins are refused.
///
/// # Errors
/// [`io::Error`] if the listener cannot be used.
pub fn server(listener: TcpListener, simulator: Arc<Simulator>, allowed_hosts: Vec<AllowedHost>) -> io::Result<Server> {
    let simulator = Data::from(simulator);
    let guard = Data::new(RequestGuard::new(listener.local_addr()?, allowed_hosts));
    let app = move || {
        App::new()
            .app_data(simulator.clone())
            .app_data(guard.clone())
            .app_data(PayloadConfig::new(MAX_BODY_BYTES))
            // The last one sees each request first, also those that the guard refuses.
            .wrap(from_fn(guard::guard))
            .wrap(from_fn(observe::observe))
            .configure(routes::profile_parts)
            .configure(routes::bundles)
            .configure(routes::profiles)
            .configure(routes::control)
            .service(routes::resource("/openapi.json").route(routes::get().to(openapi)))
            .service(routes::resource("/").route(routes::get().to(welcome::welcome)))
            .default_service(web::to(not_found))
    };
    Ok(HttpServer::new(app).workers(2).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI)
}

async fn not_found(request: HttpRequest) -> ApiResult {
    Err(ApiError::not_found(&request))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn description_without_white_space_is_that_of_the_file() {
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert_eq!(value(OPENAPI), value(include_str!("openapi.json")));
        assert!(!OPENAPI.contains('\n'), "it is smaller");
    }
}
