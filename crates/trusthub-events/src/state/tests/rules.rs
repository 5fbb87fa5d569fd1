//! The rules for the status and for details of one account's profile.

use serde_json::json;

use super::*;
use crate::{Resource, Status};

fn rejected(ce_id: &str, millis: i64) -> SentRecord {
    SentRecord::change(ce_id, millis, "twilio-rejected")
        .with("errors", json!([{"code": 18602, "meaning": null, "message": null}]))
        .with("failure_reason", "The number is wrong.")
}

#[test]
fn change_begins_a_status_and_keeps_the_previous_one() {
    let topic = Topic::after(&[
        SentRecord::change("1", NOON, "in-review"),
        rejected("2", NOON + MINUTE),
        SentRecord::change("3", NOON + HOUR, "twilio-approved").with("valid_until", "2027-01-01"),
    ]);
    let state = topic.state();
    assert_eq!((state.status, state.since), (Status::TwilioApproved, at(NOON + HOUR)));
    assert_eq!((state.previous_status, state.previous_since), (Some(Status::TwilioRejected), Some(at(NOON + MINUTE))));
    assert_eq!((state.first_seen_at, state.updated_at), (at(NOON), at(NOON + HOUR)));
    assert_eq!((state.changes, state.rejections), (3, 1));
    assert_eq!(state.valid_until.as_deref(), Some("2027-01-01"));
    assert_eq!((state.errors.len(), state.failure_reason.as_deref()), (0, None), "those of the rejection are gone");
    let statuses: Vec<_> = state.history.iter().map(|change| change.status).collect();
    assert_eq!(statuses, [Status::InReview, Status::TwilioRejected, Status::TwilioApproved]);
}

#[test]
fn event_with_an_equal_status_is_no_change_but_adds_what_it_says() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "twilio-rejected")]);
    assert_eq!(topic.append(rejected("2", NOON + MINUTE).with("raw_status", "TWILIO_REJECTED")), StateOutcome::Applied);
    let state = topic.state();
    assert_eq!((state.since, state.updated_at), (at(NOON), at(NOON + MINUTE)));
    assert_eq!((state.changes, state.rejections, state.history.len()), (1, 1, 1));
    assert_eq!((state.raw_status.as_str(), state.last_event_id.as_str()), ("TWILIO_REJECTED", "2"));
    assert_eq!((state.errors.len(), state.failure_reason.as_deref()), (1, Some("The number is wrong.")));

    topic.append(SentRecord::change("3", NOON + HOUR, "twilio-rejected"));
    let state = topic.state();
    assert_eq!((state.errors.len(), state.failure_reason.as_deref()), (1, Some("The number is wrong.")));
}

#[test]
fn unknown_statuses_with_different_texts_are_different() {
    let records = ["paused", "paused", "on-hold"].map(|status| SentRecord::change(status, NOON, status));
    let [first, mut second, third] = records;
    second.ce_id = Some("2".to_owned());
    let topic = Topic::after(&[first, second, third]);
    assert_eq!((topic.state().changes, topic.state().status), (2, Status::Unknown));
    assert_eq!(topic.state().raw_status, "on-hold");
}

#[test]
fn repeat_is_recognized_by_its_id_whatever_its_time() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft"), SentRecord::change("2", NOON, "in-review")]);
    for millis in [NOON - MINUTE, NOON, NOON + MINUTE] {
        assert_eq!(topic.append(SentRecord::change("1", millis, "draft")), StateOutcome::Repeat);
    }
    assert_eq!(topic.state().status, Status::InReview);
}

