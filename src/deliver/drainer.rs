//! Publishes the records of the spool to Kafka, in their order.
//!
//! The drainer starts with one record and doubles the batch with each success, up to a thousand. After a failure it returns
//! to one record. librdkafka fails a whole batch for one bad record, so a rejection can be attributed to a record only when
//! that record was published alone. The drainer removes only the acknowledged records at the front of a batch, and reads the
//! next ones only afterwards.

use std::{
    future::{Future, pending},
    sync::Arc,
    time::{Duration, Instant},
};

use durable_spool::{Entry, Position, ReadLimit, Spool, SpoolUnavailable};
use thiserror::Error;
use tokio::{sync::watch, time::sleep};

use super::{
    outbound::{OutboundRecord, report_published},
    parked_notices::ParkedNotices,
    publish::{ExclusiveProducer, Interrupts, PublishResult, RecordTime, Unpublished, current_time},
};
use crate::{
    domain::{FailureClass, PublishFailure},
    kafka::{Availability, Record, Sink},
    telemetry::Metrics,
    traces::{SpanStart, Tracer},
};

/// The largest number of records that are read and published at once: large enough that one disk sync for each batch does
/// not matter, small enough that a request can wait for the last record of a batch.
const MAX_BATCH_ENTRIES: usize = 1_000;
/// The largest size of such a batch, in bytes.
const MAX_BATCH_BYTES: usize = 1 << 20;

const MIN_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// No callback waits for the drain, so a slow Kafka gets more time here than callbacks can give it. Otherwise each record
/// would be purged just before its acknowledgement and repeated without end.
const MAX_ACK_TIMEOUT: Duration = Duration::from_secs(30);

/// Publishes the spool to Kafka. It needs no dispatcher: `spool drain` uses it without one.
pub(super) struct Drainer {
    pub(super) producer: ExclusiveProducer,
    /// Whether Kafka accepts events.
    availability: watch::Receiver<Availability>,
    spool: Spool,
    parked_notices: ParkedNotices,
    metrics: Arc<Metrics>,
    tracer: Tracer,
    initial_ack_timeout: Duration,
    /// The number of records in the next batch.
    pub(super) window: usize,
    /// How long to wait after the next failure.
    pause: Duration,
    /// How long Kafka may take to acknowledge a record. Doubles with each failure until the spool is empty.
    ack_timeout: Duration,
    /// The current time once a topic has rejected a record for its time, until the spool is empty. Learning for each record
    /// that it is too old would take two attempts, one record at a time, which is slower than callbacks arrive.
    record_time: RecordTime,
    /// Whether the dead-letter topic accepts records, as far as is known. Tried again after the spool was empty.
    accepts_dead_letters: bool,
}

/// The result of one step of the drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrainStep {
    /// This many records were published and removed from the spool.
    Drained(usize),
    /// The first record was parked.
    Parked,
    /// The batch failed. Its first record must be published alone to find out whether it is at fault.
    RetryAlone,
    /// The spool is empty.
    Empty,
    /// Kafka does not accept the first record now.
    Failed(PublishFailure),
    /// The spool cannot be read or changed now.
    SpoolFailed,
    /// The wait for Kafka or for the disk was interrupted.
    Interrupted,
}

/// The spool could not be emptied.
#[derive(Debug, Error)]
#[error("{left} records remain in the spool: {}", .reason.map_or_else(|| "it cannot be read".to_owned(), |reason| format!("Kafka does not accept them ({reason})")))]
pub(crate) struct DrainFailed {
    /// The number of records that are still in the spool.
    pub left: u64,
    /// Why Kafka does not accept the next record; `None` when the spool cannot be read.
    pub reason: Option<PublishFailure>,
}

impl Drainer {
    /// Creates a drainer that at first gives Kafka as much time for an acknowledgement as callbacks do.
    pub(super) fn new(
        sink: Arc<dyn Sink>,
        spool: Spool,
        parked_notices: ParkedNotices,
        metrics: Arc<Metrics>,
        tracer: Tracer,
        ack_timeout: Duration,
    ) -> Self {
        Self {
            availability: sink.availability(),
            producer: ExclusiveProducer::new(sink),
            spool,
            parked_notices,
            metrics,
            tracer,
            initial_ack_timeout: ack_timeout,
            window: 1,
            pause: MIN_PAUSE,
            ack_timeout,
            record_time: RecordTime::Original,
            accepts_dead_letters: true,
        }
    }

    /// Publishes the next records of the spool, and removes those that Kafka has acknowledged. No purge is running when this
    /// returns [`DrainStep::Empty`].
    pub(super) async fn step(&mut self, interrupts: &Interrupts) -> DrainStep {
        let step = match self.next_entries(interrupts).await {
            Ok(entries) => match entries.as_slice() {
                [] => DrainStep::Empty,
                [entry] => self.publish_alone(entry, interrupts).await,
                entries => self.publish_batch(entries, interrupts).await,
            },
            Err(step) => step,
        };
        self.adapt(step);
        step
    }

