//! The request that announces a change of status, in each construction of the signature.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::Url;

use super::Announcement;
use crate::{
    domain::{Construction, Label as _, Verb},
    verify::{Pair, SigningKey, sign, url_with_body_hash},
};

/// What a form escapes; Twilio leaves these four alone.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

/// What kind of request is made of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) construction: Construction,
    /// How many times the query has `bodySHA256`.
    pub(super) hashes: usize,
}

impl Shape {
    pub(super) fn of(construction: Construction) -> Self {
        let hashes = match construction {
            Construction::Form | Construction::Query => 0,
            Construction::BodyHash | Construction::FormWithoutHash | Construction::QueryWithoutHash => 1,
        };
        Self { construction, hashes }
    }

    /// The `GET` that was once captured.
    pub(super) const WITH_DOUBLED_HASH: Self = Self { construction: Construction::Query, hashes: 2 };

    pub(super) fn verb(self) -> Verb {
        match self.construction {
            Construction::Form | Construction::BodyHash | Construction::FormWithoutHash => Verb::Post,
            Construction::Query | Construction::QueryWithoutHash => Verb::Get,
        }
    }
}

/// A callback URL in two parts, as it is called: spelled so that nothing is escaped again on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Without the fragment.
    pub(super) url: String,
    pub(super) fragment: String,
}

impl Target {
    /// `None` when it is not an absolute URL of HTTP.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let mut url = Url::parse(url).ok().filter(is_callable)?;
        let fragment = url.fragment().unwrap_or_default().to_owned();
        url.set_fragment(None);
        Some(Self { url: url.into(), fragment })
    }
}

/// A user name would be signed, and no receiver knows it.
fn is_callable(url: &Url) -> bool {
    ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
}

/// A signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) verb: Verb,
    pub(super) url: String,
    /// The fields, encoded. They are the body of a `POST`; a `GET` has them in its URL already.
    pub(super) fields: String,
    pub(super) signature: String,
}

impl Request {
    /// Signs with this key. `url` is without a fragment.
    pub(super) fn new(announcement: &Announcement, url: &str, shape: Shape, key: &SigningKey) -> Self {
        let pairs = pairs(announcement);
        let fields = encode(&pairs);
        let hashed = (0..shape.hashes).fold(url.to_owned(), |url, _| url_with_body_hash(&url, fields.as_bytes()));
        let sent = match shape.verb() {
            Verb::Post => hashed,
            Verb::Get => with_query(&hashed, &fields),
        };
        let signature = match shape.construction {
            Construction::Form => sign(key, &sent, &pairs),
            Construction::FormWithoutHash => sign(key, url, &pairs),
            Construction::BodyHash | Construction::Query => sign(key, &sent, &[]),
            Construction::QueryWithoutHash => sign(key, &with_query(url, &fields), &[]),
        };
        Self { verb: shape.verb(), url: sent, fields, signature: signature.to_string() }
    }

    /// What Twilio makes of a redirect: a `GET` with the same fields and the same signature, which fits no longer.
    /// `None` when nobody can go there.
    pub(super) fn redirected(&self, location: &str) -> Option<Self> {
        let location = Url::parse(&self.url).ok()?.join(location).ok()?;
        let Target { url, fragment: _ } = Target::parse(location.as_str())?;
        Some(Self { verb: Verb::Get, url: with_query(&url, &self.fields), ..self.clone() })
    }
}

fn pairs(announcement: &Announcement) -> Vec<Pair> {
    let pair = |name: &str, value: &str| (Vec::from(name), Vec::from(value));
    vec![
        pair("AccountSid", announcement.account.as_str()),
        pair("BundleSid", announcement.profile.as_str()),
        pair("Status", announcement.status.as_str()),
        pair("FailureReason", &announcement.failure_reason),
    ]
}

fn encode(pairs: &[Pair]) -> String {
    let one = |bytes| percent_encode(bytes, ESCAPED).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", one(name), one(value))).collect::<Vec<_>>().join("&")
}

fn with_query(url: &str, fields: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{fields}")
}
