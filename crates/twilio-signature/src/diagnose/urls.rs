//! Candidate URLs: URLs that may be configured at Twilio instead of the expected one.

use super::near_miss::{Difference, NearMissKind};
use crate::{PublicUrl, WebhookRequest};

/// Ports that are common in development and behind proxies.
const COMMON_PORTS: [&str; 7] = ["80", "443", "8080", "8443", "3000", "5000", "8000"];

/// Headers that may name the original host. They are untrusted and only used to form candidates.
const HOST_HEADERS: [&str; 3] = ["host", "x-forwarded-host", "x-original-host"];
/// Headers in which a proxy reports the original path.
const PATH_HEADERS: [&str; 5] =
    ["x-forwarded-uri", "x-original-uri", "x-original-url", "x-rewrite-url", "x-envoy-original-path"];
const PREFIX_HEADER: &str = "x-forwarded-prefix";
const PORT_HEADER: &str = "x-forwarded-port";

/// Maximum number of values that are used of one header.
const MAX_HINTS: usize = 4;
/// Maximum length of such a value.
pub(super) const MAX_HINT_BYTES: usize = 255;

/// Maximum number of bytes that are read of one header.
const MAX_HEADER_BYTES: usize = MAX_HINTS * (MAX_HINT_BYTES + 2);

/// A URL, without its query, that differs from the configured one. It is written out only when it is tried.
pub(super) struct CandidateUrl<'a> {
    scheme: &'a PartVariant,
    authority: &'a PartVariant,
    path: &'a PartVariant,
    route: &'a str,
}

impl CandidateUrl<'_> {
    fn parts(&self) -> [&PartVariant; 3] {
        [self.scheme, self.authority, self.path]
    }

    /// Length of [`url`](Self::url).
    pub(super) fn len(&self) -> usize {
        self.parts().iter().map(|part| part.text.len()).sum::<usize>() + "://".len()
    }

    pub(super) fn url(&self) -> String {
        format!("{}{}", self.base(), self.path.text)
    }

    fn base(&self) -> String {
        format!("{}://{}", self.scheme.text, self.authority.text)
    }

    /// The differences from the configured URL.
    pub(super) fn differences(&self) -> Vec<Difference> {
        self.parts().iter().filter_map(|part| part.difference.clone()).collect()
    }

    /// The value of `PUBLIC_URL` with which the request would have been accepted, if there is one.
    pub(super) fn public_url(&self) -> Option<String> {
        let difference = self.path.difference.as_ref();
        let is_other_route = difference.is_some_and(|difference| {
            matches!(difference.kind, NearMissKind::TrailingSlash | NearMissKind::PathSpelling)
        });
        let prefix = self.path.text.strip_suffix(self.route).filter(|_| !is_other_route);
        prefix.map(|prefix| format!("{}{prefix}", self.base()))
    }
}

/// A variant of one part of the URL.
struct PartVariant {
    text: String,
    /// `None` for the configured variant.
    difference: Option<Difference>,
}

impl PartVariant {
    fn differences(&self) -> usize {
        usize::from(self.difference.is_some())
    }

    fn configured(text: impl Into<String>) -> Self {
        Self { text: text.into(), difference: None }
    }

    fn different(text: impl Into<String>, kind: NearMissKind, description: impl Into<String>) -> Self {
        Self { text: text.into(), difference: Some(Difference::new(kind, description.into())) }
    }
}

/// The parts of a configured public URL.
struct ConfiguredUrl<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    prefix: &'a str,
}

