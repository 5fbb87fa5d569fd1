//! Status changes without a callback: found by querying Trust Hub, and published.

mod baseline;
mod bundles;
mod callbacks;
mod command;
mod converges;
mod deletions;
mod histories;
mod one_at_a_time;
mod refusals;
mod service;
mod states;
mod streams;

use serde_json::Value;

use test_support::kafka::Record;

/// The value of a record.
fn value(record: &Record) -> Value {
    serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap()
}

/// The values of the events that reconciliation published.
fn found(records: &[Record]) -> Vec<Value> {
    records.iter().map(value).filter(|event| event["origin"] == "reconciliation").collect()
}
