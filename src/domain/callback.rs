//! A callback as it arrived, before anything in it is believed.

use super::{Headers, Resource};

/// The header that carries the signature, in lower case.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The verb of a callback. Twilio documents `POST` and has been seen to send `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Fields stand in the query.
    Get,
    /// Fields stand in the body.
    Post,
}

impl Verb {
    /// The verb as HTTP spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// Where the fields of a callback stand, and in which encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// In the query of a `GET`.
    Query,
    /// In a body of type `application/x-www-form-urlencoded`.
    Form,
    /// In a body of type `application/json`.
    Json,
}

/// A request to a callback path: raw bytes, capped by the edge, not yet verified.
#[derive(Debug, Clone)]
pub struct RawCallback {
    /// What the path says the profile is.
    pub resource: Resource,
    /// The path below the public URL, in its canonical spelling, such as `/callbacks/customer-profiles`.
    pub route: &'static str,
    /// The path and query as received, prefix included.
    pub target: String,
    /// The raw query without its question mark; `None` when there was no question mark.
    pub query: Option<String>,
    /// Where the fields stand; decides the verb.
    pub encoding: Encoding,
    /// All headers.
    pub headers: Headers,
    /// The raw body; empty for a `GET`.
    pub body: Vec<u8>,
}

impl RawCallback {
    /// The verb, which follows from where the fields stand.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self.encoding {
            Encoding::Query => Verb::Get,
            Encoding::Form | Encoding::Json => Verb::Post,
        }
    }

    /// The raw bytes that carry the fields: the body of a `POST`, the query of a `GET`.
    #[must_use]
    pub fn fields(&self) -> &[u8] {
        match self.verb() {
            Verb::Get => self.query.as_deref().unwrap_or_default().as_bytes(),
            Verb::Post => &self.body,
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
