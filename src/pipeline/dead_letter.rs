//! The outcome of a callback that became a dead letter.

use super::outcome_guard::OutcomeGuard;
use crate::{
    deliver::Delivery,
    domain::{DeadLetterReason, Durability, Outcome},
};

/// Waits until the dead letter is durable. Returns the outcome of its callback.
pub(super) async fn wait_for_dead_letter(
    reason: DeadLetterReason,
    delivery: Delivery,
    guard: &mut OutcomeGuard,
) -> Outcome {
    match delivery.wait_until_durable().await {
        Ok(receipt) => {
            let durability = receipt.durability;
            guard.set_receipt(receipt);
            outcome_of_dead_letter(reason, durability)
        }
        Err(error) => Outcome::Unavailable(error),
    }
}

/// The outcome of a callback whose dead letter is durable.
pub(super) fn outcome_of_dead_letter(reason: DeadLetterReason, durability: Durability) -> Outcome {
    match durability {
        Durability::Published | Durability::DeadLettered => Outcome::DeadLettered(reason),
        Durability::Spooled => Outcome::Spooled,
    }
}
