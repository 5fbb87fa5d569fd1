use serde_json::json;

use super::*;
use crate::domain::{RecordPosition, Resource, Status};

const NOBODY: [u32; 0] = [];

fn account(number: u32) -> AccountSid {
    AccountSid::parse(&format!("AC{number:032x}")).unwrap()
}

fn profile(number: u32) -> ProfileSid {
    ProfileSid::parse(&format!("BU{number:032x}")).unwrap()
}

fn at(seconds: u32) -> Timestamp {
    format!("2026-11-20T11:04:{seconds:02}Z").parse().unwrap()
}

fn changed(is_confirmed: bool) -> PublishedContent {
    let details = json!({"date_updated": at(0)});
    let details = is_confirmed.then(|| serde_json::from_value(details).unwrap());
    PublishedContent::Changed(PublishedStatus {
        status: Status::InReview,
        raw_status: String::new(),
        valid_until: None,
        details,
    })
}

/// An event about profile 1.
fn event(by: u32, seconds: u32, content: PublishedContent) -> PublishedEvent {
    PublishedEvent {
        account: account(by),
        profile: profile(1),
        position: RecordPosition { partition: 0, offset: 0 },
        id: String::new(),
        time: at(seconds),
        resource: Resource::CustomerProfile,
        content,
    }
}

/// The state of profile 1.
fn state(owner: u32, seconds: u32, is_confirmed: bool) -> ProfileState {
    let (time, details) = (at(seconds), is_confirmed.then(|| json!({"date_updated": at(0)})));
    let state = json!({
        "account_sid": account(owner), "profile_sid": profile(1), "resource": "customer-profile", "status": "in-review",
        "raw_status": "in-review", "since": time, "previous_status": null, "previous_since": null, "errors": [],
        "failure_reason": null, "valid_until": null, "first_seen_at": time, "updated_at": time, "changes": 1,
        "rejections": 0, "last_event_id": "1", "recent_ids": [], "position": {"partition": 0, "offset": 0},
        "profile": details, "history": [],
    });
    serde_json::from_value(state).unwrap()
}

fn unknown() -> ConfirmedOwners {
    ConfirmedOwners::unknown([profile(1)].into_iter())
}

/// Those of accounts 1 and 2 whose events about profile 1 must not be published.
fn foreign(owners: &ConfirmedOwners) -> Vec<u32> {
    let is_foreign = |by: &u32| {
        let data = json!({
            "account_sid": account(*by), "profile_sid": profile(1), "resource": "customer-profile", "status": "draft",
            "raw_status": "draft", "failure_reason": null, "errors": [], "valid_until": null, "received_at": at(0),
            "origin": "callback", "idempotency_token": null, "extra": {},
        });
        owners.contradict(&serde_json::from_value(data).unwrap())
    };
    [1, 2].into_iter().filter(is_foreign).collect()
}

/// The same after these events.
fn foreign_after(mut owners: ConfirmedOwners, events: &[PublishedEvent]) -> Vec<u32> {
    events.iter().for_each(|event| owners.apply(event));
    foreign(&owners)
}

#[test]
fn callback_confirms_no_owner() {
    assert_eq!(foreign_after(unknown(), &[event(1, 1, changed(false)), event(2, 2, changed(false))]), NOBODY);
    let mut owners = unknown();
    owners.set_state(profile(1), Some(state(1, 1, false)));
    assert_eq!(foreign(&owners), NOBODY);
}

#[test]
fn owner_is_the_account_that_trust_hub_named_last() {
    let PublishedContent::Changed(status) = changed(true) else { unreachable!() };
    let described = PublishedContent::Described(status);
    assert_eq!(foreign_after(unknown(), &[event(1, 1, changed(true)), event(2, 2, changed(false))]), [2]);
    assert_eq!(foreign_after(unknown(), &[event(2, 1, changed(true)), event(1, 2, described.clone())]), [2]);
    assert_eq!(foreign_after(unknown(), &[event(1, 2, changed(true)), event(2, 1, described)]), [2], "an earlier time");
}

#[test]
fn events_continue_what_the_states_say() {
    let with_state = || {
        let mut owners = unknown();
        owners.set_state(profile(1), Some(state(1, 10, true)));
        owners
    };
    assert_eq!(foreign(&with_state()), [2]);
    assert_eq!(foreign_after(with_state(), &[event(2, 9, changed(true))]), [2], "older than the state");
    assert_eq!(foreign_after(with_state(), &[event(2, 10, changed(true))]), [1]);
}

#[test]
fn deleted_profile_has_no_owner() {
    let deleted = |by| event(by, 2, PublishedContent::Deleted);
    assert_eq!(foreign_after(unknown(), &[event(1, 1, changed(true)), deleted(1)]), NOBODY);
    assert_eq!(foreign_after(unknown(), &[event(1, 1, changed(true)), deleted(2)]), [2], "by another account");
    let mut owners = unknown();
    owners.set_state(profile(1), Some(state(1, 10, true)));
    owners.set_state(profile(1), None);
    assert_eq!(foreign(&owners), NOBODY);
}

#[test]
fn only_profiles_in_question_take_memory() {
    let mut owners = unknown();
    let other = ProfileState { profile_sid: profile(2), ..state(1, 1, true) };
    owners.set_state(profile(2), Some(other));
    owners.apply(&PublishedEvent { profile: profile(3), ..event(1, 1, changed(true)) });
    assert_eq!(owners.owners.len(), 1);
}
