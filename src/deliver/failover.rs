//! Changes between the two ways, one change at a time.

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
    dispatcher::{Dispatcher, Mode},
    drainer::{DrainFailed, Drainer, Step, concerns_dead_letters_alone},
    parked::ParkedRetry,
    publish::{Interrupts, PURGE_WAIT, PublishResult},
};
use crate::{
    domain::{DeliveryError, Label as _, PublishFailure},
    kafka::Availability,
};

/// How exactly deadlines are kept.
const SHORTEST_TICK: Duration = Duration::from_millis(5);
const LONGEST_TICK: Duration = Duration::from_millis(100);

/// Makes all changes of the mode but the first: leaves Kafka when it does not take records, drains the spool, and returns
/// to Kafka when the spool is empty.
#[must_use = "without it nothing leaves the spool"]
pub struct FailoverController {
    dispatcher: Arc<Dispatcher>,
    availability: watch::Receiver<Availability>,
    drainer: Drainer,
    parked: ParkedRetry,
    outage: Option<Outage>,
}

/// A time in which records go through the spool.
struct Outage {
    began: Instant,
    /// Records that have left the spool in it.
    drained: u64,
    /// The causes that the log has named. Each is named once, so that a Kafka with alternating troubles does not fill it.
    reported: BTreeSet<&'static str>,
}

impl Outage {
    fn begin() -> Self {
        Self { began: Instant::now(), drained: 0, reported: BTreeSet::new() }
    }
}

impl FailoverController {
    pub(super) fn new(dispatcher: Arc<Dispatcher>) -> Self {
        let availability = dispatcher.sink.availability();
        let sink = Arc::clone(&dispatcher.sink);
        let (spool, metrics) = (dispatcher.spool.clone(), Arc::clone(&dispatcher.metrics));
        let drainer = Drainer::new(sink, spool, metrics, dispatcher.ack_timeout);
        Self { dispatcher, availability, drainer, parked: ParkedRetry::default(), outage: None }
    }

