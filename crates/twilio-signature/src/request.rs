//! A webhook as it arrived. Nothing in it is trusted.

use crate::{
    encoding::Encoding,
    headers::Headers,
    limits::TooManyFields,
    payload::{ClaimedAccount, Payload},
};

/// The name of the signature header, in lower case.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The raw parts of a request, as they arrived: neither decoded nor normalized.
///
/// The URL that Twilio signed consists of the configured [`PublicUrl`](crate::PublicUrl), the route and the query. Its
/// scheme, host, port and prefix never come from the request.
#[derive(Debug, Clone, Copy)]
pub struct WebhookRequest<'a> {
    /// The path as received, including the prefix. Only a diagnosis uses it.
    pub path: &'a str,
    /// The path below the public URL. Choose it from the paths that are configured at Twilio; a path that differs from one of
    /// them only in its slashes or letter case may also be taken as requested, since the signature covers it.
    pub route: &'a str,
    /// The raw query without its question mark; `None` when there was no question mark.
    pub query: Option<&'a str>,
    /// Which part of the request carries the fields.
    pub encoding: Encoding,
    /// All headers. Verification reads [`SIGNATURE_HEADER`] and
    /// [`SIGNATURE_SETTINGS_HEADER`](crate::SIGNATURE_SETTINGS_HEADER); a diagnosis also looks for hints at the original URL.
    pub headers: &'a Headers,
    /// The raw body; empty for a `GET`.
    pub body: &'a [u8],
}

impl<'a> WebhookRequest<'a> {
    /// The account that the request names.
    ///
    /// # Errors
    /// [`TooManyFields`] when the request has more than [`MAX_FIELDS`](crate::MAX_FIELDS) fields.
    pub fn account(&self) -> Result<ClaimedAccount, TooManyFields> {
        self.decode_unverified().map(|payload| payload.account())
    }

    /// **Proves nothing**: anyone may have sent these fields. [`Verifier::verify`](crate::Verifier::verify) decodes fields that
    /// Twilio signed. This is for requests that were verified before, and for tools that show what arrived.
    ///
    /// # Errors
    /// [`TooManyFields`] when there are more than [`MAX_FIELDS`](crate::MAX_FIELDS).
    pub fn decode_unverified(&self) -> Result<Payload, TooManyFields> {
        Payload::decode(self.encoding, self.fields())
    }

    /// The raw bytes that carry the fields.
    pub(crate) fn fields(&self) -> &'a [u8] {
        match self.encoding {
            Encoding::Query => self.query.unwrap_or_default().as_bytes(),
            Encoding::Form | Encoding::Json => self.body,
        }
    }
}
