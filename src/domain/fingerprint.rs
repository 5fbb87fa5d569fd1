//! Identifies repeats of the same callback.

use std::fmt;

/// A hash of resource, account, profile, idempotency token and payload, equal for repeats of one callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    hash: u128,
    has_token: bool,
}

impl Fingerprint {
    /// Creates a fingerprint from a hash. `has_token`: whether the hash covers an idempotency token.
    #[must_use]
    pub fn new(hash: u128, has_token: bool) -> Self {
        Self { hash, has_token }
    }

    /// The bytes of the hash, in big-endian order.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.hash.to_be_bytes()
    }

    /// Whether the callback had an idempotency token. Without one, an identical callback may also be a new change.
    #[must_use]
    pub fn has_token(self) -> bool {
        self.has_token
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.hash)
    }
}
