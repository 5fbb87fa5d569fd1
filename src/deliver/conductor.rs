//! Changes between the two ways, one change at a time.

use std::{future::pending, sync::Arc, time::Instant};

use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    desk::{Desk, Mode, PURGE_PATIENCE},
    drain::Drain,
    pending::{News, spooled},
    shipping::{Shipped, ship},
};
use crate::{
    domain::{FailureClass, Label as _, PublishFailure, Unkept},
    publish::Availability,
};

/// Watches over the desk: leaves Kafka when it does not take records, and returns to it when the spool is empty.
#[must_use = "without it nothing leaves the spool"]
pub struct Conductor {
    pub(super) desk: Arc<Desk>,
    pub(super) availability: watch::Receiver<Availability>,
    pub(super) outage: Option<Outage>,
    pub(super) drain: Drain,
}

/// A time in which records go through the spool.
pub(super) struct Outage {
    began: Instant,
    /// Records that have left the spool in it.
    pub(super) drained: u64,
    /// Whether Kafka was found not to take records; at the start of the program it may take them.
    is_said: bool,
}

impl Outage {
    fn begin() -> Self {
        Self { began: Instant::now(), drained: 0, is_said: false }
    }
}

impl Conductor {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        let availability = desk.sink.availability();
        let drain = Drain::new(desk.patience);
        Self { desk, availability, outage: None, drain }
    }

    /// Works until `stop`. After that what is in the spool stays there for the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        if !self.desk.spool.is_empty() {
            self.outage = Some(Outage::begin());
            tracing::info!(records = self.desk.spool.events(), "the spool is not empty; its records go to Kafka first");
        }
        while !stop.is_cancelled() {
            let mode = self.desk.book().mode;
            match mode {
                Mode::Direct => self.watch_kafka(&stop).await,
                Mode::Turning(reason) => self.leave_kafka(reason, &stop).await,
                Mode::Outage | Mode::Returning(_) => self.drain_on(&stop).await,
            }
        }
    }

    /// Waits for trouble: that of a record, or that of a probe when there are no records.
    async fn watch_kafka(&mut self, stop: &CancellationToken) {
        let reason = kafka_goes_down(&mut self.availability);
        tokio::select! {
            () = self.desk.changed.notified() => {}
            () = stop.cancelled() => {}
            reason = reason => self.desk.trouble(reason),
        }
    }

    async fn leave_kafka(&mut self, reason: PublishFailure, stop: &CancellationToken) {
        self.wait_for_flights().await;
        // A topic that refuses one record takes the others.
        let reason = match reason.class() {
            FailureClass::Record => match self.ship_one_by_one(stop).await {
                Ok(()) => return self.desk.go_direct(),
                Err(reason) => reason,
            },
            FailureClass::Outage | FailureClass::Fatal => reason,
        };
        self.begin_outage(reason);
        self.fall_back_to_spool().await;
    }

    /// Until Kafka holds nothing any more. What a client does not answer in time counts as failed.
    async fn wait_for_flights(&self) {
        let landed = async {
            while self.desk.book().has_flights() {
                self.desk.changed.notified().await;
            }
        };
        if timeout(PURGE_PATIENCE * 2, landed).await.is_err() {
            tracing::warn!("the Kafka client did not give its records up");
        }
    }

    /// Publishes what is at the desk one by one: a record is convicted only when it was alone.
    async fn ship_one_by_one(&self, stop: &CancellationToken) -> Result<(), PublishFailure> {
        let until = self.desk.deadline(self.desk.patience);
        let mut waiting = self.desk.book().take_all();
        while let Some((number, underway)) = waiting.pop_first() {
            let shipped = if Instant::now() < until {
                ship(&self.desk, &underway.parcel, self.desk.patience, stop).await
            } else {
                Shipped::Outage(PublishFailure::TimedOut)
            };
            match shipped {
                Shipped::Durable(durable) => underway.settle(News::Settled(Ok(durable))),
                Shipped::Refused => underway.settle(News::Settled(Err(Unkept::RefusedByTopics))),
                Shipped::Outage(reason) => {
                    waiting.insert(number, underway);
                    self.desk.book().put_back(waiting);
                    return Err(reason);
                }
            }
        }
        Ok(())
    }

    /// What is at the desk goes to the end of the spool, and so does what comes.
    pub(super) async fn fall_back_to_spool(&self) {
        let (waiting, appended) = self.desk.go_to_spool();
        let result = spooled(appended.await);
        for underway in waiting.into_values() {
            underway.settle(News::Settled(result));
        }
    }

    /// Says once that an outage began.
    pub(super) fn begin_outage(&mut self, reason: PublishFailure) {
        if reason.class() == FailureClass::Fatal {
            self.desk.sink.renew();
        }
        let outage = self.outage.get_or_insert_with(Outage::begin);
        if !outage.is_said {
            outage.is_said = true;
            self.desk.metrics.spool.failovers.of(reason).inc();
            let detail = match &*self.availability.borrow() {
                Availability::Down { detail, .. } => Some(Arc::clone(detail)),
                Availability::Unknown | Availability::Up => None,
            };
            let (reason, detail) = (reason.as_str(), detail.as_deref());
            tracing::error!(reason, detail, "Kafka does not take records; they are kept in the spool");
        }
    }

    pub(super) fn end_outage(&mut self) {
        if let Some(Outage { began, drained, .. }) = self.outage.take() {
            let seconds = began.elapsed().as_secs_f64();
            tracing::info!(seconds, drained, "Kafka takes records, and the spool is empty");
        }
        self.desk.go_direct();
    }
}

async fn kafka_goes_down(availability: &mut watch::Receiver<Availability>) -> PublishFailure {
    let reason = |now: &Availability| match now {
        Availability::Down { reason, .. } => Some(*reason),
        Availability::Unknown | Availability::Up => None,
    };
    let found = availability.wait_for(|now| reason(now).is_some()).await.ok().and_then(|now| reason(&now));
    match found {
        Some(reason) => reason,
        // The sink is gone, and so is all news of it.
        None => pending().await,
    }
}
