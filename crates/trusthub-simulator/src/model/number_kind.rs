//! The phone numbers that a regulatory bundle is for.

use serde::{Deserialize, Serialize};

use super::regulation::{REGULATIONS, Regulation};

/// The country, the type and the end user of phone numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberKind {
    /// The country, such as `DE`.
    pub iso_country: String,
    /// The type, such as `local` or `toll-free`.
    pub number_type: String,
    /// `individual` or `business`.
    pub end_user_type: String,
}

/// Which kinds of phone numbers to list. A kind must match every criterion that is set, in any case.
#[derive(Debug, Clone, Default)]
pub struct NumberFilter {
    /// The country to match.
    pub iso_country: Option<String>,
    /// The type to match.
    pub number_type: Option<String>,
    /// The end user to match.
    pub end_user_type: Option<String>,
}

impl NumberKind {
    /// Returns the kind of phone numbers that a regulation applies to.
    #[must_use]
    pub fn of(regulation: &Regulation) -> Self {
        Self {
            iso_country: regulation.iso_country.to_owned(),
            number_type: regulation.number_type.to_owned(),
            end_user_type: regulation.end_user_type().to_owned(),
        }
    }

    /// Returns the regulation that applies to these phone numbers, if it is one of [`REGULATIONS`].
    #[must_use]
    pub fn regulation(&self) -> Option<&'static Regulation> {
        let filter = NumberFilter {
            iso_country: Some(self.iso_country.clone()),
            number_type: Some(self.number_type.clone()),
            end_user_type: Some(self.end_user_type.clone()),
        };
        REGULATIONS.iter().find(|regulation| filter.matches(Some(&Self::of(regulation))))
    }
}

impl NumberFilter {
    /// Returns whether the kind matches. An unknown kind only matches if no criterion is set.
    #[must_use]
    pub fn matches(&self, kind: Option<&NumberKind>) -> bool {
        let is_match = |wanted: &Option<String>, value: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| value.is_some_and(|value| is_same(wanted, value)))
        };
        is_match(&self.iso_country, kind.map(|kind| &kind.iso_country))
            && is_match(&self.number_type, kind.map(|kind| &kind.number_type))
            && is_match(&self.end_user_type, kind.map(|kind| &kind.end_user_type))
    }
}

/// Twilio writes both `toll-free` and `tollfree`.
fn is_same(one: &str, other: &str) -> bool {
    let letters = |text: &str| text.replace('-', "").to_ascii_lowercase();
    letters(one) == letters(other)
}
