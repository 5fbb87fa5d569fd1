//! The rules of the views in all languages, one by one, and values that violate the contract in one place.
//!
//! The tests of the packages read the same records and decisions from packages/testdata/decisions.json.

use serde_json::{Value, json};
use trusthub_events::{
    cloud_events::{DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, EVENT_TYPE, STATE_TYPE, TEST_EVENT_TYPE},
    view::View,
};

use test_support::{ACCOUNT, PROFILE, golden::assert_golden};

use super::{FOREIGN_ACCOUNT, OTHER_PROFILE, Record, example::Language, history::History, value, value_of};

const NOON: &str = "2026-11-20T12:00:00.000Z";
const LATER: &str = "2026-11-20T12:00:00.001Z";
const HOURS_LATER: &str = "2026-11-20T14:00:00.000Z";

/// What the service also writes, and what a consumer of the status changes skips.
const OTHER_TYPES: [&str; 4] = [DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, STATE_TYPE, TEST_EVENT_TYPE];

/// Types that this version does not have.
const LATER_TYPES: [&str; 2] = ["io.trusthub-bridge.other.v1", "io.trusthub-bridge.profile.status-changed.v2"];

/// How many histories the packages have in their own tests. [`super`] has more.
const HISTORIES: u64 = 3;

/// A rule, and records about which it decides.
struct Case {
    rule: &'static str,
    records: Vec<Record>,
    /// The status applied, or the reason for skipping, of each record.
    expected: Vec<&'static str>,
}

fn case<const N: usize>(rule: &'static str, records: [Record; N], expected: [&'static str; N]) -> Case {
    Case { rule, records: records.into(), expected: expected.into() }
}

fn event(ce_id: &str, ce_time: &str, profile: &str, status: &str) -> Record {
    Record::of(EVENT_TYPE, ce_id, ce_time, Some(&value(ce_time, profile, status).to_string()))
}

fn cases() -> Vec<Case> {
    vec![
        case(
            "repeat is skipped whatever its time",
            [NOON, NOON, LATER, "2026-11-20T11:59:00.000Z"].map(|time| event("1", time, PROFILE, "draft")),
            ["draft", "repeat", "repeat", "repeat"],
        ),
        case(
            "event older than the last one of its profile is skipped",
            [
                event("1", LATER, PROFILE, "in-review"),
                event("2", NOON, PROFILE, "pending-review"),
                event("3", NOON, OTHER_PROFILE, "pending-review"),
            ],
            ["in-review", "older", "pending-review"],
        ),
        event_of_another_account_changes_nothing(),
        last_event_of_one_millisecond_wins(),
        case(
            "later repeat of a skipped event is skipped",
            [
                event("2", LATER, PROFILE, "in-review"),
                event("1", NOON, PROFILE, "pending-review"),
                event("1", "2026-11-20T12:01:00.000Z", PROFILE, "pending-review"),
            ],
            ["in-review", "older", "repeat"],
        ),
        case(
            "id is forgotten when a repeat can no longer be newer",
            [
                event("1", NOON, PROFILE, "draft"),
                event("2", HOURS_LATER, PROFILE, "in-review"),
                event("1", NOON, PROFILE, "draft"),
                event("2", HOURS_LATER, PROFILE, "in-review"),
                // Too late for a repeat.
                event("1", "2026-11-20T14:00:00.001Z", PROFILE, "draft"),
            ],
            ["draft", "in-review", "older", "repeat", "draft"],
        ),
        case(
            "id is remembered for exactly one hour",
            [
                event("1", NOON, PROFILE, "draft"),
                event("2", "2026-11-20T13:00:00.000Z", PROFILE, "in-review"),
                event("1", "2026-11-20T13:00:00.000Z", PROFILE, "draft"),
                event("3", "2026-11-20T13:00:00.001Z", PROFILE, "draft"),
                event("1", "2026-11-20T13:00:00.001Z", PROFILE, "in-review"),
            ],
            ["draft", "in-review", "repeat", "draft", "in-review"],
        ),
        case(
            "times are compared as times and not as text",
            [
                event("1", "2026-11-20T12:00:00Z", PROFILE, "in-review"),
                event("2", "2026-11-20T12:30:00+01:00", PROFILE, "draft"),
            ],
            ["in-review", "older"],
        ),
        unknown_status_and_field_are_applied(),
        case(
            "digits of a SID are the same in either case",
            [
                event("1", LATER, "BUABCDEFABCDEFABCDEFABCDEFABCDEFAB", "in-review"),
                event("2", NOON, "BUabcdefabcdefabcdefabcdefabcdefab", "draft"),
            ],
            ["in-review", "older"],
        ),
        value_of_an_unknown_type_is_not_read(),
        invalid_record_is_skipped_and_its_id_not_remembered(),
    ]
}

