//! Events for unit tests.

use crate::{domain::state::Position, kafka::EventRecord};

/// An event of a numbered profile, later than those at smaller offsets.
pub(super) fn event(partition: i32, offset: i64, profile: u32, status: &str) -> EventRecord {
    let (account, profile) = ("AC".to_owned() + &"1".repeat(32), format!("BU{profile:032x}"));
    let time = format!("2026-11-20T11:04:{offset:02}.000Z");
    let value = serde_json::json!({
        "account_sid": account, "profile_sid": profile, "resource": "customer-profile", "status": status,
        "raw_status": status, "failure_reason": null, "errors": [], "valid_until": null, "received_at": time,
        "origin": "callback", "idempotency_token": null, "extra": {},
    });
    let id = format!("{partition}-{offset}");
    EventRecord::event(Position { partition, offset }, &profile, [&id, &time], &value.to_string())
}