    /// Works until `stop`. After that what is in the spool stays there for the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let interrupts = self.dispatcher.interrupts(stop);
        if !self.dispatcher.spool.is_empty() {
            self.outage = Some(Outage::begin());
            let records = self.dispatcher.spool.events();
            tracing::info!(records, "the spool is not empty; its records go to Kafka first");
        }
        while !interrupts.stop.is_cancelled() {
            match self.dispatcher.mode() {
                Mode::Direct => self.watch(&interrupts).await,
                Mode::FailingOver(reason) => self.fail_over(reason, &interrupts).await,
                // What is in the spool stays there: nothing may wait for Kafka any more.
                Mode::Spooling if interrupts.is_stopping() => interrupts.stop.cancelled().await,
                mode @ (Mode::Spooling | Mode::Recovering) => self.drain(mode, &interrupts).await,
            }
        }
    }

    /// Empties the spool of a service that does not run. Gives up when nothing moves for as long as `patience`;
    /// `progress` learns how many records are left.
    ///
    /// # Errors
    /// [`DrainFailed`]; what is left stays in the spool.
    pub async fn drain_all(self, patience: Duration, progress: impl FnMut(u64)) -> Result<u64, DrainFailed> {
        self.drainer.drain_all(patience, progress, &Interrupts::none()).await
    }

    /// *Direct*: waits for a failure, for a deadline that has passed, or for a probe that finds Kafka down.
    async fn watch(&mut self, interrupts: &Interrupts) {
        let mut ticks = interval((self.dispatcher.ack_timeout / 20).clamp(SHORTEST_TICK, LONGEST_TICK));
        let (down, retry) = (kafka_goes_down(&mut self.availability), self.parked.run(&self.dispatcher));
        tokio::pin!(down, retry);
        while self.dispatcher.mode() == Mode::Direct {
            tokio::select! {
                _ = ticks.tick() => {
                    self.dispatcher.check_deadlines(Instant::now());
                    // What is found there must go first, such as what was salvaged.
                    if !self.dispatcher.spool.is_empty() {
                        self.dispatcher.fail_over(None);
                    }
                }
                () = self.dispatcher.changed.notified() => {}
                reason = &mut down => self.dispatcher.fail_over(Some(reason)),
                () = interrupts.stop_waiting.cancelled() => self.dispatcher.fail_over(None),
                () = &mut retry => {}
                () = interrupts.stop.cancelled() => return,
            }
        }
    }

    /// *FailingOver*: takes back what Kafka holds, and decides where it goes.
    async fn fail_over(&mut self, reason: Option<PublishFailure>, interrupts: &Interrupts) {
        self.drainer.producer.purge();
        let is_clear = self.wait_for_purge().await;
        let mut failure = reason;
        if is_clear && reason.is_some_and(PublishFailure::is_cured_by_another_form) {
            failure = self.publish_individually(interrupts).await;
            if failure.is_none() && self.wait_for_purge().await {
                return self.dispatcher.go_direct();
            }
        }
        match failure {
            // That nothing may wait any more says nothing of Kafka.
            Some(reason) if !interrupts.is_stopping() => self.report_outage(reason),
            // The drain waits for the last purge, or empties the spool.
            _ => {}
        }
        self.dispatcher.go_spooling();
    }

    /// Waits, for a bounded time, until Kafka holds nothing any more. Returns whether it does not.
    async fn wait_for_purge(&mut self) -> bool {
        let dispatcher = Arc::clone(&self.dispatcher);
        let completed = async {
            while dispatcher.has_records_in_flight() {
                dispatcher.changed.notified().await;
            }
        };
        let purged = async { tokio::join!(self.drainer.producer.ready(), completed) };
        let is_clear = timeout(PURGE_WAIT, purged).await.is_ok();
        if !is_clear && self.dispatcher.has_records_in_flight() {
            tracing::warn!("the Kafka client still holds records; they go to the spool without waiting for it");
        }
        is_clear
    }

    /// Publishes records one at a time, so that a rejection can be attributed to a single record. Returns why it did not come
    /// to its end.
    async fn publish_individually(&mut self, interrupts: &Interrupts) -> Option<PublishFailure> {
        let (mut records, patience) = (self.dispatcher.take_all(), self.dispatcher.ack_timeout);
        while let Some((number, record)) = records.pop_first() {
            let takes_dead_letters = self.dispatcher.state().takes_dead_letters;
            let producer = &mut self.drainer.producer;
            let result =
                producer.publish_with_fallbacks(&record.outbound, patience, takes_dead_letters, interrupts).await;
            let failure = match result {
                PublishResult::Durable(durable, _) => {
                    record.settle(Ok(durable));
                    continue;
                }
                PublishResult::Refused => {
                    record.settle(Err(DeliveryError::RefusedByTopics));
                    continue;
                }
                PublishResult::DeadLetterNotTaken(reason)
                    if concerns_dead_letters_alone(reason, &self.availability) =>
                {
                    self.dispatcher.state().takes_dead_letters = false;
                    record.park(&self.dispatcher.spool);
                    continue;
                }
                PublishResult::DeadLetterNotTaken(reason) => reason,
                PublishResult::Outage(reason) => Some(reason),
                PublishResult::Interrupted => None,
            };
            records.insert(number, record);
            self.dispatcher.put_back(records);
            return Some(failure.unwrap_or(PublishFailure::TimedOut));
        }
        None
    }

    /// *Spooling* and *Recovering*: one step of the drain, and what follows from it.
    async fn drain(&mut self, mode: Mode, interrupts: &Interrupts) {
        let step = self.drainer.step(interrupts).await;
        if interrupts.stop.is_cancelled() {
            // What was interrupted is no sign of anything.
            return;
        }
        match step {
            Step::Divide | Step::Parked | Step::Interrupted => {}
            Step::Moved(records) => self.note_progress(records),
            Step::Empty => return self.finish(mode, interrupts).await,
            // What cannot be read is not needed when it is known that nothing is there.
            Step::Stuck if self.dispatcher.spool.is_idle() => return self.finish(mode, interrupts).await,
            Step::Failed(reason) => self.report_outage(reason),
            Step::Stuck => {}
        }
        match step {
            Step::Failed(_) | Step::Stuck => {
                self.stop_recovering();
                self.pause(interrupts).await;
            }
            // A Kafka that takes records, but slowly, keeps no callback waiting: the spool grows again.
            _ if interrupts.are_set() => self.stop_recovering(),
            _ => {}
        }
    }

    fn note_progress(&mut self, records: usize) {
        self.dispatcher.metrics.spool.show_cause(None);
        if let Some(outage) = &mut self.outage {
            outage.drained += records as u64;
        }
        // What is left fits into the next step, so that no callback is buffered for long.
        if self.dispatcher.spool.events() <= self.drainer.window as u64 {
            self.dispatcher.go_recovering();
        }
    }

    /// `Recovering → Spooling`
    fn stop_recovering(&self) {
        if self.dispatcher.mode() == Mode::Recovering {
            self.dispatcher.go_spooling();
        }
    }

    /// The spool is empty. While something may still be on its way into it that is no proof, so it is asked again in
    /// *Recovering*.
    async fn finish(&mut self, mode: Mode, interrupts: &Interrupts) {
        if mode == Mode::Recovering {
            self.end_outage();
        } else if matches!(*self.availability.borrow(), Availability::Down { .. }) {
            self.pause(interrupts).await;
        } else {
            self.dispatcher.go_recovering();
        }
    }

    async fn pause(&mut self, interrupts: &Interrupts) {
        let news = kafka_comes_up(&mut self.availability);
        self.drainer.pause(news, interrupts).await;
    }

    /// Names each cause of an outage once in the log, and the present one in a metric.
    fn report_outage(&mut self, reason: PublishFailure) {
        match reason {
            PublishFailure::Fatal => self.drainer.producer.renew(),
            // That is the service's own clock, of which the client says nothing.
            PublishFailure::TimedOut => self.dispatcher.sink.timed_out(),
            _ => {}
        }
        let outage = self.outage.get_or_insert_with(Outage::begin);
        self.dispatcher.metrics.spool.show_cause(Some(reason));
        let is_first = outage.reported.is_empty();
        if !outage.reported.insert(reason.as_str()) {
            return;
        }
        if is_first {
            self.dispatcher.metrics.spool.failovers.of(reason).inc();
        }
        let detail = match &*self.availability.borrow() {
            // The first cause is that of the probe, whichever record met it first. A later one is another matter.
            Availability::Down { reason: known, detail } if is_first || *known == reason => Some(Arc::clone(detail)),
            Availability::Down { .. } | Availability::Unknown | Availability::Up => None,
        };
        let (reason, detail) = (reason.as_str(), detail.as_deref());
        if is_first {
            tracing::error!(reason, detail, "Kafka does not take records; they are kept in the spool");
        } else {
            tracing::error!(reason, detail, "Kafka still does not take records, now for another reason");
        }
    }

    fn end_outage(&mut self) {
        if let Some(Outage { began, drained, .. }) = self.outage.take() {
            let seconds = began.elapsed().as_secs_f64();
            tracing::info!(seconds, drained, "Kafka takes records, and the spool is empty");
        }
        self.dispatcher.metrics.spool.show_cause(None);
        self.dispatcher.go_direct();
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

async fn kafka_comes_up(availability: &mut watch::Receiver<Availability>) {
    availability.mark_unchanged();
    while availability.changed().await.is_ok() {
        if *availability.borrow_and_update() == Availability::Up {
            return;
        }
    }
    // The sink is gone, and so is all news of it.
    pending().await
}
