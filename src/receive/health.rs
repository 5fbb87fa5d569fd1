//! The health checks of load balancers.

use actix_web::http::{Method, StatusCode};

/// The path of the health checks. It is not a callback path, so its requests count nowhere.
pub(super) const HEALTH_PATH: &str = "/healthz";

/// The status of a health check. It does not depend on callbacks: an instance that is overloaded or stopping still answers.
pub(super) fn health(method: &Method, has_body: bool) -> StatusCode {
    match *method {
        Method::GET | Method::HEAD if has_body => StatusCode::BAD_REQUEST,
        Method::GET | Method::HEAD => StatusCode::OK,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    }
}