impl<'a> ConfiguredUrl<'a> {
    fn split(url: &'a PublicUrl) -> Self {
        let (scheme, rest) = url.as_str().split_once("://").unwrap_or_default();
        let (host, port) = split_port(rest.strip_suffix(url.prefix()).unwrap_or(rest));
        Self { scheme, host, port, prefix: url.prefix() }
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // A colon inside the brackets of an IPv6 address does not begin a port.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// The variants of each part of one configured URL: a few dozen, whatever the request contains.
pub(super) struct CandidateUrls<'a> {
    /// Each scheme with the spellings of the configured host and port for that scheme.
    schemes: Vec<(PartVariant, Vec<PartVariant>)>,
    authorities: Vec<PartVariant>,
    paths: Vec<PartVariant>,
    route: &'a str,
}

impl<'a> CandidateUrls<'a> {
    /// Derives the variants from common mistakes and from the headers and the path of the request.
    pub(super) fn new(url: &PublicUrl, request: &WebhookRequest<'a>) -> Self {
        let configured = ConfiguredUrl::split(url);
        let schemes = schemes(&configured).into_iter().map(|scheme| {
            let spellings = port_spellings(&configured, &scheme.text);
            (scheme, spellings)
        });
        Self {
            schemes: schemes.collect(),
            authorities: authorities(&configured, request),
            paths: paths(&configured, request),
            route: request.route,
        }
    }

    /// The candidates that differ from the configured URL in exactly this many parts.
    pub(super) fn with_differences(&self, differences: usize) -> impl Iterator<Item = CandidateUrl<'_>> {
        self.schemes.iter().flat_map(move |(scheme, spellings)| {
            spellings.iter().chain(&self.authorities).flat_map(move |authority| {
                let left = differences.checked_sub(scheme.differences() + authority.differences());
                let paths = self.paths.iter().filter(move |path| Some(path.differences()) == left);
                paths.map(move |path| CandidateUrl { scheme, authority, path, route: self.route })
            })
        })
    }
}

fn schemes(configured: &ConfiguredUrl<'_>) -> [PartVariant; 2] {
    let own = configured.scheme;
    let other = if own == "https" { "http" } else { "https" };
    let description = format!("PUBLIC_URL says {own}, but the URL at Twilio says {other}");
    [PartVariant::configured(own), PartVariant::different(other, NearMissKind::Scheme, description)]
}

/// The host with its port as configured, absent and default. These spellings do not count as differences.
fn port_spellings(configured: &ConfiguredUrl<'_>, scheme: &str) -> Vec<PartVariant> {
    let host = configured.host;
    let default = if scheme == "https" { "443" } else { "80" };
    let explicit = configured.port.filter(|port| *port != default).map(|port| format!("{host}:{port}"));
    let spellings = [explicit, Some(host.to_owned()), Some(format!("{host}:{default}"))];
    spellings.into_iter().flatten().map(PartVariant::configured).collect()
}

fn authorities(configured: &ConfiguredUrl<'_>, request: &WebhookRequest<'_>) -> Vec<PartVariant> {
    let hints = hosts(request);
    let names = hints.iter().copied().flat_map(|hint| [hint, split_port(hint).0]);
    let mut variants: Vec<_> = names.filter_map(|authority| host_variant(configured, authority)).collect();
    let lower = configured.host.to_ascii_lowercase();
    variants.extend(host_variant(configured, &lower));
    let ports = hints.iter().filter_map(|hint| split_port(hint).1).chain(header_values(request, PORT_HEADER));
    let ports = ports.filter(|port| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()));
    let ports = ports.chain(COMMON_PORTS).filter(|port| Some(*port) != configured.port);
    variants.extend(ports.map(|port| port_variant(configured, port)));
    without_repeats(variants)
}

fn host_variant(configured: &ConfiguredUrl<'_>, authority: &str) -> Option<PartVariant> {
    let (host, own) = (split_port(authority).0, configured.host);
    let description = if host == own {
        return None;
    } else if host.eq_ignore_ascii_case(own) {
        format!("PUBLIC_URL spells the host {own}, but the URL at Twilio spells it {host}")
    } else {
        format!("PUBLIC_URL says the host {own}, but the URL at Twilio says {authority}")
    };
    Some(PartVariant::different(authority, NearMissKind::Host, description))
}

fn port_variant(configured: &ConfiguredUrl<'_>, port: &str) -> PartVariant {
    let own = configured.port.map_or("no port".to_owned(), |port| format!("port {port}"));
    let description = format!("PUBLIC_URL says {own}, but the URL at Twilio says port {port}");
    PartVariant::different(format!("{}:{port}", configured.host), NearMissKind::Port, description)
}

