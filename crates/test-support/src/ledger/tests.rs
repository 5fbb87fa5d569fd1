//! Which faults the ledger detects, and what it permits.

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
fn repeats_and_unpromised_records_are_permitted() {
    let ledger = ledger(&[(1, 204), (2, 503), (3, 204), (4, 503)]);
    ledger.check(&topic(&[(1, "a"), (2, "b"), (1, "a"), (3, "c"), (2, "b"), (3, "c")]));
}

#[test]
#[should_panic(expected = "1 of 2 are lost")]
fn lost_callback_is_detected() {
    ledger(&[(1, 204), (2, 204)]).check(&topic(&[(1, "a")]));
}

#[test]
#[should_panic(expected = "1 out of order")]
fn overtaken_callback_is_detected() {
    ledger(&[(1, 204), (2, 204)]).check(&topic(&[(2, "b"), (1, "a"), (2, "b")]));
}

#[test]
#[should_panic(expected = "one id for each callback")]
fn repeat_with_another_id_is_detected() {
    ledger(&[(1, 204)]).check(&topic(&[(1, "a"), (1, "b")]));
}

#[test]
#[should_panic(expected = "one id for each callback")]
fn shared_id_of_two_callbacks_is_detected() {
    ledger(&[(1, 204), (2, 204)]).check(&topic(&[(1, "a"), (2, "a")]));
}
