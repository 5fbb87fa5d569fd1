//! Creates the [`Event`] for a change that reconciliation found in Trust Hub and that no callback announced.
//!
//! Only a profile that the authenticated client fetched can become an event:
//!
//! ```compile_fail
//! # use trusthub_bridge::{domain::Timestamp, normalize::event_from_profile};
//! # use trusthub_client::Profile;
//! fn skip_the_fetch(profile: &Profile, now: Timestamp) {
//!     let _ = event_from_profile(profile, now, None);
//! }
//! ```

use std::collections::BTreeMap;
use trusthub_client::{Fetched, Profile};

use super::hash::hash;
use crate::domain::{
    Event, KnownPolicy, Label as _, Origin, ProfileDetails, ProfileStatusChanged, RecordPosition, RejectionReason,
    Timestamp,
};

/// Creates the event for the status of a fetched profile.
///
/// `fetched_at` is the time of the request to Trust Hub, `last` the position of the last record for this profile at that
/// time. Processes that find the same difference after the same record create events with the same id.
#[must_use]
pub fn event_from_profile(profile: &Fetched, fetched_at: Timestamp, last: Option<RecordPosition>) -> Event {
    Event {
        id: event_id(profile, last),
        is_test: false,
        trace: None,
        construction: None,
        data: ProfileStatusChanged {
            account_sid: profile.account_sid,
            profile_sid: profile.sid,
            resource: profile.resource,
            status: profile.status,
            raw_status: profile.raw_status.clone(),
            failure_reason: None,
            errors: profile.error_codes.iter().copied().map(RejectionReason::from).collect(),
            valid_until: profile.valid_until.clone(),
            received_at: fetched_at,
            origin: Origin::Reconciliation,
            idempotency_token: None,
            extra: BTreeMap::new(),
            profile: Some(profile_details(profile)),
        },
    }
}

/// The details that events have of a profile.
#[must_use]
pub fn profile_details(profile: &Profile) -> ProfileDetails {
    let policy = profile.policy_sid.as_deref().and_then(KnownPolicy::find);
    let tier = policy.and_then(|policy| policy.tier);
    ProfileDetails {
        friendly_name: profile.friendly_name.clone(),
        policy_sid: profile.policy_sid.clone(),
        profile_type: policy.map(|policy| policy.profile_type.to_string()),
        tier: tier.map(|tier| tier.to_string()),
        date_created: profile.date_created,
        date_updated: profile.date_updated,
    }
}

/// The end of the approval that a profile has, as Twilio wrote it.
#[must_use]
pub fn approval_end(profile: &Profile) -> Option<&str> {
    profile.valid_until.as_deref().filter(|_| profile.status.is_approved())
}

fn event_id(profile: &Profile, last: Option<RecordPosition>) -> String {
    let position = last.map(|last| format!("{}:{}", last.partition, last.offset)).unwrap_or_default();
    let updated = profile.date_updated.to_string();
    let parts = [
        // A callback has its fingerprint or its resource here, which are never this text.
        "reconciliation",
        profile.resource.as_str(),
        profile.account_sid.as_str(),
        profile.sid.as_str(),
        &profile.raw_status,
        &updated,
        &position,
    ];
    format!("{:032x}", hash(&parts.map(str::as_bytes)))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::domain::{AccountSid, ProfileSid, Resource, Status};

    fn at(seconds: u64) -> Timestamp {
        (UNIX_EPOCH + Duration::from_secs(seconds)).into()
    }

    fn profile() -> Profile {
        Profile {
            sid: ProfileSid::parse(&format!("BU{}", "2".repeat(32))).unwrap(),
            account_sid: AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap(),
            resource: Resource::TrustProduct,
            status: Status::TwilioRejected,
            raw_status: "twilio-rejected".to_owned(),
            date_updated: at(50),
            date_created: Some(at(10)),
            policy_sid: Some(format!("RN{}", "3".repeat(32))),
            friendly_name: Some("Ada's".to_owned()),
            email: Some("ada@example.com".to_owned()),
            status_callback: None,
            valid_until: Some("2027-07-30T22:29:24Z".to_owned()),
            error_codes: vec![18602, 10001],
        }
    }

    const LAST: RecordPosition = RecordPosition { partition: 3, offset: 14 };

    fn id(profile: Profile, fetched_at: u64, last: Option<RecordPosition>) -> String {
        event_from_profile(&Fetched::invented(profile), at(fetched_at), last).id
    }

    #[test]
    fn event_has_the_fetched_data_and_the_time_of_the_request() {
        let event = event_from_profile(&Fetched::invented(profile()), at(100), Some(LAST));
        let json = serde_json::to_value(&event.data).unwrap();
        let expected = serde_json::json!({
            "account_sid": "AC11111111111111111111111111111111",
            "profile_sid": "BU22222222222222222222222222222222",
            "resource": "trust-product", "status": "twilio-rejected", "raw_status": "twilio-rejected",
            "failure_reason": null,
            "errors": [
                {
                    "code": 18602,
                    "meaning": "business_registration_number_not_verified",
                    "message": "The registration number of the business could not be verified.",
                },
                {"code": 10001, "meaning": null, "message": null},
            ],
            "valid_until": "2027-07-30T22:29:24Z", "received_at": "1970-01-01T00:01:40.000Z",
            "origin": "reconciliation", "idempotency_token": null, "extra": {},
            "profile": {
                "friendly_name": "Ada's", "policy_sid": "RN33333333333333333333333333333333", "type": null, "tier": null,
                "date_created": "1970-01-01T00:00:10.000Z", "date_updated": "1970-01-01T00:00:50.000Z",
            },
        });
        assert_eq!(json, expected, "the event contains no email address");
    }

    #[test]
    fn event_has_the_type_and_tier_that_the_policy_determines() {
        let type_of = |policy: &str| {
            let details = profile_details(&Profile { policy_sid: Some(policy.to_owned()), ..profile() });
            (details.profile_type, details.tier)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(type_of("RNdfbf3fae0e1107f8aded0e7cead80bf5"), (text("business"), text("secondary")));
        assert_eq!(type_of("RN806dd6cd175f314e1f96a9727ee271f4"), (text("starter"), None));
    }

    #[test]
    fn same_difference_after_the_same_record_has_the_same_id() {
        let renamed = Profile { friendly_name: None, ..profile() };
        assert_eq!(id(profile(), 100, Some(LAST)), id(renamed, 200, Some(LAST)));
    }

    #[test]
    fn different_difference_or_previous_record_has_a_different_id() {
        let ids = [
            id(profile(), 100, Some(LAST)),
            id(profile(), 100, None),
            id(profile(), 100, Some(RecordPosition { offset: 15, ..LAST })),
            id(profile(), 100, Some(RecordPosition { partition: 2, ..LAST })),
            id(Profile { date_updated: at(51), ..profile() }, 100, Some(LAST)),
            id(Profile { raw_status: "twilio-approved".to_owned(), ..profile() }, 100, Some(LAST)),
            id(Profile { resource: Resource::CustomerProfile, ..profile() }, 100, Some(LAST)),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:#?}");
    }
}
