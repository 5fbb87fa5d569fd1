//! Record → durable: in Kafka with all in-sync replicas, or synced in the spool.
//!
//! There are two ways. *Direct*: records are handed to Kafka in the order of receipt, and each waits for its
//! acknowledgement. *Spooling*: records go to the end of the spool, and the spool goes to Kafka. Between them records are
//! buffered for a moment, so that none overtakes an older one.
//!
//! ```text
//!            a record failed, a deadline passed, a probe found Kafka down
//!        ┌──────────────────────────────────────────────────────────────┐
//!        │                                                              ▼
//!   ┌─────────┐   each was published alone, in another form     ┌─────────────┐
//!   │ Direct  │◄────────────────────────────────────────────────│ FailingOver │
//!   └─────────┘                                                 └─────────────┘
//!        ▲                                                              │ everything goes to the spool
//!        │ the spool is empty;                                          ▼
//!        │ what was buffered goes first    the spool is nearly   ┌─────────────┐
//!   ┌────────────┐◄──────────────────────────────────────────────│  Spooling   │◄── start, if the spool
//!   │ Recovering │──────────────────────────────────────────────►└─────────────┘    is not empty
//!   └────────────┘   Kafka failed, or buffered records waited too long
//! ```
//!
//! | Mode | A new record goes | Kafka is used by |
//! |---|---|---|
//! | *Direct* | to Kafka | callbacks; parked dead letters beside them |
//! | *FailingOver* | into the buffer, for half a second, or until its deadline while records are published one at a time | the failover controller alone |
//! | *Spooling* | into the spool | the drainer alone |
//! | *Recovering* | into the buffer, at most for `KAFKA_ACK_TIMEOUT_MS` | the drainer alone |
//!
//! [`FailoverController`] is the one task that makes the transitions, each a method of `Dispatcher`; only `Direct →
//! FailingOver` is made where the failure is seen. It keeps these rules:
//!
//! - Before anything is published after a failure, what Kafka holds is *purged* and has completed: librdkafka would make 1,
//!   4, 5 of 1, 2, 3, 4, 5. The wait for a purge is bounded (half a second), the purge is not, since librdkafka waits for
//!   each connection, and one that is being made waits for the name server. When the wait is over, records go to the spool;
//!   neither the drain nor direct publishing begins before the purge has returned.
//! - A purged record may have been written. It is then a repeat with the same `ce_id`; another order of first occurrences
//!   is not possible.
//! - The deadline of a record is the service's own: from the hand-over `KAFKA_ACK_TIMEOUT_MS`, and within Twilio's 15 s from
//!   the head of the request. librdkafka's time-outs fire late while it waits to reconnect.
//! - The dead-letter topic never decides how events go. A dead letter that its topic does not take is *parked* in the
//!   spool, beside the queue, and tried again while events go directly.
//! - What [`FailureClass`](crate::domain::FailureClass) says of a failure decides what is waited for.
//!
//! A [`Delivery`] is what a callback waits for. The record does not depend on it: it becomes durable, or not, when the
//! `Delivery` is dropped as well.
//!
//! # Calls that can block
//!
//! None is made on the runtime, on a worker or under the lock of the dispatcher. `Sink::enqueue` and `Spool::append` only
//! queue; `Sink::purge` and `Sink::renew` have threads of their own. Waiting for them, for the spool's thread and for
//! Kafka always ends: at a deadline, when the service stops, or when nothing may wait for Kafka any more.

mod delivery;
mod dispatcher;
mod drainer;
mod failover;
mod outbound;
mod parked;
mod publish;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use delivery::Delivery;
pub use drainer::DrainFailed;
pub use failover::FailoverController;

use self::{dispatcher::Dispatcher, outbound::OutboundRecord};
use crate::{
    domain::{DeadLetterReason, Event, ProfileSid, RawCallback, Timestamp},
    kafka::{Record, Sink},
    spool::Spool,
    telemetry::Metrics,
};

/// Makes records durable.
pub struct Deliver {
    dispatcher: Arc<Dispatcher>,
}

impl Deliver {
    /// Gives Kafka `ack_timeout` for each record from its hand-over. The [`FailoverController`] must run for as long as
    /// records are handed over.
    pub fn new(
        sink: Arc<dyn Sink>,
        spool: Spool,
        metrics: Arc<Metrics>,
        ack_timeout: Duration,
    ) -> (Self, FailoverController) {
        let dispatcher = Arc::new(Dispatcher::new(sink, spool, metrics, ack_timeout));
        (Self { dispatcher: Arc::clone(&dispatcher) }, FailoverController::new(dispatcher))
    }

    /// Hands an event over without waiting: the events of one profile become durable, and reach Kafka, in the order
    /// of these calls.
    pub fn event(&self, event: &Event, raw: &Arc<RawCallback>, received: Instant) -> Delivery {
        self.submit(OutboundRecord::event(event, raw), received)
    }

    /// Hands over an event that no request brought: if its topic refuses it, there is nothing to keep instead.
    pub fn found(&self, event: &Event) -> Delivery {
        self.submit(Record::event(event).map(OutboundRecord::alone), Instant::now())
    }

    /// Hands over a dead letter.
    pub fn dead_letter(
        &self,
        raw: &RawCallback,
        (reason, profile): (DeadLetterReason, Option<&ProfileSid>),
        received_at: Timestamp,
        received: Instant,
    ) -> Delivery {
        let record = Record::dead_letter(raw, reason, profile, received_at);
        self.submit(record.map(OutboundRecord::alone), received)
    }

    /// Stops waiting for Kafka: what it has not acknowledged goes to the spool, and so does everything that comes later.
    pub fn stop_waiting(&self) {
        self.dispatcher.stop_waiting.cancel();
    }

    fn submit(&self, outbound: serde_json::Result<OutboundRecord>, received: Instant) -> Delivery {
        match outbound {
            Ok(outbound) => self.dispatcher.submit(outbound, received),
            Err(error) => Delivery::not_encoded(&error),
        }
    }
}
