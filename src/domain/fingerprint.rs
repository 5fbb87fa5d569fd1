//! What makes two callbacks the same.

use std::fmt;

/// A hash over resource, account, profile, idempotency token and payload: equal for repeats of one callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    hash: u128,
    has_token: bool,
}

impl Fingerprint {
    /// From a hash, and whether an idempotency token went into it.
    #[must_use]
    pub fn new(hash: u128, has_token: bool) -> Self {
        Self { hash, has_token }
    }

    /// The bytes of the hash.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.hash.to_be_bytes()
    }

    /// Whether Twilio told deliveries apart by a token. Without one, an identical callback may also be a new one.
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
