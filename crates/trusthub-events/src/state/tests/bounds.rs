//! How large a state can become.

use serde_json::json;

use super::*;
use crate::state::CompactState;

/// What a record of Kafka may have at most by default is 1,048,588 bytes, its key and headers included.
const RECORD_BYTES: usize = 1_040_000;

/// The character that takes the most bytes in JSON.
const LONG: &str = "\u{1}";

#[test]
fn state_of_the_longest_texts_fits_into_a_record() {
    let long = LONG.repeat(5_000);
    let errors: Vec<_> = (0..101).map(|code| json!({"code": code, "meaning": long, "message": long})).collect();
    let mut of_owner = details(NOON, &long);
    for field in ["policy_sid", "type", "tier"] {
        of_owner[field] = long.clone().into();
    }
    let mut topic = Topic::default();
    for number in 0..300 {
        let id = format!("{number:03}{}", LONG.repeat(125));
        let record = SentRecord::change(&id, NOON + number, "unknown").with("raw_status", format!("{number}{long}"));
        assert_eq!(topic.append(record), StateOutcome::Applied);
    }
    let longest = SentRecord::reconciled("1", NOON + 300, "unknown", NOON)
        .with("raw_status", long.clone())
        .with("failure_reason", long.clone())
        .with("valid_until", long)
        .with("errors", errors)
        .with("profile", of_owner);
    assert_eq!(topic.append(longest), StateOutcome::Applied);
    let state = topic.state();
    assert_eq!((state.errors.len(), state.recent_ids.len(), state.history.len()), (100, 256, 10));
    assert_eq!(state.recent_ids[0].time, at(NOON + 45), "the oldest are forgotten");
    assert_eq!(state.history[0].since, at(NOON + 291));
    assert_eq!(state.changes, 301);
    let size = serde_json::to_vec(state).unwrap().len();
    assert!(size < RECORD_BYTES, "{size}");
}

#[test]
fn text_is_cut_between_characters_and_says_so() {
    let reason = |text: &str| {
        let record = SentRecord::change("1", NOON, "twilio-rejected").with("failure_reason", text);
        Topic::after(&[record]).state().failure_reason.clone().unwrap()
    };
    assert_eq!(reason(&"ä".repeat(2_048)), "ä".repeat(2_048));
    assert_eq!(reason(&format!("{}a", "ä".repeat(2_048))), format!("{}…", "ä".repeat(2_046)));
}

#[test]
fn compact_form_takes_a_few_hundred_bytes() {
    let id = |number: u8| format!("{number:032x}");
    let statuses = ["draft", "pending-review", "in-review", "twilio-rejected", "in-review", "twilio-rejected"];
    let changes = statuses.iter().zip(0..).map(|(status, number)| {
        SentRecord::reconciled(&id(number), NOON + i64::from(number) * MINUTE, status, NOON)
            .with("failure_reason", "The address could not be verified (18603).")
            .with("errors", json!([crate::RejectionReason::from(18603)]))
    });
    let topic = Topic::after(&changes.collect::<Vec<_>>());
    let size = CompactState::encode(topic.state()).unwrap().size();
    assert!(size < 500, "{size} bytes");
}
