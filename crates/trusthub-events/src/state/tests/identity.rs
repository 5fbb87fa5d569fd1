//! Which profile a record is about, which records cannot be read, and the headers of a state.

use serde_json::json;

use super::*;
use crate::cloud_events::{STATE_DATA_SCHEMA, STATE_TYPE, TEST_EVENT_TYPE};

#[test]
fn key_names_the_profile_whatever_the_case_of_its_digits() {
    let named = |key: Option<&[u8]>, value: &str| {
        let record = Record { value: Some(value.as_bytes()), ..Record::default() };
        let event = StateEvent { key, record, position: Position { partition: 0, offset: 0 } };
        event.profile().map(|profile| profile.to_string())
    };
    let value = json!({ "profile_sid": profile(9) }).to_string();
    let key = profile(0xab).to_uppercase();
    assert_eq!(named(Some(key.as_bytes()), &value), Some(profile(0xab)));
    for key in [None, Some("BU1".as_bytes()), Some(b"\xff")] {
        assert_eq!(named(key, &value), Some(profile(9)));
        assert_eq!(named(key, "{}"), None);
    }
}

#[test]
fn event_about_another_profile_than_its_key_is_unreadable() {
    let record = SentRecord::change("1", NOON, "draft");
    let with_key = |key: Option<String>| Topic::default().append(SentRecord { key, ..record.clone() });
    assert_eq!(with_key(Some(profile(2))), StateOutcome::Unreadable);
    assert_eq!(with_key(None), StateOutcome::Applied);
}

#[test]
fn record_that_violates_its_contract_is_unreadable() {
    let good = SentRecord::change("1", NOON, "draft");
    let with_time = |time: &str| SentRecord { ce_time: time.to_owned(), ..good.clone() };
    let described = SentRecord::described("1", NOON, "draft", details(NOON, "Acme"));
    for broken in [
        SentRecord { value: None, ..good.clone() },
        SentRecord { ce_id: None, ..good.clone() },
        SentRecord { ce_id: Some("1".repeat(129)), ..good.clone() },
        with_time("noon"),
        with_time("0000-01-01T00:00:00+23:59"),
        good.clone().with("errors", "18602"),
        good.clone().with("account_sid", profile(1)),
        described.clone().with("profile", serde_json::Value::Null),
        described.clone().with("profile", json!({"date_updated": "0000-01-01T00:00:00+23:59"})),
        SentRecord { value: Some(json!([])), ..SentRecord::deleted("1", NOON) },
    ] {
        assert_eq!(Topic::default().append(broken.clone()), StateOutcome::Unreadable, "{broken:?}");
    }
    for record in [good, described] {
        assert_eq!(Topic::default().append(record), StateOutcome::Applied);
    }
}

#[test]
fn record_of_an_unknown_type_is_not_read() {
    for ce_type in [TEST_EVENT_TYPE, STATE_TYPE, "io.trusthub-bridge.profile.status-changed.v2", ""] {
        let record = SentRecord { value: Some(json!(1)), ..SentRecord::of(ce_type, "1", NOON) };
        assert_eq!(Topic::default().append(record), StateOutcome::UnknownType);
    }
}

#[test]
fn times_have_the_precision_of_the_state() {
    let at = |ce_id: &str, ce_time: &str| SentRecord {
        ce_time: ce_time.to_owned(),
        ..SentRecord::change(ce_id, NOON, "draft")
    };
    let mut topic = Topic::after(&[at("1", "2026-11-20T13:00:00.0009+01:00")]);
    assert_eq!(topic.state().updated_at, super::at(NOON));
    assert_eq!(topic.append(at("2", "2026-11-20T12:00:00.0001Z")), StateOutcome::Applied, "the same millisecond");
}

#[test]
fn headers_of_a_state_are_those_of_a_cloud_event() {
    let topic = Topic::after(&[SentRecord::change("1", NOON, "draft")]);
    let headers = topic.state().headers();
    let expected = [
        ("ce_specversion", "1.0"),
        ("ce_id", "0-0"),
        ("ce_source", "//trusthub.twilio.com/accounts/AC00000000000000000000000000000001"),
        ("ce_type", STATE_TYPE),
        ("ce_subject", "BU00000000000000000000000000000001"),
        ("ce_time", "2026-11-20T12:00:00.000Z"),
        ("ce_dataschema", STATE_DATA_SCHEMA),
        ("content-type", "application/json"),
    ];
    assert_eq!(headers.each_ref().map(|(name, value)| (*name, value.as_str())), expected);
}
