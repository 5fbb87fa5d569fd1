//! What is a fault, and what is none.

use super::*;

fn ledger(answers: &[(u64, u16)]) -> Ledger {
    let calls = answers.iter().map(|(number, status)| Call {
        profile: "BU1".to_owned(),
        number: *number,
        sent: Instant::now(),
        took: Duration::ZERO,
        status: Some(*status),
    });
    Ledger { calls: calls.collect() }
}

fn topic(numbers_and_ids: &[(u64, &str)]) -> Vec<Record> {
    let records = (0..).zip(numbers_and_ids).map(|(offset, (number, id))| Record {
        topic: "events".to_owned(),
        partition: 0,
        offset,
        key: None,
        headers: vec![("ce_id".to_owned(), id.as_bytes().to_vec())],
        payload: Some(format!(r#"{{"profile_sid":"BU1","extra":{{"Number":["{number}"]}}}}"#).into_bytes()),
        timestamp_ms: 0,
    });
    records.collect()
}

#[test]
fn repeats_and_what_was_not_promised_are_no_fault() {
    let ledger = ledger(&[(1, 204), (2, 503), (3, 204), (4, 503)]);
    ledger.check(&topic(&[(1, "a"), (2, "b"), (1, "a"), (3, "c"), (2, "b"), (3, "c")]));
}

#[test]
#[should_panic(expected = "1 of 2 are lost")]
fn a_lost_callback_is_a_fault() {
    ledger(&[(1, 204), (2, 204)]).check(&topic(&[(1, "a")]));
}

#[test]
#[should_panic(expected = "1 came too late")]
fn an_overtaken_callback_is_a_fault() {
    ledger(&[(1, 204), (2, 204)]).check(&topic(&[(2, "b"), (1, "a"), (2, "b")]));
}

#[test]
#[should_panic(expected = "an id for each callback")]
fn a_repeat_with_another_id_is_a_fault() {
    ledger(&[(1, 204)]).check(&topic(&[(1, "a"), (1, "b")]));
}

#[test]
#[should_panic(expected = "an id for each callback")]
fn one_id_for_two_callbacks_is_a_fault() {
    ledger(&[(1, 204), (2, 204)]).check(&topic(&[(1, "a"), (2, "a")]));
}
