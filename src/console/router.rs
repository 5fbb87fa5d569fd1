//! Which page belongs to which path.

use actix_web::{
    HttpResponse,
    http::{Method, StatusCode},
};

use super::{Console, assets, dead_letters, guard::CrossSiteRule, now, profiles, reply, request::ConsoleRequest};

/// Whether a page of another site may cause this request, as by a link. It may not cause work or send data.
pub(super) fn cross_site_rule(method: &Method, path: &str) -> CrossSiteRule {
    let is_page = matches!(*method, Method::GET | Method::HEAD) && !path.starts_with("/api/") && path != "/events";
    if is_page { CrossSiteRule::Allowed } else { CrossSiteRule::Refused }
}

/// Responds to a `GET` or `HEAD`.
pub(super) async fn get(console: &Console, request: &ConsoleRequest<'_>) -> HttpResponse {
    let records = &console.sources.records;
    match request.segments.as_slice() {
        [""] => now::respond(console),
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
        ["api", ..] => reply::json_error(StatusCode::NOT_FOUND, "the API has no such resource; see docs/console.md"),
        _ => reply::not_found(),
    }
}
