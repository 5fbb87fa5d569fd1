//! What events become, rule by rule and for random histories.

mod bounds;
mod example;
mod identity;
mod model;
mod ownership;
mod reference;
mod rules;

use serde_json::{Value, json};

use super::{Position, ProfileState, StateEvent, StateOptions, StateOutcome, StateWrite};
use crate::{
    Timestamp,
    cloud_events::{DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, EVENT_TYPE},
    view::Record,
};

/// 2026-11-20T12:00:00Z, in milliseconds.
const NOON: i64 = 1_795_176_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis).unwrap()
}

fn account(number: u8) -> String {
    format!("AC{number:032x}")
}

fn profile(number: u8) -> String {
    format!("BU{number:032x}")
}

/// A record of the event topic, in partition 0.
#[derive(Debug, Clone)]
struct SentRecord {
    key: Option<String>,
    ce_id: Option<String>,
    ce_type: String,
    ce_time: String,
    value: Option<Value>,
    offset: i64,
}

impl SentRecord {
    /// An event about profile 1 of account 1 with what all types have in common.
    fn of(ce_type: &str, ce_id: &str, millis: i64) -> Self {
        let value = json!({
            "account_sid": account(1), "profile_sid": profile(1), "resource": "customer-profile", "origin": "callback",
            "received_at": at(millis),
        });
        Self {
            key: Some(profile(1)),
            ce_id: Some(ce_id.to_owned()),
            ce_type: ce_type.to_owned(),
            ce_time: at(millis).to_string(),
            value: Some(value),
            offset: 0,
        }
    }

    /// A callback about a change to this status.
    fn change(ce_id: &str, millis: i64, status: &str) -> Self {
        Self::of(EVENT_TYPE, ce_id, millis)
            .with("status", status)
            .with("raw_status", status)
            .with("failure_reason", Value::Null)
            .with("errors", json!([]))
            .with("valid_until", Value::Null)
            .with("idempotency_token", Value::Null)
            .with("extra", json!({}))
    }

    /// A change that reconciliation found. Trust Hub updated the profile at `updated`.
    fn reconciled(ce_id: &str, millis: i64, status: &str, updated: i64) -> Self {
        Self::change(ce_id, millis, status).with("origin", "reconciliation").with("profile", details(updated, "Acme"))
    }

    fn described(ce_id: &str, millis: i64, status: &str, details: Value) -> Self {
        Self::of(DESCRIBED_EVENT_TYPE, ce_id, millis)
            .with("origin", "reconciliation")
            .with("status", status)
            .with("raw_status", status)
            .with("valid_until", Value::Null)
            .with("profile", details)
    }

    fn deleted(ce_id: &str, millis: i64) -> Self {
        Self::of(DELETED_EVENT_TYPE, ce_id, millis).with("origin", "reconciliation")
    }

    /// The record with this field of its value.
    fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.value.as_mut().unwrap()[field] = value.into();
        self
    }

    /// What a consumer reads; `value` is the text of the value.
    fn as_read<'a>(&'a self, value: Option<&'a str>) -> Record<'a> {
        Record {
            ce_id: self.ce_id.as_deref(),
            ce_type: Some(&self.ce_type),
            ce_time: Some(&self.ce_time),
            value: value.map(str::as_bytes),
        }
    }

    fn by_account(self, number: u8) -> Self {
        self.with("account_sid", account(number))
    }
}

fn details(updated: i64, name: &str) -> Value {
    json!({
        "friendly_name": name, "policy_sid": format!("RN{:032x}", 7), "type": null, "tier": null, "date_created": null,
        "date_updated": at(updated),
    })
}

/// The state of one profile.
#[derive(Debug, Default)]
struct Topic {
    state: Option<ProfileState>,
    options: StateOptions,
}

impl Topic {
    /// The state after these records, which have the offsets from 0.
    fn after(records: &[SentRecord]) -> Self {
        let mut topic = Self::default();
        for (record, offset) in records.iter().zip(0..) {
            topic.apply(&SentRecord { offset, ..record.clone() });
        }
        topic
    }

    /// Applies a record at its own offset. Whether something was written fits its outcome.
    fn apply(&mut self, record: &SentRecord) -> StateOutcome {
        let value = record.value.as_ref().map(Value::to_string);
        let event = StateEvent {
            key: record.key.as_deref().map(str::as_bytes),
            record: record.as_read(value.as_deref()),
            position: Position { partition: 0, offset: record.offset },
        };
        let transition = ProfileState::apply(self.state.as_ref(), &event, &self.options);
        match (transition.write, transition.outcome) {
            (Some(StateWrite::Put(state)), StateOutcome::Applied | StateOutcome::Older) => {
                assert_eq!(state.position.offset, record.offset);
                self.state = Some(*state);
            }
            (Some(StateWrite::Tombstone), StateOutcome::Deleted) => self.state = None,
            (None, outcome) => assert!(![StateOutcome::Applied, StateOutcome::Deleted].contains(&outcome)),
            (write, outcome) => panic!("{outcome} writes {write:?}"),
        }
        transition.outcome
    }

    /// Applies a record after all others.
    fn append(&mut self, record: SentRecord) -> StateOutcome {
        let offset = self.state.as_ref().map_or(0, |state| state.position.offset + 1);
        self.apply(&SentRecord { offset, ..record })
    }

    fn state(&self) -> &ProfileState {
        self.state.as_ref().expect("the profile has a state")
    }
}
