//! Twilio's policies and their requirements, which a profile must meet before a reviewer looks at it.
//!
//! Source of the SIDs and requirements: Twilio's onboarding guides for Trust Hub. Twilio changes policies and adds others,
//! so a profile may have a policy that is not here: it has no requirements.

/// A policy.
#[derive(Debug, PartialEq, Eq)]
pub struct Policy {
    /// The SID: `RN` and 32 hexadecimal digits.
    pub sid: &'static str,
    /// The name for people.
    pub friendly_name: &'static str,
    /// The type of the profiles with this policy, as the requirements of other policies name it.
    pub profile_type: &'static str,
    /// The machine names of the types of the end users that must be assigned.
    pub end_users: &'static [&'static str],
    /// The documents that must be assigned.
    pub documents: &'static [DocumentRequirement],
    /// The profiles that must be assigned.
    pub profiles: &'static [ProfileRequirement],
}

/// A document that must be assigned.
#[derive(Debug, PartialEq, Eq)]
pub struct DocumentRequirement {
    /// The name of the requirement.
    pub name: &'static str,
    /// The name for people.
    pub friendly_name: &'static str,
    /// The machine names of the types of which one is enough.
    pub accepted: &'static [&'static str],
}

/// An approved profile that must be assigned.
#[derive(Debug, PartialEq, Eq)]
pub struct ProfileRequirement {
    /// The name of the requirement.
    pub name: &'static str,
    /// The name for people.
    pub friendly_name: &'static str,
    /// The types of profiles of which one is enough.
    pub accepted: &'static [&'static str],
}

const PRIMARY_BUSINESS: &str = "primary_customer_profile_type_business";
const PRIMARY_INDIVIDUAL: &str = "primary_customer_profile_type_individual";
const PRIMARY_GOVERNMENT: &str = "primary_customer_profile_type_government";
const PRIMARY_NONPROFIT: &str = "primary_customer_profile_type_nonprofit";
const SECONDARY_BUSINESS: &str = "secondary_customer_profile_type_business";
const STARTER: &str = "starter_customer_profile";

const BUSINESS: &[&str] =
    &["customer_profile_business_information", "authorized_representative_1", "authorized_representative_2"];

const ADDRESS: &[DocumentRequirement] = &[DocumentRequirement {
    name: "customer_profile_address",
    friendly_name: "Address",
    accepted: &["customer_profile_address"],
}];

const PRIMARY_OF_A_BUSINESS: &[ProfileRequirement] = &[ProfileRequirement {
    name: PRIMARY_BUSINESS,
    friendly_name: "Primary Customer Profile",
    accepted: &[PRIMARY_BUSINESS],
}];

const PRIMARY_OF_AN_ORGANIZATION: &[ProfileRequirement] = &[ProfileRequirement {
    name: "primary_customer_profile",
    friendly_name: "Primary Customer Profile",
    accepted: &[PRIMARY_BUSINESS, PRIMARY_GOVERNMENT, PRIMARY_NONPROFIT],
}];

const ANY_PRIMARY: &[ProfileRequirement] = &[ProfileRequirement {
    name: "primary_customer_profile",
    friendly_name: "Primary Customer Profile",
    accepted: &[PRIMARY_BUSINESS, PRIMARY_INDIVIDUAL],
}];

const PROFILE_OF_A_BUSINESS: &[ProfileRequirement] = &[ProfileRequirement {
    name: "customer_profile_type_business",
    friendly_name: "Customer Profile",
    accepted: &[PRIMARY_BUSINESS, SECONDARY_BUSINESS],
}];

const PROFILE_OF_A_STARTER: &[ProfileRequirement] =
    &[ProfileRequirement { name: STARTER, friendly_name: "Starter Customer Profile", accepted: &[STARTER] }];

/// The SID of the policy of primary profiles of businesses.
pub const PRIMARY_BUSINESS_POLICY: &str = "RN6433641899984f951173ef1738c3bdd0";
/// The SID of the policy of primary profiles of individuals.
pub const PRIMARY_INDIVIDUAL_POLICY: &str = "RNffcb02a20420c81caf596ffc44f69712";
/// The SID of the policy of secondary profiles of businesses.
pub const SECONDARY_BUSINESS_POLICY: &str = "RNdfbf3fae0e1107f8aded0e7cead80bf5";

