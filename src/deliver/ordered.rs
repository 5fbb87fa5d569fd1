//! Publishes events one after the other, for a command that has the producer for itself and no spool.

use std::{sync::Arc, time::Duration};

use super::{
    outbound::OutboundRecord,
    publish::{ExclusiveProducer, Interrupts, PublishResult, current_time},
};
use crate::{
    domain::{Event, PublishFailure, RecordPosition},
    kafka::{Record, Sink},
};

/// Publishes single events in the order of the calls.
pub(crate) struct OrderedPublisher {
    producer: ExclusiveProducer,
    ack_timeout: Duration,
}

impl OrderedPublisher {
    /// Creates a publisher that gives Kafka `ack_timeout` to acknowledge each event.
    pub(crate) fn new(sink: Arc<dyn Sink>, ack_timeout: Duration) -> Self {
        Self { producer: ExclusiveProducer::new(sink), ack_timeout }
    }

    /// Publishes the event of a replay, and returns where all in-sync replicas have it. `callback_id` is the id that the repeats
    /// of its callback have in common, if that is not its own. When this fails, the producer does not hold the record any more,
    /// but Kafka may have written it, or may write it later.
    ///
    /// # Errors
    /// [`PublishFailure`]; [`PublishFailure::InvalidRecord`] if the topic rejects the event itself.
    pub(crate) async fn publish(
        &mut self,
        event: &Event,
        callback_id: Option<&str>,
    ) -> Result<RecordPosition, PublishFailure> {
        let record = Record::event(event).map_err(|_| PublishFailure::InvalidRecord)?;
        let record = record.replayed(current_time(), callback_id);
        let outbound = OutboundRecord::without_fallback(record);
        let never = Interrupts::none();
        match self.producer.publish_with_fallbacks(&outbound, self.ack_timeout, false, &never).await {
            PublishResult::Durable(receipt, _) => {
                receipt.position.map(|written| written.position).ok_or(PublishFailure::TimedOut)
            }
            PublishResult::Rejected => Err(PublishFailure::InvalidRecord),
            PublishResult::Outage(reason) => Err(reason),
            PublishResult::DeadLetterFailed(reason) => Err(reason.unwrap_or(PublishFailure::TimedOut)),
            PublishResult::Interrupted => Err(PublishFailure::TimedOut),
        }
    }
}
