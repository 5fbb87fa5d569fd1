//! What a policy asks for before a reviewer looks at a profile.

/// Something that must be assigned to a profile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requirement {
    /// The first letters of the SIDs of such things.
    prefix: &'static str,
    /// What is reported when none is assigned.
    code: u32,
    /// What it is, for people.
    what: &'static str,
}

const END_USER: Requirement = Requirement { prefix: "IT", code: 22214, what: "an end user" };
const DOCUMENT: Requirement = Requirement { prefix: "RD", code: 22216, what: "a supporting document" };

/// Policies of Twilio and their requirements; a profile with any other policy needs nothing but its parameters. Twilio
/// looks into what is assigned, the simulator only at its kind.
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

/// What this policy asks for and is not among these SIDs.
pub(super) fn missing<'a>(policy: &str, assigned: impl Iterator<Item = &'a str> + Clone) -> Vec<&'static Requirement> {
    let known = POLICIES.iter().find(|(sid, _)| sid.eq_ignore_ascii_case(policy));
    let needed = known.map_or(&[][..], |(_, needed)| needed).iter();
    needed.filter(|needed| !assigned.clone().any(|sid| sid.starts_with(needed.prefix))).collect()
}

impl Requirement {
    pub(super) fn prefix(&self) -> &'static str {
        self.prefix
    }

    pub(super) fn code(&self) -> u32 {
        self.code
    }
}

/// Why a profile without these is rejected.
pub(super) fn reason(missing: &[&Requirement]) -> String {
    let missing: Vec<_> = missing.iter().map(|one| format!("{} is missing ({})", one.what, one.code)).collect();
    format!("Incomplete: {}.", missing.join(", "))
}
