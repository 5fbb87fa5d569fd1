//! Twilio's requests for the evaluations of a profile.

use actix_web::HttpResponse;

use super::{
    call::ApiCall,
    error::ApiResult,
    list::page_of,
    parameters::{Parameters, RawBody},
    render,
};
use crate::model::ProfileKind;

/// `GET /v1/CustomerProfiles/{Sid}/Evaluations`
pub(super) async fn list(call: ApiCall) -> ApiResult {
    let (profile, base) = (call.profile()?, call.base_url());
    let newest_first = profile.evaluations.iter().rev();
    page_of(&call, "results", newest_first.map(|evaluation| render::evaluation(evaluation, &profile, &base)).collect())
}

/// `POST /v1/CustomerProfiles/{Sid}/Evaluations`
pub(super) async fn create(call: ApiCall, body: RawBody) -> ApiResult {
    let profile = call.profile()?;
    let parameters = Parameters::from_body(body)?;
    let policy = match profile.kind {
        // A bundle is always compared with its own regulation.
        ProfileKind::RegulatoryBundles => profile.policy.clone(),
        _ => parameters.required("PolicySid").and(parameters.policy("PolicySid"))?.unwrap_or_default(),
    };
    let evaluation = call.simulator.model().evaluate(&profile.sid, policy);
    let evaluation = evaluation.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::evaluation(&evaluation, &profile, &call.base_url())))
}

/// `GET /v1/CustomerProfiles/{Sid}/Evaluations/{Evaluation}`
pub(super) async fn fetch(call: ApiCall) -> ApiResult {
    let profile = call.profile()?;
    let sid = call.path_segment("evaluation");
    let evaluation = profile.evaluations.iter().find(|evaluation| evaluation.sid == sid);
    let evaluation = evaluation.ok_or_else(|| call.not_found())?;
    Ok(HttpResponse::Ok().json(render::evaluation(evaluation, &profile, &call.base_url())))
}
