//! The spool → Kafka, in its order.
//!
//! One record first, then twice as many with each success; after a failure one again. So a record that Kafka refuses is
//! alone when it is judged: librdkafka fails a whole batch for one record. Only the acknowledged records from the first
//! on are removed, and only then are the next ones read.

use std::{
    future::{Future, pending},
    sync::Arc,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{sync::watch, time::sleep};

use super::{
    outbound::OutboundRecord,
    publish::{ExclusiveProducer, Interrupts, PublishResult, RecordTime, Unpublished, present},
};
use crate::{
    domain::{FailureClass, PublishFailure},
    kafka::{Availability, Record, Sink},
    spool::{Batch, Entry, Position, Spool, SpoolUnavailable},
    telemetry::Metrics,
};

/// Records that are read and published at once: enough that one sync of the disk for each batch does not matter, few
/// enough that a request can wait for the last of them.
const MOST_ENTRIES: usize = 1_000;
/// Their size.
const MOST_BYTES: usize = 1 << 20;

const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// No callback waits for the drain, so a Kafka that is slow is given more time than callbacks can give it. Otherwise
/// each record would be taken back just before its acknowledgement, and be repeated without end.
const LONGEST_PATIENCE: Duration = Duration::from_secs(30);

/// Empties the spool into Kafka. It needs no dispatcher: `spool drain` uses it without one.
pub(super) struct Drainer {
    pub(super) producer: ExclusiveProducer,
    /// Whether Kafka takes events.
    availability: watch::Receiver<Availability>,
    spool: Spool,
    metrics: Arc<Metrics>,
    ack_timeout: Duration,
    /// Records that are tried at once.
    pub(super) window: usize,
    /// How long to wait after the next failure.
    pause: Duration,
    /// How long Kafka may take for an acknowledgement: longer after each failure, until the spool is empty.
    patience: Duration,
    /// Which time records are published with. The present time, until the spool is empty, once a topic has rejected a record
    /// for its time: learning for each record that it is too old takes two attempts, one record at a time, which is slower
    /// than callbacks arrive.
    record_time: RecordTime,
    /// Whether the topic of dead letters takes records, as far as is known. It is asked again when the spool was empty.
    takes_dead_letters: bool,
}

/// What one step of the drain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many records went from the spool to Kafka.
    Moved(usize),
    /// The first record was parked.
    Parked,
    /// The first record is at fault, unless it is accepted alone.
    Divide,
    /// Nothing is in the spool.
    Empty,
    /// Kafka does not take the first record now.
    Failed(PublishFailure),
    /// Nothing can be read or removed now.
    Stuck,
    /// The wait for Kafka or for the disk was interrupted.
    Interrupted,
}

/// The spool could not be emptied.
#[derive(Debug, Error)]
#[error("{left} records are left in the spool: {}", .reason.map_or_else(|| "it cannot be read".to_owned(), |reason| format!("Kafka does not take them ({reason})")))]
pub struct DrainFailed {
    /// Records that are still in the spool.
    pub left: u64,
    /// Why Kafka does not take the next of them; `None` when the spool is what cannot be read.
    pub reason: Option<PublishFailure>,
}

impl Drainer {
    /// At first Kafka may take as long as it may for callbacks.
    pub(super) fn new(sink: Arc<dyn Sink>, spool: Spool, metrics: Arc<Metrics>, ack_timeout: Duration) -> Self {
        Self {
            availability: sink.availability(),
            producer: ExclusiveProducer::new(sink),
            spool,
            metrics,
            ack_timeout,
            window: 1,
            pause: SHORTEST_PAUSE,
            patience: ack_timeout,
            record_time: RecordTime::Receipt,
            takes_dead_letters: true,
        }
    }

    /// Publishes the next records of the spool, and forgets those that Kafka has acknowledged. Nothing of Kafka's is being
    /// taken back when this returns [`Step::Empty`].
    pub(super) async fn step(&mut self, interrupts: &Interrupts) -> Step {
        let step = match self.next_entries(interrupts).await {
            Ok(entries) => match entries.as_slice() {
                [] => Step::Empty,
                [entry] => self.step_alone(entry, interrupts).await,
                entries => self.step_together(entries, interrupts).await,
            },
            Err(step) => step,
        };
        self.adapt(step);
        step
    }

    /// Waits for what is still being taken back, and then for the disk, which can hang: callbacks that are buffered meanwhile
    /// must not wait for either longer than for Kafka.
    async fn next_entries(&mut self, interrupts: &Interrupts) -> Result<Vec<Entry>, Step> {
        let batch = Batch { entries: self.window, bytes: MOST_BYTES };
        let next = async {
            self.producer.ready().await;
            self.spool.read(None, batch).await
        };
        tokio::select! {
            biased;
            entries = next => entries.map_err(|SpoolUnavailable| Step::Stuck),
            () = interrupts.interrupted() => Err(Step::Interrupted),
        }
    }

    fn adapt(&mut self, step: Step) {
        match step {
            Step::Moved(_) | Step::Parked => {
                self.window = (self.window * 2).min(MOST_ENTRIES);
                self.pause = SHORTEST_PAUSE;
            }
            Step::Failed(_) => {
                self.window = 1;
                self.patience = (self.patience * 2).min(LONGEST_PATIENCE).max(self.patience);
            }
            Step::Empty => {
                self.window = 1;
                self.patience = self.ack_timeout;
                self.record_time = RecordTime::Receipt;
                self.takes_dead_letters = true;
            }
            Step::Divide | Step::Stuck | Step::Interrupted => self.window = 1,
        }
    }

