//! Makes records durable: acknowledged by all in-sync replicas of Kafka, or synced in the spool.
//!
//! A record takes one of two ways. *Direct*: records are handed to Kafka in the order of receipt, and each waits for its
//! acknowledgement. *Spooling*: records are appended to the spool, and the drainer publishes the spool to Kafka. During a
//! change from one way to the other, records are buffered for a short time, so that none overtakes an older one.
//!
//! # States
//!
//! ```text
//!            a record failed, a deadline passed, a probe found Kafka down,
//!            or the spool is not empty
//!        ┌──────────────────────────────────────────────────────────────┐
//!        │                                                              ▼
//!   ┌─────────┐   all records were published one at a time      ┌─────────────┐
//!   │ Direct  │◄────────────────────────────────────────────────│ FailingOver │
//!   └─────────┘                                                 └─────────────┘
//!        ▲                                                              │ all records are appended
//!        │ the spool is empty;                                          ▼ to the spool
//!        │ buffered records go first       the spool is nearly   ┌─────────────┐
//!   ┌────────────┐◄──────────────────────────────────────────────│  Spooling   │◄── start, if the spool
//!   │ Recovering │──────────────────────────────────────────────►└─────────────┘    is not empty
//!   └────────────┘   Kafka failed, or buffered records waited too long
//! ```
//!
//! | Mode | Where a new record goes | Who publishes to Kafka |
//! |---|---|---|
//! | *Direct* | to Kafka | callbacks; in parallel, the retry of parked dead letters |
//! | *Renewing* | into the buffer, until Kafka has acknowledged the records in flight | no task |
//! | *FailingOver* | into the buffer: for up to half a second, or until its deadline while records are published one at a time | only the failover controller |
//! | *Spooling* | into the spool | only the drainer |
//! | *Recovering* | into the buffer, for at most `KAFKA_ACK_TIMEOUT_MS` | only the drainer |
//!
//! Each transition is a method of `Dispatcher`. [`FailoverController`], a single task, makes all of them except `Direct →
//! FailingOver`, which happens wherever the failure is observed.
//!
//! *Renewing* is not part of the diagram. It follows *Direct* when there is a producer with newer credentials, and returns to it
//! when that producer has taken the place of the former one. If a record fails or its deadline passes meanwhile, *FailingOver*
//! follows as after *Direct*. While records are spooled, the producer is replaced between two steps of the drain, if no purged
//! record of it can be written later, or if it cannot work any more; otherwise, in the next *Direct*.
//!
//! # Invariants
//!
//! - **Order.** First occurrences of the records of one profile reach Kafka in the order in which they were submitted. One
//!   lock orders all submissions.
//! - **Purge before publishing again.** After a failure, everything that the Kafka client holds is *purged* and has
//!   completed before anything else is published. Without the purge, librdkafka would turn 1, 2, 3, 4, 5 into 1, 4, 5. The
//!   wait for a purge is bounded (half a second). The purge itself is not: librdkafka waits for each of its connections, and
//!   a connection that is being established waits for the name server. When the wait ends early, records go to the spool, and
//!   neither the drain nor direct publishing starts before the purge has returned.
//! - **Repeats, never reordering.** A purged record may have been written. It is then published again with the same `ce_id`.
//! - **The service's own deadline.** A record may wait for Kafka for `KAFKA_ACK_TIMEOUT_MS` from its submission, and within
//!   Twilio's 15 s from the head of its request. librdkafka's own timeouts fire late while it waits to reconnect.
//! - **One owner.** A record that is neither durable nor in the spool is owned by the dispatcher, or by the controller
//!   while it publishes records one at a time. A record becomes durable, or fails, whether or not its [`Delivery`] is polled:
//!   dropping a `Delivery` loses only the answer. A caller that needs the answer must therefore await it, or detach the wait
//!   as the pipeline does.
//! - **The controller must run.** Without [`FailoverController::run`], deadlines are not checked and nothing leaves the spool.
//!
//! # Failures
//!
//! [`FailureClass`](crate::domain::FailureClass) decides what follows a failure:
//!
//! | What fails | What follows |
//! |---|---|
//! | Kafka as a whole, or the topic of events | failover: all records are spooled, and the drainer retries until Kafka accepts them |
//! | one event (too large, invalid) | failover; records are published one at a time, and the rejected one becomes a dead letter |
//! | the format of a record (its schema has no id yet) | failover, as if Kafka were unreachable: records are spooled, and drained once the registry has answered |
//! | the format of a notice only (the registry rejects its schema) | it is *parked*, and retried while events are published directly: status changes do not wait for it. Later notices of its profile are parked as well, and only the last one is published |
//! | the time of a record (too old for its topic) | it is published with the current time; `ce_time` keeps the time of receipt |
//! | the dead-letter topic | dead letters are *parked* in the spool, outside the queue, and retried while events are published directly. The dead-letter topic never decides how events travel |
//! | both topics reject a record in every form | the callback fails with `refused_by_topics`; a record that is in the spool already is parked |
//! | the producer (fatal error) | it is replaced after a purge, and the records go through the spool |
//! | the spool | the callback fails with `spool_full` or `spool_failed` |
//! | a purge does not return | records go to the spool; publishing resumes when the purge has returned |
//!
//! # Calls that can block
//!
//! No blocking call is made on the runtime, on a worker or under the lock of the dispatcher. `Sink::enqueue` and
//! `Spool::append` only queue. `Sink::purge` and `Sink::renew` run on threads of their own. Every wait for them, for the
//! spool's thread or for Kafka is bounded: by a deadline, by the stop of the service, or by the end of waiting for Kafka.
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | `Sink::enqueue`, `Spool::append`, `Spool::append_parked` | the caller's | the dispatcher's | return immediately: they only queue |
//! | `Sink::purge` | its own | none | none; the wait for it is at most half a second, after which records are spooled |
//! | `Sink::renew` | its own | none | none; the controller stops waiting for it as for a purge |
//! | `Spool::read`, `Spool::remove_through`, `Spool::park` | the spool's | none | none; the drainer stops waiting when the service stops or buffered records reach their deadline. `spool drain` has neither and waits as long as the disk takes |
//! | wait for the result ([`Delivery::wait_until_durable`]) | none: asynchronous | none | 14.5 s from the head of the request |