    /// Waits for a running purge, and then for the disk, which can hang. Callbacks that are buffered meanwhile must not wait
    /// longer for either than they may for Kafka.
    async fn next_entries(&mut self, interrupts: &Interrupts) -> Result<Vec<Entry>, DrainStep> {
        let batch = ReadLimit { entries: self.window, bytes: MAX_BATCH_BYTES };
        let next = async {
            self.producer.wait_until_ready().await;
            self.spool.read(None, batch).await
        };
        tokio::select! {
            biased;
            entries = next => entries.map_err(|SpoolUnavailable| DrainStep::SpoolFailed),
            () = interrupts.interrupted() => Err(DrainStep::Interrupted),
        }
    }

    fn adapt(&mut self, step: DrainStep) {
        match step {
            DrainStep::Drained(_) | DrainStep::Parked => {
                self.window = (self.window * 2).min(MAX_BATCH_ENTRIES);
                self.pause = MIN_PAUSE;
            }
            DrainStep::Failed(_) => {
                self.window = 1;
                self.ack_timeout = (self.ack_timeout * 2).min(MAX_ACK_TIMEOUT).max(self.ack_timeout);
            }
            DrainStep::Empty => {
                self.window = 1;
                self.ack_timeout = self.initial_ack_timeout;
                self.record_time = RecordTime::Original;
                self.accepts_dead_letters = true;
            }
            DrainStep::RetryAlone | DrainStep::SpoolFailed | DrainStep::Interrupted => self.window = 1,
        }
    }

    async fn publish_batch(&mut self, entries: &[Entry], interrupts: &Interrupts) -> DrainStep {
        let decoded = entries.iter().map_while(|entry| OutboundRecord::decode(&entry.bytes).ok());
        let outbound = decoded.take_while(|outbound| !self.parked_notices.precede(outbound));
        let records: Vec<Record> = outbound.map(|outbound| self.with_accepted_time(outbound.record)).collect();
        let (start, deadline) = (SpanStart::now(), Instant::now() + self.ack_timeout);
        let (positions, unpublished) = self.producer.publish(&records, deadline, interrupts).await;
        for (record, position) in records.iter().zip(&positions) {
            report_published(&self.tracer, record, position, start);
        }
        if let Some(last) = entries.get(positions.len().wrapping_sub(1)) {
            return self.remove_through(last.position, positions.len(), interrupts).await;
        }
        match unpublished {
            Some(Unpublished::Interrupted) => DrainStep::Interrupted,
            Some(Unpublished::Failed(reason)) if !may_concern_first_record_only(reason) => DrainStep::Failed(reason),
            // Without a reason, the first record could not be decoded, or is a notice that must be parked.
            Some(Unpublished::Failed(_)) | None => DrainStep::RetryAlone,
        }
    }

    async fn publish_alone(&mut self, entry: &Entry, interrupts: &Interrupts) -> DrainStep {
        let Ok(mut outbound) = OutboundRecord::decode(&entry.bytes) else {
            return self.park(entry, None, "it cannot be decoded", interrupts).await;
        };
        if self.parked_notices.precede(&outbound) {
            return self.park(entry, Some(&outbound), "an earlier notice of its profile is parked", interrupts).await;
        }
        outbound.record = self.with_accepted_time(outbound.record);
        let (start, ack_timeout, accepts_dead_letters) =
            (SpanStart::now(), self.ack_timeout, self.accepts_dead_letters);
        match self.producer.publish_with_fallbacks(&outbound, ack_timeout, accepts_dead_letters, interrupts).await {
            PublishResult::Durable(receipt, time) => {
                if let Some(position) = &receipt.position {
                    report_published(&self.tracer, &outbound.record, position, start);
                }
                if time == RecordTime::Current {
                    self.record_time = RecordTime::Current;
                }
                self.remove_through(entry.position, 1, interrupts).await
            }
            PublishResult::Rejected => self.park(entry, Some(&outbound), "neither topic accepts it", interrupts).await,
            PublishResult::DeadLetterFailed(reason) if is_limited_to_dead_letters(reason, &self.availability) => {
                self.accepts_dead_letters = false;
                self.park(entry, Some(&outbound), "the dead-letter topic does not accept it now", interrupts).await
            }
            // It must not block status changes, which can be published.
            PublishResult::Outage(PublishFailure::NoSchemaId) if self.producer.is_rejected_notice(&outbound) => {
                self.park(entry, Some(&outbound), "the schema registry rejects its schema", interrupts).await
            }
            PublishResult::DeadLetterFailed(Some(reason)) | PublishResult::Outage(reason) => DrainStep::Failed(reason),
            PublishResult::DeadLetterFailed(None) | PublishResult::Interrupted => DrainStep::Interrupted,
        }
    }

