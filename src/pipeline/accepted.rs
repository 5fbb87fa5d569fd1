//! What the pipeline holds of a callback while it waits for the outcome.

use super::{
    dead_letter::outcome_of_dead_letter,
    dedup::{FirstClaim, Repeat},
    metrics::{CountedChange, PipelineMetrics},
    outcome_guard::OutcomeGuard,
};
use crate::{
    deliver::Delivery,
    domain::{DeadLetterAttributes, DeadLetterReason, DeliveryError, Event, Outcome, Receipt},
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

impl FirstCallback {
    /// Counts what became of the record, passes it on to the repeats, and returns the outcome of the callback.
    pub(super) fn finish(
        self,
        result: Result<Receipt, DeliveryError>,
        guard: &mut OutcomeGuard,
        metrics: &PipelineMetrics,
    ) -> Outcome {
        let Self { submitted, claim } = self;
        match result {
            Ok(receipt) => {
                let durability = receipt.durability;
                guard.set_receipt(receipt);
                if claim.is_resigned() && !submitted.is_test() {
                    metrics.resigned.inc();
                }
                claim.mark_durable();
                match submitted {
                    Submitted::Event(counted) => metrics.count_event(counted.as_ref(), durability),
                    Submitted::DeadLetter(reason) => outcome_of_dead_letter(reason, durability),
                }
            }
            Err(error) => {
                claim.mark_failed(error);
                Outcome::Unavailable(error)
            }
        }
    }
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
