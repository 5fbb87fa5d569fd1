//! Candidate paths: how the path at Twilio may differ from the one that arrived.

use super::{
    hints::header_values,
    near_miss::NearMissKind,
    variant::{PartVariant, without_repeats},
};
use crate::WebhookRequest;

/// Headers in which a proxy reports the original path.
const PATH_HEADERS: [&str; 5] =
    ["x-forwarded-uri", "x-original-uri", "x-original-url", "x-rewrite-url", "x-envoy-original-path"];
const PREFIX_HEADER: &str = "x-forwarded-prefix";

/// Maximum number of slashes that are doubled one by one.
const MAX_DOUBLED: usize = 4;

/// The path below this prefix, and its variants.
pub(super) fn path_variants(prefix: &str, request: &WebhookRequest<'_>) -> Vec<PartVariant> {
    let route = request.route;
    let own = format!("{prefix}{route}");
    let forwarded =
        header_values(request, PREFIX_HEADER).map(|prefix| format!("{}{route}", prefix.trim_end_matches('/')));
    let original = PATH_HEADERS.iter().flat_map(|header| header_values(request, header));
    let original = original.map(|target| target.split('?').next().unwrap_or_default().to_owned());
    let slash = own.strip_suffix('/').map_or_else(|| format!("{own}/"), str::to_owned);
    let others = [slash, route.to_owned(), format!("{prefix}{own}"), request.path.to_owned()].into_iter();
    let others = others.chain(forwarded.chain(original).filter(|path| path.starts_with('/')));
    let others = others.chain(doubled_slashes(&own)).chain(letter_cases(prefix, route));
    let others = others.map(|path| path_variant(prefix, route, path));
    let own = PartVariant::configured(own.as_str());
    without_repeats([own].into_iter().chain(plain_spelling(prefix, route)).chain(others).collect())
}

/// The path without doubled and trailing slashes and in lower case, if it is spelled differently: the sender may have signed
/// that, and a proxy changed it.
fn plain_spelling(prefix: &str, route: &str) -> Option<PartVariant> {
    let plain = merge_slashes(route).to_ascii_lowercase();
    let path = format!("{prefix}{plain}");
    let description = format!("the request has the path {route}, but another spelling of the path was signed, {plain}");
    (plain != route).then(|| PartVariant::different(path, NearMissKind::PathSpelling, description))
}

/// The path with each of its slashes doubled, with all of them doubled, and with two at its end.
fn doubled_slashes(path: &str) -> Vec<String> {
    let slashes = path.match_indices('/').map(|(index, _)| index).take(MAX_DOUBLED);
    let one =
        slashes.filter_map(|index| path.split_at_checked(index).map(|(before, after)| format!("{before}/{after}")));
    one.chain([path.replace('/', "//"), format!("{path}//")]).collect()
}

/// The route with capitals as people write them: at its start, at each segment, at each word, and throughout.
fn letter_cases(prefix: &str, route: &str) -> [String; 4] {
    let segments = capitalize(route, &['/']);
    let only_first = segments.chars().take(2).chain(route.chars().skip(2)).collect();
    [only_first, segments, capitalize(route, &['/', '-', '_']), route.to_ascii_uppercase()]
        .map(|route| format!("{prefix}{route}"))
}

/// The text with a capital after each of these characters.
fn capitalize(text: &str, after: &[char]) -> String {
    let mut is_start = false;
    let capital = |c: char| {
        let capital = if is_start { c.to_ascii_uppercase() } else { c };
        is_start = after.contains(&c);
        capital
    };
    text.chars().map(capital).collect()
}

fn path_variant(prefix: &str, route: &str, path: String) -> PartVariant {
    let own = format!("{prefix}{route}");
    let (kind, description) = if path.strip_suffix('/') == Some(own.as_str()) {
        (NearMissKind::TrailingSlash, "the URL at Twilio has a slash at its end".to_owned())
    } else if own.strip_suffix('/') == Some(path.as_str()) {
        (NearMissKind::TrailingSlash, "the URL at Twilio has no slash at its end".to_owned())
    } else if path.eq_ignore_ascii_case(&own) {
        (NearMissKind::LetterCase, format!("the URL at Twilio spells the path {path}, with other letter case"))
    } else if merge_slashes(&path).eq_ignore_ascii_case(&merge_slashes(&own)) {
        let description = "the URL at Twilio has a doubled slash in its path, which a proxy may merge";
        (NearMissKind::Slashes, description.to_owned())
    } else {
        let named = |prefix: &str| match prefix {
            "" => "no prefix".to_owned(),
            prefix => format!("the prefix {prefix}"),
        };
        let actual = path.strip_suffix(route).map_or_else(|| format!("the path {path}"), named);
        (NearMissKind::Prefix, format!("PUBLIC_URL has {}, but the URL at Twilio has {actual}", named(prefix)))
    };
    PartVariant::different(path, kind, description)
}

/// The path without empty segments.
fn merge_slashes(path: &str) -> String {
    path.split('/').filter(|segment| !segment.is_empty()).flat_map(|segment| ["/", segment]).collect()
}
