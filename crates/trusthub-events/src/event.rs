//! The data of the event that consumers read from the topic.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    AccountSid, Label as _, ProfileSid, Resource, Status, Timestamp, cloud_events,
    error_code::{self, CodeLabel},
};

/// How this service learned of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Twilio sent a callback.
    Callback,
    /// Reconciliation found it by comparing Trust Hub with the published events.
    Reconciliation,
    /// An origin that this version does not know. Never written.
    #[serde(other)]
    Unknown,
}

/// One reason for a rejection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
// Generators of code name the class after it.
#[cfg_attr(test, schemars(title = "RejectionReason"))]
pub struct RejectionReason {
    /// Twilio's error code.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::code"))]
    pub code: u32,
    /// The meaning of the code in snake case; `null` for an unknown code.
    pub meaning: Option<String>,
    /// What is wrong, in one sentence for people; `null` for an unknown code. The wording may change.
    pub message: Option<String>,
}

impl From<u32> for RejectionReason {
    fn from(code: u32) -> Self {
        let entry = error_code::entry(code);
        Self {
            code,
            meaning: entry.map(|entry| entry.meaning.to_owned()),
            message: entry.map(|entry| entry.message.to_owned()),
        }
    }
}

/// The status of a compliance profile changed. Absent values are `null`, never an empty string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfileStatusChanged {
    /// The account that owns the profile.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^AC[0-9a-fA-F]{32}$")))]
    pub account_sid: AccountSid,
    /// The profile whose status changed.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^BU[0-9a-fA-F]{32}$")))]
    pub profile_sid: ProfileSid,
    /// The kind of the profile. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::resource"))]
    pub resource: Resource,
    /// The new status. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::status"))]
    pub status: Status,
    /// The status as Twilio wrote it.
    pub raw_status: String,
    /// Why the profile was rejected, in Twilio's words. May contain personal data such as names and addresses.
    pub failure_reason: Option<String>,
    /// The distinct error codes of the rejection: first those of the error fields, then others in the failure reason.
    pub errors: Vec<RejectionReason>,
    /// When the approval expires, as Twilio wrote it.
    pub valid_until: Option<String>,
    /// When the callback arrived, or when the profile was fetched.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub received_at: Timestamp,
    /// How this service learned of the change. The examples are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::origin"))]
    pub origin: Origin,
    /// Twilio's token, which all deliveries of one callback share.
    pub idempotency_token: Option<String>,
    /// All other fields, under the names received.
    pub extra: BTreeMap<String, Vec<String>>,
    /// Details that only Trust Hub provides. Absent when the change arrived in a callback.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "ProfileDetails"))]
    pub profile: Option<ProfileDetails>,
}

/// The details of a profile, as fetched from Trust Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
// Generators of code name the class after it.
#[cfg_attr(test, schemars(title = "ProfileDetails"))]
pub struct ProfileDetails {
    /// The name that the owner gave the profile. May be the name of a person, which is personal data.
    pub friendly_name: Option<String>,
    /// The SID of the policy under which the profile is reviewed, or of the regulation of a bundle.
    pub policy_sid: Option<String>,
    /// The type of the profile; `null` if the policy is not known. The examples are the known values; consumers must accept
    /// others.
    #[serde(rename = "type")]
    #[cfg_attr(test, schemars(schema_with = "crate::schema::profile_type"))]
    pub profile_type: Option<String>,
    /// Whether it is the profile of the owner of the account or of a customer; `null` if its type has no tiers. The examples
    /// are the known values; consumers must accept others.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::profile_tier"))]
    pub tier: Option<String>,
    /// When the profile was created.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp_or_null"))]
    pub date_created: Option<Timestamp>,
    /// When the profile was last changed, by its owner or by a review.
    #[cfg_attr(test, schemars(schema_with = "crate::schema::timestamp"))]
    pub date_updated: Timestamp,
}

impl ProfileStatusChanged {
    /// The CloudEvents `source`: the account in Trust Hub.
    #[must_use]
    pub fn source(&self) -> String {
        cloud_events::source(&self.account_sid)
    }

    /// The CloudEvents `subject`, which is also the key of the record: the profile.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.profile_sid.as_str()
    }

    /// The metric labels of a rejection: the distinct labels of its codes, or `none` without codes. Empty for other statuses.
    #[must_use]
    pub fn rejection_labels(&self) -> Vec<CodeLabel> {
        if self.status != Status::TwilioRejected {
            return Vec::new();
        }
        let mut labels: Vec<CodeLabel> = self.errors.iter().map(|error| CodeLabel::of(error.code)).collect();
        labels.sort_by_key(|label| label.index());
        labels.dedup();
        if labels.is_empty() {
            labels.push(CodeLabel::NONE);
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(status: Status, codes: &[u32]) -> ProfileStatusChanged {
        ProfileStatusChanged {
            account_sid: AccountSid::parse(&format!("AC{}", "1".repeat(32))).unwrap(),
            profile_sid: ProfileSid::parse(&format!("BU{}", "2".repeat(32))).unwrap(),
            resource: Resource::CustomerProfile,
            status,
            raw_status: status.as_str().to_owned(),
            failure_reason: None,
            errors: codes.iter().copied().map(RejectionReason::from).collect(),
            valid_until: None,
            received_at: std::time::SystemTime::UNIX_EPOCH.into(),
            origin: Origin::Callback,
            idempotency_token: None,
            extra: BTreeMap::new(),
            profile: None,
        }
    }

    fn labels(status: Status, codes: &[u32]) -> String {
        let labels: Vec<_> = change(status, codes).rejection_labels().iter().map(|label| label.as_str()).collect();
        labels.join(" ")
    }

    #[test]
    fn rejection_has_each_label_once() {
        assert_eq!(labels(Status::TwilioRejected, &[18603, 18602]), "18602 18603");
        assert_eq!(labels(Status::TwilioRejected, &[10001, 10002]), "other");
        assert_eq!(labels(Status::TwilioRejected, &[]), "none");
        assert_eq!(labels(Status::TwilioApproved, &[18602]), "");
    }

    #[test]
    fn unknown_variants_deserialize_as_unknown() {
        let mut json = serde_json::to_value(change(Status::Draft, &[])).unwrap();
        json["status"] = "paused".into();
        json["resource"] = "brand".into();
        json["origin"] = "replay".into();
        json["new_field"] = 1.into();
        json["errors"] = serde_json::json!([{"code": 18602, "meaning": null}]);
        let read: ProfileStatusChanged = serde_json::from_value(json).unwrap();
        assert_eq!((read.status, read.resource, read.origin), (Status::Unknown, Resource::Unknown, Origin::Unknown));
    }
}
