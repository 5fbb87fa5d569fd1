//! Short forms of SIDs and texts, of which a run keeps many in memory.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use crate::domain::{AccountSid, ProfileSid};

/// The 128-bit number in a SID.
pub(super) type NumberInSid = u128;

/// The numbers in the SIDs of an account and of its profile.
pub(super) type ProfileNumbers = (NumberInSid, NumberInSid);

pub(super) fn numbers(account: &AccountSid, profile: &ProfileSid) -> ProfileNumbers {
    (number(account.as_str()), number(profile.as_str()))
}

/// Decodes the number in a SID, which follows two letters.
pub(super) fn number(sid: &str) -> NumberInSid {
    NumberInSid::from_str_radix(sid.get(2..).unwrap_or_default(), 16).unwrap_or_default()
}

/// The SID of the profile with this number.
pub(super) fn profile_with_number(number: NumberInSid) -> Option<ProfileSid> {
    ProfileSid::parse(&format!("BU{number:032x}")).ok()
}

/// A hash that is the same within a process.
pub(super) fn hashed(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sid_of_a_profile_is_found_by_its_number() {
        let sid = ProfileSid::parse(&format!("BU{}", "0a".repeat(16))).unwrap();
        assert_eq!(profile_with_number(number(sid.as_str())), Some(sid));
    }
}
