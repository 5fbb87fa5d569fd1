//! Which page belongs to which path.

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
    web,
};

use super::{
    Console, assets, dead_letters, explain_page, guard::CrossSiteRule, live, now, profiles, reply,
    request::ConsoleRequest,
};

/// Whether a link on a page of another site may lead to this request. No other request of such a page is answered.
pub(super) fn cross_site_rule(method: &Method, path: &str) -> CrossSiteRule {
    let is_page = matches!(*method, Method::GET | Method::HEAD) && !path.starts_with("/api/") && path != "/events";
    if is_page { CrossSiteRule::Links } else { CrossSiteRule::Refused }
}

/// Responds to a `POST`; `None` if the path has none.
pub(super) async fn post(
    console: &Console,
    request: &ConsoleRequest<'_>,
    payload: &mut web::Payload,
) -> Option<HttpResponse> {
    match request.segments.as_slice() {
        ["explain"] => Some(explain_page::submit(console, payload).await),
        ["api", "v1", "explain"] => Some(explain_page::api(console, payload).await),
        _ => None,
    }
}

/// Responds to a `GET` or `HEAD`.
pub(super) async fn get(console: &Console, request: &ConsoleRequest<'_>) -> HttpResponse {
    let records = &console.sources.records;
    match request.segments.as_slice() {
        [""] => now::respond(console),
        ["live"] => live::respond(console, &request.query),
        ["explain"] => explain_page::respond(),
        ["assets", name] => assets::respond(name).unwrap_or_else(reply::not_found),
        ["profiles"] => profiles::list(records, request).await,
        ["profiles", sid] => profiles::detail(records, request, sid).await,
        ["dead-letters"] => dead_letters::list(records).await,
        ["dead-letters", partition, offset] => dead_letters::detail(records, request, (partition, offset)).await,
        ["api", "v1", "now"] => now::api(console),
        ["api", "v1", "profiles"] => profiles::api_list(records, request).await,
        ["api", "v1", "profiles", sid] => profiles::api_detail(records, request, sid).await,
        ["api", "v1", "dead-letters"] => dead_letters::api_list(records).await,
        ["api", "v1", "dead-letters", partition, offset] => {
            dead_letters::api_detail(records, request, (partition, offset)).await
        }
        ["api", "v1", "callbacks"] => live::api(console, &request.query),
        ["api", ..] => reply::json_error(StatusCode::NOT_FOUND, "the API has no such resource; see docs/console.md"),
        _ => reply::not_found(),
    }
}
