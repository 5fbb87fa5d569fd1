//! What a diagnosis says.

use std::{borrow::Cow, fmt};

use crate::domain::closed_set;

closed_set! {
    /// What differs between a request and the one that was signed.
    pub enum NearMissKind {
        /// `http` for `https`, or the other way round.
        Scheme => "scheme",
        /// The port.
        Port => "port",
        /// The host, or its spelling.
        Host => "host",
        /// The path before the route.
        Prefix => "prefix",
        /// A slash at the end of the path.
        TrailingSlash => "trailing_slash",
        /// The query, or its encoding.
        Query => "query",
        /// The body, its fields or their encoding.
        Body => "body",
    }
}

/// One difference. Its text says what was signed and holds neither a value of a field nor one of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) kind: NearMissKind,
    pub(super) text: Cow<'static, str>,
}

impl Change {
    pub(super) fn new(kind: NearMissKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, text: text.into() }
    }
}

/// The request that the signature would match, told as its differences from the one that came.
///
/// Made for the log: its text holds no token, no field and no value of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    pub(super) kind: NearMissKind,
    /// The URL without its query, and whether it has one.
    pub(super) url: String,
    pub(super) has_query: bool,
    pub(super) texts: Vec<Cow<'static, str>>,
    /// The public URL under which the request would have been accepted.
    pub(super) public_url: Option<String>,
}

impl NearMiss {
    /// What differs; the first difference when there are several.
    #[must_use]
    pub fn kind(&self) -> NearMissKind {
        self.kind
    }

    /// Whether another URL than the configured one was signed.
    #[must_use]
    pub fn is_url(&self) -> bool {
        self.kind != NearMissKind::Body
    }

    /// What to change, in words.
    #[must_use]
    pub fn remedy(&self) -> String {
        match (&self.public_url, self.kind) {
            (Some(url), _) => format!("set PUBLIC_URL={url}, or correct the callback URL at Twilio"),
            (None, NearMissKind::Query) => {
                "let the proxy in front of this service pass the query on byte by byte".to_owned()
            }
            (None, NearMissKind::Body) => {
                "let the proxy in front of this service pass the body on byte by byte".to_owned()
            }
            (None, _) => "correct the callback URL at Twilio".to_owned(),
        }
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.has_query { "?…" } else { "" };
        write!(f, "signature would match {}{query}: {}; {}", self.url, self.texts.join(" and "), self.remedy())
    }
}
