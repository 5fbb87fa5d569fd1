//! Controls the change between direct publishing and spooling, and the replacement of the producer, one transition at a time.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::watch,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    dispatcher::{DeliveryMode, Dispatcher},
    drainer::{DrainFailed, DrainStep, Drainer, is_limited_to_dead_letters},
    parked::ParkedRetry,
    publish::{Interrupts, PURGE_TIMEOUT, PublishResult},
};
use crate::{
    domain::{DeliveryError, Label as _, PublishFailure},
    kafka::Availability,
    telemetry::seconds,
};

/// How often deadlines are checked: a twentieth of the acknowledgement timeout, within these limits.
const MIN_TICK: Duration = Duration::from_millis(5);
const MAX_TICK: Duration = Duration::from_millis(100);

/// Makes every transition between modes except the first one, `Direct → FailingOver`. It purges the producer when Kafka does
/// not accept records, drains the spool, and returns to direct publishing when the spool is empty.
#[must_use = "records leave the spool only while the controller runs"]
pub(crate) struct FailoverController {
    dispatcher: Arc<Dispatcher>,
    availability: watch::Receiver<Availability>,
    /// Whether the producer is to be replaced by one with newer credentials.
    renewal_due: watch::Receiver<bool>,
    drainer: Drainer,
    parked: ParkedRetry,
    outage: Option<Outage>,
}

/// A period in which records go through the spool.
struct Outage {
    began: Instant,
    /// The number of records that have left the spool during the outage.
    drained: u64,
    /// The causes that were logged. Each is logged once, so that a Kafka with alternating causes does not flood the log.
    reported: BTreeSet<&'static str>,
    /// The last failure of Kafka.
    last: Option<PublishFailure>,
}

impl Outage {
    fn begin() -> Self {
        Self { began: Instant::now(), drained: 0, reported: BTreeSet::new(), last: None }
    }
}

impl FailoverController {
    pub(super) fn new(dispatcher: Arc<Dispatcher>) -> Self {
        let (availability, renewal_due) = (dispatcher.sink.availability(), dispatcher.sink.renewal_due());
        let sink = Arc::clone(&dispatcher.sink);
        let (spool, metrics) = (dispatcher.spool.clone(), Arc::clone(&dispatcher.metrics));
        let (parked_notices, tracer) = (dispatcher.parked_notices.clone(), dispatcher.tracer.clone());
        let drainer = Drainer::new(sink, spool, parked_notices, metrics, tracer, dispatcher.ack_timeout);
        Self { dispatcher, availability, renewal_due, drainer, parked: ParkedRetry::default(), outage: None }
    }

