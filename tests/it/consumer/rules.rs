//! The rules of both examples, one by one.

use serde_json::{Value, json};
use trusthub_events::cloud_events::{
    DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, EVENT_TYPE, STATE_TYPE, TEST_EVENT_TYPE,
};

use test_support::{ACCOUNT, PROFILE};

use super::{FOREIGN_ACCOUNT, OTHER_PROFILE, Record, example::Language, value, value_of};

const NOON: &str = "2026-11-20T12:00:00.000Z";
const LATER: &str = "2026-11-20T12:00:00.001Z";
const HOURS_LATER: &str = "2026-11-20T14:00:00.000Z";

fn event(ce_id: &str, ce_time: &str, profile: &str, status: &str) -> Record {
    Record::of(EVENT_TYPE, ce_id, ce_time, Some(&value(ce_time, profile, status).to_string()))
}

/// The decision of both examples about each record: the status applied, or the reason for skipping it.
fn decisions(records: &[Record]) -> Vec<String> {
    let [rust, python] = [Language::Rust, Language::Python].map(|language| language.decide(&[records.to_vec()]));
    assert_eq!(rust, python);
    let word = |decision: &Value| decision.get("status").unwrap_or(&decision["reason"]).as_str().unwrap().to_owned();
    rust.iter().flatten().map(word).collect()
}

#[test]
fn repeat_is_skipped_whatever_its_time() {
    let records = [NOON, NOON, LATER, "2026-11-20T11:59:00.000Z"].map(|time| event("1", time, PROFILE, "draft"));
    assert_eq!(decisions(&records), ["draft", "repeat", "repeat", "repeat"]);
}

#[test]
fn event_older_than_the_last_one_of_its_profile_is_skipped() {
    let records = [
        event("1", LATER, PROFILE, "in-review"),
        event("2", NOON, PROFILE, "pending-review"),
        event("3", NOON, OTHER_PROFILE, "pending-review"),
    ];
    assert_eq!(decisions(&records), ["in-review", "older", "pending-review"]);
}

#[test]
fn event_of_another_account_changes_nothing_about_a_profile() {
    let of = |account: &str, ce_id: &str, ce_time: &str, status: &str| {
        let value = value_of(account, ce_time, PROFILE, status).to_string();
        Record::of(EVENT_TYPE, ce_id, ce_time, Some(&value))
    };
    let records = [
        of(ACCOUNT, "1", NOON, "in-review"),
        of(FOREIGN_ACCOUNT, "2", HOURS_LATER, "twilio-approved"),
        of(ACCOUNT, "3", LATER, "twilio-rejected"),
        of(FOREIGN_ACCOUNT, "4", LATER, "draft"),
    ];
    assert_eq!(decisions(&records), ["in-review", "twilio-approved", "twilio-rejected", "older"]);
}

#[test]
fn last_event_in_the_partition_wins_among_events_of_one_millisecond() {
    let first = event("2", NOON, PROFILE, "in-review");
    let second = event("1", NOON, PROFILE, "twilio-approved");
    let records = [first.clone(), second.clone(), first, second];
    assert_eq!(decisions(&records), ["in-review", "twilio-approved", "repeat", "repeat"]);
}

#[test]
fn later_repeat_of_a_skipped_event_is_skipped() {
    let records = [
        event("2", LATER, PROFILE, "in-review"),
        event("1", NOON, PROFILE, "pending-review"),
        event("1", "2026-11-20T12:01:00.000Z", PROFILE, "pending-review"),
    ];
    assert_eq!(decisions(&records), ["in-review", "older", "repeat"]);
}

#[test]
fn ids_are_forgotten_when_a_repeat_can_no_longer_be_newer() {
    let records = [
        event("1", NOON, PROFILE, "draft"),
        event("2", HOURS_LATER, PROFILE, "in-review"),
        event("1", NOON, PROFILE, "draft"),
        event("2", HOURS_LATER, PROFILE, "in-review"),
        event("1", "2026-11-20T14:00:00.001Z", PROFILE, "draft"),
    ];
    assert_eq!(
        decisions(&records),
        ["draft", "in-review", "older", "repeat", "draft"],
        "the last is too late for a repeat"
    );
}

#[test]
fn times_are_compared_as_times_and_not_as_text() {
    let records = [
        event("1", "2026-11-20T12:00:00Z", PROFILE, "in-review"),
        event("2", "2026-11-20T12:30:00+01:00", PROFILE, "draft"),
    ];
    assert_eq!(decisions(&records), ["in-review", "older"]);
}

#[test]
fn unknown_status_and_unknown_field_are_applied() {
    let mut newer = value(NOON, PROFILE, "paused");
    newer["reviewer"] = json!({ "name": "Jane" });
    assert_eq!(decisions(&[Record::of(EVENT_TYPE, "1", NOON, Some(&newer.to_string()))]), ["unknown"]);
}

#[test]
fn record_of_an_unknown_type_is_skipped_without_reading_its_value() {
    let other = |ce_type| Record { ce_type, ..Record::of("", "1", NOON, Some("\u{1}")) };
    let types = ["io.trusthub-bridge.other.v1", DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, STATE_TYPE, TEST_EVENT_TYPE];
    let mut records: Vec<_> = types.map(|ce_type| other(Some(ce_type.to_owned()))).into();
    records.push(other(None));
    assert_eq!(decisions(&records), ["unknown_type"; 6]);
}

#[test]
fn invalid_record_is_skipped_and_its_id_not_remembered() {
    let good = event("1", NOON, PROFILE, "draft");
    let with_value = |value: &str| Record { value: Some(value.to_owned()), ..good.clone() };
    let with_time = |time: &str| Record { ce_time: Some(time.to_owned()), ..good.clone() };
    let broken = [
        Record { value: None, ..good.clone() },
        Record { ce_id: None, ..good.clone() },
        Record { ce_time: None, ..good.clone() },
        with_time("noon"),
        with_time("2026-11-20T12:00:00"),
        with_value(""),
        with_value("{}"),
        with_value("[]"),
        with_value("null"),
        with_value("{\"profile_sid\": 1, \"status\": []}"),
        with_value(&"[".repeat(100_000)),
        with_value(&format!("{{\"profile_sid\": {}", "9".repeat(10_000))),
    ];
    assert_eq!(decisions(&broken), ["unreadable"; 12]);
    let mut records = broken.to_vec();
    records.push(good);
    assert_eq!(decisions(&records).last().map(String::as_str), Some("draft"));
}
