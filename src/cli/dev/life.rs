//! A profile's life, as `dev --once` plays it.

use crate::{
    domain::{AccountSid, ProfileSid, Status},
    simulator::{
        Announcement, Faults, Percent, World,
        model::{Draft, Edit, Kind, Trouble, Verdict},
    },
};

/// The account of `dev`. Nobody has it.
pub(super) const ACCOUNT: &str = "AC000000000000000000000000000000de";
/// A policy that asks for nothing but the parameters.
pub(super) const POLICY: &str = "RN000000000000000000000000000000de";

/// What happens, for people, and what Twilio announces of it.
pub(super) struct Step {
    pub(super) what: &'static str,
    pub(super) announced: &'static [Status],
    act: fn(&World, &ProfileSid) -> Result<(), Trouble>,
}

/// Created, submitted, rejected for two reasons, edited, submitted again and approved.
pub(super) const STEPS: [Step; 4] = [
    Step {
        what: "the profile is submitted, and a reviewer takes it",
        announced: &[Status::PendingReview, Status::InReview],
        act: |world, sid| submit(world, sid, Edit::default()),
    },
    Step {
        what: "the reviewer rejects it",
        announced: &[Status::TwilioRejected],
        act: |world, sid| decide(world, sid, Verdict::Reject { codes: vec![18602, 18603], reason: String::new() }),
    },
    Step {
        what: "it is corrected and submitted again",
        announced: &[Status::PendingReview, Status::InReview],
        act: |world, sid| {
            submit(world, sid, Edit { friendly_name: Some("Corner Shop Ltd".to_owned()), ..Edit::default() })
        },
    },
    Step {
        what: "the reviewer approves it",
        announced: &[Status::TwilioApproved],
        act: |world, sid| decide(world, sid, Verdict::Approve { valid_until: None }),
    },
];

impl Step {
    pub(super) fn play(&self, world: &World, sid: &ProfileSid) -> Result<(), Trouble> {
        (self.act)(world, sid)
    }
}

/// Makes the profile.
pub(super) fn begin(world: &World, account: AccountSid, status_callback: String) -> Result<ProfileSid, Trouble> {
    let draft = Draft {
        kind: Kind::CustomerProfiles,
        account,
        policy: POLICY.to_owned(),
        friendly_name: "Corner Shop".to_owned(),
        email: "shop@example.com".to_owned(),
        status_callback: Some(status_callback),
    };
    world.create(draft).map(|profile| profile.sid)
}

fn submit(world: &World, sid: &ProfileSid, edit: Edit) -> Result<(), Trouble> {
    let edit = Edit { status: Some(Status::PendingReview), ..edit };
    world.act(|hub| hub.edit(sid, edit)).map(drop)
}

fn decide(world: &World, sid: &ProfileSid, verdict: Verdict) -> Result<(), Trouble> {
    world.act(|hub| hub.decide(sid, verdict)).map(drop)
}

/// Somebody without the token announces that the profile is approved.
pub(super) fn forge(world: &World, account: AccountSid, profile: ProfileSid, url: String) {
    let announcement =
        Announcement { account, profile, status: Status::TwilioApproved, failure_reason: String::new(), url };
    let forged = Faults { wrong_signature: Percent::ALL, ..Faults::default() };
    world.postman().announce_with(&announcement, forged);
}
