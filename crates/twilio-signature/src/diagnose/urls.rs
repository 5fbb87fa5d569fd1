//! Candidate URLs: URLs that may be configured at Twilio instead of the expected one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{
    hints::{MAX_HINT_BYTES, header_values},
    near_miss::{Difference, NearMissKind},
    paths::path_variants,
    variant::{PartVariant, without_repeats},
};
use crate::{PublicUrl, WebhookRequest};

/// Encodes all but the unreserved characters of RFC 3986 in a user name and a password.
const USER_INFO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Ports that are common in development and behind proxies.
const COMMON_PORTS: [&str; 7] = ["80", "443", "8080", "8443", "3000", "5000", "8000"];

/// Headers that may name the original host. They are untrusted and only used to form candidates.
const HOST_HEADERS: [&str; 3] = ["host", "x-forwarded-host", "x-original-host"];
const PORT_HEADER: &str = "x-forwarded-port";

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
        let is_prefix = difference.is_none_or(|difference| difference.kind == NearMissKind::Prefix);
        // A user name and a password must not be shown.
        let is_secret = self.authority.text.contains('@');
        let prefix = self.path.text.strip_suffix(self.route).filter(|_| is_prefix && !is_secret);
        prefix.map(|prefix| format!("{}{prefix}", self.base()))
    }
}

/// The parts of a configured public URL.
struct ConfiguredUrl<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    prefix: &'a str,
    /// `user:password`.
    credentials: Option<&'a str>,
}

impl<'a> ConfiguredUrl<'a> {
    fn split(url: &'a PublicUrl) -> Self {
        let (scheme, rest) = url.as_str().split_once("://").unwrap_or_default();
        let (host, port) = split_port(rest.strip_suffix(url.prefix()).unwrap_or(rest));
        Self { scheme, host, port, prefix: url.prefix(), credentials: url.credentials() }
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
            paths: path_variants(configured.prefix, request),
            route: request.route,
        }
    }

    /// The candidates that differ from the configured URL in exactly this many parts.
    pub(super) fn with_differences(&self, differences: usize) -> impl Iterator<Item = CandidateUrl<'_>> {
        self.schemes.iter().flat_map(move |(scheme, spellings)| {
            spellings.iter().chain(&self.authorities).flat_map(move |authority| {
                let left = differences.checked_sub(scheme.differences() + authority.differences());
                let paths = self
                    .paths
                    .iter()
                    .filter(move |path| Some(path.differences()) == left && (differences == 1 || !path.is_single()));
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
    let spellings: Vec<_> = spellings.into_iter().flatten().collect();
    let with_credentials = configured.credentials.map(|credentials| {
        spellings.iter().map(move |authority| PartVariant::configured(format!("{credentials}@{authority}")))
    });
    with_credentials.into_iter().flatten().chain(spellings.iter().map(PartVariant::configured)).collect()
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
    variants.extend(
        credentials(request).into_iter().flat_map(|credentials| credentials_variants(configured, &credentials)),
    );
    without_repeats(variants)
}

/// `user:password` of the header with which a client sends those of a URL.
fn credentials(request: &WebhookRequest<'_>) -> Option<String> {
    let value = request.headers.values("authorization").next().filter(|value| value.len() <= MAX_HINT_BYTES)?;
    let (scheme, encoded) = value.split_at_checked(6)?;
    let decoded = STANDARD.decode(encoded).ok().filter(|_| scheme.eq_ignore_ascii_case(b"basic "))?;
    String::from_utf8(decoded).ok().filter(|text| text.contains(':'))
}

/// The host with these credentials, as they are and percent-encoded.
fn credentials_variants(configured: &ConfiguredUrl<'_>, credentials: &str) -> Vec<PartVariant> {
    let encoded = |text: &str| percent_encode(text.as_bytes(), USER_INFO).to_string();
    let (user, password) = credentials.split_once(':').unwrap_or_default();
    let text = match configured.credentials {
        None => "the URL at Twilio has a user name and a password, which were signed, and PUBLIC_URL has none",
        Some(_) => "the URL at Twilio has another user name or password than PUBLIC_URL",
    };
    let authority = configured.port.map_or(configured.host.to_owned(), |port| format!("{}:{port}", configured.host));
    // A URL cannot contain these characters before its host.
    let plain = Some(credentials.to_owned()).filter(|credentials| !credentials.contains(['/', '?', '#']));
    plain
        .into_iter()
        .chain([format!("{}:{}", encoded(user), encoded(password))])
        .filter(|credentials| Some(credentials.as_str()) != configured.credentials)
        .map(|credentials| {
            PartVariant::different(format!("{credentials}@{authority}"), NearMissKind::Credentials, text)
        })
        .collect()
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

fn hosts<'a>(request: &WebhookRequest<'a>) -> Vec<&'a str> {
    let plain = |host: &&str| !host.contains(['/', '?', '#', '@', '\\', '"', '\'', '<', '>', ';', '%']);
    HOST_HEADERS.iter().flat_map(|header| header_values(request, header)).filter(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoding, Headers, public_url::redact_credentials};

    #[test]
    fn credentials_that_a_request_names_are_redacted_in_every_candidate() {
        let url = PublicUrl::parse("https://hooks.example.com/twilio").unwrap();
        for (credentials, expected) in [
            ("user:s3cret", "user:s3cret@"),
            ("user:s3/cret", "user:s3%2Fcret@"),
            ("us/er:s3cret", "us%2Fer:s3cret@"),
            ("user:s3?cret", "user:s3%3Fcret@"),
            ("user:#s3cret", "user:%23s3cret@"),
            ("user:s3@cret", "user:s3%40cret@"),
        ] {
            let headers: Headers =
                [("authorization", format!("Basic {}", STANDARD.encode(credentials)))].into_iter().collect();
            let request = WebhookRequest {
                path: "/twilio/callbacks",
                route: "/callbacks",
                query: None,
                encoding: Encoding::Form,
                headers: &headers,
                body: b"",
            };
            let candidates = CandidateUrls::new(&url, &request);
            let candidates: Vec<_> = (1..4).flat_map(|count| candidates.with_differences(count)).collect();
            assert!(candidates.iter().any(|candidate| candidate.url().contains(expected)), "{credentials}");
            for candidate in candidates {
                assert_eq!(candidate.len(), candidate.url().len());
                let shown = format!("{} {:?}", redact_credentials(&candidate.url()), candidate.public_url());
                assert!(!shown.contains("s3") && !shown.contains("us/er"), "{shown}");
            }
        }
    }
}
