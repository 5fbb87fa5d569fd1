//! Record → durable: in Kafka with all in-sync replicas, or synced in the spool.
//!
//! There are two ways. *Direct*: records are handed to Kafka in the order of receipt, and each waits for its
//! acknowledgement. *Outage*: records go to the end of the spool, and the spool goes to Kafka. To change between them
//! the desk is closed for a moment: what comes then waits, so that no record overtakes an older one.
//!
//! The room keeps the service's own deadline. librdkafka's clock is no use for it: its time-outs fire late while it
//! waits to reconnect. What it still holds at the deadline is taken back, all of it, because taking back one record
//! alone would let later ones of its profile overtake it.

mod conductor;
mod desk;
mod drain;
mod parcel;
mod pending;
mod shipping;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use conductor::Conductor;
pub use drain::DrainFailed;
pub use pending::Pending;

use self::{desk::Desk, parcel::Parcel};
use crate::{
    domain::{Event, ProfileSid, PublishFailure, RawCallback, Timestamp, Unprocessable},
    publish::{Record, Sink},
    spool::Spool,
    telemetry::Metrics,
};

/// Makes records durable.
pub struct Deliver {
    desk: Arc<Desk>,
}

impl Deliver {
    /// Gives Kafka `patience` for each record from its hand-over. The [`Conductor`] must run for as long as records
    /// are handed over.
    pub fn new(sink: Arc<dyn Sink>, spool: Spool, metrics: Arc<Metrics>, patience: Duration) -> (Self, Conductor) {
        let desk = Arc::new(Desk::new(sink, spool, metrics, patience));
        (Self { desk: Arc::clone(&desk) }, Conductor::new(desk))
    }

    /// Hands an event over without waiting: the events of one profile become durable, and reach Kafka, in the order
    /// of these calls.
    pub fn event(&self, event: &Event, raw: &Arc<RawCallback>, received: Instant) -> Pending {
        self.submit(Parcel::event(event, raw), received)
    }

    /// Hands over an event that no request brought: if its topic refuses it, there is nothing to keep instead.
    pub fn found(&self, event: &Event) -> Pending {
        self.submit(Record::event(event).map(Parcel::alone), Instant::now())
    }

    /// Hands over a dead letter.
    pub fn dead_letter(
        &self,
        raw: &RawCallback,
        (reason, profile): (Unprocessable, Option<&ProfileSid>),
        received_at: Timestamp,
        received: Instant,
    ) -> Pending {
        let record = Record::dead_letter(raw, reason, profile, received_at);
        self.submit(record.map(Parcel::alone), received)
    }

    /// Stops waiting for Kafka: what it has not acknowledged goes to the spool, and so does what comes.
    pub fn stop_waiting(&self) {
        self.desk.last_call.cancel();
        self.desk.trouble(PublishFailure::TimedOut);
    }

    fn submit(&self, parcel: serde_json::Result<Parcel>, received: Instant) -> Pending {
        match parcel {
            Ok(parcel) => self.desk.submit(parcel, received),
            Err(error) => Pending::not_encoded(&error),
        }
    }
}
