//! Twilio's requests for addresses, which are in its older API: lists and dates have another form there.

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};

use super::{
    account_call::AccountCall,
    error::{ApiError, ApiResult},
    list::ListRequest,
    objects,
    parameters::{Parameters, RawBody},
    render_objects::{self, ADDRESS_FIELDS},
};
use crate::model::{NewObject, ObjectEdit, ObjectKind};

const KIND: ObjectKind = ObjectKind::Address;

/// The parameters that a new address must have.
const REQUIRED: [&str; 6] = ["CustomerName", "Street", "City", "Region", "PostalCode", "IsoCountry"];

/// `POST /2010-04-01/Accounts/{AccountSid}/Addresses.json`
pub(super) async fn create(call: AccountCall, body: RawBody) -> ApiResult {
    check_account(&call)?;
    let parameters = Parameters::from_body(body)?;
    for name in REQUIRED {
        parameters.required(name)?;
    }
    let new = NewObject {
        kind: KIND,
        account: call.account,
        friendly_name: parameters.get("FriendlyName").unwrap_or_default().to_owned(),
        object_type: String::new(),
        attributes: given(&parameters),
        mime_type: None,
    };
    let address = call.simulator.model().create_object(new).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render_objects::address(&address)))
}

/// `GET /2010-04-01/Accounts/{AccountSid}/Addresses.json`
pub(super) async fn list(call: AccountCall) -> ApiResult {
    check_account(&call)?;
    let list = ListRequest::of(&call)?;
    let page = call.simulator.model().list_objects(&call.account, KIND, list.start(), list.size());
    let begin = list.number().saturating_mul(list.size() as u64);
    let last = begin.saturating_add(page.entries.len() as u64).saturating_sub(1);
    let links = list.relative_links(page.previous.as_deref(), page.next.as_deref());
    Ok(HttpResponse::Ok().json(json!({
        "addresses": page.entries.iter().map(render_objects::address).collect::<Vec<_>>(),
        "page": list.number(),
        "page_size": list.size(),
        "start": begin,
        "end": last,
        "first_page_uri": links.first,
        "previous_page_uri": links.previous,
        "uri": links.own,
        "next_page_uri": links.next,
    })))
}

/// `GET /2010-04-01/Accounts/{AccountSid}/Addresses/{Sid}.json`
pub(super) async fn fetch(call: AccountCall) -> ApiResult {
    check_account(&call)?;
    let model = call.simulator.model();
    let address = model.object(&call.account, KIND, &call.path_segment("sid")).map_err(|_| call.not_found())?;
    Ok(HttpResponse::Ok().json(render_objects::address(address)))
}

/// `POST /2010-04-01/Accounts/{AccountSid}/Addresses/{Sid}.json`
pub(super) async fn update(call: AccountCall, body: RawBody) -> ApiResult {
    check_account(&call)?;
    let parameters = Parameters::from_body(body)?;
    for name in REQUIRED {
        parameters.not_empty(name)?;
    }
    let sid = call.path_segment("sid");
    let mut model = call.simulator.model();
    let mut attributes = model.object(&call.account, KIND, &sid).map_err(|_| call.not_found())?.attributes();
    attributes.extend(given(&parameters));
    let friendly_name = parameters.get("FriendlyName").map(str::to_owned);
    let edit = ObjectEdit { friendly_name, attributes: Some(attributes) };
    let address = model.edit_object(&call.account, KIND, &sid, edit).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Ok().json(render_objects::address(&address)))
}

/// `DELETE /2010-04-01/Accounts/{AccountSid}/Addresses/{Sid}.json`
pub(super) async fn delete(call: AccountCall) -> ApiResult {
    check_account(&call)?;
    objects::delete(&call, KIND)
}

/// Checks that the account in the path is the one of the credentials.
fn check_account(call: &AccountCall) -> Result<(), ApiError> {
    let is_own = call.path_segment("account").eq_ignore_ascii_case(call.account.as_str());
    if is_own { Ok(()) } else { Err(call.not_found()) }
}

/// Returns the fields that the request sets.
fn given(parameters: &Parameters) -> Map<String, Value> {
    let value = |(parameter, field): &(&str, &str)| Some(((*field).to_owned(), json!(parameters.get(parameter)?)));
    ADDRESS_FIELDS.iter().filter_map(value).collect()
}
