//! Twilio's string identifiers (SIDs): two letters for the kind, then 32 hexadecimal digits.
//!
//! Twilio does not distinguish the digits by case, and writes them in lower case. So do these types: one profile has one key.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use thiserror::Error;

/// A text is not a SID of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not {prefix} followed by 32 hexadecimal digits")]
pub struct SidError {
    prefix: &'static str,
}

/// Whether the text has the format of a SID of any kind.
#[must_use]
pub fn is_sid(text: &str) -> bool {
    text.split_at_checked(2).is_some_and(|(kind, digits)| {
        kind.bytes().all(|letter| letter.is_ascii_alphabetic())
            && digits.len() == 32
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

/// The length of a SID in bytes: two letters and 32 digits.
const LENGTH: usize = 34;

/// The text with its digits in lower case; `None` if it is not a SID of this kind.
fn canonical(text: &str, prefix: &str) -> Option<[u8; LENGTH]> {
    let mut sid: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
    let (kind, digits) = sid.split_at_mut_checked(prefix.len())?;
    digits.make_ascii_lowercase();
    (kind == prefix.as_bytes() && digits.iter().all(u8::is_ascii_hexdigit)).then_some(sid)
}

macro_rules! sid {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        // The text itself and not a `String`: an event has each SID several times.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; LENGTH]);

        impl $name {
            /// Parses a SID. The text must not have surrounding white space.
            ///
            /// # Errors
            /// [`SidError`] when the prefix, the length or a digit is wrong.
            pub fn parse(text: &str) -> Result<Self, SidError> {
                canonical(text, $prefix).map(Self).ok_or(SidError { prefix: $prefix })
            }

            /// The SID, with its digits in lower case.
            #[must_use]
            pub fn as_str(&self) -> &str {
                // All of its bytes are ASCII.
                str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

sid!(
    /// The SID of a Twilio account or subaccount: `AC` and 32 hexadecimal digits.
    AccountSid,
    "AC"
);
sid!(
    /// The SID of a compliance profile or bundle: `BU` and 32 hexadecimal digits.
    ///
    /// Customer profiles, trust products, regulatory bundles and compliance registrations share this namespace.
    ProfileSid,
    "BU"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sid_is_its_prefix_and_32_hexadecimal_digits() {
        let good = format!("BU{}", "0a".repeat(16));
        assert_eq!(ProfileSid::parse(&good).unwrap().as_str(), good);
        for bad in [
            "",
            "BU",
            good.trim_end_matches('a'),
            &format!("{good}0"),
            &good.replace("BU", "AC"),
            &good.replace('a', "g"),
        ] {
            assert!(ProfileSid::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sid_has_one_spelling_whatever_the_case_of_its_digits() {
        let (lower, upper) = (format!("BU{}", "0a".repeat(16)), format!("BU{}", "0A".repeat(16)));
        assert_eq!(ProfileSid::parse(&upper).unwrap().as_str(), lower);
        let read: ProfileSid = serde_json::from_value(upper.clone().into()).unwrap();
        assert_eq!(read, ProfileSid::parse(&lower).unwrap());
        assert!(ProfileSid::parse(&upper.replace("BU", "bu")).is_err());
    }

    #[test]
    fn sid_of_any_kind_is_two_letters_and_32_hexadecimal_digits() {
        let digits = "0aF9".repeat(8);
        assert!(is_sid(&format!("IT{digits}")));
        for bad in [format!("IT{digits}0"), format!("1T{digits}"), digits.clone(), "ä".to_owned(), String::new()] {
            assert!(!is_sid(&bad), "{bad}");
        }
        assert!(ProfileSid::parse(&format!("RD{digits}")).is_err());
    }

    #[test]
    fn sid_is_printed_and_written_as_its_text() {
        let text = format!("BU{}", "0a".repeat(16));
        let sid = ProfileSid::parse(&text).unwrap();
        assert_eq!(format!("{sid} {sid:?}"), format!("{text} ProfileSid(\"{text}\")"));
        assert_eq!(serde_json::to_value(sid).unwrap(), text.as_str());
        assert!(ProfileSid::parse(&format!("BU{}", "ä".repeat(16))).is_err(), "as long in bytes");
    }

    #[test]
    fn error_says_what_to_write() {
        let error = AccountSid::parse("hello").unwrap_err().to_string();
        assert_eq!(error, "is not AC followed by 32 hexadecimal digits");
    }
}
