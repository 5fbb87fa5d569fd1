//! Identifies what was signed.

use std::fmt;

/// A hash of a callback's resource and of the bytes that were signed, from the path on: the first 128 bits of a SHA-256.
///
/// It is equal for all requests that one signature is valid for, on every replica, and different for any other signed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// Creates a fingerprint from a hash.
    #[must_use]
    pub fn new(hash: u128) -> Self {
        Self(hash)
    }

    /// The bytes of the hash, in big-endian order.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
