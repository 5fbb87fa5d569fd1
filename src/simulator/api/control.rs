//! What Twilio's reviewers do, and what goes wrong at Twilio: everything that its API has no request for.

use std::time::Duration;

use actix_web::{
    Error, HttpRequest, HttpResponse,
    web::{Bytes, Data, Path},
};
use serde_json::json;

use super::{call::base, error::ApiError, fields::Fields, render};
use crate::{
    domain::{AccountSid, Label, ProfileSid},
    simulator::{
        model::{Happened, Hub, MOST_PROFILES, Trouble, Verdict},
        settings::Settings,
        world::{Seeding, Standing, World},
    },
};

type Answer = Result<HttpResponse, ApiError>;
type Body = Result<Bytes, Error>;

fn decide(
    world: &World,
    request: &HttpRequest,
    sid: &str,
    act: impl FnOnce(&mut Hub, &ProfileSid) -> Result<Happened, Trouble>,
) -> Answer {
    let sid = ProfileSid::parse(sid).map_err(|_| ApiError::not_found(request))?;
    let happened = world.act(|hub| act(hub, &sid)).map_err(|trouble| ApiError::of(&trouble, request))?;
    Ok(HttpResponse::Ok().json(render::profile(&happened.profile, &base(request))))
}

/// `POST /simulator/profiles/{Sid}/approve`, perhaps with `valid_for_secs`
pub(super) async fn approve(world: Data<World>, request: HttpRequest, sid: Path<String>, body: Body) -> Answer {
    let valid_for = Fields::of_body(body)?.only(&["valid_for_secs"])?.number("valid_for_secs", 0, u64::MAX)?;
    decide(&world, &request, &sid, |hub, sid| {
        let valid_until = valid_for.map(|seconds| hub.now().after(Duration::from_secs(seconds)));
        hub.decide(sid, Verdict::Approve { valid_until })
    })
}

/// `POST /simulator/profiles/{Sid}/reject`, with `code` as often as needed, and perhaps with a `reason`
pub(super) async fn reject(world: Data<World>, request: HttpRequest, sid: Path<String>, body: Body) -> Answer {
    /// As Twilio's.
    const DIGITS: usize = 5;
    let fields = Fields::of_body(body)?.only(&["code", "reason"])?;
    let code = |text: &str| {
        let code = text.parse().ok().filter(|_| text.len() == DIGITS);
        code.ok_or_else(|| ApiError::invalid("code: write a number of five digits, such as 18602"))
    };
    let codes = fields.all().filter(|(name, _)| *name == "code").map(|(_, text)| code(text));
    let codes = codes.collect::<Result<Vec<u32>, _>>()?;
    let reason = fields.get("reason").unwrap_or_default().to_owned();
    decide(&world, &request, &sid, |hub, sid| hub.decide(sid, Verdict::Reject { codes, reason }))
}

/// `POST /simulator/profiles/{Sid}/expire`
pub(super) async fn expire(world: Data<World>, request: HttpRequest, sid: Path<String>) -> Answer {
    decide(&world, &request, &sid, Hub::expire)
}

/// `POST /simulator/profiles` with `count`, and perhaps `status`, `account_sid`, `policy_sid`, `status_callback`: profiles
/// out of nowhere. Nothing of their past is announced.
pub(super) async fn seed(world: Data<World>, request: HttpRequest, body: Body) -> Answer {
    let known = ["count", "status", "account_sid", "policy_sid", "status_callback"];
    let fields = Fields::of_body(body)?.only(&known)?;
    let count = fields.number("count", 1, MOST_PROFILES)?.ok_or_else(|| ApiError::invalid("count: write a number"))?;
    let account = fields.get("account_sid").map(|sid| account(&world, sid)).transpose()?;
    let wanted = fields.get("status").map(standing).transpose()?;
    let seeding = Seeding {
        count,
        account,
        wanted: wanted.unwrap_or(Standing::Draft),
        policy: fields.policy("policy_sid")?.map(str::to_owned),
        status_callback: fields.callback_url("status_callback")?.map(str::to_owned),
    };
    let profiles = world.seed(&seeding).await.map_err(|trouble| ApiError::of(&trouble, &request))?;
    Ok(HttpResponse::Created().json(json!({ "created": count, "profiles": profiles })))
}

fn account(world: &World, sid: &str) -> Result<AccountSid, ApiError> {
    let account = AccountSid::parse(sid).ok().and_then(|sid| world.account(Some(&sid)));
    let account = account.ok_or_else(|| ApiError::invalid("account_sid: write one of the simulator's accounts"));
    account.map(|account| account.sid.clone())
}

fn standing(name: &str) -> Result<Standing, ApiError> {
    let wrong = || ApiError::invalid(format!("status: write one of {}", Label::list(Standing::ALL)));
    Standing::named(name).ok_or_else(wrong)
}

/// `GET /simulator/settings`
pub(super) async fn settings(world: Data<World>) -> HttpResponse {
    HttpResponse::Ok().json(world.settings())
}

/// `POST /simulator/settings` with those that change
pub(super) async fn set(world: Data<World>, body: Body) -> Answer {
    let fields = Fields::of_body(body)?;
    let change = |settings| fields.all().try_fold(settings, |all: Settings, (name, value)| all.with(name, value));
    let settings = world.change_settings(change).map_err(|bad| ApiError::invalid(bad.to_string()))?;
    Ok(HttpResponse::Ok().json(settings))
}

/// `GET /simulator/callbacks`, perhaps with `profile_sid` and `limit`: the attempts so far, newest first, and how many
/// callbacks of all profiles are still to be sent
pub(super) async fn callbacks(world: Data<World>, request: HttpRequest) -> Answer {
    const USUAL: usize = 50;
    const MOST: usize = 10_000;
    let query = Fields::of_query(request.query_string())?;
    let limit = query.number("limit", 1, MOST)?.unwrap_or(USUAL);
    let sid = query.get("profile_sid").map(ProfileSid::parse).transpose();
    let sid = sid.map_err(|error| ApiError::invalid(format!("profile_sid: {error}")))?;
    let postman = world.postman();
    let attempts = postman.attempts(sid.as_ref(), limit);
    Ok(HttpResponse::Ok().json(json!({ "attempts": attempts, "under_way": postman.under_way() })))
}
