//! Profiles for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::form::PAGE_SIZE;
use crate::{
    domain::{
        AccountSid, Label as _, ProfileSid, RejectionReason, Timestamp,
        state::{Position, ProfileState, StatusChange},
    },
    kafka::ConsumedRecord,
    profiles::{IndexPage, IndexStage, IndexStatus},
};

/// The list, as `docs/console.md` describes it.
#[derive(Serialize)]
pub(super) struct ProfilesResponse<'p> {
    /// Whether all states have been read.
    complete: bool,
    /// Why they are not kept up to date now.
    problem: Option<&'p str>,
    /// Whether profiles were left out because the memory is limited.
    truncated: bool,
    total: usize,
    matching: usize,
    unreadable: usize,
    page: usize,
    page_size: usize,
    statuses: BTreeMap<&'static str, usize>,
    profiles: Vec<ListedState<'p>>,
}

/// A profile of the list.
#[derive(Serialize)]
struct ListedState<'p> {
    profile_sid: &'p ProfileSid,
    account_sid: &'p AccountSid,
    resource: &'static str,
    #[serde(rename = "type")]
    profile_type: Option<&'p str>,
    name: Option<&'p str>,
    status: &'static str,
    raw_status: &'p str,
    since: Timestamp,
    updated_at: Timestamp,
    expires_at: Option<Timestamp>,
    codes: Vec<u32>,
    changes: u64,
    rejections: u64,
}

impl<'p> ProfilesResponse<'p> {
    pub(super) fn of(page: usize, list: &'p IndexPage, index: &'p IndexStatus) -> Self {
        Self {
            complete: index.stage == IndexStage::Complete,
            problem: index.problem.as_deref(),
            truncated: list.is_truncated,
            total: list.total,
            matching: list.matching,
            unreadable: list.unreadable,
            page,
            page_size: PAGE_SIZE,
            statuses: list.statuses.iter().map(|(status, count)| (status.as_str(), *count)).collect(),
            profiles: list.profiles.iter().map(ListedState::of).collect(),
        }
    }
}

impl<'p> ListedState<'p> {
    fn of(state: &'p ProfileState) -> Self {
        let details = state.profile.as_ref();
        Self {
            profile_sid: &state.profile_sid,
            account_sid: &state.account_sid,
            resource: state.resource.as_str(),
            profile_type: details.and_then(|details| details.profile_type.as_deref()),
            name: details.and_then(|details| details.friendly_name.as_deref()),
            status: state.status.as_str(),
            raw_status: &state.raw_status,
            since: state.since,
            updated_at: state.updated_at,
            expires_at: state.expires_at(),
            codes: state.errors.iter().map(|error| error.code).collect(),
            changes: state.changes,
            rejections: state.rejections,
        }
    }
}

/// A profile, as `docs/console.md` describes it.
#[derive(Serialize)]
pub(super) struct ProfileResponse<'p> {
    #[serde(flatten)]
    state: ListedState<'p>,
    first_seen_at: Timestamp,
    valid_until: Option<&'p str>,
    policy_sid: Option<&'p str>,
    tier: Option<&'p str>,
    owner_confirmed: bool,
    errors: Vec<CodeMeaning<'p>>,
    history: &'p [StatusChange],
    last_event_id: &'p str,
    position: Position,
    /// `null` unless personal data was asked for.
    failure_reason: Option<&'p str>,
    /// The same.
    last_event: Option<&'p ConsumedRecord>,
}

/// An error code. The message of a code that is not in the catalog may contain personal data.
#[derive(Serialize)]
struct CodeMeaning<'p> {
    code: u32,
    meaning: Option<&'p str>,
    message: Option<&'p str>,
}

impl<'p> ProfileResponse<'p> {
    /// `personal` is whether personal data was asked for, with the last event if the topic has it.
    pub(super) fn of(state: &'p ProfileState, personal: Option<Option<&'p ConsumedRecord>>) -> Self {
        let details = state.profile.as_ref();
        let shows_personal = personal.is_some();
        let meaning = |error: &'p RejectionReason| CodeMeaning {
            code: error.code,
            meaning: error.meaning.as_deref(),
            message: error.message.as_deref().filter(|_| shows_personal || *error == RejectionReason::from(error.code)),
        };
        Self {
            state: ListedState::of(state),
            first_seen_at: state.first_seen_at,
            valid_until: state.valid_until.as_deref(),
            policy_sid: details.and_then(|details| details.policy_sid.as_deref()),
            tier: details.and_then(|details| details.tier.as_deref()),
            owner_confirmed: details.is_some(),
            errors: state.errors.iter().map(meaning).collect(),
            history: &state.history,
            last_event_id: &state.last_event_id,
            position: state.position,
            failure_reason: state.failure_reason.as_deref().filter(|_| shows_personal),
            last_event: personal.flatten(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::profiles::fixtures::state;

    fn response(state: &ProfileState, personal: Option<Option<&ConsumedRecord>>) -> Value {
        serde_json::to_value(ProfileResponse::of(state, personal)).unwrap()
    }

    #[test]
    fn personal_data_is_null_until_it_is_asked_for() {
        let unknown = RejectionReason { code: 99_999, meaning: None, message: Some("an address".to_owned()) };
        let rejected = ProfileState {
            failure_reason: Some("a name".to_owned()),
            errors: vec![RejectionReason::from(18602), unknown],
            ..state(1)
        };
        let hidden = response(&rejected, None);
        assert_eq!((&hidden["failure_reason"], &hidden["errors"][1]["message"]), (&Value::Null, &Value::Null));
        assert!(hidden["errors"][0]["message"].as_str().unwrap().contains("registration number"), "{hidden}");
        assert!(!hidden.to_string().contains("an address") && !hidden.to_string().contains("a name"), "{hidden}");
        let shown = response(&rejected, Some(None));
        assert_eq!(
            (&shown["failure_reason"], &shown["errors"][1]["message"]),
            (&json!("a name"), &json!("an address"))
        );
        assert_eq!(shown["codes"], json!([18602, 99_999]));
    }
}
