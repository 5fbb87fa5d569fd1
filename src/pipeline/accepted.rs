//! What the pipeline holds of a callback while it waits for the outcome.

use super::{
    dedup::{FirstClaim, Repeat},
    metrics::CountedChange,
};
use crate::{
    deliver::Delivery,
    domain::{DeadLetterAttributes, DeadLetterReason, Event},
};

/// An accepted callback that waits for its outcome.
pub(super) enum Accepted {
    /// The first callback of its kind, submitted.
    First(FirstCallback, Delivery),
    /// A repeat of an earlier callback.
    Repeat(Repeat),
}

/// A submitted callback and its claim in the dedup window.
pub(super) struct FirstCallback {
    pub(super) submitted: Submitted,
    pub(super) claim: FirstClaim,
}

/// The record of the first callback of its kind: an event, or a dead letter if it cannot be one.
pub(super) type FirstRecord = Result<Event, DeadLetterAttributes>;

/// What is known of the record of a callback until it is durable.
pub(super) enum Submitted {
    /// An event, and what is counted for it: nothing for a test event.
    Event(Option<CountedChange>),
    DeadLetter(DeadLetterReason),
}

impl Submitted {
    pub(super) fn of(record: &FirstRecord) -> Self {
        match record {
            Ok(event) => Self::Event(CountedChange::of(event)),
            Err(dead_letter) => Self::DeadLetter(dead_letter.reason),
        }
    }

    /// Whether it is a test event. `probe` and `helm test` send the same fields each time, with a fresh token.
    pub(super) fn is_test(&self) -> bool {
        matches!(self, Self::Event(None))
    }
}
