//! How a signature was made: from which message, and with which of the keys.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::algorithm::Algorithm;

/// How the signed message was built. Constructions are tried in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Construction {
    /// The URL with its query, followed by each name and value of the form, sorted.
    Form,
    /// Only the URL with its query, whose `bodySHA256` is the hash of the body.
    BodyHash,
    /// Like `form`, without `bodySHA256` in the query.
    FormWithoutHash,
    /// A `GET`: the URL with its query.
    Query,
    /// A `GET`: the URL with its query, without `bodySHA256`.
    QueryWithoutHash,
}

impl Construction {
    /// All constructions, in the order of their declaration.
    pub const ALL: &'static [Self] =
        &[Self::Form, Self::BodyHash, Self::FormWithoutHash, Self::Query, Self::QueryWithoutHash];

    /// A stable name in `snake_case`, such as `body_hash`, for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::BodyHash => "body_hash",
            Self::FormWithoutHash => "form_without_hash",
            Self::Query => "query",
            Self::QueryWithoutHash => "query_without_hash",
        }
    }
}

impl fmt::Display for Construction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Construction {
    /// Serializes the name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Which kind of key of an account matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// The first configured auth token.
    Current,
    /// Any later auth token. It can be removed once it no longer matches.
    Previous,
    /// A SharedKey.
    Shared,
}

impl KeyKind {
    /// All values, in the order of their declaration.
    pub const ALL: &'static [Self] = &[Self::Current, Self::Previous, Self::Shared];

    /// A stable name, `current`, `previous` or `shared`, for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Shared => "shared",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The construction and the key that produced a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureMatch {
    /// How the message was built.
    pub construction: Construction,
    /// Which kind of key signed it.
    pub key: KeyKind,
    /// The algorithm of the signature.
    pub algorithm: Algorithm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_are_listed_in_the_order_of_their_declaration() {
        let constructions: Vec<_> = Construction::ALL.iter().map(|construction| *construction as usize).collect();
        assert_eq!(constructions, [0, 1, 2, 3, Construction::QueryWithoutHash as usize]);
        let kinds: Vec<_> = KeyKind::ALL.iter().map(|kind| *kind as usize).collect();
        assert_eq!(kinds, [0, 1, KeyKind::Shared as usize]);
        let algorithms: Vec<_> = Algorithm::ALL.iter().map(|algorithm| *algorithm as usize).collect();
        assert_eq!(algorithms, [0, Algorithm::HmacSha256 as usize]);
    }

    /// Programs outside this repository have these names in their logs and metrics.
    #[test]
    fn names_of_constructions_and_keys_stay_the_same() {
        let constructions: Vec<_> = Construction::ALL.iter().map(|construction| construction.as_str()).collect();
        assert_eq!(constructions, ["form", "body_hash", "form_without_hash", "query", "query_without_hash"]);
        assert_eq!(
            KeyKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
            ["current", "previous", "shared"]
        );
    }

    #[test]
    fn name_is_what_is_printed_and_serialized() {
        for construction in Construction::ALL {
            assert_eq!(construction.to_string(), construction.as_str());
            assert_eq!(serde_json::to_value(construction).unwrap(), construction.as_str());
        }
        for kind in KeyKind::ALL {
            assert_eq!(kind.to_string(), kind.as_str());
        }
    }
}
