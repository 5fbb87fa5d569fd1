//! States for the tests.

use crate::domain::{
    AccountSid, Label as _, ProfileDetails, ProfileSid, ProfileType, Resource, Status, Timestamp,
    state::{Position, ProfileState, StatusChange},
};

pub(crate) fn sid(number: u32) -> ProfileSid {
    ProfileSid::parse(&format!("BU{number:032x}")).unwrap()
}

pub(crate) fn account(number: u32) -> AccountSid {
    AccountSid::parse(&format!("AC{number:032x}")).unwrap()
}

/// A time of November 20, 2026.
pub(crate) fn time(hour: u8, minute: u8) -> Timestamp {
    format!("2026-11-20T{hour:02}:{minute:02}:00.000Z").parse().unwrap()
}

/// The details of a profile with this name.
pub(crate) fn details(name: &str, profile_type: ProfileType) -> ProfileDetails {
    ProfileDetails {
        friendly_name: Some(name.to_owned()),
        policy_sid: Some("RNdfbf3fae0e1107f8aded0e7cead80bf5".to_owned()),
        profile_type: Some(profile_type.as_str().to_owned()),
        tier: Some("secondary".to_owned()),
        date_created: Some(time(9, 0)),
        date_updated: time(11, 0),
    }
}

/// A customer profile that is in review since 11:00.
pub(crate) fn state(number: u32) -> ProfileState {
    let change = |status: Status, since| StatusChange { status, raw_status: status.as_str().to_owned(), since };
    ProfileState {
        account_sid: account(1),
        profile_sid: sid(number),
        resource: Resource::CustomerProfile,
        status: Status::InReview,
        raw_status: "in-review".to_owned(),
        since: time(11, 0),
        previous_status: Some(Status::PendingReview),
        previous_since: Some(time(10, 30)),
        errors: Vec::new(),
        failure_reason: None,
        valid_until: None,
        first_seen_at: time(10, 30),
        updated_at: time(11, 0),
        changes: 2,
        rejections: 0,
        last_event_id: "e2".to_owned(),
        recent_ids: Vec::new(),
        position: Position { partition: 0, offset: 7 },
        profile: None,
        history: vec![change(Status::PendingReview, time(10, 30)), change(Status::InReview, time(11, 0))],
    }
}
