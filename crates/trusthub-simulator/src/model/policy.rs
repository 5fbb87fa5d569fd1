//! The requirements of a policy, which a profile must meet before a reviewer looks at it.

/// An object that must be assigned to a profile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requirement {
    /// The prefix of the SIDs of such objects.
    prefix: &'static str,
    /// Twilio's error code if no such object is assigned.
    code: u32,
    /// The object in plain words, with its article.
    description: &'static str,
}

const END_USER: Requirement = Requirement { prefix: "IT", code: 22214, description: "an end user" };
const DOCUMENT: Requirement = Requirement { prefix: "RD", code: 22216, description: "a supporting document" };

/// Twilio's policies and their requirements. Any other policy has none. Twilio checks the contents of the assigned objects;
/// the simulator checks only their kind.
///
/// Source of the SIDs: Twilio's onboarding guides for Trust Hub.
const POLICIES: &[(&str, &[Requirement])] = &[
    // Primary customer profile of a business.
    ("RN6433641899984f951173ef1738c3bdd0", &[END_USER, DOCUMENT]),
    // Secondary customer profile of a business.
    ("RNdfbf3fae0e1107f8aded0e7cead80bf5", &[END_USER, DOCUMENT]),
    // Starter customer profile of an individual.
    ("RN806dd6cd175f314e1f96a9727ee271f4", &[END_USER]),
];

/// Returns the requirements of this policy that none of the assigned SIDs meets.
pub(super) fn missing<'a>(policy: &str, assigned: impl Iterator<Item = &'a str> + Clone) -> Vec<&'static Requirement> {
    let known = POLICIES.iter().find(|(sid, _)| sid.eq_ignore_ascii_case(policy));
    let requirements = known.map_or(&[][..], |(_, requirements)| requirements).iter();
    requirements.filter(|required| !assigned.clone().any(|sid| sid.starts_with(required.prefix))).collect()
}

impl Requirement {
    pub(super) fn prefix(&self) -> &'static str {
        self.prefix
    }

    pub(super) fn code(&self) -> u32 {
        self.code
    }
}

/// Returns the failure reason of a profile that does not meet these requirements.
pub(super) fn rejection_reason(missing: &[&Requirement]) -> String {
    let missing: Vec<_> = missing.iter().map(|one| format!("{} is missing ({})", one.description, one.code)).collect();
    format!("Incomplete: {}.", missing.join(", "))
}
