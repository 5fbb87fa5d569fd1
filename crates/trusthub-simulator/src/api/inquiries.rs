//! Twilio's requests that start an embedded onboarding, where Twilio's own pages ask the owner for the content.
//!
//! The simulator has no such pages. It answers as Twilio does, so that a client can continue.

use actix_web::HttpResponse;
use serde_json::json;
use trusthub_events::{ProfileSid, Status};

use super::{
    account_call::AccountCall,
    error::{ApiError, ApiResult},
    parameters::{Parameters, RawBody},
};
use crate::model::{NewProfile, Policy, ProfileKind, SECONDARY_BUSINESS_POLICY};

/// `POST /v1/ComplianceInquiries/Customers/Initialize`: also creates the profile as a draft
pub(super) async fn create_customer(call: AccountCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    check_primary(&call, &parameters)?;
    let new = NewProfile {
        kind: ProfileKind::CustomerProfiles,
        account: call.account,
        policy: SECONDARY_BUSINESS_POLICY.to_owned(),
        friendly_name: "Compliance inquiry".to_owned(),
        email: parameters.get("NotificationEmail").unwrap_or_default().to_owned(),
        status_callback: None,
    };
    let profile = call.simulator.model().create(new).map_err(|error| call.model_error(&error))?;
    Ok(customer(&call, profile.sid.as_str()))
}

/// `POST /v1/ComplianceInquiries/Customers/{CustomerId}/Initialize`
pub(super) async fn resume_customer(call: AccountCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    parameters.required("PrimaryProfileSid")?;
    check_primary(&call, &parameters)?;
    let customer_id = call.path_segment("sid");
    let sid = ProfileSid::parse(&customer_id).map_err(|_| call.not_found())?;
    let is_own = call.simulator.model().get(&sid).is_ok_and(|profile| profile.account == call.account);
    if is_own { Ok(customer(&call, &customer_id)) } else { Err(call.not_found()) }
}

/// `POST /v1/ComplianceInquiries/Tollfree/Initialize`
pub(super) async fn create_toll_free(call: AccountCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    parameters.required("TollfreePhoneNumber")?;
    parameters.required("NotificationEmail")?;
    let registration = call.simulator.model().random_sid("BU");
    Ok(registration_inquiry(&call, &registration))
}

/// `POST /v1/ComplianceInquiries/Registration/RegulatoryCompliance/GB/Initialize`
pub(super) async fn create_registration(call: AccountCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    parameters.required("EndUserType")?;
    parameters.required("PhoneNumberType")?;
    let registration = call.simulator.model().random_sid("BU");
    Ok(registration_inquiry(&call, &registration))
}

/// `POST /v1/ComplianceInquiries/Registration/{RegistrationId}/RegulatoryCompliance/GB/Initialize`
pub(super) async fn resume_registration(call: AccountCall, body: RawBody) -> ApiResult {
    Parameters::from_body(body)?;
    let registration = call.path_segment("sid");
    Ok(registration_inquiry(&call, &registration))
}

/// Checks that `PrimaryProfileSid`, if it is given, is an approved primary profile of the account.
fn check_primary(call: &AccountCall, parameters: &Parameters) -> Result<(), ApiError> {
    let Some(text) = parameters.sid("PrimaryProfileSid")? else { return Ok(()) };
    let sid = ProfileSid::parse(&text).map_err(|_| ApiError::primary_profile_not_approved())?;
    let model = call.simulator.model();
    let is_approved = model.get(&sid).is_ok_and(|profile| {
        let is_primary = Policy::find(&profile.policy).is_some_and(Policy::is_primary);
        is_primary && profile.account == call.account && profile.status == Status::TwilioApproved
    });
    if is_approved { Ok(()) } else { Err(ApiError::primary_profile_not_approved()) }
}

fn customer(call: &AccountCall, customer_id: &str) -> HttpResponse {
    let [inquiry, token] = inquiry(call);
    HttpResponse::Created().json(json!({
        "inquiry_id": inquiry,
        "inquiry_session_token": token,
        "customer_id": customer_id,
        "url": format!("{}{}", call.base_url(), call.request.path()),
    }))
}

fn registration_inquiry(call: &AccountCall, registration: &str) -> HttpResponse {
    let [inquiry, token] = inquiry(call);
    HttpResponse::Created().json(json!({
        "inquiry_id": inquiry,
        "inquiry_session_token": token,
        "registration_id": registration,
        "url": format!("{}{}", call.base_url(), call.request.path()),
    }))
}

/// Returns the ID and the session token of a new inquiry.
fn inquiry(call: &AccountCall) -> [String; 2] {
    ["inq_", "session_"].map(|prefix| call.simulator.model().random_sid(prefix))
}
