//! Builders for the tests of this module.

use std::time::{Duration, UNIX_EPOCH};
use trusthub_client::Profile;

use super::view::Belief;
use crate::{
    domain::{AccountSid, Label as _, ProfileSid, RecordPosition, Resource, Status, Timestamp},
    kafka::PublishedEvent,
};

/// A time, in seconds after the Unix epoch.
pub(super) fn at(seconds: u64) -> Timestamp {
    (UNIX_EPOCH + Duration::from_secs(seconds)).into()
}

pub(super) fn sid(number: u32) -> ProfileSid {
    ProfileSid::parse(&format!("BU{number:032x}")).unwrap()
}

pub(super) fn account() -> AccountSid {
    AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap()
}

pub(super) fn profile(status: Status, updated: Timestamp) -> Profile {
    Profile {
        sid: sid(1),
        account_sid: account(),
        resource: Resource::CustomerProfile,
        status,
        raw_status: status.as_str().to_owned(),
        date_updated: updated,
        date_created: None,
        policy_sid: None,
        friendly_name: None,
        email: None,
        status_callback: None,
        valid_until: None,
        error_codes: Vec::new(),
    }
}

pub(super) fn belief(status: Status) -> Belief {
    Belief { status, unknown_status: None, resource: Resource::CustomerProfile, time: at(0) }
}

pub(super) fn published(number: u32, offset: i64, id: &str, time: Timestamp, status: Status) -> PublishedEvent {
    PublishedEvent {
        account: account(),
        profile: sid(number),
        position: RecordPosition { partition: 0, offset },
        id: id.to_owned(),
        time,
        resource: Resource::CustomerProfile,
        status,
        raw_status: status.as_str().to_owned(),
    }
}
