//! Twilio's requests for regulatory bundles, where they differ from those for profiles.

use actix_web::HttpResponse;
use trusthub_events::ProfileSid;

use super::{
    bundle_query,
    call::ApiCall,
    error::{ApiError, ApiResult},
    list::{ListRequest, page_of, response},
    parameters::{Parameters, RawBody},
    render,
};
use crate::model::{BundleDetails, NewProfile, NumberKind, Regulation};

/// `POST /v2/RegulatoryCompliance/Bundles`
pub(super) async fn create(call: ApiCall, body: RawBody) -> ApiResult {
    let parameters = Parameters::from_body(body)?;
    let (regulation, numbers) = regulation(&parameters)?;
    let new = NewProfile {
        kind: call.kind,
        account: call.account,
        friendly_name: parameters.required("FriendlyName")?.to_owned(),
        email: parameters.required("Email")?.to_owned(),
        policy: regulation,
        status_callback: parameters.status_callback()?.filter(|url| !url.is_empty()).map(str::to_owned),
    };
    let details = BundleDetails::new(numbers, parameters.boolean("IsTest")?.unwrap_or(false));
    let bundle = call.simulator.model().create_bundle(new, details).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::profile(&bundle, &call.base_url())))
}

/// Returns the SID of the regulation, which is empty if the simulator has none for these phone numbers, and the phone
/// numbers, if they are known.
fn regulation(parameters: &Parameters) -> Result<(String, Option<NumberKind>), ApiError> {
    // It must be valid also if a regulation is named.
    bundle_query::end_user_type(parameters)?;
    let Some(sid) = parameters.policy("RegulationSid")? else {
        let numbers = bundle_query::number_kind(parameters)?;
        let sid = numbers.regulation().map(|regulation| regulation.sid.to_owned());
        return Ok((sid.unwrap_or_default(), Some(numbers)));
    };
    let numbers = Regulation::find(&sid).map(NumberKind::of);
    Ok((sid, numbers))
}

/// `GET /v2/RegulatoryCompliance/Bundles`
pub(super) async fn list(call: ApiCall) -> ApiResult {
    let list = ListRequest::of(&call)?;
    let filter = bundle_query::filter(list.query())?;
    let (base, size) = (call.base_url(), list.size());
    let page = match bundle_query::order(list.query())? {
        None => call.simulator.model().list(&call.account, call.kind, &filter, list.start(), size),
        Some(order) => call.simulator.model().sorted_bundles(&call.account, &filter, order, list.skipped(), size),
    };
    Ok(response(&list, "results", page, |bundle| render::profile(bundle, &base)))
}

/// `POST /v2/RegulatoryCompliance/Bundles/{Sid}/Copies`
pub(super) async fn create_copy(call: ApiCall, body: RawBody) -> ApiResult {
    let sid = call.profile_sid()?;
    let name = Parameters::from_body(body)?.not_empty("FriendlyName")?.map(str::to_owned);
    let copy = call.simulator.model().copy_bundle(&sid, name).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::bundle_copy(&copy)))
}

/// `GET /v2/RegulatoryCompliance/Bundles/{Sid}/Copies`
pub(super) async fn list_copies(call: ApiCall) -> ApiResult {
    let bundle = call.profile()?;
    let copies = call.simulator.model().copies_of(&bundle).into_iter().map(render::bundle_copy).collect();
    page_of(&call, "results", copies)
}

/// `POST /v2/RegulatoryCompliance/Bundles/{Sid}/ReplaceItems`
pub(super) async fn replace_items(call: ApiCall, body: RawBody) -> ApiResult {
    const FROM: &str = "FromBundleSid";
    let sid = call.profile_sid()?;
    let parameters = Parameters::from_body(body)?;
    let from = parameters.required(FROM).and(parameters.sid(FROM))?.unwrap_or_default();
    let wrong = |_| ApiError::invalid(format!("{FROM}: write BU followed by 32 hexadecimal digits"));
    let from = ProfileSid::parse(&from).map_err(wrong)?;
    let bundle = call.simulator.model().replace_items(&sid, &from).map_err(|error| call.model_error(&error))?;
    Ok(HttpResponse::Created().json(render::bundle_copy(&bundle)))
}