mod batch;
mod delivery;
mod dispatcher;
mod drainer;
mod failover;
mod in_flight;
mod ordered;
mod outbound;
mod parked;
mod parked_notices;
mod publish;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use durable_spool::Spool;

pub(crate) use delivery::Delivery;
pub(crate) use drainer::DrainFailed;
pub(crate) use failover::FailoverController;
pub(crate) use ordered::OrderedPublisher;

use self::{dispatcher::Dispatcher, outbound::OutboundRecord};
use crate::{
    domain::{DeadLetterAttributes, Event, ProfileNotice, RawCallback},
    kafka::{Record, Sink},
    telemetry::Metrics,
    traces::Tracer,
};

/// Makes records durable.
#[derive(Clone)]
pub(crate) struct Deliver {
    dispatcher: Arc<Dispatcher>,
}

impl Deliver {
    /// Creates a `Deliver` that gives Kafka `ack_timeout` to acknowledge each record, counted from its submission. The
    /// returned [`FailoverController`] must run for as long as records are submitted.
    pub(crate) fn new(
        sink: Arc<dyn Sink>,
        spool: Spool,
        metrics: Arc<Metrics>,
        tracer: Tracer,
        ack_timeout: Duration,
    ) -> (Self, FailoverController) {
        let dispatcher = Arc::new(Dispatcher::new(sink, spool, metrics, tracer, ack_timeout));
        (Self { dispatcher: Arc::clone(&dispatcher) }, FailoverController::new(dispatcher))
    }

    /// Submits the event of a callback without waiting. The events of one profile become durable, and reach Kafka, in the
    /// order of these calls. `received` is when the head of the request was read.
    pub(crate) fn submit_event(&self, event: &Event, raw: &Arc<RawCallback>, received: Instant) -> Delivery {
        self.submit(OutboundRecord::event(event, raw), received)
    }

    /// Submits an event that has no request. If its topic rejects it, there is no dead letter to publish instead.
    pub(crate) fn submit_event_without_request(&self, event: &Event) -> Delivery {
        self.submit(Record::event(event).map(OutboundRecord::without_fallback), Instant::now())
    }

    /// Submits a notice of reconciliation, like an event that has no request.
    pub(crate) fn submit_notice(&self, notice: &ProfileNotice) -> Delivery {
        self.submit(Record::notice(notice).map(OutboundRecord::without_fallback), Instant::now())
    }

    /// Submits a dead letter without waiting. `received` is when the head of the request was read.
    pub(crate) fn submit_dead_letter(
        &self,
        raw: &RawCallback,
        attributes: &DeadLetterAttributes,
        received: Instant,
    ) -> Delivery {
        let record = Record::dead_letter(raw, attributes);
        self.submit(record.map(OutboundRecord::without_fallback), received)
    }

    /// Stops waiting for Kafka. Records that Kafka has not acknowledged are spooled, and so are all later ones.
    pub(crate) fn stop_waiting(&self) {
        self.dispatcher.stop_waiting.cancel();
    }

    fn submit(&self, outbound: serde_json::Result<OutboundRecord>, received: Instant) -> Delivery {
        match outbound {
            Ok(outbound) => self.dispatcher.submit(outbound, received),
            Err(error) => Delivery::not_encoded(&error),
        }
    }
}
