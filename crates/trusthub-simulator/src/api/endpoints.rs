//! Twilio's requests for the endpoints of a profile, such as phone numbers.

use actix_web::HttpResponse;
use trusthub_events::is_sid;

use super::{
    call::ApiCall,
    error::{ApiError, ApiResult},
    list::{ListRequest, page_of},
    parameters::{Parameters, RawBody, canonical_sid},
    render,
};

/// `GET /v1/CustomerProfiles/{Sid}/ChannelEndpointAssignments`, optionally with the SIDs of endpoints
pub(super) async fn list(call: ApiCall) -> ApiResult {
    let (profile, base) = (call.profile()?, call.base_url());
    let list = ListRequest::of(&call)?;
    let one = list.query().sid("ChannelEndpointSid")?;
    let some = list.query().get("ChannelEndpointSids").map(sid_list).transpose()?;
    let is_listed =
        |sid: &String| one.as_ref().is_none_or(|one| one == sid) && some.as_ref().is_none_or(|some| some.contains(sid));
    let newest_first = profile.endpoints.iter().rev().filter(|endpoint| is_listed(&endpoint.endpoint));
    page_of(&call, "results", newest_first.map(|endpoint| render::endpoint(endpoint, &profile, &base)).collect())
}

/// `POST /v1/CustomerProfiles/{Sid}/ChannelEndpointAssignments`
pub(super) async fn assign(call: ApiCall, body: RawBody) -> ApiResult {
    let profile = call.profile()?;
    let parameters = Parameters::from_body(body)?;
    let endpoint_type = parameters.required("ChannelEndpointType")?.to_owned();
    let sid = parameters.required("ChannelEndpointSid").and(parameters.sid("ChannelEndpointSid"))?;
    let endpoint = call.simulator.model().assign_endpoint(&profile.sid, endpoint_type, sid.unwrap_or_default());
    let endpoint = endpoint.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::endpoint(&endpoint, &profile, &call.base_url())))
}

/// `GET /v1/CustomerProfiles/{Sid}/ChannelEndpointAssignments/{Assignment}`
pub(super) async fn fetch(call: ApiCall) -> ApiResult {
    let profile = call.profile()?;
    let sid = call.path_segment("assignment");
    let endpoint = profile.endpoints.iter().find(|endpoint| endpoint.sid == sid).ok_or_else(|| call.not_found())?;
    Ok(HttpResponse::Ok().json(render::endpoint(endpoint, &profile, &call.base_url())))
}

/// `DELETE /v1/CustomerProfiles/{Sid}/ChannelEndpointAssignments/{Assignment}`
pub(super) async fn unassign(call: ApiCall) -> ApiResult {
    let sid = call.profile_sid()?;
    let result = call.simulator.model().unassign_endpoint(&sid, &call.path_segment("assignment"));
    result.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::NoContent().finish())
}

fn sid_list(text: &str) -> Result<Vec<String>, ApiError> {
    let sids: Vec<_> = text.split(',').map(str::trim).collect();
    if !sids.iter().all(|sid| is_sid(sid)) {
        return Err(ApiError::invalid("ChannelEndpointSids: write SIDs, separated by commas"));
    }
    Ok(sids.into_iter().map(canonical_sid).collect())
}
