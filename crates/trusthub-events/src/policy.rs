//! Twilio's policies: which type of profile each of them is for.
//!
//! Source: Twilio's onboarding guides. Twilio changes policies and adds others, so a policy that is not here is normal.

use crate::label::closed_set;

closed_set! {
    /// The type of a profile, as its policy determines it.
    pub enum ProfileType {
        /// A customer profile of a business.
        Business => "business",
        /// A customer profile of an individual.
        Individual => "individual",
        /// A customer profile of a government.
        Government => "government",
        /// A customer profile of a nonprofit organization.
        Nonprofit => "nonprofit",
        /// A Starter customer profile.
        Starter => "starter",
        /// A trust product for A2P 10DLC messaging in the US.
        A2pMessaging => "a2p-messaging",
        /// The same for a sole proprietor.
        A2pSoleProprietor => "a2p-sole-proprietor",
        /// The same for a Starter profile.
        A2pStarter => "a2p-starter",
        /// A trust product for calls that are signed with SHAKEN/STIR.
        ShakenStir => "shaken-stir",
        /// A trust product for the name that is shown with a call (CNAM).
        Cnam => "cnam",
        /// A trust product for Voice Integrity.
        VoiceIntegrity => "voice-integrity",
        /// A trust product for branded calling.
        BrandedCalling => "branded-calling",
        /// A trust product for toll-free numbers.
        TollFree => "toll-free",
    }
}

closed_set! {
    /// Whether a customer profile is that of the owner of the Twilio account or of one of its customers.
    pub enum ProfileTier {
        /// The profile of the owner of the account.
        Primary => "primary",
        /// The profile of a customer of the owner.
        Secondary => "secondary",
    }
}

/// What is known about a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownPolicy {
    /// The SID of the policy: `RN` and 32 hexadecimal digits in lower case.
    pub sid: &'static str,
    /// The type of its profiles.
    pub profile_type: ProfileType,
    /// The tier of its profiles; `None` for Starter profiles and trust products, which have none.
    pub tier: Option<ProfileTier>,
}

const fn profile(sid: &'static str, profile_type: ProfileType, tier: ProfileTier) -> KnownPolicy {
    KnownPolicy { sid, profile_type, tier: Some(tier) }
}

const fn without_tier(sid: &'static str, profile_type: ProfileType) -> KnownPolicy {
    KnownPolicy { sid, profile_type, tier: None }
}

impl KnownPolicy {
    /// Every policy that is known.
    pub const ALL: [Self; 17] = [
        profile("RN6433641899984f951173ef1738c3bdd0", ProfileType::Business, ProfileTier::Primary),
        profile("RNdfbf3fae0e1107f8aded0e7cead80bf5", ProfileType::Business, ProfileTier::Secondary),
        profile("RNffcb02a20420c81caf596ffc44f69712", ProfileType::Individual, ProfileTier::Primary),
        profile("RN92dc6c39189b4d5ad9c6664f39769f90", ProfileType::Government, ProfileTier::Primary),
        profile("RN074d26323ad8ca107761a5edf4191ba7", ProfileType::Government, ProfileTier::Secondary),
        profile("RN936f6140f1864391adca88df5d84cb6d", ProfileType::Nonprofit, ProfileTier::Primary),
        profile("RNaf459d36b007ba6db226cd43a816cfa0", ProfileType::Nonprofit, ProfileTier::Secondary),
        without_tier("RN806dd6cd175f314e1f96a9727ee271f4", ProfileType::Starter),
        without_tier("RN13dc4be8861a10924a79c35eaa4d812c", ProfileType::Starter),
        without_tier("RNb0d4771c2c98518d916a3d4cd70a8f8b", ProfileType::A2pMessaging),
        without_tier("RN670d5d2e282a6130ae063b234b6019c8", ProfileType::A2pSoleProprietor),
        without_tier("RN63da8244384cf0401c39f5f91e674db5", ProfileType::A2pStarter),
        without_tier("RN7a97559effdf62d00f4298208492a5ea", ProfileType::ShakenStir),
        without_tier("RNf3db3cd1fe25fcfd3c3ded065c8fea53", ProfileType::Cnam),
        without_tier("RN5b3660f9598883b1df4e77f77acefba0", ProfileType::VoiceIntegrity),
        without_tier("RNca63d1066fbd5e44eac02d0b3cf6d019", ProfileType::BrandedCalling),
        without_tier("RNa282dd7f3dbef8586501ca2e045e764c", ProfileType::TollFree),
    ];

    /// The policy with this SID, in any case of its digits, if it is known.
    #[must_use]
    pub fn find(sid: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.sid.eq_ignore_ascii_case(sid))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Label as _, is_sid};

    #[test]
    fn every_policy_is_listed_once_and_every_type_has_one() {
        let sids: BTreeSet<_> = KnownPolicy::ALL.iter().map(|policy| policy.sid).collect();
        assert_eq!(sids.len(), KnownPolicy::ALL.len());
        let is_canonical =
            |sid: &&str| sid.starts_with("RN") && sid.bytes().skip(2).all(|digit| !digit.is_ascii_uppercase());
        assert!(sids.iter().all(|sid| is_sid(sid) && is_canonical(sid)));
        let types: BTreeSet<_> = KnownPolicy::ALL.iter().map(|policy| policy.profile_type.index()).collect();
        assert_eq!(types.len(), ProfileType::ALL.len());
    }

    #[test]
    fn policy_is_found_in_any_case_of_its_digits_and_others_are_unknown() {
        let found = |sid: &str| KnownPolicy::find(sid).map(|policy| (policy.profile_type, policy.tier));
        let expected = Some((ProfileType::Business, Some(ProfileTier::Secondary)));
        assert_eq!(found("RNdfbf3fae0e1107f8aded0e7cead80bf5"), expected);
        assert_eq!(found("RNDFBF3FAE0E1107F8ADED0E7CEAD80BF5"), expected);
        assert_eq!(found("RN806dd6cd175f314e1f96a9727ee271f4"), Some((ProfileType::Starter, None)));
        assert_eq!((found(&format!("RN{}", "0".repeat(32))), found("")), (None, None));
    }
}
