//! Twilio's requests for a profile and its assignments.

use actix_web::HttpResponse;
use serde_json::Value;
use trusthub_events::Status;

use super::{
    call::ApiCall,
    error::{ApiError, ApiResult},
    list::{ListRequest, page_of},
    parameters::{Parameters, RawBody},
    render,
};
use crate::model::{NewProfile, Policy, ProfileEdit, SimulatedProfile};

/// `POST /v1/CustomerProfiles`
pub(super) async fn create(call: ApiCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    let new = NewProfile {
        kind: call.kind,
        account: call.account,
        friendly_name: parameters.required("FriendlyName")?.to_owned(),
        email: parameters.required("Email")?.to_owned(),
        policy: parameters.required("PolicySid").and(parameters.policy("PolicySid"))?.unwrap_or_default(),
        status_callback: parameters.status_callback()?.filter(|url| !url.is_empty()).map(str::to_owned),
    };
    check_not_primary(&new.policy)?;
    let profile = call.simulator.model().create(new).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::profile(&profile, &call.base_url())))
}

/// `GET /v1/CustomerProfiles/{Sid}`
pub(super) async fn fetch(call: ApiCall) -> ApiResult {
    Ok(HttpResponse::Ok().json(render::profile(&call.profile()?, &call.base_url())))
}

/// `POST /v1/CustomerProfiles/{Sid}`
pub(super) async fn update(call: ApiCall, body: RawBody) -> ApiResult {
    let profile = call.profile()?;
    let parameters = Parameters::from_body(body)?;
    let edit = ProfileEdit {
        friendly_name: parameters.not_empty("FriendlyName")?.map(str::to_owned),
        email: parameters.get("Email").map(str::to_owned),
        status_callback: parameters.status_callback()?.map(str::to_owned),
        status: parameters.requested_status()?,
    };
    check_status_update(&profile, &edit)?;
    let update = call.apply(|model| model.edit(&profile.sid, edit))?;
    Ok(HttpResponse::Ok().json(render::profile(&update.profile, &call.base_url())))
}

/// Checks that Twilio allows the requested status for such a profile, and allows it together with the other changes.
fn check_status_update(profile: &SimulatedProfile, edit: &ProfileEdit) -> Result<(), ApiError> {
    if edit.status.is_none() {
        return Ok(());
    }
    if edit.friendly_name.is_some() || edit.email.is_some() || edit.status_callback.is_some() {
        return Err(ApiError::status_with_other_properties());
    }
    check_not_primary(&profile.policy)?;
    let is_approved = profile.status == Status::TwilioApproved;
    if is_approved { Err(ApiError::status_update_not_allowed()) } else { Ok(()) }
}

/// Checks that a policy is not one of primary profiles, which only Twilio's Console creates and submits.
fn check_not_primary(policy: &str) -> Result<(), ApiError> {
    let is_primary = Policy::find(policy).is_some_and(Policy::is_primary);
    if is_primary { Err(ApiError::primary_profile()) } else { Ok(()) }
}

/// `DELETE /v1/CustomerProfiles/{Sid}`
pub(super) async fn delete(call: ApiCall) -> ApiResult {
    let sid = call.profile_sid()?;
    call.simulator.delete(&sid).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /v1/CustomerProfiles/{Sid}/EntityAssignments`, optionally with the type of the assigned objects
pub(super) async fn list_assignments(call: ApiCall) -> ApiResult {
    let (profile, base) = (call.profile()?, call.base_url());
    let list = ListRequest::of(&call)?;
    let entries: Vec<Value> = {
        let model = call.simulator.model();
        let object_type = list.query().get("ObjectType");
        let is_listed = |object: &str| object_type.is_none() || model.assigned_type(&profile, object) == object_type;
        let newest_first = profile.assignments.iter().rev().filter(|assignment| is_listed(&assignment.object));
        newest_first.map(|assignment| render::assignment(assignment, &profile, &base)).collect()
    };
    page_of(&call, "results", entries)
}

/// `POST /v1/CustomerProfiles/{Sid}/EntityAssignments`
pub(super) async fn assign(call: ApiCall, body: RawBody) -> ApiResult {
    /// The beginnings of the SIDs of end users, documents and profiles.
    const ASSIGNABLE: [&str; 3] = ["IT", "RD", "BU"];
    let profile = call.profile()?;
    let parameters = Parameters::from_body(body)?;
    let object = parameters.required("ObjectSid").and(parameters.sid("ObjectSid"))?.unwrap_or_default();
    if !ASSIGNABLE.iter().any(|prefix| object.starts_with(prefix)) {
        return Err(ApiError::object_type_not_assignable());
    }
    let assignment = call.simulator.model().assign(&profile.sid, object);
    let assignment = assignment.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::assignment(&assignment, &profile, &call.base_url())))
}

/// `GET /v1/CustomerProfiles/{Sid}/EntityAssignments/{Assignment}`
pub(super) async fn fetch_assignment(call: ApiCall) -> ApiResult {
    let profile = call.profile()?;
    let sid = call.path_segment("assignment");
    let assignment = profile.assignments.iter().find(|assignment| assignment.sid == sid);
    let assignment = assignment.ok_or_else(|| call.not_found())?;
    Ok(HttpResponse::Ok().json(render::assignment(assignment, &profile, &call.base_url())))
}

/// `DELETE /v1/CustomerProfiles/{Sid}/EntityAssignments/{Assignment}`
pub(super) async fn unassign(call: ApiCall) -> ApiResult {
    let sid = call.profile_sid()?;
    let result = call.simulator.model().unassign(&sid, &call.path_segment("assignment"));
    result.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::NoContent().finish())
}
