//! The handle with which a callback waits until its record is durable.

use std::time::{Duration, Instant};

use durable_spool::{AppendError, PendingAppend};
use tokio::{sync::oneshot, time::timeout_at};

use super::outbound::OutboundRecord;
use crate::domain::{DeliveryError, Durability, Receipt};

/// Twilio waits 15 s from the head of the request. A callback that is not durable within this time is answered 503, so that
/// its caller learns that it was not accepted.
const RESPONSE_BUDGET: Duration = Duration::from_millis(14_500);

/// A submitted record. It becomes durable, or fails, whether or not this is polled.
#[must_use = "only waiting tells whether the record became durable"]
pub(crate) struct Delivery {
    state: DeliveryState,
    /// When the head of its request was read.
    received: Instant,
}

/// Where the result of the record comes from.
enum DeliveryState {
    /// From the dispatcher, which has the record in flight or buffered.
    Dispatched(oneshot::Receiver<Handoff>),
    /// From the spool, which is writing the record.
    Spooling(PendingAppend),
    /// The result is known.
    Settled(Result<Receipt, DeliveryError>),
}

/// The dispatcher's last message about a record that leaves it.
pub(super) struct Handoff {
    pub(super) state: HandoffState,
    /// The record, which is not needed any more. The callback frees it, because its thread allocated it: the allocator needs more
    /// time for memory that another thread frees.
    pub(super) record: Box<OutboundRecord>,
}

/// What has become of a record that leaves the dispatcher.
pub(super) enum HandoffState {
    /// The record was appended to the spool, which is writing it.
    Spooling(PendingAppend),
    /// The record is durable, or failed.
    Settled(Result<Receipt, DeliveryError>),
}

impl Handoff {
    fn into_state(self) -> HandoffState {
        drop(self.record);
        self.state
    }
}

impl Delivery {
    pub(super) fn dispatched(reply: oneshot::Receiver<Handoff>, received: Instant) -> Self {
        Self { state: DeliveryState::Dispatched(reply), received }
    }

    pub(super) fn spooling(appended: PendingAppend, received: Instant) -> Self {
        Self { state: DeliveryState::Spooling(appended), received }
    }

    /// A delivery that failed because its record could not be encoded. The types of this crate can always be encoded, but
    /// serde returns a `Result`.
    pub(super) fn not_encoded(error: &serde_json::Error) -> Self {
        tracing::error!(%error, "a record could not be encoded");
        Self { state: DeliveryState::Settled(Err(DeliveryError::Abandoned)), received: Instant::now() }
    }

    /// Waits until the record is durable, but no longer than Twilio waits for the answer.
    ///
    /// # Errors
    /// The reason why the record is not durable. A record that was on its way to the broker or to the disk may still become
    /// durable after this error.
    pub(crate) async fn wait_until_durable(self) -> Result<Receipt, DeliveryError> {
        let limit = self.received + RESPONSE_BUDGET;
        // A disk that hangs does not even return an error.
        timeout_at(limit.into(), self.settled()).await.unwrap_or(Err(DeliveryError::SpoolFailed))
    }

    /// Waits until the record is durable or has failed, however long that takes.
    pub(super) async fn settled(self) -> Result<Receipt, DeliveryError> {
        let Self { mut state, .. } = self;
        loop {
            state = match state {
                DeliveryState::Dispatched(reply) => match reply.await.map(Handoff::into_state) {
                    Ok(HandoffState::Spooling(appended)) => DeliveryState::Spooling(appended),
                    Ok(HandoffState::Settled(result)) => DeliveryState::Settled(result),
                    Err(_stopped) => DeliveryState::Settled(Err(DeliveryError::Abandoned)),
                },
                DeliveryState::Spooling(appended) => DeliveryState::Settled(spooled(appended.await)),
                DeliveryState::Settled(result) => return result,
            }
        }
    }
}

/// Translates the spool's result for the callback.
fn spooled(result: Result<(), AppendError>) -> Result<Receipt, DeliveryError> {
    match result {
        Ok(()) => Ok(Receipt { durability: Durability::Spooled, position: None }),
        Err(AppendError::Full) => Err(DeliveryError::SpoolFull),
        Err(AppendError::Failed) => Err(DeliveryError::SpoolFailed),
    }
}