/// The policies.
pub const POLICIES: &[Policy] = &[
    Policy {
        sid: PRIMARY_BUSINESS_POLICY,
        friendly_name: "Primary Customer Profile of type Business",
        profile_type: PRIMARY_BUSINESS,
        end_users: BUSINESS,
        documents: ADDRESS,
        profiles: &[],
    },
    Policy {
        sid: PRIMARY_INDIVIDUAL_POLICY,
        friendly_name: "Primary Customer Profile of type Individual",
        profile_type: PRIMARY_INDIVIDUAL,
        end_users: &["individual_customer_profile_information"],
        documents: &[],
        profiles: &[],
    },
    Policy {
        sid: "RN92dc6c39189b4d5ad9c6664f39769f90",
        friendly_name: "Primary Customer Profile of type Government",
        profile_type: PRIMARY_GOVERNMENT,
        end_users: BUSINESS,
        documents: ADDRESS,
        profiles: &[],
    },
    Policy {
        sid: "RN936f6140f1864391adca88df5d84cb6d",
        friendly_name: "Primary Customer Profile of type Nonprofit",
        profile_type: PRIMARY_NONPROFIT,
        end_users: BUSINESS,
        documents: ADDRESS,
        profiles: &[],
    },
    Policy {
        sid: SECONDARY_BUSINESS_POLICY,
        friendly_name: "Secondary Customer Profile of type Business",
        profile_type: SECONDARY_BUSINESS,
        end_users: BUSINESS,
        documents: ADDRESS,
        profiles: PRIMARY_OF_A_BUSINESS,
    },
    Policy {
        sid: "RN074d26323ad8ca107761a5edf4191ba7",
        friendly_name: "Secondary Customer Profile of type Government",
        profile_type: "secondary_customer_profile_type_government",
        end_users: BUSINESS,
        documents: ADDRESS,
        profiles: PRIMARY_OF_AN_ORGANIZATION,
    },
    Policy {
        sid: "RNaf459d36b007ba6db226cd43a816cfa0",
        friendly_name: "Secondary Customer Profile of type Nonprofit",
        profile_type: "secondary_customer_profile_type_nonprofit",
        end_users: BUSINESS,
        documents: ADDRESS,
        profiles: PRIMARY_OF_AN_ORGANIZATION,
    },
    Policy {
        sid: "RN806dd6cd175f314e1f96a9727ee271f4",
        friendly_name: "Starter Customer Profile of an ISV's customer",
        profile_type: STARTER,
        end_users: &["starter_customer_profile_information"],
        documents: ADDRESS,
        profiles: ANY_PRIMARY,
    },
    Policy {
        sid: "RN13dc4be8861a10924a79c35eaa4d812c",
        friendly_name: "Starter Customer Profile of a direct customer",
        profile_type: STARTER,
        end_users: &["starter_customer_profile_information"],
        documents: ADDRESS,
        profiles: ANY_PRIMARY,
    },
    Policy {
        sid: "RNb0d4771c2c98518d916a3d4cd70a8f8b",
        friendly_name: "US A2P Messaging",
        profile_type: "us_a2p_messaging",
        end_users: &["us_a2p_messaging_profile_information"],
        documents: &[],
        profiles: PROFILE_OF_A_BUSINESS,
    },
    Policy {
        sid: "RN670d5d2e282a6130ae063b234b6019c8",
        friendly_name: "US A2P Messaging of a sole proprietor",
        profile_type: "us_a2p_sole_proprietor",
        end_users: &["sole_proprietor_information"],
        documents: &[],
        profiles: PROFILE_OF_A_STARTER,
    },
    Policy {
        sid: "RN7a97559effdf62d00f4298208492a5ea",
        friendly_name: "SHAKEN/STIR",
        profile_type: "shaken_stir",
        end_users: &[],
        documents: &[],
        profiles: PROFILE_OF_A_BUSINESS,
    },
    Policy {
        sid: "RNf3db3cd1fe25fcfd3c3ded065c8fea53",
        friendly_name: "CNAM",
        profile_type: "cnam",
        end_users: &["cnam_information"],
        documents: &[],
        profiles: PROFILE_OF_A_BUSINESS,
    },
    Policy {
        sid: "RN5b3660f9598883b1df4e77f77acefba0",
        friendly_name: "Voice Integrity",
        profile_type: "voice_integrity",
        end_users: &["voice_integrity_information"],
        documents: &[],
        profiles: PROFILE_OF_A_BUSINESS,
    },
    // The requirements of the following are not known.
    Policy {
        sid: "RN63da8244384cf0401c39f5f91e674db5",
        friendly_name: "US A2P Messaging of a Starter profile",
        profile_type: "us_a2p_starter",
        end_users: &[],
        documents: &[],
        profiles: &[],
    },
    Policy {
        sid: "RNca63d1066fbd5e44eac02d0b3cf6d019",
        friendly_name: "Branded Calling",
        profile_type: "branded_calling",
        end_users: &[],
        documents: &[],
        profiles: &[],
    },
    Policy {
        sid: "RNa282dd7f3dbef8586501ca2e045e764c",
        friendly_name: "Toll-free",
        profile_type: "tollfree",
        end_users: &[],
        documents: &[],
        profiles: &[],
    },
];

impl Policy {
    /// Returns the policy with this SID, if it is one of [`POLICIES`].
    #[must_use]
    pub fn find(sid: &str) -> Option<&'static Self> {
        POLICIES.iter().find(|policy| policy.sid.eq_ignore_ascii_case(sid))
    }

    /// Returns whether its profiles are primary ones, which Twilio's Console manages and its API does not.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.profile_type.starts_with("primary_")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use trusthub_events::{KnownPolicy, ProfileTier};

    use super::*;

    #[test]
    fn policies_and_primary_profiles_are_those_that_events_know() {
        let simulated: BTreeMap<_, _> = POLICIES.iter().map(|policy| (policy.sid, policy.is_primary())).collect();
        let is_primary = |policy: &KnownPolicy| policy.tier == Some(ProfileTier::Primary);
        let known: BTreeMap<_, _> = KnownPolicy::ALL.iter().map(|policy| (policy.sid, is_primary(policy))).collect();
        assert_eq!(simulated, known);
    }
}
