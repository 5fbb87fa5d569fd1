//! Other URLs that Twilio may have been given.

use super::{
    Capture,
    near_miss::{Change, NearMissKind},
};
use crate::domain::PublicUrl;

/// Ports under which such services are reached while they are built and behind proxies.
const COMMON_PORTS: [&str; 7] = ["80", "443", "8080", "8443", "3000", "5000", "8000"];

/// Headers in which a proxy or a caller names the host. Nobody has to believe them to try them.
const HOST_HEADERS: [&str; 3] = ["host", "x-forwarded-host", "x-original-host"];
/// Headers in which a proxy names the path before it changed it.
const PATH_HEADERS: [&str; 5] =
    ["x-forwarded-uri", "x-original-uri", "x-original-url", "x-rewrite-url", "x-envoy-original-path"];
const PREFIX_HEADER: &str = "x-forwarded-prefix";
const PORT_HEADER: &str = "x-forwarded-port";

/// What one header may add to the candidates, and how long it may be.
const MAX_HINTS: usize = 4;
pub(super) const MAX_HINT_BYTES: usize = 255;

/// A URL without its query, and how it differs from the configured one.
pub(super) struct OtherUrl {
    pub(super) url: String,
    pub(super) changes: Vec<Change>,
    /// The public URL to configure, where that would help.
    pub(super) public_url: Option<String>,
}

/// One way to write a part of the URL; `None` is the configured way.
struct Choice {
    text: String,
    change: Option<Change>,
}

impl Choice {
    fn configured(text: impl Into<String>) -> Self {
        Self { text: text.into(), change: None }
    }

    fn other(text: impl Into<String>, kind: NearMissKind, why: impl Into<String>) -> Self {
        Self { text: text.into(), change: Some(Change::new(kind, why.into())) }
    }
}

/// The parts of a configured public URL.
struct Address<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    prefix: &'a str,
}

