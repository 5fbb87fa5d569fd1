//! Twilio's requests for the copy of an approved profile.

use actix_web::HttpResponse;

use super::{call::ApiCall, error::ApiResult, render};

/// `POST /v1/CustomerProfiles/{Sid}/ProvisionalCopy`
pub(super) async fn create(call: ApiCall) -> ApiResult {
    let original = call.profile()?;
    let copy = call.simulator.model().copy(&original.sid).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::provisional_copy(&copy, &original, &call.base_url())))
}

/// `GET /v1/CustomerProfiles/{Sid}/ProvisionalCopy`
pub(super) async fn fetch(call: ApiCall) -> ApiResult {
    let original = call.profile()?;
    let model = call.simulator.model();
    let copy = model.copy_of(&original).map_err(|_| call.not_found())?;
    Ok(HttpResponse::Ok().json(render::provisional_copy(copy, &original, &call.base_url())))
}
