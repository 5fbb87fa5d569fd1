//! Finds profiles by a text.

use super::fields::ProfileFields;
use crate::domain::ProfileSid;

/// A text that is part of the SID of a profile or of its account, or of the name, without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchText {
    lower: String,
    sid: SidText,
}

/// The digits that a SID with the text has; `None` where no SID has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SidText {
    profile_begins: Option<String>,
    account_begins: Option<String>,
    any_contains: Option<String>,
}

impl SearchText {
    /// The longest text, in characters. A name has at most as many bytes as ten of them.
    pub(crate) const MAX_CHARS: usize = 100;

    /// `None` for white space. Cuts a text that is too long.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let lower: String = text.trim().chars().take(Self::MAX_CHARS).collect::<String>().to_lowercase();
        (!lower.is_empty()).then(|| Self { sid: SidText::of(&lower), lower })
    }

    /// Whether the profile has this text.
    pub(super) fn is_in(&self, profile: &ProfileSid, fields: &impl ProfileFields) -> bool {
        let (profile, account) = (digits(profile.as_str()), digits(fields.account().as_str()));
        let SidText { profile_begins, account_begins, any_contains } = &self.sid;
        let is_in_sid = profile_begins.as_ref().is_some_and(|first| profile.starts_with(&**first))
            || account_begins.as_ref().is_some_and(|first| account.starts_with(&**first))
            || any_contains.as_ref().is_some_and(|part| profile.contains(&**part) || account.contains(&**part));
        is_in_sid || fields.lower_name().is_some_and(|name| name.contains(&*self.lower))
    }
}

impl SidText {
    fn of(lower: &str) -> Self {
        let is_hex = |text: &str| text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let after = |kind: &str| lower.strip_prefix(kind).filter(|digits| is_hex(digits)).map(str::to_owned);
        Self {
            profile_begins: after("bu"),
            account_begins: after("ac"),
            // `ac` is hexadecimal, too.
            any_contains: is_hex(lower).then(|| lower.to_owned()),
        }
    }
}

/// The digits of a SID, in lower case.
fn digits(sid: &str) -> &str {
    sid.split_at_checked(2).map_or(sid, |(_, digits)| digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ProfileType, state::ProfileState},
        profiles::fixtures::{account, details, sid, state},
    };

    fn finds(text: &str) -> bool {
        let number = 0xBEEF;
        let shop = ProfileState {
            account_sid: account(0xCAFE),
            profile: Some(details("Café <b>Ünïcode</b> 50%", ProfileType::Business)),
            ..state(number)
        };
        SearchText::new(text).unwrap().is_in(&sid(number), &shop)
    }

    #[test]
    fn profile_is_found_by_parts_of_its_sids_and_its_name() {
        for text in [
            sid(0xBEEF).as_str(),
            &sid(0xBEEF).as_str().to_lowercase(),
            " BU0000 ",
            "beef",
            "BEEF",
            account(0xCAFE).as_str(),
            "AC00000000",
            "ac0",
            "ac",
            "0cafe",
            "café",
            "ÜNÏ",
            "<b>",
            "50%",
        ] {
            assert!(finds(text), "{text}");
        }
        for text in ["BU1", "BUbeef", "AC00000001", "ac1", "cafes", "b u"] {
            assert!(!finds(text), "{text}");
        }
    }

    #[test]
    fn white_space_is_no_text_and_a_long_one_is_cut() {
        assert_eq!(SearchText::new(" \t"), None);
        let long = SearchText::new(&"ä".repeat(5_000)).unwrap();
        assert_eq!(long.lower.chars().count(), SearchText::MAX_CHARS);
    }
}
