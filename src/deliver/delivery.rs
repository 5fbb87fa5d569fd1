//! A record that was handed over, as its callback waits for it.

use std::time::{Duration, Instant};

use tokio::{sync::oneshot, time::timeout_at};

use crate::{
    domain::{DeliveryError, Durability},
    spool::{AppendError, Appended},
};

/// Twilio waits 15 s from the head of the request. What is not durable by then is answered 503, so that the caller learns
/// that it was not kept.
const LAST_MOMENT: Duration = Duration::from_millis(14_500);

/// A record that was handed over. It becomes durable, or not, whether or not this is polled.
#[must_use = "whether the record became durable is known only by waiting"]
pub struct Delivery {
    state: DeliveryState,
    /// When the head of its request was read.
    received: Instant,
}

/// Who knows what becomes of the record.
enum DeliveryState {
    /// The dispatcher, which has it in flight or buffered.
    Dispatched(oneshot::Receiver<Handoff>),
    /// The spool, which is writing it.
    Spooling(Appended),
    Settled(Result<Durability, DeliveryError>),
}

/// What the dispatcher says of a record that leaves it.
pub(super) enum Handoff {
    /// The spool has it now.
    Spooling(Appended),
    Settled(Result<Durability, DeliveryError>),
}

impl Delivery {
    pub(super) fn dispatched(reply: oneshot::Receiver<Handoff>, received: Instant) -> Self {
        Self { state: DeliveryState::Dispatched(reply), received }
    }

    pub(super) fn spooling(appended: Appended, received: Instant) -> Self {
        Self { state: DeliveryState::Spooling(appended), received }
    }

    /// Never for the types of this crate; serde's signature asks for it.
    pub(super) fn not_encoded(error: &serde_json::Error) -> Self {
        tracing::error!(%error, "a record could not be encoded");
        Self { state: DeliveryState::Settled(Err(DeliveryError::Abandoned)), received: Instant::now() }
    }

    /// Waits until the record is durable, at most until Twilio stops waiting.
    ///
    /// # Errors
    /// Why it is not. One that was on its way to the broker or to the disk may still become durable.
    pub async fn durable(self) -> Result<Durability, DeliveryError> {
        let limit = self.received + LAST_MOMENT;
        // A disk that hangs answers nothing, not even an error.
        timeout_at(limit.into(), self.settled()).await.unwrap_or(Err(DeliveryError::SpoolFailed))
    }

    async fn settled(self) -> Result<Durability, DeliveryError> {
        let Self { mut state, .. } = self;
        loop {
            state = match state {
                DeliveryState::Dispatched(reply) => match reply.await {
                    Ok(Handoff::Spooling(appended)) => DeliveryState::Spooling(appended),
                    Ok(Handoff::Settled(result)) => DeliveryState::Settled(result),
                    Err(_stopped) => DeliveryState::Settled(Err(DeliveryError::Abandoned)),
                },
                DeliveryState::Spooling(appended) => DeliveryState::Settled(spooled(appended.await)),
                DeliveryState::Settled(result) => return result,
            }
        }
    }
}

/// What an answer of the spool means for the callback.
fn spooled(result: Result<(), AppendError>) -> Result<Durability, DeliveryError> {
    match result {
        Ok(()) => Ok(Durability::Spooled),
        Err(AppendError::Full) => Err(DeliveryError::SpoolFull),
        Err(AppendError::Failed) => Err(DeliveryError::SpoolFailed),
    }
}
