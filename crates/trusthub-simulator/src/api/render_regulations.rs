//! Regulations as JSON, as Twilio writes them.

use serde_json::{Map, Value, json};

use crate::model::{
    Necessity, ObjectType, REGULATORY_DOCUMENT_TYPES, REGULATORY_END_USER_TYPES, Regulation, RegulatoryRequirement,
    TypeField,
};

/// Renders a regulation. `url` is the URL of the API.
pub(super) fn regulation(regulation: &Regulation, has_constraints: bool, url: &str) -> Value {
    let end_user_type = regulation.end_user.object_type(REGULATORY_END_USER_TYPES, regulation.end_user_type());
    let end_user = end_user_type.map(|object_type| {
        let mut end_user = accepted_type(&object_type, has_constraints, &format!("{url}/EndUserTypes"));
        end_user.insert("requirement_name".to_owned(), json!(regulation.end_user.name));
        end_user
    });
    let documents = regulation.documents.iter().map(|required| document(required, has_constraints, url));
    json!({
        "sid": regulation.sid,
        "friendly_name": regulation.friendly_name,
        "iso_country": regulation.iso_country,
        "number_type": regulation.number_type,
        "end_user_type": regulation.end_user_type(),
        "requirements": {
            "end_user": end_user.into_iter().collect::<Vec<_>>(),
            "supporting_document": [documents.collect::<Vec<_>>()],
        },
        "url": format!("{url}/Regulations/{}", regulation.sid),
    })
}

fn document(required: &RegulatoryRequirement, has_constraints: bool, url: &str) -> Value {
    let accepted = required.accepted.iter().filter_map(|name| required.object_type(REGULATORY_DOCUMENT_TYPES, name));
    let url = format!("{url}/SupportingDocumentTypes");
    json!({
        "name": required.friendly_name,
        "type": "document",
        "description": "",
        "requirement_name": required.name,
        "accepted_documents": accepted.map(|one| accepted_type(&one, has_constraints, &url)).collect::<Vec<_>>(),
    })
}

fn accepted_type(object_type: &ObjectType, has_constraints: bool, url: &str) -> Map<String, Value> {
    let required = object_type.fields.iter().filter(|field| field.necessity == Necessity::Required);
    let detailed = object_type.fields.iter().map(|field| detailed_field(field, object_type, has_constraints));
    Map::from_iter([
        ("name".to_owned(), json!(object_type.friendly_name)),
        ("type".to_owned(), json!(object_type.machine_name)),
        ("url".to_owned(), json!(format!("{url}/{}", object_type.machine_name))),
        ("fields".to_owned(), required.map(|field| field.machine_name).collect()),
        ("detailed_fields".to_owned(), detailed.collect()),
    ])
}

fn detailed_field(field: &TypeField, object_type: &ObjectType, has_constraint: bool) -> Value {
    let mut detailed = json!({
        "machine_name": field.machine_name,
        "friendly_name": field.friendly_name,
        "description": format!("{} of the {}", field.friendly_name, object_type.friendly_name),
    });
    if let (true, Some(fields)) = (has_constraint, detailed.as_object_mut()) {
        fields.insert("constraint".to_owned(), json!("String"));
    }
    detailed
}
