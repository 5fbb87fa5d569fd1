//! The event: what consumers of the topic read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    AccountSid, Fingerprint, ProfileSid, Resource, Status, Timestamp, TraceParent,
    error_code::{CodeLabel, meaning},
    label::Label,
};

/// The CloudEvents `type` of [`ProfileStatusChanged`]; an incompatible change gets a new version at its end.
pub const EVENT_TYPE: &str = "io.trusthub-bridge.profile.status-changed.v1";

/// The CloudEvents `type` of an event that tests an installation. It has the data of a [`ProfileStatusChanged`] that never
/// happened, so consumers ignore it like every type that they do not know.
pub const TEST_EVENT_TYPE: &str = "io.trusthub-bridge.test.v1";

/// The CloudEvents `dataschema`: names the JSON Schema in `schemas/`.
pub const DATA_SCHEMA: &str = "urn:trusthub-bridge:profile-status-changed:v1";

/// How this service came to know of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Twilio announced it.
    Callback,
    /// It was found by comparing Trust Hub with what had been published.
    Reconciliation,
    /// An origin that this version does not know. Read, never written.
    #[cfg_attr(test, schemars(skip))]
    #[serde(other)]
    Unknown,
}

/// One reason for a rejection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RejectionReason {
    /// Twilio's error code.
    pub code: u32,
    /// What a catalogued code means, in snake case; `null` for a code that is not catalogued.
    pub meaning: Option<String>,
}

impl From<u32> for RejectionReason {
    fn from(code: u32) -> Self {
        Self { code, meaning: meaning(code).map(str::to_owned) }
    }
}

/// The status of a compliance profile changed. What is absent is `null`, never an empty text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfileStatusChanged {
    /// The account that owns the profile.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^AC[0-9a-fA-F]{32}$")))]
    pub account_sid: AccountSid,
    /// The profile.
    #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^BU[0-9a-fA-F]{32}$")))]
    pub profile_sid: ProfileSid,
    /// What kind of profile it is.
    pub resource: Resource,
    /// The new status.
    pub status: Status,
    /// The status as Twilio wrote it.
    pub raw_status: String,
    /// Why it was rejected, in Twilio's words. May quote names and addresses: personal data.
    pub failure_reason: Option<String>,
    /// Error codes of the rejection, in the order of their appearance, each once.
    pub errors: Vec<RejectionReason>,
    /// Until when an approval holds, as Twilio wrote it.
    pub valid_until: Option<String>,
    /// When the callback arrived, or the profile was fetched.
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub received_at: Timestamp,
    /// How the change became known.
    pub origin: Origin,
    /// Twilio's token that tells deliveries of one callback apart from others.
    pub idempotency_token: Option<String>,
    /// Every field that is not read into one of the above, under the name received.
    pub extra: BTreeMap<String, Vec<String>>,
    /// What only Trust Hub itself tells of a profile. Absent when a callback made the change known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileDetails>,
}

/// What a profile is beside its status, as Trust Hub told it when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfileDetails {
    /// What its owner calls it. May be a person's name: personal data.
    pub friendly_name: Option<String>,
    /// The rules that it is reviewed by: the SID of a policy.
    pub policy_sid: Option<String>,
    /// When it was made.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date-time")))]
    pub date_created: Option<Timestamp>,
    /// When it was last changed, by its owner or by a review.
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub date_updated: Timestamp,
}

impl ProfileStatusChanged {
    /// The metric labels of a rejection: each code's label once, `none` without codes, nothing for other statuses.
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

/// A [`ProfileStatusChanged`] with what CloudEvents says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The CloudEvents `id`: repeats of one event share it on every replica.
    pub id: String,
    /// What a repeat of the callback would have in common with it.
    pub fingerprint: Fingerprint,
    /// Whether it only tests the installation: then it is of [`TEST_EVENT_TYPE`], and no change.
    pub is_test: bool,
    /// The trace that the request belonged to.
    pub trace_parent: Option<TraceParent>,
    /// The change itself.
    pub data: ProfileStatusChanged,
}

impl Event {
    /// The CloudEvents `type`.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        if self.is_test { TEST_EVENT_TYPE } else { EVENT_TYPE }
    }

    /// The CloudEvents `source`.
    #[must_use]
    pub fn source(&self) -> String {
        format!("//trusthub.twilio.com/accounts/{}", self.data.account_sid)
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
    fn a_rejection_counts_once_under_each_label() {
        assert_eq!(labels(Status::TwilioRejected, &[18603, 18602]), "18602 18603");
        assert_eq!(labels(Status::TwilioRejected, &[10001, 10002]), "other");
        assert_eq!(labels(Status::TwilioRejected, &[]), "none");
        assert_eq!(labels(Status::TwilioApproved, &[18602]), "");
    }

    #[test]
    fn a_consumer_reads_kinds_that_it_does_not_know_as_unknown() {
        let mut json = serde_json::to_value(change(Status::Draft, &[])).unwrap();
        json["status"] = "paused".into();
        json["resource"] = "brand".into();
        json["origin"] = "replay".into();
        json["new_field"] = 1.into();
        let read: ProfileStatusChanged = serde_json::from_value(json).unwrap();
        assert_eq!((read.status, read.resource, read.origin), (Status::Unknown, Resource::Unknown, Origin::Unknown));
    }
}
