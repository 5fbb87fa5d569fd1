//! The state that a consumer derives from a topic, by the rules of `trusthub_events`.

use std::collections::BTreeMap;

use serde_json::Value;
use trusthub_events::view;

use super::kafka;

/// The latest status of every profile, when these records are read in partition order.
pub fn latest_statuses(records: &[kafka::Record]) -> BTreeMap<String, String> {
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
    applied_statuses(decisions)
}

/// The last applied status of each profile.
pub fn applied_statuses(decisions: impl Iterator<Item = Value>) -> BTreeMap<String, String> {
    let text = |decision: &Value, field: &str| decision[field].as_str().map(str::to_owned);
    decisions.filter_map(|decision| text(&decision, "profile_sid").zip(text(&decision, "status"))).collect()
}
