//! What the pipeline holds of a callback while it waits for the outcome.

use super::{
    dedup::{FirstClaim, Repeat},
    metrics::CountedChange,
};
use crate::{deliver::Delivery, domain::DeadLetterReason};

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

/// The record of a callback.
pub(super) enum Submitted {
    /// An event, and what it counts. A test event counts nothing.
    Event(Option<CountedChange>),
    DeadLetter(DeadLetterReason),
}

impl Submitted {
    /// Whether it is a test event. `probe` and `helm test` send the same fields each time, with a fresh token.
    pub(super) fn is_test(&self) -> bool {
        matches!(self, Self::Event(None))
    }
}
