//! What happens to the profile of `dev --once`, from its creation to its approval.

use trusthub_simulator::{
    Announcement, CallbackFaultRates, Percent, Simulator,
    model::{ModelError, NewProfile, ProfileEdit, ProfileKind, ReviewDecision},
};

use crate::domain::{AccountSid, ProfileSid, Status};

/// The account of `dev`. Twilio assigns no such SID.
pub(super) const ACCOUNT: &str = "AC000000000000000000000000000000de";
/// The policy of the profile. It has no requirements.
pub(super) const POLICY: &str = "RN000000000000000000000000000000de";

/// A change of the profile.
pub(super) struct ScenarioStep {
    /// What happens, in plain words.
    pub(super) description: &'static str,
    /// The statuses that are announced, in their order.
    pub(super) announced: &'static [Status],
    change: fn(&Simulator, &ProfileSid) -> Result<(), ModelError>,
}

pub(super) const SUBMITTED: ScenarioStep = ScenarioStep {
    description: "the profile is submitted and goes into review",
    announced: &[Status::PendingReview, Status::InReview],
    change: |simulator, sid| submit(simulator, sid, ProfileEdit::default()),
};

pub(super) const REJECTED: ScenarioStep = ScenarioStep {
    description: "the reviewer rejects it",
    announced: &[Status::TwilioRejected],
    change: |simulator, sid| {
        decide(simulator, sid, ReviewDecision::Reject { codes: vec![18602, 18603], reason: String::new() })
    },
};

pub(super) const CORRECTED: ScenarioStep = ScenarioStep {
    description: "the profile is corrected and submitted again",
    announced: &[Status::PendingReview, Status::InReview],
    change: |simulator, sid| {
        let edit = ProfileEdit { friendly_name: Some("Corner Shop Ltd".to_owned()), ..ProfileEdit::default() };
        submit(simulator, sid, edit)
    },
};

pub(super) const APPROVED: ScenarioStep = ScenarioStep {
    description: "the reviewer approves it",
    announced: &[Status::TwilioApproved],
    change: |simulator, sid| decide(simulator, sid, ReviewDecision::Approve { valid_until: None }),
};

/// The profile is submitted, rejected for two reasons, edited, submitted again and approved.
pub(super) const STEPS: [ScenarioStep; 4] = [SUBMITTED, REJECTED, CORRECTED, APPROVED];

impl ScenarioStep {
    pub(super) fn run(&self, simulator: &Simulator, sid: &ProfileSid) -> Result<(), ModelError> {
        (self.change)(simulator, sid)
    }

    /// Runs the step while all callbacks get lost.
    pub(super) fn run_unannounced(&self, simulator: &Simulator, sid: &ProfileSid) -> Result<(), ModelError> {
        let sender = simulator.sender();
        let usual = sender.faults();
        sender.set_faults(CallbackFaultRates { drop: Percent::ALL, ..usual });
        let result = self.run(simulator, sid);
        sender.set_faults(usual);
        result
    }
}

/// Creates the profile.
pub(super) fn create_profile(
    simulator: &Simulator,
    account: AccountSid,
    status_callback: String,
) -> Result<ProfileSid, ModelError> {
    let new = NewProfile {
        kind: ProfileKind::CustomerProfiles,
        account,
        policy: POLICY.to_owned(),
        friendly_name: "Corner Shop".to_owned(),
        email: "shop@example.com".to_owned(),
        status_callback: Some(status_callback),
    };
    simulator.create(new).map(|profile| profile.sid)
}

fn submit(simulator: &Simulator, sid: &ProfileSid, edit: ProfileEdit) -> Result<(), ModelError> {
    let edit = ProfileEdit { status: Some(Status::PendingReview), ..edit };
    simulator.apply(|model| model.edit(sid, edit)).map(drop)
}

fn decide(simulator: &Simulator, sid: &ProfileSid, decision: ReviewDecision) -> Result<(), ModelError> {
    simulator.apply(|model| model.decide(sid, decision)).map(drop)
}

/// Sends a forged callback, which says that the profile is approved but is not signed with the token of the account.
pub(super) fn send_forged_callback(simulator: &Simulator, account: AccountSid, profile: ProfileSid, url: String) {
    let announcement =
        Announcement { account, profile, status: Status::TwilioApproved, failure_reason: String::new(), url };
    let forged = CallbackFaultRates { wrong_signature: Percent::ALL, ..CallbackFaultRates::default() };
    simulator.sender().announce_with(&announcement, forged);
}