fn event_of_another_account_changes_nothing() -> Case {
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
    let expected = ["in-review", "twilio-approved", "twilio-rejected", "older"];
    case("event of another account changes nothing about a profile", records, expected)
}

fn last_event_of_one_millisecond_wins() -> Case {
    let first = event("2", NOON, PROFILE, "in-review");
    let second = event("1", NOON, PROFILE, "twilio-approved");
    let records = [first.clone(), second.clone(), first, second];
    let expected = ["in-review", "twilio-approved", "repeat", "repeat"];
    case("last event in the partition wins among events of one millisecond", records, expected)
}

fn unknown_status_and_field_are_applied() -> Case {
    let mut newer = value(NOON, PROFILE, "paused");
    newer["reviewer"] = json!({ "name": "Jane" });
    let record = Record::of(EVENT_TYPE, "1", NOON, Some(&newer.to_string()));
    case("unknown status and unknown field are applied", [record], ["unknown"])
}

fn value_of_an_unknown_type_is_not_read() -> Case {
    let other = |ce_type: Option<&str>| Record {
        ce_type: ce_type.map(str::to_owned),
        ..Record::of("", "1", NOON, Some("\u{1}"))
    };
    let records = OTHER_TYPES.into_iter().chain(LATER_TYPES).map(Some).chain([None]).map(other).collect();
    let expected = vec!["unknown_type"; OTHER_TYPES.len() + LATER_TYPES.len() + 1];
    Case { rule: "record of an unknown type is skipped without reading its value", records, expected }
}

fn invalid_record_is_skipped_and_its_id_not_remembered() -> Case {
    let good = event("1", NOON, PROFILE, "draft");
    let with_value = |value: &str| Record { value: Some(value.to_owned()), ..good.clone() };
    let with_time = |time: &str| Record { ce_time: Some(time.to_owned()), ..good.clone() };
    let records = vec![
        Record { value: None, ..good.clone() },
        Record { ce_id: None, ..good.clone() },
        Record { ce_time: None, ..good.clone() },
        with_time("noon"),
        with_time("2026-11-20T12:00:00"),
        with_time("2026-11-20"),
        with_time("2026-13-20T12:00:00Z"),
        with_value(""),
        with_value("{}"),
        with_value("[]"),
        with_value("null"),
        with_value("{\"profile_sid\": 1, \"status\": []}"),
        with_value(&"[".repeat(100_000)),
        with_value(&format!("{{\"profile_sid\": {}", "9".repeat(10_000))),
    ];
    let mut expected = vec!["unreadable"; records.len()];
    expected.push("draft");
    let records = records.into_iter().chain([good]).collect();
    Case { rule: "invalid record is skipped and its id not remembered", records, expected }
}

