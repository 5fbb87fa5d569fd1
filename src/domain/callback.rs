//! A callback as it arrived. Nothing in it is trusted.

use std::borrow::Cow;

use twilio_signature::{Encoding, Headers, WebhookRequest};

use super::Resource;

/// The HTTP method of a callback. Twilio documents `POST`, but also sends `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The fields are in the query.
    Get,
    /// The fields are in the body.
    Post,
}

impl Verb {
    /// The method in upper case, as in HTTP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The path, relative to the public URL, of the callbacks for profiles of this kind. `None` for [`Resource::Unknown`].
#[must_use]
pub fn callback_route(resource: Resource) -> Option<&'static str> {
    match resource {
        Resource::CustomerProfile => Some("/callbacks/customer-profiles"),
        Resource::TrustProduct => Some("/callbacks/trust-products"),
        Resource::RegulatoryBundle => Some("/callbacks/regulatory-bundles"),
        Resource::ComplianceRegistration => Some("/callbacks/compliance-registrations"),
        Resource::Unknown => None,
    }
}

/// A request to a callback path: raw bytes, limited in size by the HTTP layer, not verified.
#[derive(Debug, Clone)]
pub struct RawCallback {
    /// The kind of profile that the path names.
    pub resource: Resource,
    /// The path relative to the public URL, as requested. It is a [`callback_route`], or differs from it only in its slashes
    /// and in letter case. Twilio signs this spelling.
    pub route: Cow<'static, str>,
    /// The path and query as received, including the prefix.
    pub target: String,
    /// The raw query without its question mark; `None` when there was no question mark.
    pub query: Option<String>,
    /// Which part contains the fields; determines the method.
    pub encoding: Encoding,
    /// All headers.
    pub headers: Headers,
    /// The raw body; empty for a `GET`.
    pub body: Vec<u8>,
}

impl RawCallback {
    /// The callback path as documented, if the request spells it otherwise.
    #[must_use]
    pub fn expected_route(&self) -> Option<&'static str> {
        callback_route(self.resource).filter(|route| *route != self.route)
    }

    /// The method, derived from the encoding.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self.encoding {
            Encoding::Query => Verb::Get,
            Encoding::Form | Encoding::Json => Verb::Post,
        }
    }

    /// The raw bytes that contain the fields: the body of a `POST`, the query of a `GET`.
    #[must_use]
    pub fn fields(&self) -> &[u8] {
        match self.verb() {
            Verb::Get => self.query.as_deref().unwrap_or_default().as_bytes(),
            Verb::Post => &self.body,
        }
    }

    /// The parts that the signature may cover, and those that hint at the signed URL.
    #[must_use]
    pub fn as_request(&self) -> WebhookRequest<'_> {
        WebhookRequest {
            path: self.target.split('?').next().unwrap_or_default(),
            route: &self.route,
            query: self.query.as_deref(),
            encoding: self.encoding,
            headers: &self.headers,
            body: &self.body,
        }
    }

    /// The first value of a header as text; `None` when it is absent, empty or not UTF-8.
    #[must_use]
    pub fn header_text(&self, name: &'static str) -> Option<&str> {
        self.headers
            .values(name)
            .next()
            .and_then(|value| std::str::from_utf8(value).ok())
            .filter(|text| !text.is_empty())
    }
}