    fn with_accepted_time(&self, record: Record) -> Record {
        match self.record_time {
            RecordTime::Original => record,
            RecordTime::Current => record.at(current_time()),
        }
    }

    async fn remove_through(&mut self, last: Position, records: usize, interrupts: &Interrupts) -> DrainStep {
        match unless_interrupted(self.spool.remove_through(last), interrupts).await {
            Ok(()) => {
                self.metrics.spool.drained.inc_by(records as u64);
                DrainStep::Drained(records)
            }
            Err(step) => step,
        }
    }

    /// Parks a record that cannot be published, so that it does not block those behind it. It stays in the spool. `outbound` is
    /// the record, if it could be decoded.
    async fn park(
        &mut self,
        entry: &Entry,
        outbound: Option<&OutboundRecord>,
        why: &str,
        interrupts: &Interrupts,
    ) -> DrainStep {
        tracing::error!(
            position = ?entry.position,
            "parked a record of the spool because {why}; `trusthub-bridge spool export` shows it"
        );
        if let Some(outbound) = outbound {
            self.parked_notices.add(outbound);
        }
        let parked = unless_interrupted(self.spool.park(entry.position), interrupts).await;
        // After an interruption, the spool still parks it.
        if let (Err(DrainStep::SpoolFailed), Some(outbound)) = (&parked, outbound) {
            self.parked_notices.remove(outbound);
        }
        parked.map_or_else(|step| step, |()| DrainStep::Parked)
    }

    /// Waits twice as long each time, up to [`MAX_PAUSE`]. Ends early when `recovered` does, or when the service stops.
    pub(super) async fn pause(&mut self, recovered: impl Future<Output = ()>, interrupts: &Interrupts) {
        let pause = self.pause;
        self.pause = (pause * 2).min(MAX_PAUSE);
        tokio::select! {
            () = sleep(pause) => {}
            () = recovered => self.pause = MIN_PAUSE,
            () = interrupts.stop.cancelled() => {}
        }
    }

    /// Empties the spool of a service that is not running, and returns how many records were published. Gives up when no
    /// record leaves the queue for `stall_timeout`. Calls `progress` with the number of records that remain.
    pub(super) async fn drain_all(
        mut self,
        stall_timeout: Duration,
        mut progress: impl FnMut(u64),
        interrupts: &Interrupts,
    ) -> Result<u64, DrainFailed> {
        let (mut last_progress, mut drained) = (Instant::now(), 0);
        loop {
            let reason = match self.step(interrupts).await {
                DrainStep::Empty => return Ok(drained),
                DrainStep::Drained(records) => {
                    drained += records as u64;
                    last_progress = Instant::now();
                    progress(self.spool.queued());
                    continue;
                }
                DrainStep::Parked => {
                    last_progress = Instant::now();
                    continue;
                }
                DrainStep::RetryAlone => continue,
                DrainStep::Failed(reason) => Some(reason),
                DrainStep::SpoolFailed | DrainStep::Interrupted => None,
            };
            if last_progress.elapsed() >= stall_timeout {
                return Err(DrainFailed { left: self.spool.queued(), reason });
            }
            self.pause(pending(), interrupts).await;
        }
    }
}

/// Waits for the spool's thread, but no longer than buffered callbacks may. After an interruption, the spool may still do
/// what it was asked to.
async fn unless_interrupted(
    answer: impl Future<Output = Result<(), SpoolUnavailable>>,
    interrupts: &Interrupts,
) -> Result<(), DrainStep> {
    tokio::select! {
        biased;
        result = answer => result.map_err(|SpoolUnavailable| DrainStep::SpoolFailed),
        () = interrupts.interrupted() => Err(DrainStep::Interrupted),
    }
}

/// Whether a batch that failed for this reason may have failed only because of its first record: that record may need
/// another form or another time, or it is a dead letter or a notice, which must not block the events behind it.
fn may_concern_first_record_only(reason: PublishFailure) -> bool {
    reason.is_resolved_by_another_form()
        || reason.class() == FailureClass::Topic
        || reason == PublishFailure::NoSchemaId
}

/// Whether a dead letter failed although Kafka accepts events, so that waiting for the dead-letter topic would block events.
pub(super) fn is_limited_to_dead_letters(
    reason: Option<PublishFailure>,
    availability: &watch::Receiver<Availability>,
) -> bool {
    let is_topic_failure = reason.is_none_or(|reason| reason.class() == FailureClass::Topic);
    is_topic_failure || *availability.borrow() == Availability::Up
}
