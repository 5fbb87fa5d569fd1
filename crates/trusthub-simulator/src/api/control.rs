//! The control requests: the decisions of Twilio's reviewers, and the settings of the simulator. Twilio's API has no
//! requests for these.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path},
};
use serde_json::json;
use trusthub_events::{AccountSid, Label, ProfileSid};

use super::{
    account_call::base_url,
    error::{ApiError, ApiResult},
    parameters::{Parameters, RawBody, canonical_sid},
    render,
};
use crate::{
    instance::{SeedRequest, SeedStatus, Simulator},
    model::{
        MAX_PROFILES, ModelError, OUTDATED, ProfileUpdate, REGULATION_CHANGED, ReviewDecision, SimTime, TrustHubModel,
        parse_rejection_code,
    },
    settings::SimulatorSettings,
};

fn change_profile(
    simulator: &Simulator,
    request: &HttpRequest,
    sid: &str,
    change: impl FnOnce(&mut TrustHubModel, &ProfileSid) -> Result<ProfileUpdate, ModelError>,
) -> ApiResult {
    let sid = ProfileSid::parse(&canonical_sid(sid)).map_err(|_| ApiError::not_found(request))?;
    let update = simulator.apply(|model| change(model, &sid)).map_err(|error| ApiError::from_model(&error, request))?;
    Ok(HttpResponse::Ok().json(render::profile(&update.profile, &base_url(request))))
}

/// `POST /simulator/profiles/{Sid}/approve`, optionally with `valid_for_secs`
pub(super) async fn approve(
    simulator: Data<Simulator>,
    request: HttpRequest,
    sid: Path<String>,
    body: RawBody,
) -> ApiResult {
    approve_as(&simulator, &request, &sid, body, |valid_until| ReviewDecision::Approve { valid_until })
}

/// `POST /simulator/profiles/{Sid}/approve-provisionally` for a regulatory bundle, optionally with `valid_for_secs`
pub(super) async fn approve_provisionally(
    simulator: Data<Simulator>,
    request: HttpRequest,
    sid: Path<String>,
    body: RawBody,
) -> ApiResult {
    approve_as(&simulator, &request, &sid, body, |valid_until| ReviewDecision::ApproveProvisionally { valid_until })
}

fn approve_as(
    simulator: &Simulator,
    request: &HttpRequest,
    sid: &str,
    body: RawBody,
    decision: impl FnOnce(Option<SimTime>) -> ReviewDecision,
) -> ApiResult {
    let parameters = Parameters::of_control(request, body)?.only(&["valid_for_secs"])?;
    let valid_for = parameters.number("valid_for_secs", 0, u64::MAX)?;
    change_profile(simulator, request, sid, |model, sid| {
        let valid_until = valid_for.map(|seconds| model.now().after(Duration::from_secs(seconds)));
        model.decide(sid, decision(valid_until))
    })
}

/// `POST /simulator/profiles/{Sid}/reject` with any number of `code`, optionally with a `reason`
pub(super) async fn reject(
    simulator: Data<Simulator>,
    request: HttpRequest,
    sid: Path<String>,
    body: RawBody,
) -> ApiResult {
    let parameters = Parameters::of_control(&request, body)?.only(&["code", "reason"])?;
    let codes = parameters.all().filter(|(name, _)| *name == "code").map(|(_, text)| parse_rejection_code(text));
    let codes = codes.collect::<Result<Vec<u32>, _>>().map_err(|error| ApiError::invalid(format!("code: {error}")))?;
    let reason = parameters.get("reason").unwrap_or_default().to_owned();
    change_profile(&simulator, &request, &sid, |model, sid| model.decide(sid, ReviewDecision::Reject { codes, reason }))
}

/// `POST /simulator/profiles/{Sid}/expire`, optionally with the `code` of the reason
pub(super) async fn expire(
    simulator: Data<Simulator>,
    request: HttpRequest,
    sid: Path<String>,
    body: RawBody,
) -> ApiResult {
    let code = Parameters::of_control(&request, body)?.only(&["code"])?.number("code", REGULATION_CHANGED, OUTDATED)?;
    change_profile(&simulator, &request, &sid, |model, sid| model.expire(sid, code.unwrap_or(OUTDATED)))
}

/// `POST /simulator/profiles` with `count`, optionally with `status`, `account_sid`, `policy_sid` and `status_callback`:
/// creates profiles without announcing their earlier status changes
pub(super) async fn seed(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let known = ["count", "status", "account_sid", "policy_sid", "status_callback"];
    let parameters = Parameters::of_control(&request, body)?.only(&known)?;
    let count = parameters.number("count", 1, MAX_PROFILES)?;
    let count = count.ok_or_else(|| ApiError::invalid("count: write a number"))?;
    let account = parameters.get("account_sid").map(|sid| account(&simulator, sid)).transpose()?;
    let status = parameters.get("status").map(seed_status).transpose()?;
    let seed = SeedRequest {
        count,
        account,
        status: status.unwrap_or(SeedStatus::Draft),
        policy: parameters.policy("policy_sid")?,
        status_callback: parameters.callback_url("status_callback")?.map(str::to_owned),
    };
    let profiles = simulator.seed(&seed).await.map_err(|error| ApiError::from_model(&error, &request))?;
    Ok(HttpResponse::Created().json(json!({ "created": count, "profiles": profiles })))
}

pub(super) fn account(simulator: &Simulator, sid: &str) -> Result<AccountSid, ApiError> {
    let account = AccountSid::parse(sid).ok().and_then(|sid| simulator.account(Some(&sid)));
    let account = account.ok_or_else(|| ApiError::invalid("account_sid: write one of the simulator's accounts"));
    account.map(|account| account.sid)
}

pub(super) fn seed_status(name: &str) -> Result<SeedStatus, ApiError> {
    let wrong = || ApiError::invalid(format!("status: write one of {}", Label::list(SeedStatus::ALL)));
    SeedStatus::named(name).ok_or_else(wrong)
}

/// `GET /simulator/settings`
pub(super) async fn settings(simulator: Data<Simulator>) -> HttpResponse {
    HttpResponse::Ok().json(simulator.settings())
}

/// `POST /simulator/settings` with the settings to change
pub(super) async fn set(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let parameters = Parameters::of_control(&request, body)?;
    let change =
        |settings| parameters.all().try_fold(settings, |all: SimulatorSettings, (name, value)| all.with(name, value));
    let settings = simulator.change_settings(change).map_err(|error| ApiError::invalid(error.to_string()))?;
    Ok(HttpResponse::Ok().json(settings))
}

/// `GET /simulator/callbacks`, optionally with `profile_sid` and `limit`: the attempts so far, newest first, and the number
/// of pending callbacks of all profiles
pub(super) async fn callbacks(simulator: Data<Simulator>, request: HttpRequest) -> ApiResult {
    const DEFAULT_LIMIT: usize = 50;
    const MAX_LIMIT: usize = 10_000;
    let query = Parameters::from_query(request.query_string())?.only(&["profile_sid", "limit"])?;
    let limit = query.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let sid = query.get("profile_sid").map(ProfileSid::parse).transpose();
    let sid = sid.map_err(|error| ApiError::invalid(format!("profile_sid: {error}")))?;
    let sender = simulator.sender();
    // Counted first: otherwise a callback could end in between, and be neither under way nor in the list.
    let under_way = sender.pending();
    let attempts = sender.attempts(sid.as_ref(), limit);
    Ok(HttpResponse::Ok().json(json!({ "attempts": attempts, "under_way": under_way })))
}
