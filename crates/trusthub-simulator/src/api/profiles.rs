//! Twilio's requests for a profile and its assignments.

use actix_web::HttpResponse;
use trusthub_events::is_sid;

use super::{
    call::ApiCall,
    error::{ApiError, ApiResult},
    list::page_of,
    parameters::{Parameters, RawBody},
    render,
};
use crate::model::{NewProfile, ProfileEdit};

/// `POST /v1/CustomerProfiles`
pub(super) async fn create(call: ApiCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    let new = NewProfile {
        kind: call.kind,
        account: call.account.clone(),
        friendly_name: parameters.required("FriendlyName")?.to_owned(),
        email: parameters.required("Email").and(parameters.email())?.unwrap_or_default().to_owned(),
        policy: parameters.required("PolicySid").and(parameters.policy("PolicySid"))?.unwrap_or_default().to_owned(),
        status_callback: parameters.status_callback()?.filter(|url| !url.is_empty()).map(str::to_owned),
    };
    let profile = call.simulator.model().create(new).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::profile(&profile, &call.base_url())))
}

/// `GET /v1/CustomerProfiles/{Sid}`
pub(super) async fn fetch(call: ApiCall) -> ApiResult {
    Ok(HttpResponse::Ok().json(render::profile(&call.profile()?, &call.base_url())))
}

/// `POST /v1/CustomerProfiles/{Sid}`
pub(super) async fn update(call: ApiCall, body: RawBody) -> ApiResult {
    let sid = call.profile_sid()?;
    let parameters = Parameters::from_body(body)?;
    let name = parameters.get("FriendlyName").map(|_| parameters.required("FriendlyName")).transpose()?;
    let edit = ProfileEdit {
        friendly_name: name.map(str::to_owned),
        email: parameters.email()?.map(str::to_owned),
        status_callback: parameters.status_callback()?.map(str::to_owned),
        status: parameters.requested_status()?,
    };
    let update = call.apply(|model| model.edit(&sid, edit))?;
    Ok(HttpResponse::Ok().json(render::profile(&update.profile, &call.base_url())))
}

/// `DELETE /v1/CustomerProfiles/{Sid}`
pub(super) async fn delete(call: ApiCall) -> ApiResult {
    let sid = call.profile_sid()?;
    call.simulator.model().delete(&sid).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /v1/CustomerProfiles/{Sid}/EntityAssignments`
pub(super) async fn list_assignments(call: ApiCall) -> ApiResult {
    let (profile, base) = (call.profile()?, call.base_url());
    let newest_first = profile.assignments.iter().rev();
    page_of(&call, newest_first.map(|assignment| render::assignment(assignment, &profile, &base)).collect())
}

/// `POST /v1/CustomerProfiles/{Sid}/EntityAssignments`
pub(super) async fn assign(call: ApiCall, body: RawBody) -> ApiResult {
    let profile = call.profile()?;
    let parameters = Parameters::from_body(body)?;
    let object = parameters.required("ObjectSid")?;
    if !is_sid(object) {
        return Err(ApiError::invalid("ObjectSid: write two letters followed by 32 hexadecimal digits"));
    }
    let assignment = call.simulator.model().assign(&profile.sid, object.to_owned());
    let assignment = assignment.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::assignment(&assignment, &profile, &call.base_url())))
}

/// `GET /v1/CustomerProfiles/{Sid}/EntityAssignments/{Assignment}`
pub(super) async fn fetch_assignment(call: ApiCall) -> ApiResult {
    let profile = call.profile()?;
    let assignment = profile.assignments.iter().find(|assignment| assignment.sid == call.path_segment("assignment"));
    let assignment = assignment.ok_or_else(|| call.not_found())?;
    Ok(HttpResponse::Ok().json(render::assignment(assignment, &profile, &call.base_url())))
}

/// `DELETE /v1/CustomerProfiles/{Sid}/EntityAssignments/{Assignment}`
pub(super) async fn unassign(call: ApiCall) -> ApiResult {
    let sid = call.profile_sid()?;
    let result = call.simulator.model().unassign(&sid, call.path_segment("assignment"));
    result.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /v1/CustomerProfiles/{Sid}/Evaluations` and `…/ChannelEndpointAssignments`: always an empty list
pub(super) async fn list_nothing(call: ApiCall) -> ApiResult {
    call.profile()?;
    page_of(&call, Vec::new())
}
