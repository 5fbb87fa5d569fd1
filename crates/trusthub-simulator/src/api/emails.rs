//! The control requests about e-mails.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::ACCEPT,
    web::{Data, Path},
};
use serde_json::json;
use trusthub_events::ProfileSid;

use super::{
    error::{ApiError, ApiResult},
    parameters::{Parameters, RawBody, canonical_sid},
};
use crate::{
    email::{EmailFilter, rendered},
    instance::Simulator,
};

/// The media type of an e-mail as it is sent.
const MESSAGE: &str = "message/rfc822";

/// The parameters that select e-mails.
const FILTERS: [&str; 3] = ["profile_sid", "to", "before"];

/// `GET /simulator/emails`, optionally with `profile_sid`, `to`, `limit` and `before`: the e-mails, newest first
pub(super) async fn list(simulator: Data<Simulator>, request: HttpRequest) -> ApiResult {
    const DEFAULT_LIMIT: usize = 50;
    const MAX_LIMIT: usize = 1_000;
    let known = [&FILTERS[..], &["limit"]].concat();
    let query = Parameters::from_query(request.query_string())?.only(&known)?;
    let limit = query.number("limit", 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let filter = filter(&query)?;
    let (emails, has_more) = simulator.emails().list(&filter, limit);
    let next = emails.last().filter(|_| has_more).map(|oldest| oldest.id);
    Ok(HttpResponse::Ok().json(json!({ "emails": emails, "next_before": next })))
}

fn filter(parameters: &Parameters) -> Result<EmailFilter, ApiError> {
    let profile = parameters.get("profile_sid").map(|sid| ProfileSid::parse(&canonical_sid(sid))).transpose();
    let profile = profile.map_err(|error| ApiError::invalid(format!("profile_sid: {error}")))?;
    let before = parameters.number("before", 1, u64::MAX)?;
    Ok(EmailFilter { profile, to: parameters.get("to").map(str::to_owned), before })
}

/// `GET /simulator/emails/{Id}`: the e-mail as JSON or, if the request accepts that, as a message
pub(super) async fn fetch(simulator: Data<Simulator>, request: HttpRequest, id: Path<String>) -> ApiResult {
    let email = id.parse().ok().and_then(|id| simulator.emails().get(id));
    let email = email.ok_or_else(|| ApiError::not_found(&request))?;
    let accepted = request.headers().get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if accepted.contains(MESSAGE) {
        return Ok(HttpResponse::Ok().content_type(MESSAGE).body(rendered(&email)));
    }
    Ok(HttpResponse::Ok().json(email))
}

/// `DELETE /simulator/emails`, optionally with `profile_sid`, `to` and `before`: removes all e-mails, or those that match
pub(super) async fn clear(simulator: Data<Simulator>, request: HttpRequest, body: RawBody) -> ApiResult {
    let parameters = Parameters::of_control(&request, body)?.only(&FILTERS)?;
    simulator.emails().clear(&filter(&parameters)?);
    Ok(HttpResponse::NoContent().finish())
}
