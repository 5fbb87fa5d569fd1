//! Twilio's requests for end users and supporting documents.

use actix_web::{HttpResponse, http::header::CONTENT_TYPE};
use serde_json::{Map, Value};

use super::{
    account_call::AccountCall,
    error::{ApiError, ApiResult},
    list::{ListRequest, response},
    parameters::{Parameters, RawBody},
    render_objects,
};
use crate::model::{ComplianceObject, NewObject, ObjectEdit, ObjectKind};

/// `POST /v1/EndUsers`
pub(super) async fn create_end_user(call: AccountCall, body: RawBody) -> ApiResult {
    create(&call, ObjectKind::EndUser, &Parameters::from_body(body)?, None)
}

/// `GET /v1/EndUsers`
pub(super) async fn list_end_users(call: AccountCall) -> ApiResult {
    list(&call, ObjectKind::EndUser)
}

/// `GET /v1/EndUsers/{Sid}`
pub(super) async fn fetch_end_user(call: AccountCall) -> ApiResult {
    fetch(&call, ObjectKind::EndUser)
}

/// `POST /v1/EndUsers/{Sid}`
pub(super) async fn update_end_user(call: AccountCall, body: RawBody) -> ApiResult {
    update(&call, ObjectKind::EndUser, body)
}

/// `DELETE /v1/EndUsers/{Sid}`
pub(super) async fn delete_end_user(call: AccountCall) -> ApiResult {
    delete(&call, ObjectKind::EndUser)
}

/// `POST /v1/SupportingDocuments`, optionally with a file
pub(super) async fn create_document(call: AccountCall, body: RawBody) -> ApiResult {
    let content_type = call.request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (parameters, file_type) = Parameters::from_upload(content_type.unwrap_or_default(), body)?;
    create(&call, ObjectKind::SupportingDocument, &parameters, file_type)
}

/// `GET /v1/SupportingDocuments`
pub(super) async fn list_documents(call: AccountCall) -> ApiResult {
    list(&call, ObjectKind::SupportingDocument)
}

/// `GET /v1/SupportingDocuments/{Sid}`
pub(super) async fn fetch_document(call: AccountCall) -> ApiResult {
    fetch(&call, ObjectKind::SupportingDocument)
}

/// `POST /v1/SupportingDocuments/{Sid}`
pub(super) async fn update_document(call: AccountCall, body: RawBody) -> ApiResult {
    update(&call, ObjectKind::SupportingDocument, body)
}

/// `DELETE /v1/SupportingDocuments/{Sid}`
pub(super) async fn delete_document(call: AccountCall) -> ApiResult {
    delete(&call, ObjectKind::SupportingDocument)
}

fn create(call: &AccountCall, kind: ObjectKind, parameters: &Parameters, mime_type: Option<String>) -> ApiResult {
    let new = NewObject {
        kind,
        account: call.account,
        friendly_name: parameters.required("FriendlyName")?.to_owned(),
        object_type: parameters.required("Type")?.to_owned(),
        attributes: attributes(parameters)?.unwrap_or_default(),
        mime_type,
    };
    let object = call.simulator.model().create_object(new).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(rendered(call, &object)))
}

fn list(call: &AccountCall, kind: ObjectKind) -> ApiResult {
    let list = ListRequest::of(call)?;
    let page = call.simulator.model().list_objects(&call.account, kind, list.start(), list.size());
    Ok(response(&list, "results", page, |object| rendered(call, object)))
}

fn fetch(call: &AccountCall, kind: ObjectKind) -> ApiResult {
    let model = call.simulator.model();
    let object = model.object(&call.account, kind, &call.path_segment("sid")).map_err(|_| call.not_found())?;
    Ok(HttpResponse::Ok().json(rendered(call, object)))
}

fn update(call: &AccountCall, kind: ObjectKind, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    let edit = ObjectEdit {
        friendly_name: parameters.not_empty("FriendlyName")?.map(str::to_owned),
        attributes: attributes(&parameters)?,
    };
    let object = call.simulator.model().edit_object(&call.account, kind, &call.path_segment("sid"), edit);
    let object = object.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Ok().json(rendered(call, &object)))
}

pub(super) fn delete(call: &AccountCall, kind: ObjectKind) -> ApiResult {
    let result = call.simulator.model().delete_object(&call.account, kind, &call.path_segment("sid"));
    result.map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Renders an object. The API for numbers has more fields of documents than Trust Hub.
fn rendered(call: &AccountCall, object: &ComplianceObject) -> Value {
    let mut value = render_objects::object(object, &call.parts_url());
    let is_regulatory_document = call.is_for_numbers() && object.kind == ObjectKind::SupportingDocument;
    if let (true, Some(fields)) = (is_regulatory_document, value.as_object_mut()) {
        let of_numbers = [("status", "draft".into()), ("failure_reason", Value::Null), ("errors", Value::Null)];
        fields.extend(of_numbers.map(|(name, value)| (name.to_owned(), value)));
    }
    value
}

/// Returns `Attributes`, which must be the text of a JSON object.
fn attributes(parameters: &Parameters) -> Result<Option<Map<String, Value>>, ApiError> {
    let Some(text) = parameters.get("Attributes") else { return Ok(None) };
    let attributes = serde_json::from_str(text).map_err(|_| ApiError::attributes_not_json())?;
    Ok(Some(attributes))
}
