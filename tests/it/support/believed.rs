//! What a consumer believes after it has read a topic: the rules are those of the example in Rust.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{kafka, view};

/// The status of every profile, when these records were read in the order of their partitions.
pub(crate) fn believed(records: &[kafka::Record]) -> BTreeMap<String, String> {
    let mut view = view::View::default();
    let decisions = records.iter().map(|record| {
        let read = view::Record {
            ce_id: record.header("ce_id"),
            ce_type: record.header("ce_type"),
            ce_time: record.header("ce_time"),
            value: record.payload.as_deref(),
        };
        view.apply(&read).outcome(&read)
    });
    statuses(decisions)
}

/// The last status of each profile that was applied.
pub(crate) fn statuses(decisions: impl Iterator<Item = Value>) -> BTreeMap<String, String> {
    let text = |decision: &Value, field: &str| decision[field].as_str().map(str::to_owned);
    decisions.filter_map(|decision| text(&decision, "profile_sid").zip(text(&decision, "status"))).collect()
}
