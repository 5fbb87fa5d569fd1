//! The control request that lists the profiles of all accounts.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde_json::{Value, json};
use trusthub_events::{Label as _, Resource};

use super::{
    account_call::base_url,
    control::account,
    error::{ApiError, ApiResult},
    list::encoded,
    parameters::{BUNDLE_STATUSES, Parameters},
};
use crate::{
    instance::Simulator,
    model::{OverviewFilter, PageStart, ProfileKind, SimulatedProfile},
};

const PATH: &str = "/simulator/profiles";
const FILTERS: [&str; 4] = ["status", "account_sid", "resource", "friendly_name"];
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

/// The names of the kinds, which are those of events.
const RESOURCES: [Resource; 3] = [Resource::CustomerProfile, Resource::TrustProduct, Resource::RegulatoryBundle];

/// `GET /simulator/profiles`, optionally with `status`, `account_sid`, `resource`, a part of the `friendly_name`, `limit`
/// and the `after` of the next page: the profiles of all accounts, newest first
pub(super) async fn list(simulator: Data<Simulator>, request: HttpRequest) -> ApiResult {
    let known = [&FILTERS[..], &["limit", "after"]].concat();
    let query = Parameters::from_query(request.query_string())?.only(&known)?;
    let limit = query.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let start = match query.get("after") {
        Some(token) => after(token)?,
        None => PageStart::Newest { skip: 0 },
    };
    let filter = OverviewFilter {
        account: query.get("account_sid").map(|sid| account(&simulator, sid)).transpose()?,
        kind: query.get("resource").map(kind).transpose()?,
        status: query.status("status", &BUNDLE_STATUSES)?,
        name_part: query.get("friendly_name").map(str::to_owned),
    };
    let page = simulator.model().overview(&filter, start, limit, summary);
    let next = page.next.map(|token| next_page(&request, &query, limit, &token));
    Ok(HttpResponse::Ok().json(json!({ "profiles": page.entries, "next_page_url": next })))
}

fn after(token: &str) -> Result<PageStart, ApiError> {
    let start = PageStart::parse(token).filter(|start| matches!(start, PageStart::After(_)));
    start.ok_or_else(|| ApiError::invalid("after: use the value of `after` in next_page_url of an earlier response"))
}

fn kind(name: &str) -> Result<ProfileKind, ApiError> {
    let kinds = [ProfileKind::CustomerProfiles, ProfileKind::TrustProducts, ProfileKind::RegulatoryBundles];
    let kind = kinds.into_iter().find(|kind| resource(*kind).as_str() == name);
    kind.ok_or_else(|| ApiError::invalid(format!("resource: write one of {}", Resource::list(&RESOURCES))))
}

fn resource(kind: ProfileKind) -> Resource {
    match kind {
        ProfileKind::CustomerProfiles => Resource::CustomerProfile,
        ProfileKind::TrustProducts => Resource::TrustProduct,
        ProfileKind::RegulatoryBundles => Resource::RegulatoryBundle,
    }
}

fn next_page(request: &HttpRequest, query: &Parameters, limit: usize, token: &str) -> String {
    let filters = query.all().filter(|(name, _)| FILTERS.contains(name));
    let filters: String = filters.map(|(name, value)| format!("{name}={}&", encoded(value))).collect();
    format!("{}{PATH}?{filters}limit={limit}&after={token}", base_url(request))
}

/// Renders the fields that tell profiles apart.
fn summary(profile: &SimulatedProfile) -> Value {
    json!({
        "sid": profile.sid,
        "account_sid": profile.account,
        "resource": resource(profile.kind),
        "policy_sid": (!profile.policy.is_empty()).then_some(&profile.policy),
        "friendly_name": profile.friendly_name,
        "status": profile.status,
        "error_codes": profile.errors,
        "valid_until": profile.valid_until.map(|moment| moment.to_string()),
        "status_callback": profile.status_callback,
        "date_created": profile.created.to_string(),
        "date_updated": profile.updated.to_string(),
    })
}
