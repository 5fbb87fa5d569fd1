//! Twilio's string identifiers: two letters for the kind, then 32 hexadecimal digits.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that is not the SID that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is not {prefix} followed by 32 hexadecimal digits")]
pub struct SidError {
    prefix: &'static str,
}

fn check(text: &str, prefix: &'static str) -> Result<(), SidError> {
    let digits = text.strip_prefix(prefix).ok_or(SidError { prefix })?;
    if digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) { Ok(()) } else { Err(SidError { prefix }) }
}

macro_rules! sid {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads a SID; the text must be exact, without surrounding space.
            ///
            /// # Errors
            /// [`SidError`] when the text has another prefix, length or alphabet.
            pub fn parse(text: &str) -> Result<Self, SidError> {
                check(text, $prefix).map(|()| Self(text.to_owned()))
            }

            /// The SID as Twilio wrote it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = SidError;

            fn try_from(text: String) -> Result<Self, SidError> {
                check(&text, $prefix).map(|()| Self(text))
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
    /// The SID of a Twilio account or sub-account: `AC` and 32 hexadecimal digits.
    AccountSid,
    "AC"
);
sid!(
    /// The SID of a compliance profile or bundle: `BU` and 32 hexadecimal digits.
    ///
    /// Customer profiles, trust products and regulatory bundles share this space of names.
    ProfileSid,
    "BU"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_its_prefix_and_32_hexadecimal_digits() {
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
    fn the_error_says_what_to_write_instead() {
        let error = AccountSid::parse("hello").unwrap_err().to_string();
        assert_eq!(error, "is not AC followed by 32 hexadecimal digits");
    }
}
