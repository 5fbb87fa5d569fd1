//! Callbacks for tests.

use std::time::{Duration, UNIX_EPOCH};

use crate::{
    domain::{Outcome, ProfileSid, Resource, Status},
    pipeline::RecentCallback,
};

/// A callback with this outcome.
pub(in super::super) fn callback(outcome: Outcome) -> RecentCallback {
    RecentCallback {
        number: 7,
        at: (UNIX_EPOCH + Duration::from_millis(1)).into(),
        outcome,
        resource: Resource::CustomerProfile,
        status: Some(Status::InReview),
        profile: ProfileSid::parse("BU00000000000000000000000000000002").ok(),
        dead_letter: None,
        codes: None,
        event_id: Some("event-1".to_owned()),
        written: None,
        diagnosis: None,
        duration: Duration::from_millis(12),
    }
}
