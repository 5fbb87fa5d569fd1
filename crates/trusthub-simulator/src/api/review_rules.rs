//! The control requests about the rules of the automatic reviewer.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde_json::json;

use super::{
    error::{ApiError, ApiResult},
    parameters::{Parameters, RawBody},
};
use crate::{instance::Simulator, model::RuleParts};

/// `GET /simulator/rules`: the rules, the first one to try first
pub(super) async fn list(simulator: Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "rules": simulator.model().rules() }))
}

/// `POST /simulator/rules` with `field`, `matches` and `decision`; a rejection optionally with any number of `code` and a
/// `reason`
pub(super) async fn add(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let parameters =
        Parameters::of_control(&request, body)?.only(&["field", "matches", "decision", "code", "reason"])?;
    let text = |name| parameters.get(name).unwrap_or_default();
    let codes = parameters.all().filter(|(name, _)| *name == "code").map(|(_, code)| code).collect();
    let parts = RuleParts {
        field: text("field"),
        matches: text("matches"),
        decision: text("decision"),
        codes,
        reason: text("reason"),
    };
    let rule = parts.check().map_err(|error| ApiError::invalid(error.to_string()))?;
    let added = simulator.add_rule(rule).map_err(|error| ApiError::from_model(&error, &request))?;
    Ok(HttpResponse::Created().json(added))
}

/// `DELETE /simulator/rules`: removes all rules, or the one that `id` names
pub(super) async fn remove(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let id = Parameters::of_control(&request, body)?.only(&["id"])?.number("id", 1, u64::MAX)?;
    match id {
        Some(id) => simulator.model().remove_rule(id).map_err(|error| ApiError::from_model(&error, &request))?,
        None => simulator.model().clear_rules(),
    }
    Ok(HttpResponse::NoContent().finish())
}
