//! The algorithms of signatures.

use std::fmt;

/// The algorithm of a signature. Auth tokens sign with HMAC-SHA1, and SharedKeys with either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA1, whose signatures have 20 bytes.
    HmacSha1,
    /// HMAC-SHA256, whose signatures have 32 bytes.
    HmacSha256,
}

impl Algorithm {
    /// All algorithms, in the order of their declaration.
    pub const ALL: &'static [Self] = &[Self::HmacSha1, Self::HmacSha256];

    /// The name that Twilio gives it, `HMAC_SHA1` or `HMAC_SHA256`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC_SHA1",
            Self::HmacSha256 => "HMAC_SHA256",
        }
    }

    /// Parses the name that Twilio gives it, in any letter case; `None` for every other algorithm.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// The length of a signature in bytes.
    #[must_use]
    pub fn signature_bytes(self) -> usize {
        match self {
            Self::HmacSha1 => 20,
            Self::HmacSha256 => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
