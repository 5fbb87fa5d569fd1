//! Creates the notices of reconciliation: what Trust Hub says about a profile beside its status.

use trusthub_client::Profile;

use super::{
    hash::hash,
    profile_event::{approval_end, profile_details},
};
use crate::domain::{
    AccountSid, Label as _, NoticeContent, Origin, ProfileDeleted, ProfileDescribed, ProfileNotice, ProfileSid,
    RecordPosition, Resource, Timestamp,
};

/// Creates the notice with the details of a profile that Trust Hub listed.
///
/// `listed_at` is a time at or before the request to Trust Hub, `last` the position of the last known record of the profile.
/// Processes that find the same details after the same record create notices with the same id.
#[must_use]
pub fn description(profile: &Profile, listed_at: Timestamp, last: Option<RecordPosition>) -> ProfileNotice {
    let details = profile_details(profile);
    let created = details.date_created.map(|created| created.to_string());
    let valid_until = approval_end(profile);
    let id = notice_id(
        [
            "described",
            profile.resource.as_str(),
            profile.account_sid.as_str(),
            profile.sid.as_str(),
            &profile.raw_status,
            details.friendly_name.as_deref().unwrap_or_default(),
            details.policy_sid.as_deref().unwrap_or_default(),
            details.profile_type.as_deref().unwrap_or_default(),
            details.tier.as_deref().unwrap_or_default(),
            created.as_deref().unwrap_or_default(),
            &details.date_updated.to_string(),
            valid_until.unwrap_or_default(),
        ],
        last,
    );
    let described = ProfileDescribed {
        account_sid: profile.account_sid,
        profile_sid: profile.sid,
        resource: profile.resource,
        status: profile.status,
        raw_status: profile.raw_status.clone(),
        valid_until: valid_until.map(str::to_owned),
        received_at: listed_at,
        origin: Origin::Reconciliation,
        profile: details,
    };
    ProfileNotice { id, content: NoticeContent::Described(described) }
}

/// Creates the notice that a profile does not exist any more. `asked_at` is the time of the request to Trust Hub, `last` the
/// position of the last known record of the profile.
#[must_use]
pub fn deletion(
    (account, profile, resource): (&AccountSid, &ProfileSid, Resource),
    asked_at: Timestamp,
    last: RecordPosition,
) -> ProfileNotice {
    let id = notice_id(["deleted", resource.as_str(), account.as_str(), profile.as_str()], Some(last));
    let deleted = ProfileDeleted {
        account_sid: *account,
        profile_sid: *profile,
        resource,
        received_at: asked_at,
        origin: Origin::Reconciliation,
    };
    ProfileNotice { id, content: NoticeContent::Deleted(deleted) }
}

/// Callbacks and missed changes begin with other texts than notices.
fn notice_id<const N: usize>(parts: [&str; N], last: Option<RecordPosition>) -> String {
    let position = last.map(|last| format!("{}:{}", last.partition, last.offset)).unwrap_or_default();
    let parts: Vec<_> = parts.into_iter().chain([position.as_str()]).map(str::as_bytes).collect();
    format!("{:032x}", hash(&parts))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::domain::Status;

    const LAST: RecordPosition = RecordPosition { partition: 3, offset: 14 };
    const NEXT: RecordPosition = RecordPosition { offset: 15, ..LAST };

    fn at(seconds: u64) -> Timestamp {
        (UNIX_EPOCH + Duration::from_secs(seconds)).into()
    }

    fn profile() -> Profile {
        Profile {
            sid: ProfileSid::parse(&format!("BU{}", "2".repeat(32))).unwrap(),
            account_sid: AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap(),
            resource: Resource::CustomerProfile,
            status: Status::TwilioApproved,
            raw_status: "twilio-approved".to_owned(),
            date_updated: at(50),
            date_created: None,
            policy_sid: Some("RNdfbf3fae0e1107f8aded0e7cead80bf5".to_owned()),
            friendly_name: Some("Ada's".to_owned()),
            email: Some("ada@example.com".to_owned()),
            status_callback: None,
            valid_until: Some("2027-07-30T22:29:24Z".to_owned()),
            error_codes: Vec::new(),
        }
    }

    #[test]
    fn description_has_what_trust_hub_says_and_the_time_of_the_request() {
        let NoticeContent::Described(described) = description(&profile(), at(100), None).content else { panic!() };
        let expected = serde_json::json!({
            "account_sid": "AC11111111111111111111111111111111", "profile_sid": "BU22222222222222222222222222222222",
            "resource": "customer-profile", "status": "twilio-approved", "raw_status": "twilio-approved",
            "valid_until": "2027-07-30T22:29:24Z", "received_at": "1970-01-01T00:01:40.000Z", "origin": "reconciliation",
            "profile": {
                "friendly_name": "Ada's", "policy_sid": "RNdfbf3fae0e1107f8aded0e7cead80bf5", "type": "business",
                "tier": "secondary", "date_created": null, "date_updated": "1970-01-01T00:00:50.000Z",
            },
        });
        assert_eq!(serde_json::to_value(described).unwrap(), expected, "it has no email address");
    }

    #[test]
    fn profile_that_is_not_approved_has_no_end() {
        let rejected = Profile { status: Status::TwilioRejected, ..profile() };
        let NoticeContent::Described(described) = description(&rejected, at(100), None).content else { panic!() };
        assert_eq!(described.valid_until, None);
    }

    #[test]
    fn same_notice_after_the_same_record_has_the_same_id() {
        assert_eq!(description(&profile(), at(100), Some(LAST)).id, description(&profile(), at(200), Some(LAST)).id);
        let profile = profile();
        let about = (&profile.account_sid, &profile.sid, profile.resource);
        assert_eq!(deletion(about, at(100), LAST).id, deletion(about, at(200), LAST).id);
    }

    #[test]
    fn other_notice_or_previous_record_has_another_id() {
        let profile = profile();
        let renamed = Profile { friendly_name: Some("Bo's".to_owned()), ..profile.clone() };
        let updated = Profile { date_updated: at(51), ..profile.clone() };
        let extended = Profile { valid_until: Some("2028-07-30T22:29:24Z".to_owned()), ..profile.clone() };
        let about = (&profile.account_sid, &profile.sid, profile.resource);
        let ids = [
            description(&profile, at(100), Some(LAST)).id,
            description(&profile, at(100), Some(NEXT)).id,
            description(&profile, at(100), None).id,
            description(&renamed, at(100), Some(LAST)).id,
            description(&updated, at(100), Some(LAST)).id,
            description(&extended, at(100), Some(LAST)).id,
            deletion(about, at(100), LAST).id,
            deletion(about, at(100), NEXT).id,
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:#?}");
    }
}
