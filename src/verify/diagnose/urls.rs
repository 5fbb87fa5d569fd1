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

/// What is read of the value of one header.
const MAX_HEADER_BYTES: usize = MAX_HINTS * (MAX_HINT_BYTES + 2);

/// A URL without its query that differs from the configured one. It is written out only when it is tried.
pub(super) struct OtherUrl<'a> {
    scheme: &'a Choice,
    authority: &'a Choice,
    path: &'a Choice,
    route: &'a str,
}

impl OtherUrl<'_> {
    fn choices(&self) -> [&Choice; 3] {
        [self.scheme, self.authority, self.path]
    }

    /// Bytes of [`url`](Self::url).
    pub(super) fn len(&self) -> usize {
        self.choices().iter().map(|choice| choice.text.len()).sum::<usize>() + "://".len()
    }

    pub(super) fn url(&self) -> String {
        format!("{}{}", self.base(), self.path.text)
    }

    fn base(&self) -> String {
        format!("{}://{}", self.scheme.text, self.authority.text)
    }

    /// How it differs from the configured one.
    pub(super) fn changes(&self) -> Vec<Change> {
        self.choices().iter().filter_map(|choice| choice.change.clone()).collect()
    }

    /// The public URL to configure, where that would help.
    pub(super) fn public_url(&self) -> Option<String> {
        let is_given_so =
            |choice: &Choice| choice.change.as_ref().is_some_and(|c| c.kind == NearMissKind::TrailingSlash);
        let prefix = self.path.text.strip_suffix(self.route).filter(|_| !is_given_so(self.path));
        prefix.map(|prefix| format!("{}{prefix}", self.base()))
    }
}

/// One way to write a part of the URL; without a change it is the configured one.
struct Choice {
    text: String,
    change: Option<Change>,
}

impl Choice {
    fn differences(&self) -> usize {
        usize::from(self.change.is_some())
    }

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

/// All ways to write each part of one configured URL: some dozens, whatever the request says.
pub(super) struct OtherUrls<'a> {
    /// Each with the spellings of the configured host and port under it.
    schemes: Vec<(Choice, Vec<Choice>)>,
    authorities: Vec<Choice>,
    paths: Vec<Choice>,
    route: &'a str,
}

impl<'a> OtherUrls<'a> {
    /// What can be other than in `configured`, by common mistakes and by what the request says.
    pub(super) fn of(configured: &PublicUrl, capture: &Capture<'a>) -> Self {
        let address = Address::of(configured);
        let schemes = schemes(&address).into_iter().map(|scheme| {
            let spellings = port_spellings(&address, &scheme.text);
            (scheme, spellings)
        });
        Self {
            schemes: schemes.collect(),
            authorities: authorities(&address, capture),
            paths: paths(&address, capture),
            route: capture.request.route,
        }
    }

    /// The URLs that differ in so many parts.
    pub(super) fn with_differences(&self, differences: usize) -> impl Iterator<Item = OtherUrl<'_>> {
        self.schemes.iter().flat_map(move |(scheme, spellings)| {
            spellings.iter().chain(&self.authorities).flat_map(move |authority| {
                let left = differences.checked_sub(scheme.differences() + authority.differences());
                let paths = self.paths.iter().filter(move |path| Some(path.differences()) == left);
                paths.map(move |path| OtherUrl { scheme, authority, path, route: self.route })
            })
        })
    }
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

/// The first values of a header that are printable and short: they may come from anybody.
fn words<'a>(capture: &Capture<'a>, header: &str) -> impl Iterator<Item = &'a str> {
    let texts = capture.headers.values(header).filter_map(|value| {
        // A list of hints is shorter. What is cut off is not looked at.
        let start = value.get(..MAX_HEADER_BYTES).unwrap_or(value);
        std::str::from_utf8(start).ok()
    });
    let words = texts.take(MAX_HINTS).flat_map(|text| text.split(',')).map(str::trim);
    let plain = |word: &&str| (1..=MAX_HINT_BYTES).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    words.filter(plain).take(MAX_HINTS).collect::<Vec<_>>().into_iter()
}
