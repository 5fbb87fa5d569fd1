//! SIDs as the indexes store them.

use std::fmt;

use trusthub_events::is_sid;

/// A SID in half of the bytes of its text and without an allocation: the indexes have several of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SidKey {
    kind: [u8; 2],
    digits: [u8; 16],
}

impl SidKey {
    /// Returns `None` if the text is not a SID.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = text.split_at_checked(2).filter(|_| is_sid(text))?;
        let digits = u128::from_str_radix(digits, 16).ok()?;
        Some(Self { kind: kind.as_bytes().try_into().ok()?, digits: digits.to_be_bytes() })
    }

    /// Returns the smallest and the largest key, of which no SID has the second.
    pub(super) const RANGE: (Self, Self) =
        (Self { kind: [0; 2], digits: [0; 16] }, Self { kind: [u8::MAX; 2], digits: [u8::MAX; 16] });
}

impl fmt::Display for SidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = String::from_utf8_lossy(&self.kind);
        write!(f, "{kind}{:032x}", u128::from_be_bytes(self.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_the_text_of_its_sid_and_other_text_has_none() {
        for sid in ["BU0000000000000000000000000000000a", "ITffffffffffffffffffffffffffffffff"] {
            assert_eq!(SidKey::parse(sid).unwrap().to_string(), sid);
        }
        for text in ["", "BU", "ä", "BU+000000000000000000000000000000a", "BU0000000000000000000000000000000g"] {
            assert_eq!(SidKey::parse(text), None, "{text}");
        }
    }
}
