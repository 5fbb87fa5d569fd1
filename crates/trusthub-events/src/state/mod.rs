//! The present state of a profile, and the rules by which the events about it become that state.
//!
//! A [`ProfileState`] is the value of a record of the state topic. [`ProfileState::apply`] takes the next record of the event
//! topic into account. It is a function of the state and the record alone: it does no I/O and reads no clock.
//!
//! ```
//! use trusthub_events::{
//!     Status,
//!     cloud_events::EVENT_TYPE,
//!     state::{Position, ProfileState, StateEvent, StateOptions, StateOutcome, StateWrite},
//!     view::Record,
//! };
//!
//! # let value = format!(
//! #     r#"{{"account_sid":"AC{0}","profile_sid":"BU{0}","resource":"customer-profile","status":"twilio-approved",
//! #         "raw_status":"twilio-approved","failure_reason":null,"errors":[],"valid_until":null,
//! #         "received_at":"2026-11-20T11:04:00.123Z","origin":"callback","idempotency_token":null,"extra":{{}}}}"#,
//! #     "0a".repeat(16)
//! # );
//! let event = StateEvent {
//!     key: None,
//!     record: Record {
//!         ce_id: Some("5f0e"),
//!         ce_type: Some(EVENT_TYPE),
//!         ce_time: Some("2026-11-20T11:04:00.123Z"),
//!         value: Some(value.as_bytes()),
//!     },
//!     position: Position { partition: 0, offset: 7 },
//! };
//! let first = ProfileState::apply(None, &event, &StateOptions::default());
//! let Some(StateWrite::Put(state)) = first.write else { unreachable!("the first event creates the state") };
//! assert_eq!((state.status, state.changes), (Status::TwilioApproved, 1));
//!
//! // The same record once more changes nothing.
//! let again = ProfileState::apply(Some(&state), &event, &StateOptions::default());
//! assert_eq!((again.write, again.outcome), (None, StateOutcome::Repeat));
//! ```

mod bounds;
mod codec;
mod compact;
mod event;
mod expiry;
mod fold;
mod outcome;
mod position;
mod profile_state;
#[cfg(test)]
mod tests;

pub use compact::{CompactState, StateSummary};
pub use event::StateEvent;
pub use fold::{StateOptions, StateWrite, Transition};
pub use outcome::StateOutcome;
pub use position::Position;
pub use profile_state::{ProfileState, RecentId, StatusChange};
