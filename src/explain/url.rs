//! Splits the URL of a request without a URL parser, which would encode it again.

use crate::domain::PublicUrl;

/// The beginning of every route of the service.
const ROUTES: &str = "/callbacks/";

/// Splits a URL into scheme and authority, and path and query. Drops the fragment, which is never sent.
pub(crate) fn split_url(url: &str) -> (&str, &str) {
    let url = url.split_once('#').map_or(url, |(url, _fragment)| url);
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url.char_indices().find(|(index, c)| *index >= authority && matches!(c, '/' | '?'));
    end.map_or((url, ""), |(end, _)| url.split_at(end))
}

/// The authority of the URL, for use as a `Host` header: it is tried as a candidate, whatever the public URL is.
pub(super) fn host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_scheme, authority)| authority);
    authority.rsplit_once('@').map_or(authority, |(_credentials, host)| host)
}

/// Splits a target into path and query.
pub(super) fn split_target(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

/// The part of a path before the route; empty when it has no route.
pub(crate) fn prefix(target: &str) -> &str {
    split_target(target).0.rsplit_once(ROUTES).map_or("", |(prefix, _route)| prefix)
}

/// The part of a path after the public URL: a route of the service, or any path of another service.
pub(super) fn route<'a>(path: &'a str, urls: &[PublicUrl]) -> &'a str {
    if path.contains(ROUTES) {
        return path.strip_prefix(prefix(path)).unwrap_or(path);
    }
    let candidates = urls.iter().filter_map(|url| path.strip_prefix(url.prefix()));
    candidates
        .filter(|route| route.is_empty() || route.starts_with('/'))
        .min_by_key(|route| route.len())
        .unwrap_or(path)
}
