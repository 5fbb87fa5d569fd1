//! What the tests of several files need.

use std::num::NonZeroU32;

use trusthub_events::{AccountSid, ProfileSid, Status};

use super::mailbox::{DeliveryStatus, Email, SENDER};
use crate::model::{
    NewProfile, ProfileEdit, ProfileKind, ProfileUpdate, ReviewDecision, SECONDARY_BUSINESS_POLICY, SimTime,
    TrustHubModel,
};

/// A model with one profile, which is in review.
pub(super) fn in_review(friendly_name: &str, email: &str) -> (TrustHubModel, ProfileSid) {
    let mut model = TrustHubModel::new(None, NonZeroU32::MIN, 7);
    let new = NewProfile {
        kind: ProfileKind::CustomerProfiles,
        account: AccountSid::parse(&format!("AC{}", "0".repeat(32))).unwrap(),
        policy: SECONDARY_BUSINESS_POLICY.to_owned(),
        friendly_name: friendly_name.to_owned(),
        email: email.to_owned(),
        status_callback: None,
    };
    let sid = model.create(new).unwrap().sid;
    model.assign_required(&sid).unwrap();
    model.edit(&sid, ProfileEdit { status: Some(Status::PendingReview), ..ProfileEdit::default() }).unwrap();
    (model, sid)
}

/// The approval of a profile.
pub(super) fn approved(email: &str) -> ProfileUpdate {
    let (mut model, sid) = in_review("Shop", email);
    model.decide(&sid, ReviewDecision::Approve { valid_until: None }).unwrap()
}

pub(super) fn email(to: &str, subject: &str, text: &str) -> Email {
    Email {
        id: 1,
        time: SimTime::from(1_564_525_764_999),
        account_sid: AccountSid::parse(&format!("AC{}", "0".repeat(32))).unwrap(),
        profile_sid: ProfileSid::parse(&format!("BU{}", "0".repeat(32))).unwrap(),
        status: Status::TwilioApproved,
        from: SENDER,
        to: to.to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
        message_id: "1@simulator.invalid".to_owned(),
        delivery: DeliveryStatus::Kept,
        delivery_error: None,
    }
}
