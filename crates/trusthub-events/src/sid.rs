//! Twilio's string identifiers (SIDs): two letters for the kind, then 32 hexadecimal digits.
//!
//! Twilio does not distinguish the digits by case, and writes them in lower case. So do these types: one profile has one key.

use std::fmt;

use serde::{Deserialize, Serialize};
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

fn check(text: &str, prefix: &'static str) -> Result<(), SidError> {
    if is_sid(text) && text.starts_with(prefix) { Ok(()) } else { Err(SidError { prefix }) }
}

/// Converts the digits of a checked SID to lower case.
fn canonical(mut sid: String) -> String {
    if let Some((_kind, digits)) = sid.split_at_mut_checked(2) {
        digits.make_ascii_lowercase();
    }
    sid
}

macro_rules! sid {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses a SID. The text must not have surrounding white space.
            ///
            /// # Errors
            /// [`SidError`] when the prefix, the length or a digit is wrong.
            pub fn parse(text: &str) -> Result<Self, SidError> {
                check(text, $prefix).map(|()| Self(canonical(text.to_owned())))
            }

            /// The SID, with its digits in lower case.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = SidError;

            fn try_from(text: String) -> Result<Self, SidError> {
                check(&text, $prefix).map(|()| Self(canonical(text)))
            }
        }

        impl From<$name> for String {
            fn from(sid: $name) -> Self {
                sid.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
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
        assert!(check(&format!("RD{digits}"), "IT").is_err());
    }

    #[test]
    fn error_says_what_to_write() {
        let error = AccountSid::parse("hello").unwrap_err().to_string();
        assert_eq!(error, "is not AC followed by 32 hexadecimal digits");
    }
}
