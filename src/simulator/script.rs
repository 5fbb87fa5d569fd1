//! A profile's life as a script.

use crate::domain::Status;

/// The account of the script. Nobody has it.
pub const ACCOUNT_SID: &str = "AC000000000000000000000000000000de";
/// The profile of the script.
pub const PROFILE_SID: &str = "BU000000000000000000000000000000de";

/// One thing that happens, and the callback that Twilio makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What happens, for people.
    pub what: &'static str,
    /// The status that is announced.
    pub status: Status,
    /// Why it was rejected; empty otherwise, as Twilio sends it.
    pub failure_reason: &'static str,
}

const fn step(what: &'static str, status: Status, failure_reason: &'static str) -> Step {
    Step { what, status, failure_reason }
}

/// Created and submitted, rejected for two reasons, edited, submitted again and approved.
#[must_use]
pub const fn life_of_a_profile() -> [Step; 6] {
    [
        step("the profile is submitted", Status::PendingReview, ""),
        step("a reviewer takes it", Status::InReview, ""),
        step(
            "the reviewer rejects it",
            Status::TwilioRejected,
            "Business registration number could not be verified (18602). Address could not be verified (18603).",
        ),
        step("it is corrected and submitted again", Status::PendingReview, ""),
        step("a reviewer takes it again", Status::InReview, ""),
        step("the reviewer approves it", Status::TwilioApproved, ""),
    ]
}

impl Step {
    /// The fields of the callback.
    #[must_use]
    pub fn form(&self) -> [(&'static str, &'static str); 4] {
        use crate::domain::Label as _;
        [
            ("AccountSid", ACCOUNT_SID),
            ("BundleSid", PROFILE_SID),
            ("Status", self.status.as_str()),
            ("FailureReason", self.failure_reason),
        ]
    }
}