    /// Runs until `stop` is cancelled. Records that are in the spool then stay there for the next start.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let interrupts = self.dispatcher.interrupts(stop);
        if !self.dispatcher.spool.is_empty() {
            self.outage = Some(Outage::begin());
            let records = self.dispatcher.spool.queued();
            tracing::info!(records, "the spool is not empty; its records are published first");
        }
        while !interrupts.stop.is_cancelled() {
            match self.dispatcher.mode() {
                DeliveryMode::Direct => self.watch_direct(&interrupts).await,
                DeliveryMode::Renewing => self.complete_renewal(&interrupts).await,
                DeliveryMode::FailingOver(reason) => self.complete_failover(reason, &interrupts).await,
                // The records in the spool stay there, because nothing may wait for Kafka any more.
                DeliveryMode::Spooling if interrupts.is_stopping() => interrupts.stop.cancelled().await,
                mode @ (DeliveryMode::Spooling | DeliveryMode::Recovering) => self.drain(mode, &interrupts).await,
            }
        }
    }

    /// Empties the spool of a service that is not running, and returns how many records were published. Gives up when no
    /// record leaves the queue for `stall_timeout`. Calls `progress` with the number of records that remain.
    ///
    /// # Errors
    /// [`DrainFailed`] when records remain. They stay in the spool.
    pub(crate) async fn drain_all(
        self,
        stall_timeout: Duration,
        progress: impl FnMut(u64),
    ) -> Result<u64, DrainFailed> {
        self.drainer.drain_all(stall_timeout, progress, &Interrupts::none()).await
    }

    /// *Direct*: waits for a failure, for a passed deadline, for a probe that finds Kafka down, or for records in the spool.
    async fn watch_direct(&mut self, interrupts: &Interrupts) {
        let mut ticks = interval((self.dispatcher.ack_timeout / 20).clamp(MIN_TICK, MAX_TICK));
        let (down, retry) = (wait_until_down(&mut self.availability), self.parked.run(&self.dispatcher));
        let renewal_due = wait_until_due(&mut self.renewal_due);
        tokio::pin!(down, retry, renewal_due);
        while self.dispatcher.mode() == DeliveryMode::Direct {
            tokio::select! {
                _ = ticks.tick() => {
                    self.dispatcher.check_deadlines(Instant::now());
                    // Records found there, such as salvaged ones, must go first.
                    if !self.dispatcher.spool.is_empty() {
                        self.dispatcher.fail_over(None);
                    }
                }
                () = self.dispatcher.changed.notified() => {}
                reason = &mut down => self.dispatcher.fail_over(Some(reason)),
                () = &mut renewal_due => self.dispatcher.start_renewal(),
                () = interrupts.stop_waiting.cancelled() => self.dispatcher.fail_over(None),
                () = &mut retry => {}
                () = interrupts.stop.cancelled() => return,
            }
        }
    }

    /// *Renewing*: waits until Kafka has acknowledged the records in flight, and replaces the producer. No record is purged, and
    /// records that arrive meanwhile are handed to the new producer in their order. What takes longer than records may wait for
    /// Kafka ends in a failover, after which the producer is replaced while records are spooled.
    async fn complete_renewal(&mut self, interrupts: &Interrupts) {
        let dispatcher = Arc::clone(&self.dispatcher);
        let completed = async {
            while dispatcher.mode() == DeliveryMode::Renewing && dispatcher.has_records_in_flight() {
                dispatcher.changed.notified().await;
            }
        };
        tokio::select! {
            biased;
            () = completed => {}
            () = interrupts.interrupted() => return self.give_renewal_up(interrupts),
        }
        if self.dispatcher.mode() != DeliveryMode::Renewing {
            return;
        }
        self.drainer.producer.renew();
        tokio::select! {
            biased;
            () = self.drainer.producer.wait_until_ready() => self.dispatcher.go_direct(),
            () = interrupts.interrupted() => self.give_renewal_up(interrupts),
        }
    }

    fn give_renewal_up(&self, interrupts: &Interrupts) {
        let is_late = !interrupts.is_stopping() && self.dispatcher.has_records_in_flight();
        self.dispatcher.fail_over(is_late.then_some(PublishFailure::TimedOut));
    }

    /// *Spooling* and *Recovering*: replaces the producer between two steps of the drain, when it holds no records. A producer
    /// whose purged records Kafka may still write stays until it has failed for long, or until the next *Direct*.
    fn renew_if_due(&mut self) {
        if *self.renewal_due.borrow_and_update() && self.may_renew() {
            self.drainer.producer.renew();
        }
    }

    fn may_renew(&self) -> bool {
        let last = self.outage.as_ref().and_then(|outage| outage.last);
        last == Some(PublishFailure::Authentication) || self.drainer.producer.may_be_replaced()
    }

    /// *FailingOver*: purges the records that Kafka holds, and decides whether they are published one at a time or spooled.
    async fn complete_failover(&mut self, reason: Option<PublishFailure>, interrupts: &Interrupts) {
        if self.dispatcher.has_unanswered_records() {
            self.drainer.producer.note_unanswered();
        }
        self.drainer.producer.purge();
        let is_purged = self.wait_for_purge().await;
        let mut failure = reason;
        if is_purged && reason.is_some_and(PublishFailure::is_resolved_by_another_form) {
            failure = self.publish_individually(interrupts).await;
            if failure.is_none() && self.wait_for_purge().await {
                self.drainer.producer.note_all_answered();
                return self.dispatcher.go_direct();
            }
        }
        match failure {
            // An interruption by the stop of the service is no failure of Kafka.
            Some(reason) if !interrupts.is_stopping() => self.report_outage(reason),
            // Without a failure, the drainer waits for the last purge, or empties the spool.
            _ => {}
        }
        self.dispatcher.go_spooling();
    }

    /// Waits for a bounded time until the Kafka client holds no records. Returns whether this is so.
    async fn wait_for_purge(&mut self) -> bool {
        let dispatcher = Arc::clone(&self.dispatcher);
        let completed = async {
            while dispatcher.has_records_in_flight() {
                dispatcher.changed.notified().await;
            }
        };
        let purged = async { tokio::join!(self.drainer.producer.wait_until_ready(), completed) };
        let is_purged = timeout(PURGE_TIMEOUT, purged).await.is_ok();
        if !is_purged && self.dispatcher.has_records_in_flight() {
            tracing::warn!("purge timed out: the Kafka client still holds records, which are spooled meanwhile");
        }
        is_purged
    }

    /// Publishes records one at a time, so that a rejection can be attributed to a single record. Returns the failure that
    /// ended this early, if any; the records that were not published are then back in the dispatcher.
    async fn publish_individually(&mut self, interrupts: &Interrupts) -> Option<PublishFailure> {
        let (mut records, ack_timeout) = (self.dispatcher.take_all(), self.dispatcher.ack_timeout);
        while let Some((number, record)) = records.pop_first() {
            if self.dispatcher.parked_notices.must_follow(&record.outbound) {
                record.park(&self.dispatcher.spool);
                continue;
            }
            let accepts_dead_letters = self.dispatcher.state().accepts_dead_letters;
            let producer = &mut self.drainer.producer;
            let result =
                producer.publish_with_fallbacks(&record.outbound, ack_timeout, accepts_dead_letters, interrupts).await;
            let failure = match result {
                PublishResult::Durable(receipt, _) => {
                    record.settle(Ok(receipt));
                    continue;
                }
                PublishResult::Rejected => {
                    record.settle(Err(DeliveryError::RefusedByTopics));
                    continue;
                }
                PublishResult::DeadLetterFailed(reason) if is_limited_to_dead_letters(reason, &self.availability) => {
                    self.dispatcher.state().accepts_dead_letters = false;
                    record.park(&self.dispatcher.spool);
                    continue;
                }
                PublishResult::DeadLetterFailed(reason) => reason,
                PublishResult::Outage(reason) => Some(reason),
                PublishResult::Interrupted => None,
            };
            records.insert(number, record);
            self.dispatcher.put_back(records);
            return Some(failure.unwrap_or(PublishFailure::TimedOut));
        }
        None
    }

    /// *Spooling* and *Recovering*: makes one step of the drain, and the transition that follows from its result.
    async fn drain(&mut self, mode: DeliveryMode, interrupts: &Interrupts) {
        self.renew_if_due();
        let step = self.drainer.step(interrupts).await;
        if interrupts.stop.is_cancelled() {
            // The stop may have interrupted the step, so its result means nothing.
            return;
        }
        match step {
            DrainStep::RetryAlone | DrainStep::Parked | DrainStep::Interrupted => {}
            DrainStep::Drained(records) => self.on_progress(records),
            DrainStep::Empty => return self.on_empty_spool(mode, interrupts).await,
            // A spool that is known to be empty does not have to be read.
            DrainStep::SpoolFailed if self.dispatcher.spool.is_idle() => {
                return self.on_empty_spool(mode, interrupts).await;
            }
            DrainStep::Failed(reason) => self.report_outage(reason),
            DrainStep::SpoolFailed => {}
        }
        match step {
            DrainStep::Failed(_) | DrainStep::SpoolFailed => {
                self.stop_recovering();
                self.pause(interrupts).await;
            }
            // Kafka accepts records, but too slowly for the buffered callbacks: they are appended to the spool after all.
            _ if interrupts.is_interrupted() => self.stop_recovering(),
            _ => {}
        }
    }

    fn on_progress(&mut self, records: usize) {
        self.dispatcher.metrics.spool.show_cause(None);
        if let Some(outage) = &mut self.outage {
            outage.drained += records as u64;
        }
        // The remaining records fit into the next step, so callbacks are buffered for a short time only.
        if self.dispatcher.spool.queued() <= self.drainer.window as u64 {
            self.dispatcher.go_recovering();
        }
    }

    /// `Recovering → Spooling`; does nothing in *Spooling*.
    fn stop_recovering(&self) {
        if self.dispatcher.mode() == DeliveryMode::Recovering {
            self.dispatcher.go_spooling();
        }
    }

    /// Handles an empty spool. In *Spooling*, records may still be on their way into it, so only a spool that is found empty in
    /// *Recovering*, while it cannot grow, ends the outage.
    async fn on_empty_spool(&mut self, mode: DeliveryMode, interrupts: &Interrupts) {
        if mode == DeliveryMode::Recovering {
            self.end_outage();
        } else if matches!(*self.availability.borrow(), Availability::Down { .. }) {
            self.pause(interrupts).await;
        } else {
            self.dispatcher.go_recovering();
        }
    }

    async fn pause(&mut self, interrupts: &Interrupts) {
        let may_renew = self.may_renew();
        let (up, renewal_due) = (wait_until_up(&mut self.availability), wait_until_due(&mut self.renewal_due));
        let recovered = async {
            tokio::select! {
                () = up => {}
                () = renewal_due, if may_renew => {}
            }
        };
        self.drainer.pause(recovered, interrupts).await;
    }

    /// Logs each cause of an outage once, and shows the current one in a metric. Replaces a producer that failed fatally.
    fn report_outage(&mut self, reason: PublishFailure) {
        match reason {
            PublishFailure::Fatal => self.drainer.producer.renew(),
            // This deadline is the service's own, so the client does not report it.
            PublishFailure::TimedOut => self.dispatcher.sink.timed_out(),
            _ => {}
        }
        let outage = self.outage.get_or_insert_with(Outage::begin);
        outage.last = Some(reason);
        self.dispatcher.metrics.spool.show_cause(Some(reason));
        let is_first = outage.reported.is_empty();
        if !outage.reported.insert(reason.as_str()) {
            return;
        }
        if is_first {
            self.dispatcher.metrics.spool.failovers.of(reason).inc();
        }
        let detail = match &*self.availability.borrow() {
            // The probe found the first cause, whichever record hit it first. A later cause may have nothing to do with it.
            Availability::Down { reason: known, detail } if is_first || *known == reason => Some(Arc::clone(detail)),
            Availability::Down { .. } | Availability::Unknown | Availability::Up => None,
        };
        let (cause, reason, detail) = (reason, reason.as_str(), detail.as_deref());
        if cause == PublishFailure::NoSchemaId {
            tracing::error!(reason, "the schema registry has not said which ids the schemas have; records are spooled");
        } else if is_first {
            tracing::error!(reason, detail, "Kafka does not accept records; they are spooled");
        } else {
            tracing::error!(reason, detail, "Kafka still does not accept records, now for another reason");
        }
    }

    fn end_outage(&mut self) {
        if let Some(Outage { began, drained, .. }) = self.outage.take() {
            let seconds = seconds(began.elapsed());
            tracing::info!(seconds, drained, "Kafka accepts records again, and the spool is empty");
        }
        self.dispatcher.metrics.spool.show_cause(None);
        // Everything that was purged went through the spool, and Kafka has acknowledged it.
        self.drainer.producer.note_all_answered();
        self.dispatcher.go_direct();
    }
}

async fn wait_until_down(availability: &mut watch::Receiver<Availability>) -> PublishFailure {
    let reason = |now: &Availability| match now {
        Availability::Down { reason, .. } => Some(*reason),
        Availability::Unknown | Availability::Up => None,
    };
    let failure = availability.wait_for(|now| reason(now).is_some()).await.ok().and_then(|now| reason(&now));
    match failure {
        Some(reason) => reason,
        // The sink was dropped, so its availability cannot change any more.
        None => pending().await,
    }
}

async fn wait_until_due(renewal_due: &mut watch::Receiver<bool>) {
    if renewal_due.wait_for(|is_due| *is_due).await.is_err() {
        // The sink was dropped, so it has no new producer any more.
        pending::<()>().await;
    }
}

async fn wait_until_up(availability: &mut watch::Receiver<Availability>) {
    availability.mark_unchanged();
    while availability.changed().await.is_ok() {
        if *availability.borrow_and_update() == Availability::Up {
            return;
        }
    }
    // The sink was dropped, so its availability cannot change any more.
    pending().await
}