#[test]
fn older_event_changes_nothing_but_its_later_repeat_is_recognized() {
    let mut topic = Topic::after(&[SentRecord::change("2", NOON, "in-review")]);
    let before = topic.state().clone();
    assert_eq!(topic.append(rejected("1", NOON - MINUTE)), StateOutcome::Older);
    let after = topic.state().clone();
    assert_eq!(after.recent_ids.iter().map(|recent| recent.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(ProfileState { recent_ids: before.recent_ids.clone(), position: before.position, ..after }, before);
    assert_eq!(topic.append(rejected("1", NOON + MINUTE)), StateOutcome::Repeat);
}

#[test]
fn record_that_was_taken_into_account_is_a_repeat_at_its_offset() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft")]);
    let unseen = SentRecord::change("2", NOON + MINUTE, "in-review");
    assert_eq!(topic.apply(&SentRecord { offset: 0, ..unseen.clone() }), StateOutcome::Repeat);
    assert_eq!(topic.apply(&SentRecord { offset: 1, ..unseen }), StateOutcome::Applied);
}

#[test]
fn offsets_of_another_partition_have_no_order_with_those_of_the_state() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft")]);
    topic.state.as_mut().unwrap().position = Position { partition: 5, offset: 90 };
    assert_eq!(topic.apply(&SentRecord::change("2", NOON, "in-review")), StateOutcome::Applied);
    assert_eq!(topic.state().position, Position { partition: 0, offset: 0 });
}

#[test]
fn ids_are_forgotten_an_hour_before_the_last_event() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft")]);
    topic.append(SentRecord::change("2", NOON + HOUR, "in-review"));
    assert_eq!(topic.state().recent_ids.len(), 2);
    topic.append(SentRecord::change("3", NOON + HOUR + 1, "draft"));
    let ids: Vec<_> = topic.state().recent_ids.iter().map(|recent| recent.id.as_str()).collect();
    assert_eq!(ids, ["2", "3"]);
}

#[test]
fn description_adds_details_and_changes_neither_status_nor_order() {
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "in-review")]);
    let described = SentRecord::described("2", NOON + HOUR, "twilio-approved", details(NOON, "Acme"));
    assert_eq!(topic.append(described.with("resource", "trust-product")), StateOutcome::Applied);
    let state = topic.state();
    assert_eq!((state.status, state.since, state.updated_at), (Status::InReview, at(NOON), at(NOON)));
    assert_eq!((state.resource, state.last_event_id.as_str()), (Resource::TrustProduct, "1"));
    assert_eq!(state.profile.as_ref().unwrap().friendly_name.as_deref(), Some("Acme"));
    assert_eq!(topic.append(SentRecord::change("3", NOON + MINUTE, "twilio-approved")), StateOutcome::Applied);
    assert!(topic.state().profile.is_some(), "a callback has no details and takes none away");
}

#[test]
fn description_sets_the_end_of_the_present_approval_only() {
    let described = |ce_id: &str, status, end: Value| {
        SentRecord::described(ce_id, NOON, status, details(NOON, "Acme")).with("valid_until", end)
    };
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "twilio-approved")]);
    assert_eq!(topic.append(described("2", "twilio-approved", "2027-07-30".into())), StateOutcome::Applied);
    assert_eq!(topic.state().valid_until.as_deref(), Some("2027-07-30"));
    assert_eq!(topic.append(described("3", "twilio-approved", "2027-07-30".into())), StateOutcome::Repeat);
    assert_eq!(topic.append(described("4", "twilio-approved", "2028-07-30".into())), StateOutcome::Applied);
    for (status, end) in [("twilio-approved", Value::Null), ("provisionally-approved", "2029-07-30".into())] {
        assert_eq!(topic.append(described("5", status, end)), StateOutcome::Repeat, "{status}");
    }
    let mut of_an_earlier_version = described("6", "twilio-approved", Value::Null);
    of_an_earlier_version.value.as_mut().unwrap().as_object_mut().unwrap().remove("valid_until");
    assert_eq!(topic.append(of_an_earlier_version), StateOutcome::Repeat);
    let state = topic.state();
    assert_eq!((state.valid_until.as_deref(), state.changes), (Some("2028-07-30"), 1));
    let long = described("7", "twilio-approved", "9".repeat(300).into());
    assert_eq!(topic.append(long), StateOutcome::Applied);
    assert_eq!(topic.state().valid_until.as_ref().map(String::len), Some(256));

    topic.append(SentRecord::change("8", NOON + MINUTE, "twilio-rejected"));
    topic.append(described("9", "twilio-rejected", "2030-07-30".into()).with("resource", "trust-product"));
    assert_eq!(topic.state().valid_until, None, "only an approval has an end");

    let first = described("1", "twilio-approved", "2027-07-30".into());
    assert_eq!(Topic::after(&[first]).state().valid_until.as_deref(), Some("2027-07-30"));
}

