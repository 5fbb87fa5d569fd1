//! Twilio's requests for policies, and for the types of end users and supporting documents.

use actix_web::HttpResponse;
use serde_json::Value;

use super::{account_call::AccountCall, error::ApiResult, list::page_of, render_objects};
use crate::model::{
    DOCUMENT_TYPES, END_USER_TYPES, ObjectType, POLICIES, Policy, REGULATORY_DOCUMENT_TYPES, REGULATORY_END_USER_TYPES,
};

/// `GET /v1/Policies`
pub(super) async fn list_policies(call: AccountCall) -> ApiResult {
    let base = call.base_url();
    page_of(&call, "results", POLICIES.iter().map(|policy| render_objects::policy(policy, &base)).collect())
}

/// `GET /v1/Policies/{Sid}`
pub(super) async fn fetch_policy(call: AccountCall) -> ApiResult {
    let policy = Policy::find(&call.path_segment("sid")).ok_or_else(|| call.not_found())?;
    Ok(HttpResponse::Ok().json(render_objects::policy(policy, &call.base_url())))
}

/// `GET /v1/EndUserTypes`
pub(super) async fn list_end_user_types(call: AccountCall) -> ApiResult {
    page_of(&call, "end_user_types", types(&call, &END_USERS))
}

/// `GET /v1/EndUserTypes/{Sid}`
pub(super) async fn fetch_end_user_type(call: AccountCall) -> ApiResult {
    fetch_type(&call, &END_USERS)
}

/// `GET /v1/SupportingDocumentTypes`
pub(super) async fn list_document_types(call: AccountCall) -> ApiResult {
    page_of(&call, "supporting_document_types", types(&call, &DOCUMENTS))
}

/// `GET /v1/SupportingDocumentTypes/{Sid}`
pub(super) async fn fetch_document_type(call: AccountCall) -> ApiResult {
    fetch_type(&call, &DOCUMENTS)
}

/// The types of one collection of Trust Hub, and of the same collection of the API for numbers. Each has a digit in its
/// SIDs that no other collection has.
struct TypeCollection {
    path: &'static str,
    of_trust_hub: (&'static [ObjectType], u8),
    of_numbers: (&'static [ObjectType], u8),
}

const END_USERS: TypeCollection = TypeCollection {
    path: "EndUserTypes",
    of_trust_hub: (END_USER_TYPES, 1),
    of_numbers: (REGULATORY_END_USER_TYPES, 3),
};
const DOCUMENTS: TypeCollection = TypeCollection {
    path: "SupportingDocumentTypes",
    of_trust_hub: (DOCUMENT_TYPES, 2),
    of_numbers: (REGULATORY_DOCUMENT_TYPES, 4),
};

fn types(call: &AccountCall, collection: &TypeCollection) -> Vec<Value> {
    let url = format!("{}/{}", call.parts_url(), collection.path);
    let (types, digit) = if call.is_for_numbers() { collection.of_numbers } else { collection.of_trust_hub };
    let sid = |number: u64| format!("OY{digit}{number:031x}");
    let types = (1..).zip(types);
    types.map(|(number, one)| render_objects::object_type(one, &sid(number), &url)).collect()
}

/// Responds with the type whose SID, or machine name, as policies refer to it, is in the path.
fn fetch_type(call: &AccountCall, collection: &TypeCollection) -> ApiResult {
    let sid = call.path_segment("sid");
    let is_asked_for = |one: &Value| one["sid"] == sid.as_str() || one["machine_name"] == sid.as_str();
    let found = types(call, collection).into_iter().find(is_asked_for);
    Ok(HttpResponse::Ok().json(found.ok_or_else(|| call.not_found())?))
}