fn paths(configured: &ConfiguredUrl<'_>, request: &WebhookRequest<'_>) -> Vec<PartVariant> {
    let (prefix, route) = (configured.prefix, request.route);
    let own = format!("{prefix}{route}");
    let slash_variant = |text: &str, description| {
        PartVariant::different(text, NearMissKind::TrailingSlash, format!("the URL at Twilio {description}"))
    };
    let slash = match own.strip_suffix('/') {
        Some(without) => slash_variant(without, "has no slash at its end"),
        None => slash_variant(&format!("{own}/"), "has a slash at its end"),
    };
    let plain = plain_spelling(prefix, route);
    let forwarded =
        header_values(request, PREFIX_HEADER).map(|prefix| format!("{}{route}", prefix.trim_end_matches('/')));
    let original = PATH_HEADERS.iter().flat_map(|header| header_values(request, header));
    let original = original.map(|target| target.split('?').next().unwrap_or_default().to_owned());
    let others = [route.to_owned(), format!("{prefix}{own}"), request.path.to_owned()].into_iter();
    let others = others.chain(forwarded.chain(original).filter(|path| path.starts_with('/')));
    let others = others.map(|path| path_variant(configured, route, path));
    without_repeats([PartVariant::configured(own)].into_iter().chain(plain).chain([slash]).chain(others).collect())
}

/// The path without doubled and trailing slashes and in lower case, if it is spelled differently: the sender may have signed
/// that, and a proxy changed it.
fn plain_spelling(prefix: &str, route: &str) -> Option<PartVariant> {
    let segments = route.split('/').filter(|segment| !segment.is_empty());
    let plain: String = segments.flat_map(|segment| ["/", segment]).collect::<String>().to_ascii_lowercase();
    let path = format!("{prefix}{plain}");
    let description = format!("the request has the path {route}, but another spelling of the path was signed, {plain}");
    (plain != route).then(|| PartVariant::different(path, NearMissKind::PathSpelling, description))
}

fn path_variant(configured: &ConfiguredUrl<'_>, route: &str, path: String) -> PartVariant {
    let named = |prefix: &str| match prefix {
        "" => "no prefix".to_owned(),
        prefix => format!("the prefix {prefix}"),
    };
    let actual = path.strip_suffix(route).map_or_else(|| format!("the path {path}"), named);
    let description = format!("PUBLIC_URL has {}, but the URL at Twilio has {actual}", named(configured.prefix));
    PartVariant::different(path, NearMissKind::Prefix, description)
}

fn without_repeats(variants: Vec<PartVariant>) -> Vec<PartVariant> {
    let mut unique: Vec<PartVariant> = Vec::new();
    for variant in variants {
        if !unique.iter().any(|other| other.text == variant.text) {
            unique.push(variant);
        }
    }
    unique
}

fn hosts<'a>(request: &WebhookRequest<'a>) -> Vec<&'a str> {
    let plain = |host: &&str| !host.contains(['/', '?', '#', '@', '\\', '"', '\'', '<', '>', ';', '%']);
    HOST_HEADERS.iter().flat_map(|header| header_values(request, header)).filter(plain).collect()
}

/// The first values of a header that are short and printable. The header may come from an attacker.
fn header_values<'a>(request: &WebhookRequest<'a>, header: &str) -> impl Iterator<Item = &'a str> {
    let texts = request.headers.values(header).filter_map(|value| {
        // A list of valid hints is shorter; the rest is ignored.
        let start = value.get(..MAX_HEADER_BYTES).unwrap_or(value);
        std::str::from_utf8(start).ok()
    });
    let values = texts.take(MAX_HINTS).flat_map(|text| text.split(',')).map(str::trim);
    let plain =
        |value: &&str| (1..=MAX_HINT_BYTES).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
    values.filter(plain).take(MAX_HINTS).collect::<Vec<_>>().into_iter()
}