#[test]
fn details_are_ordered_by_the_date_of_trust_hub() {
    let described = |ce_id: &str, updated, name| SentRecord::described(ce_id, NOON, "draft", details(updated, name));
    let mut topic = Topic::after(&[SentRecord::change("1", NOON, "draft")]);
    assert_eq!(topic.append(described("2", NOON, "New name")), StateOutcome::Applied);
    assert_eq!(topic.append(described("3", NOON - 1, "Old name")), StateOutcome::Older);
    assert_eq!(topic.append(described("4", NOON, "New name")), StateOutcome::Repeat);
    topic.append(SentRecord::reconciled("5", NOON + MINUTE, "in-review", NOON - 1));
    assert_eq!(topic.state().status, Status::InReview);
    assert_eq!(topic.state().profile.as_ref().unwrap().friendly_name.as_deref(), Some("New name"));
    topic.append(SentRecord::reconciled("6", NOON + HOUR, "draft", NOON + HOUR));
    assert_eq!(topic.state().profile.as_ref().unwrap().friendly_name.as_deref(), Some("Acme"));
}

#[test]
fn description_of_a_profile_without_a_state_creates_it_as_of_its_date() {
    let described = SentRecord::described("1", NOON, "twilio-rejected", details(NOON - HOUR, "Acme"));
    let mut topic = Topic::after(std::slice::from_ref(&described));
    let state = topic.state();
    assert_eq!((state.status, state.changes, state.rejections), (Status::TwilioRejected, 1, 1));
    assert_eq!((state.since, state.updated_at), (at(NOON - HOUR), at(NOON - HOUR)));
    assert_eq!((state.first_seen_at, state.last_event_id.as_str()), (at(NOON), "1"));
    assert_eq!(topic.append(described), StateOutcome::Repeat);
    assert_eq!(topic.append(SentRecord::change("2", NOON - HOUR - 1, "draft")), StateOutcome::Older);
    assert_eq!(topic.append(SentRecord::change("3", NOON - MINUTE, "draft")), StateOutcome::Applied);

    let of_a_fast_clock = SentRecord::described("1", NOON, "draft", details(NOON + HOUR, "Acme"));
    assert_eq!(Topic::after(&[of_a_fast_clock]).state().since, at(NOON));
}

#[test]
fn kind_that_trust_hub_told_outlives_callbacks_to_the_path_of_another() {
    let product = |record: SentRecord| record.with("resource", "trust-product");
    let mut topic = Topic::after(&[product(SentRecord::change("1", NOON, "draft"))]);
    topic.append(SentRecord::change("2", NOON, "in-review"));
    assert_eq!(topic.state().resource, Resource::CustomerProfile);
    topic.append(product(SentRecord::reconciled("3", NOON, "draft", NOON)));
    topic.append(SentRecord::change("4", NOON, "in-review"));
    assert_eq!(topic.state().resource, Resource::TrustProduct);
}

#[test]
fn state_without_failure_texts_differs_in_nothing_else() {
    let records = [rejected("1", NOON), SentRecord::change("2", NOON + MINUTE, "twilio-rejected")];
    let with = Topic::after(&records);
    let mut without = Topic { options: StateOptions { failure_text: false }, ..Topic::default() };
    for (record, offset) in records.iter().zip(0..) {
        without.apply(&SentRecord { offset, ..record.clone() });
    }
    assert!(with.state().failure_reason.is_some());
    assert_eq!(*without.state(), ProfileState { failure_reason: None, ..with.state().clone() });

    without.state = with.state;
    without.append(SentRecord::change("0", NOON, "draft"));
    assert_eq!(without.state().failure_reason, None, "the next write removes a text that an earlier setting kept");
}
