//! End users, documents, addresses, evaluations, policies and types as JSON, as Twilio writes them.

use std::time::{Duration, UNIX_EPOCH};

use actix_web::http::header::HttpDate;
use serde_json::{Map, Value, json};

use crate::model::{
    ComplianceObject, DOCUMENT_TYPES, DocumentRequirement, END_USER_TYPES, Evaluation, EvaluationFailure, FieldResult,
    ObjectKind, ObjectType, Policy, ProfileRequirement, RequirementResult, SimTime, named,
};

/// The parameters of an address, and the fields of the resource.
pub(super) const ADDRESS_FIELDS: [(&str, &str); 8] = [
    ("CustomerName", "customer_name"),
    ("Street", "street"),
    ("StreetSecondary", "street_secondary"),
    ("City", "city"),
    ("Region", "region"),
    ("PostalCode", "postal_code"),
    ("IsoCountry", "iso_country"),
    ("EmergencyEnabled", "emergency_enabled"),
];

/// Renders an end user or a supporting document. `base` is the URL of the API.
pub(super) fn object(object: &ComplianceObject, base: &str) -> Value {
    let is_document = object.kind == ObjectKind::SupportingDocument;
    let collection = if is_document { "SupportingDocuments" } else { "EndUsers" };
    let mut value = json!({
        "sid": object.sid,
        "account_sid": object.account,
        "friendly_name": object.friendly_name,
        "type": object.object_type,
        "attributes": object.attributes(),
        "date_created": object.created.to_string(),
        "date_updated": object.updated.to_string(),
        "url": format!("{base}/{collection}/{}", object.sid),
    });
    if let (true, Some(fields)) = (is_document, value.as_object_mut()) {
        fields.insert("mime_type".to_owned(), json!(object.mime_type));
        fields.insert("status".to_owned(), json!("DRAFT"));
    }
    value
}

pub(super) fn address(address: &ComplianceObject) -> Value {
    let (account, sid) = (&address.account, &address.sid);
    let given = address.attributes();
    let mut fields: Map<String, Value> =
        ADDRESS_FIELDS.iter().map(|(_, name)| ((*name).to_owned(), given.get(*name).cloned().into())).collect();
    let is_emergency = given.get("emergency_enabled").is_some_and(|value| value == "true");
    fields.extend([
        ("sid".to_owned(), json!(sid)),
        ("account_sid".to_owned(), json!(account)),
        ("friendly_name".to_owned(), json!(address.friendly_name)),
        ("date_created".to_owned(), json!(rfc_2822(address.created))),
        ("date_updated".to_owned(), json!(rfc_2822(address.updated))),
        ("emergency_enabled".to_owned(), json!(is_emergency)),
        ("validated".to_owned(), json!(false)),
        ("verified".to_owned(), json!(false)),
        ("uri".to_owned(), json!(format!("/2010-04-01/Accounts/{account}/Addresses/{sid}.json"))),
    ]);
    Value::Object(fields)
}

/// Returns a time as Twilio's older API writes it, such as `Tue, 30 Jul 2019 22:29:24 +0000`.
fn rfc_2822(time: SimTime) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(time.into());
    HttpDate::from(time).to_string().replace("GMT", "+0000")
}

/// Renders an evaluation, without the fields that refer to the profile and its policy.
pub(super) fn evaluation(evaluation: &Evaluation) -> Value {
    json!({
        "sid": evaluation.sid,
        "status": if evaluation.is_compliant() { "compliant" } else { "noncompliant" },
        "results": evaluation.results.iter().map(requirement_result).collect::<Vec<_>>(),
        "date_created": evaluation.created.to_string(),
    })
}

fn requirement_result(result: &RequirementResult) -> Value {
    let (code, reason) = failure(result.failure.as_ref());
    json!({
        "friendly_name": result.friendly_name,
        "object_type": result.object_type,
        "passed": result.has_passed(),
        "failure_reason": reason,
        "error_code": code,
        "valid": result.valid.iter().map(field_result).collect::<Vec<_>>(),
        "invalid": result.invalid.iter().map(field_result).collect::<Vec<_>>(),
        "requirement_friendly_name": result.requirement_friendly_name,
        "requirement_name": result.requirement_name,
    })
}

fn field_result(field: &FieldResult) -> Value {
    let (code, reason) = failure(field.failure.as_ref());
    json!({
        "friendly_name": field.friendly_name,
        "object_field": field.object_field,
        "passed": field.failure.is_none(),
        "failure_reason": reason,
        "error_code": code,
    })
}

fn failure(failure: Option<&EvaluationFailure>) -> (Option<u32>, Option<&str>) {
    (failure.map(|failure| failure.code), failure.map(|failure| failure.reason.as_str()))
}

pub(super) fn policy(policy: &Policy, base: &str) -> Value {
    json!({
        "sid": policy.sid,
        "friendly_name": policy.friendly_name,
        "requirements": {
            "end_user": policy.end_users.iter().filter_map(|name| end_user_requirement(name)).collect::<Vec<_>>(),
            "supporting_trust_products": [],
            "supporting_document": [policy.documents.iter().map(document_requirement).collect::<Vec<_>>()],
            "supporting_customer_profiles": policy.profiles.iter().map(profile_requirement).collect::<Vec<_>>(),
        },
        "url": format!("{base}/v1/Policies/{}", policy.sid),
    })
}

fn end_user_requirement(name: &str) -> Option<Value> {
    let mut requirement = type_reference(named(END_USER_TYPES, name)?, "EndUserTypes");
    requirement.as_object_mut()?.insert("requirement_name".to_owned(), json!(name));
    Some(requirement)
}

fn document_requirement(required: &DocumentRequirement) -> Value {
    let accepted = required.accepted.iter().filter_map(|name| named(DOCUMENT_TYPES, name));
    json!({
        "name": required.friendly_name,
        "type": "document",
        "description": format!("{} of the owner of the profile", required.friendly_name),
        "accepted_documents": accepted.map(|one| type_reference(one, "SupportingDocumentTypes")).collect::<Vec<_>>(),
        "requirement_name": required.name,
    })
}

fn profile_requirement(required: &ProfileRequirement) -> Value {
    json!({
        "name": required.friendly_name,
        "type": required.accepted.first(),
        "description": format!("{} that is approved", required.friendly_name),
        "accepted_types": required.accepted,
        "requirement_name": required.name,
    })
}

fn type_reference(object_type: &ObjectType, collection: &str) -> Value {
    json!({
        "name": object_type.friendly_name,
        "type": object_type.machine_name,
        "fields": object_type.fields.iter().map(|field| field.machine_name).collect::<Vec<_>>(),
        "url": format!("/{collection}/{}", object_type.machine_name),
    })
}

/// Renders a type of end users or documents.
pub(super) fn object_type(object_type: &ObjectType, sid: &str, url: &str) -> Value {
    let fields = object_type.fields.iter().map(|field| {
        json!({ "friendly_name": field.friendly_name, "machine_name": field.machine_name, "constraint": "String" })
    });
    json!({
        "sid": sid,
        "friendly_name": object_type.friendly_name,
        "machine_name": object_type.machine_name,
        "fields": fields.collect::<Vec<_>>(),
        "url": format!("{url}/{sid}"),
    })
}
