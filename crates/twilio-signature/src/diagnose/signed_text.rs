//! The message that was signed, as text.

use crate::{
    key::{Signature, SigningKey},
    payload::Pair,
    public_url::redact_credentials,
};

/// A signed message: the URL with its query, followed by names and values.
///
/// It contains the fields of the request, including personal data, so show it only to a user who has the request.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedText {
    /// The URL with its query.
    pub url: String,
    /// The names and values, in the order in which they are signed.
    pub fields: Vec<Pair>,
}

impl SignedText {
    pub(super) fn new(url: &str, query: Option<&str>, fields: Vec<Pair>) -> Self {
        let url = query.map_or_else(|| url.to_owned(), |query| format!("{url}?{query}"));
        Self { url, fields }
    }

    /// The parts of the message, in the order in which they are signed.
    #[must_use]
    pub fn message(&self) -> Vec<&[u8]> {
        let fields = self.fields.iter().flat_map(|(name, value)| [name.as_slice(), value.as_slice()]);
        std::iter::once(self.url.as_bytes()).chain(fields).collect()
    }

    /// The text with `[redacted]` for the user name and the password of the URL. Only for display: it is not what was signed.
    #[must_use]
    pub fn redacted(&self) -> Self {
        Self { url: redact_credentials(&self.url), fields: self.fields.clone() }
    }

    /// Signs the message with this key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Signature {
        key.sign(&self.message())
    }
}

/// Converts a flat list of alternating names and values to pairs.
pub(super) fn to_pairs(flat: &[&[u8]]) -> Vec<Pair> {
    let pair = |pair: &[&[u8]]| match pair {
        [name, value] => Some((name.to_vec(), value.to_vec())),
        _ => None,
    };
    flat.chunks(2).filter_map(pair).collect()
}