/// Values that differ from a good one in one place, each with an id of its own.
fn changed_values() -> Vec<Record> {
    let mut good = value(NOON, PROFILE, "twilio-rejected");
    good["errors"] = json!([{ "code": 18602, "meaning": "a", "message": "b" }]);
    good["extra"] = json!({ "a": ["b"] });
    good["profile"] = json!({
        "friendly_name": "a", "policy_sid": "RN", "type": "business", "tier": "primary", "date_created": NOON,
        "date_updated": NOON,
    });
    let others =
        [json!(null), json!(1), json!(-1), json!(true), json!("text"), json!([]), json!([1]), json!({ "a": 1 })];
    let mut values = Vec::new();
    for pointer in places(&good, String::new()) {
        values.extend(others.iter().map(|other| {
            let mut value = good.clone();
            *value.pointer_mut(&pointer).unwrap() = other.clone();
            value
        }));
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut value = good.clone();
        if let Some(fields) = value.pointer_mut(parent).unwrap().as_object_mut() {
            fields.remove(name).unwrap();
            values.push(value);
        }
    }
    let values = values.into_iter().enumerate();
    values.map(|(id, value)| Record::of(EVENT_TYPE, &id.to_string(), NOON, Some(&value.to_string()))).collect()
}

/// The JSON pointers to everything in a value.
fn places(value: &Value, pointer: String) -> Vec<String> {
    let parts: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(values) => values.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = parts.into_iter().flat_map(|(name, value)| places(value, format!("{pointer}/{name}")));
    let below: Vec<_> = below.collect();
    Some(pointer).filter(|pointer| !pointer.is_empty()).into_iter().chain(below).collect()
}

/// The decisions of Rust, which those of Python equal.
fn decisions(records: &[Record]) -> Vec<Value> {
    let [rust, python] =
        [Language::Rust, Language::Python].map(|language| language.decide(&[records.to_vec()]).remove(0));
    for ((record, rust), python) in records.iter().zip(&rust).zip(&python) {
        assert_eq!(rust, python, "{record:?}");
    }
    rust
}

/// Whether an operator should check each record.
fn problems(records: &[Record]) -> Vec<bool> {
    let mut view = View::default();
    let has_problem = |record: &Record| view.apply(&record.as_read()).problem(&record.as_read()).is_some();
    records.iter().map(has_problem).collect()
}

fn word(decision: &Value) -> &str {
    decision.get("status").unwrap_or(&decision["reason"]).as_str().unwrap()
}

#[test]
fn each_rule_holds_in_rust_and_python() {
    for Case { rule, records, expected } in cases() {
        let decisions = decisions(&records);
        assert_eq!(decisions.iter().map(word).collect::<Vec<_>>(), expected, "{rule}");
    }
}

#[test]
fn only_a_type_that_the_version_does_not_know_is_a_problem() {
    let Case { records, .. } = value_of_an_unknown_type_is_not_read();
    let is_known = |record: &Record| OTHER_TYPES.contains(&record.ce_type.as_deref().unwrap_or_default());
    assert_eq!(problems(&records), records.iter().map(|record| !is_known(record)).collect::<Vec<_>>());
}

#[test]
fn values_that_differ_in_one_place_are_applied_or_unreadable_in_both() {
    let records = changed_values();
    let decisions = decisions(&records);
    let unreadable = decisions.iter().filter(|decision| decision["reason"] == "unreadable").count();
    assert!(unreadable > 100 && records.len() - unreadable > 30, "{unreadable} of {}", records.len());
}

/// The packages of all languages decide about these records in their own tests.
#[test]
fn decisions_for_the_packages_are_those_of_rust() {
    // A file with 100,000 brackets cannot be read by people.
    let is_short = |record: &Record| record.value.as_ref().is_none_or(|value| value.len() < 5_000);
    let rules = cases().into_iter().map(|case| (case.rule.to_owned(), case.records));
    let histories = (0..HISTORIES).map(|number| (format!("history {number}"), History::numbered(number).records()));
    let all = rules.chain([("values that differ in one place".to_owned(), changed_values())]).chain(histories);
    let mut text = String::from("[\n");
    let mut separator = "";
    for (name, mut records) in all {
        records.retain(is_short);
        let decisions = Language::Rust.decide(&[records.clone()]).remove(0);
        text += separator;
        let problems = problems(&records);
        text += &json!({ "name": name, "records": records, "decisions": decisions, "problems": problems }).to_string();
        separator = ",\n";
    }
    assert_golden("packages/testdata/decisions.json", &(text + "\n]\n"));
}