impl<'a> Address<'a> {
    fn of(url: &'a PublicUrl) -> Self {
        let (scheme, rest) = url.as_str().split_once("://").unwrap_or_default();
        let (host, port) = split_port(rest.strip_suffix(url.prefix()).unwrap_or(rest));
        Self { scheme, host, port, prefix: url.prefix() }
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // The last colon of `[::1]` stands inside the brackets and begins no port.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// URLs that differ from a configured one, those with the fewest differences first, each once.
pub(super) fn other_urls(configured: &PublicUrl, capture: &Capture<'_>) -> Vec<OtherUrl> {
    let address = Address::of(configured);
    let route = capture.request.route;
    let paths = paths(&address, capture);
    let authorities = authorities(&address, capture);
    let mut urls = Vec::new();
    for scheme in schemes(&address) {
        let spellings = port_spellings(&address, &scheme.text);
        for authority in spellings.iter().chain(&authorities) {
            for path in &paths {
                let base = format!("{}://{}", scheme.text, authority.text);
                let changes: Vec<_> = [&scheme, authority, path].iter().filter_map(|c| c.change.clone()).collect();
                let by_configuration = changes.iter().all(|change| change.kind != NearMissKind::TrailingSlash);
                let prefix = path.text.strip_suffix(route).filter(|_| by_configuration);
                let public_url = prefix.map(|prefix| format!("{base}{prefix}"));
                urls.push(OtherUrl { url: format!("{base}{}", path.text), changes, public_url });
            }
        }
    }
    urls.retain(|other| !other.changes.is_empty());
    urls.sort_by_key(|other| other.changes.len());
    urls
}

fn schemes(address: &Address<'_>) -> [Choice; 2] {
    let own = address.scheme;
    let other = if own == "https" { "http" } else { "https" };
    let why = format!("PUBLIC_URL says {own}, Twilio was given the {other} URL");
    [Choice::configured(own), Choice::other(other, NearMissKind::Scheme, why)]
}

/// The host with its port as configured, absent and default, which are no difference.
fn port_spellings(address: &Address<'_>, scheme: &str) -> Vec<Choice> {
    let host = address.host;
    let default = if scheme == "https" { "443" } else { "80" };
    let configured = address.port.filter(|port| *port != default).map(|port| format!("{host}:{port}"));
    let spellings = [configured, Some(host.to_owned()), Some(format!("{host}:{default}"))];
    spellings.into_iter().flatten().map(Choice::configured).collect()
}

fn authorities(address: &Address<'_>, capture: &Capture<'_>) -> Vec<Choice> {
    let hints = hosts(capture);
    let names = hints.iter().copied().flat_map(|hint| [hint, split_port(hint).0]);
    let mut choices: Vec<_> = names.filter_map(|authority| host_choice(address, authority)).collect();
    let lower = address.host.to_ascii_lowercase();
    choices.extend(host_choice(address, &lower));
    let ports = hints.iter().filter_map(|hint| split_port(hint).1).chain(words(capture, PORT_HEADER));
    let ports = ports.filter(|port| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()));
    let ports = ports.chain(COMMON_PORTS).filter(|port| Some(*port) != address.port);
    choices.extend(ports.map(|port| port_choice(address, port)));
    without_repeats(choices)
}

fn host_choice(address: &Address<'_>, authority: &str) -> Option<Choice> {
    let (host, own) = (split_port(authority).0, address.host);
    let why = if host == own {
        return None;
    } else if host.eq_ignore_ascii_case(own) {
        format!("PUBLIC_URL spells the host {own}, Twilio was given the spelling {host}")
    } else {
        format!("PUBLIC_URL says the host {own}, Twilio was given {authority}")
    };
    Some(Choice::other(authority, NearMissKind::Host, why))
}

fn port_choice(address: &Address<'_>, port: &str) -> Choice {
    let own = address.port.map_or("no port".to_owned(), |port| format!("port {port}"));
    let why = format!("PUBLIC_URL says {own}, Twilio was given port {port}");
    Choice::other(format!("{}:{port}", address.host), NearMissKind::Port, why)
}

fn paths(address: &Address<'_>, capture: &Capture<'_>) -> Vec<Choice> {
    let (prefix, route) = (address.prefix, capture.request.route);
    let own = format!("{prefix}{route}");
    let given =
        |text: &str, how| Choice::other(text, NearMissKind::TrailingSlash, format!("Twilio was given the URL {how}"));
    let slash = match own.strip_suffix('/') {
        Some(without) => given(without, "without the slash at its end"),
        None => given(&format!("{own}/"), "with a slash at its end"),
    };
    let announced = words(capture, PREFIX_HEADER).map(|prefix| format!("{}{route}", prefix.trim_end_matches('/')));
    let before = PATH_HEADERS.iter().flat_map(|header| words(capture, header));
    let before = before.map(|target| target.split('?').next().unwrap_or_default().to_owned());
    let others = [route.to_owned(), format!("{prefix}{own}"), capture.path.to_owned()].into_iter();
    let others = others.chain(announced.chain(before).filter(|path| path.starts_with('/')));
    let others = others.map(|path| path_choice(address, route, path));
    without_repeats([Choice::configured(own), slash].into_iter().chain(others).collect())
}

fn path_choice(address: &Address<'_>, route: &str, path: String) -> Choice {
    let named = |prefix: &str| match prefix {
        "" => "no prefix".to_owned(),
        prefix => format!("the prefix {prefix}"),
    };
    let given = path.strip_suffix(route).map_or_else(|| format!("the path {path}"), named);
    let why = format!("PUBLIC_URL has {}, Twilio was given {given}", named(address.prefix));
    Choice::other(path, NearMissKind::Prefix, why)
}

fn without_repeats(choices: Vec<Choice>) -> Vec<Choice> {
    let mut kept: Vec<Choice> = Vec::new();
    for choice in choices {
        if !kept.iter().any(|other| other.text == choice.text) {
            kept.push(choice);
        }
    }
    kept
}

fn hosts<'a>(capture: &Capture<'a>) -> Vec<&'a str> {
    let plain = |host: &&str| !host.contains(['/', '?', '#', '@', '\\', '"', '\'', '<', '>', ';', '%']);
    HOST_HEADERS.iter().flat_map(|header| words(capture, header)).filter(plain).collect()
}

/// The values of a header: printable, short and few, as they may come from anybody.
fn words<'a>(capture: &Capture<'a>, header: &str) -> impl Iterator<Item = &'a str> {
    let texts = capture.headers.values(header).filter_map(|value| std::str::from_utf8(value).ok());
    let words = texts.flat_map(|text| text.split(',')).map(str::trim);
    let plain = |word: &&str| (1..=MAX_HINT_BYTES).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    words.filter(plain).take(MAX_HINTS).collect::<Vec<_>>().into_iter()
}