    async fn step_together(&mut self, entries: &[Entry], interrupts: &Interrupts) -> Step {
        let outbound = entries.iter().map_while(|entry| OutboundRecord::decode(&entry.bytes).ok());
        let records: Vec<Record> = outbound.map(|outbound| self.at_accepted_time(outbound.record)).collect();
        let deadline = Instant::now() + self.patience;
        let (acknowledged, unpublished) = self.producer.publish(&records, deadline, interrupts).await;
        if let Some(last) = entries.get(acknowledged.wrapping_sub(1)) {
            return self.remove_through(last.position, acknowledged, interrupts).await;
        }
        match unpublished {
            Some(Unpublished::Interrupted) => Step::Interrupted,
            Some(Unpublished::Failed(reason)) if !needs_a_try_alone(reason) => Step::Failed(reason),
            // Without a reason, the first cannot be decoded.
            Some(Unpublished::Failed(_)) | None => Step::Divide,
        }
    }

    async fn step_alone(&mut self, entry: &Entry, interrupts: &Interrupts) -> Step {
        let Ok(mut outbound) = OutboundRecord::decode(&entry.bytes) else {
            return self.park(entry, "it cannot be decoded", interrupts).await;
        };
        outbound.record = self.at_accepted_time(outbound.record);
        let (patience, takes_dead_letters) = (self.patience, self.takes_dead_letters);
        match self.producer.publish_with_fallbacks(&outbound, patience, takes_dead_letters, interrupts).await {
            PublishResult::Durable(_, time) => {
                if time == RecordTime::Present {
                    self.record_time = RecordTime::Present;
                }
                self.remove_through(entry.position, 1, interrupts).await
            }
            PublishResult::Refused => self.park(entry, "neither topic takes it", interrupts).await,
            PublishResult::DeadLetterNotTaken(reason) if concerns_dead_letters_alone(reason, &self.availability) => {
                self.takes_dead_letters = false;
                self.park(entry, "the dead-letter topic does not take it now", interrupts).await
            }
            PublishResult::DeadLetterNotTaken(Some(reason)) | PublishResult::Outage(reason) => Step::Failed(reason),
            PublishResult::DeadLetterNotTaken(None) | PublishResult::Interrupted => Step::Interrupted,
        }
    }

    fn at_accepted_time(&self, record: Record) -> Record {
        match self.record_time {
            RecordTime::Receipt => record,
            RecordTime::Present => record.at(present()),
        }
    }

    async fn remove_through(&mut self, last: Position, records: usize, interrupts: &Interrupts) -> Step {
        match within(self.spool.remove_through(last), interrupts).await {
            Ok(()) => {
                self.metrics.spool.drained.inc_by(records as u64);
                Step::Moved(records)
            }
            Err(step) => step,
        }
    }

    /// A record that cannot be published does not block those behind it. It is kept.
    async fn park(&mut self, entry: &Entry, why: &str, interrupts: &Interrupts) -> Step {
        tracing::error!(
            position = ?entry.position,
            "a record of the spool is parked because {why}; `trusthub-bridge spool export` shows it"
        );
        within(self.spool.park(entry.position), interrupts).await.map_or_else(|step| step, |()| Step::Parked)
    }

    /// Waits longer each time, but not longer than `news` takes.
    pub(super) async fn pause(&mut self, news: impl Future<Output = ()>, interrupts: &Interrupts) {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = sleep(pause) => {}
            () = news => self.pause = SHORTEST_PAUSE,
            () = interrupts.stop.cancelled() => {}
        }
    }

    /// Empties the spool of a service that does not run. Gives up when nothing moves for as long as `patience`;
    /// `progress` learns how many records are left.
    pub(super) async fn drain_all(
        mut self,
        patience: Duration,
        mut progress: impl FnMut(u64),
        interrupts: &Interrupts,
    ) -> Result<u64, DrainFailed> {
        let (mut moved_last, mut drained) = (Instant::now(), 0);
        loop {
            let reason = match self.step(interrupts).await {
                Step::Empty => return Ok(drained),
                Step::Moved(records) => {
                    drained += records as u64;
                    moved_last = Instant::now();
                    progress(self.spool.events());
                    continue;
                }
                Step::Parked => {
                    moved_last = Instant::now();
                    continue;
                }
                Step::Divide => continue,
                Step::Failed(reason) => Some(reason),
                Step::Stuck | Step::Interrupted => None,
            };
            if moved_last.elapsed() >= patience {
                return Err(DrainFailed { left: self.spool.events(), reason });
            }
            self.pause(pending(), interrupts).await;
        }
    }
}

/// Waits for the spool's thread, but not for longer than buffered callbacks may. What it was asked for may still be done.
async fn within(
    answer: impl Future<Output = Result<(), SpoolUnavailable>>,
    interrupts: &Interrupts,
) -> Result<(), Step> {
    tokio::select! {
        biased;
        result = answer => result.map_err(|SpoolUnavailable| Step::Stuck),
        () = interrupts.interrupted() => Err(Step::Interrupted),
    }
}

/// Whether a batch that failed for this reason may have failed for its first record alone: that one needs another form or
/// another time, or it is a dead letter, which must not hold up the events behind it.
fn needs_a_try_alone(reason: PublishFailure) -> bool {
    reason.is_cured_by_another_form() || reason.class() == FailureClass::Topic
}

/// Whether waiting for the topic of dead letters would hold up events that Kafka takes.
pub(super) fn concerns_dead_letters_alone(
    reason: Option<PublishFailure>,
    availability: &watch::Receiver<Availability>,
) -> bool {
    let is_of_topic = reason.is_none_or(|reason| reason.class() == FailureClass::Topic);
    is_of_topic || *availability.borrow() == Availability::Up
}
