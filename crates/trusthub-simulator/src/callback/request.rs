//! The HTTP request of a callback, for each construction of the signed message.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::Url;
use trusthub_events::{Label as _, closed_set};
use twilio_signature::{Construction, Pair, sign, url_with_body_hash};

use super::{announcement::Announcement, keys::RequestSigner};

/// The characters that are percent-encoded in a form. Twilio does not encode these four.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');

closed_set! {
    /// The HTTP method of a callback. Twilio documents `POST`, but also sends `GET`.
    pub enum CallbackMethod {
        /// The fields are in the query.
        Get => "GET",
        /// The fields are in the body.
        Post => "POST",
    }
}

/// The method of a request, and what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestShape {
    pub(super) construction: Construction,
    /// The number of `bodySHA256` parameters in the query.
    pub(super) hashes: usize,
}

impl RequestShape {
    pub(super) fn of(construction: Construction) -> Self {
        let hashes = match construction {
            Construction::Form | Construction::Query => 0,
            Construction::BodyHash | Construction::FormWithoutHash | Construction::QueryWithoutHash => 1,
        };
        Self { construction, hashes }
    }

    /// The shape of the `GET` that was captured from Twilio.
    pub(super) const WITH_DOUBLED_HASH: Self = Self { construction: Construction::Query, hashes: 2 };

    pub(super) fn verb(self) -> CallbackMethod {
        match self.construction {
            Construction::Form | Construction::BodyHash | Construction::FormWithoutHash => CallbackMethod::Post,
            Construction::Query | Construction::QueryWithoutHash => CallbackMethod::Get,
        }
    }
}

/// A callback URL, split from its fragment and normalized, so that the HTTP client sends exactly the URL that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetUrl {
    /// The URL without its fragment.
    pub(super) url: String,
    pub(super) fragment: String,
}

impl TargetUrl {
    /// Returns `None` if this is not an absolute HTTP or HTTPS URL, or if it has user info.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let mut url = Url::parse(url).ok().filter(is_callable)?;
        let fragment = url.fragment().unwrap_or_default().to_owned();
        url.set_fragment(None);
        Some(Self { url: url.into(), fragment })
    }
}

/// Excludes user info: it would be signed, but the receiver does not see it in the URL.
fn is_callable(url: &Url) -> bool {
    ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
}

/// A signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CallbackRequest {
    pub(super) verb: CallbackMethod,
    pub(super) url: String,
    /// The encoded fields. They are the body of a `POST`; the URL of a `GET` already contains them.
    pub(super) fields: String,
    pub(super) signature: String,
    /// The settings header of a request that is signed with a SharedKey.
    pub(super) settings: Option<String>,
}

impl CallbackRequest {
    /// Builds and signs a request. `url` has no fragment.
    pub(super) fn new(announcement: &Announcement, url: &str, shape: RequestShape, signer: RequestSigner) -> Self {
        let RequestSigner { key, settings } = &signer;
        let pairs = pairs(announcement);
        let fields = match shape.verb() {
            // A form has a plus sign for a space. A percent sign is always encoded itself, so that no other text changes.
            CallbackMethod::Post => encode(&pairs).replace("%20", "+"),
            CallbackMethod::Get => encode(&pairs),
        };
        let hashed = (0..shape.hashes).fold(url.to_owned(), |url, _| url_with_body_hash(&url, fields.as_bytes()));
        let sent = match shape.verb() {
            CallbackMethod::Post => hashed,
            CallbackMethod::Get => with_query(&hashed, &fields),
        };
        let signature = match shape.construction {
            Construction::Form => sign(key, &sent, &pairs),
            Construction::FormWithoutHash => sign(key, url, &pairs),
            Construction::BodyHash | Construction::Query => sign(key, &sent, &[]),
            Construction::QueryWithoutHash => sign(key, &with_query(url, &fields), &[]),
        };
        Self { verb: shape.verb(), url: sent, fields, signature: signature.to_string(), settings: settings.clone() }
    }

    /// Returns the request that Twilio sends after a redirect: a `GET` with the same fields and the same signature, which
    /// does not match any more. Returns `None` if the location is not a valid target.
    pub(super) fn redirected(&self, location: &str) -> Option<Self> {
        let location = Url::parse(&self.url).ok()?.join(location).ok()?;
        let TargetUrl { url, fragment: _ } = TargetUrl::parse(location.as_str())?;
        Some(Self { verb: CallbackMethod::Get, url: with_query(&url, &self.fields), ..self.clone() })
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
