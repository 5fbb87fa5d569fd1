//! Builders for the tests of this module.

use secrecy::SecretString;
use std::time::{Duration, UNIX_EPOCH};
use trusthub_client::{AccountClient, ApiLimits, Credentials, Profile, TrustHub};

use super::view::Belief;
use crate::{
    domain::{
        AccountSid, Label as _, NoticeContent, ProfileNotice, ProfileSid, RecordPosition, Resource, Status, Timestamp,
    },
    kafka::{PublishedContent, PublishedEvent, PublishedStatus},
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

/// A client of this account that reaches no server.
pub(super) fn client_of(account: AccountSid) -> AccountClient {
    let trusthub = TrustHub::new("http://127.0.0.1:1", "test/1.0", ApiLimits::default()).unwrap();
    trusthub.account(Credentials::from_token(account, SecretString::from("password")))
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
        content: changed(status),
    }
}

/// The content of the event of a callback.
pub(super) fn changed(status: Status) -> PublishedContent {
    PublishedContent::Changed(PublishedStatus {
        status,
        raw_status: status.as_str().to_owned(),
        valid_until: None,
        details: None,
    })
}

/// A notice as it is read from the topic, at the first position.
pub(super) fn published_notice(notice: &ProfileNotice) -> PublishedEvent {
    let (resource, content) = match &notice.content {
        NoticeContent::Described(described) => {
            let status = PublishedStatus {
                status: described.status,
                raw_status: described.raw_status.clone(),
                valid_until: described.valid_until.clone(),
                details: Some(Box::new(described.profile.clone())),
            };
            (described.resource, PublishedContent::Described(status))
        }
        NoticeContent::Deleted(deleted) => (deleted.resource, PublishedContent::Deleted),
    };
    PublishedEvent {
        account: *notice.content.account(),
        profile: *notice.content.profile(),
        position: RecordPosition { partition: 0, offset: 0 },
        id: notice.id.clone(),
        time: notice.content.received_at(),
        resource,
        content,
    }
}
