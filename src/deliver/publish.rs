//! Publishes records while the failover controller is the only user of the producer: several at once, or one with its
//! fallbacks.

use std::{
    borrow::Cow,
    future::pending,
    iter,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::{Notify, watch},
    time::{sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::outbound::OutboundRecord;
use crate::{
    domain::{Destination, Durability, FailureClass, PublishFailure, Timestamp},
    kafka::{BackgroundCall, Completion, OnCompleted, Record, Sink},
};

/// How long the controller waits for a purge before it spools the records anyway. A purge usually takes less than a
/// millisecond, but as long as a name lookup while a connection is being established.
pub(super) const PURGE_TIMEOUT: Duration = Duration::from_millis(500);

/// The conditions that end every wait.
#[derive(Clone)]
pub(super) struct Interrupts {
    /// Cancelled when the service stops.
    pub(super) stop: CancellationToken,
    /// Cancelled when records must no longer wait for Kafka.
    pub(super) stop_waiting: CancellationToken,
    /// Until when buffered records may wait for Kafka. A record with an earlier deadline moves it forward.
    buffered_until: watch::Receiver<Option<Instant>>,
}

impl Interrupts {
    pub(super) fn new(
        stop: CancellationToken,
        stop_waiting: CancellationToken,
        buffered_until: watch::Receiver<Option<Instant>>,
    ) -> Self {
        Self { stop, stop_waiting, buffered_until }
    }

    /// Conditions that never occur, for a service that is not running.
    pub(super) fn none() -> Self {
        let never = CancellationToken::new();
        Self::new(never.clone(), never, watch::Sender::new(None).subscribe())
    }

    /// Waits until the service stops, or until buffered records must not wait any longer.
    pub(super) async fn interrupted(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.stop_waiting.cancelled() => {}
            () = self.buffering_expired() => {}
        }
    }

    async fn buffering_expired(&self) {
        let mut buffered_until = self.buffered_until.clone();
        loop {
            let until = *buffered_until.borrow_and_update();
            let expired = async {
                match until {
                    Some(until) => sleep_until(until.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = expired => return,
                Ok(()) = buffered_until.changed() => {}
            }
        }
    }

    /// Whether the service is stopping.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled() || self.stop_waiting.is_cancelled()
    }

    /// Whether the service is stopping, or buffered records must not wait any longer.
    pub(super) fn is_interrupted(&self) -> bool {
        let buffered_until = *self.buffered_until.borrow();
        self.is_stopping() || buffered_until.is_some_and(|until| until <= Instant::now())
    }
}

/// Why a record was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpublished {
    Failed(PublishFailure),
    /// The wait for Kafka was interrupted. This is no failure of Kafka.
    Interrupted,
}

/// The producer as one task uses it exclusively, in every mode except *Direct*.
///
/// It enforces that no record is handed to the client while a purge runs: such a record could be purged, or overtake a
/// purged one. The wait for a purge is bounded, but the purge itself is not.
pub(super) struct ExclusiveProducer {
    sink: Arc<dyn Sink>,
    /// A purge, or a replacement of the producer, that has not returned yet.
    running: Option<BackgroundCall>,
}

impl ExclusiveProducer {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, running: None }
    }

    /// Starts to purge the records that Kafka has not acknowledged.
    pub(super) fn purge(&mut self) {
        if self.running.is_none() {
            self.running = Some(self.sink.purge());
        }
    }

    /// Replaces the producer once it has been purged.
    pub(super) fn renew(&mut self) {
        let (purge, sink) = (self.running.take(), Arc::clone(&self.sink));
        self.running = Some(Box::pin(async move {
            if let Some(purge) = purge {
                purge.await;
            }
            sink.renew().await;
        }));
    }

    /// Waits until no purge is running, so that records may be handed to the client.
    pub(super) async fn wait_until_ready(&mut self) {
        if let Some(running) = &mut self.running {
            running.await;
            self.running = None;
        }
    }

    /// Publishes records in their order. Returns how many of them, counted from the first, Kafka has acknowledged, and why it
    /// did not acknowledge the next one.
    ///
    /// When this returns, the client holds none of the records, or [`wait_until_ready`](Self::wait_until_ready) waits until
    /// it does not. They can then be published again without a later record overtaking an earlier one. The future must not be
    /// dropped before it returns.
    pub(super) async fn publish<'r>(
        &mut self,
        records: impl IntoIterator<Item = &'r Record>,
        deadline: Instant,
        interrupts: &Interrupts,
    ) -> (usize, Option<Unpublished>) {
        // An earlier purge must have returned first.
        tokio::select! {
            biased;
            () = self.wait_until_ready() => {}
            () = interrupts.interrupted() => return (0, Some(Unpublished::Interrupted)),
        }
        if interrupts.is_interrupted() {
            return (0, Some(Unpublished::Interrupted));
        }
        let batch = Arc::new(InFlightBatch::default());
        let not_queued = self.enqueue(records, &batch);
        let interrupted = tokio::select! {
            biased;
            () = batch.wait_until(|results| results.are_all_acknowledged() || results.failure().is_some()) => None,
            () = interrupts.interrupted() => Some(Unpublished::Interrupted),
            () = sleep_until(deadline.into()) => Some(Unpublished::Failed(PublishFailure::TimedOut)),
        };
        let is_complete = batch.results().are_all_acknowledged();
        if !is_complete {
            self.purge();
            let completed =
                async { tokio::join!(self.wait_until_ready(), batch.wait_until(|results| results.incomplete == 0)) };
            // If the purge takes longer, the next call waits for it.
            let _ = timeout(PURGE_TIMEOUT, completed).await;
        }
        let results = batch.results();
        let failed = || Unpublished::Failed(results.failure().unwrap_or(PublishFailure::TimedOut));
        let why = if results.are_all_acknowledged() {
            not_queued.map(Unpublished::Failed)
        } else {
            Some(interrupted.unwrap_or_else(failed))
        };
        (results.acknowledged, why)
    }

    /// Hands records to the client. Returns why it did not queue a record, if so; later records are not handed over then.
    fn enqueue<'r>(
        &self,
        records: impl IntoIterator<Item = &'r Record>,
        batch: &Arc<InFlightBatch>,
    ) -> Option<PublishFailure> {
        for record in records {
            if let Err(reason) = self.sink.enqueue(record, batch.completion()) {
                batch.withdraw_last();
                return Some(reason);
            }
        }
        None
    }

    /// Publishes a single record: as it is, with the current time, or as one of its fallbacks. Each attempt may take
    /// `ack_timeout`. Dead letters are not attempted when it is known that their topic does not accept them.
    pub(super) async fn publish_with_fallbacks(
        &mut self,
        outbound: &OutboundRecord,
        ack_timeout: Duration,
        accepts_dead_letters: bool,
        interrupts: &Interrupts,
    ) -> PublishResult {
        // Fallbacks are built only when the record itself is rejected.
        let fallbacks = iter::once_with(|| outbound.fallbacks()).flatten();
        let record = iter::once((Cow::Borrowed(&outbound.record), Durability::Published));
        let forms = record.chain(fallbacks.map(|record| (Cow::Owned(record), Durability::DeadLettered)));
        for (record, durability) in forms {
            if record.destination == Destination::DeadLetters && !accepts_dead_letters {
                return PublishResult::DeadLetterFailed(None);
            }
            match self.publish_with_accepted_time(&record, ack_timeout, interrupts).await {
                Ok(time) => return PublishResult::Durable(durability, time),
                Err(Unpublished::Interrupted) => return PublishResult::Interrupted,
                Err(Unpublished::Failed(reason)) if reason.class() == FailureClass::Record => {}
                Err(Unpublished::Failed(reason)) if record.destination == Destination::DeadLetters => {
                    return PublishResult::DeadLetterFailed(Some(reason));
                }
                Err(Unpublished::Failed(reason)) => return PublishResult::Outage(reason),
            }
        }
        PublishResult::Rejected
    }

    /// Publishes a record with its own time, or with the current time if the topic rejects that. `ce_time` keeps the time of
    /// receipt either way.
    async fn publish_with_accepted_time(
        &mut self,
        record: &Record,
        ack_timeout: Duration,
        interrupts: &Interrupts,
    ) -> Result<RecordTime, Unpublished> {
        match self.publish([record], Instant::now() + ack_timeout, interrupts).await.1 {
            None => return Ok(RecordTime::Original),
            Some(Unpublished::Failed(reason)) if reason.class() == FailureClass::Time => {}
            Some(unpublished) => return Err(unpublished),
        }
        match self.publish([&record.at(current_time())], Instant::now() + ack_timeout, interrupts).await.1 {
            None => Ok(RecordTime::Current),
            Some(unpublished) => Err(unpublished),
        }
    }
}

/// The result of publishing one record.
pub(super) enum PublishResult {
    /// Kafka acknowledged it, in this form and with this time.
    Durable(Durability, RecordTime),
    /// No topic accepts it in any form.
    Rejected,
    /// It has to be published as a dead letter, and the dead-letter topic accepts no records now. Without a reason, this was
    /// known before and not attempted.
    DeadLetterFailed(Option<PublishFailure>),
    /// Kafka accepts no records now.
    Outage(PublishFailure),
    /// The wait for Kafka was interrupted.
    Interrupted,
}

/// The time with which Kafka accepted a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordTime {
    /// The record's own time.
    Original,
    /// The current time, because the topic rejects records as old as this one.
    Current,
}

pub(super) fn current_time() -> Timestamp {
    SystemTime::now().into()
}

/// Publishes a record that has no guaranteed order, in parallel with others, with the current time if its own is rejected.
/// A record that is not acknowledged in time is not purged: Kafka may still write it.
pub(super) async fn publish_unordered(
    sink: &dyn Sink,
    record: &Record,
    ack_timeout: Duration,
) -> Result<(), PublishFailure> {
    match publish_unordered_once(sink, record, ack_timeout).await {
        Err(reason) if reason.class() == FailureClass::Time => {
            publish_unordered_once(sink, &record.at(current_time()), ack_timeout).await
        }
        result => result,
    }
}

async fn publish_unordered_once(sink: &dyn Sink, record: &Record, ack_timeout: Duration) -> Result<(), PublishFailure> {
    let deadline = Instant::now() + ack_timeout;
    let batch = Arc::new(InFlightBatch::default());
    sink.enqueue(record, batch.completion())?;
    let completed = timeout_at(deadline.into(), batch.wait_until(|results| results.incomplete == 0)).await;
    let failure = batch.results().failure();
    if completed.is_err() { Err(PublishFailure::TimedOut) } else { failure.map_or(Ok(()), Err) }
}

/// Records that were handed to the client together.
#[derive(Default)]
struct InFlightBatch {
    results: Mutex<BatchResults>,
    changed: Notify,
}

#[derive(Default)]
struct BatchResults {
    /// One result for each record, in their order; `None` until the record has completed.
    each: Vec<Option<Result<(), PublishFailure>>>,
    /// The number of acknowledged records before the first one that is not.
    acknowledged: usize,
    /// The number of records that have not completed.
    incomplete: usize,
}

impl BatchResults {
    fn complete(&mut self, number: u64, result: Result<(), PublishFailure>) {
        let Some(slot) = usize::try_from(number).ok().and_then(|number| self.each.get_mut(number)) else { return };
        *slot = Some(result);
        self.incomplete = self.incomplete.saturating_sub(1);
        while self.each.get(self.acknowledged) == Some(&Some(Ok(()))) {
            self.acknowledged += 1;
        }
    }

    fn are_all_acknowledged(&self) -> bool {
        self.acknowledged == self.each.len()
    }

    /// The failure of the first record that is not acknowledged, if it is known.
    fn failure(&self) -> Option<PublishFailure> {
        self.each.get(self.acknowledged).copied().flatten().and_then(Result::err)
    }
}

impl InFlightBatch {
    fn results(&self) -> MutexGuard<'_, BatchResults> {
        // No code that holds the lock can panic.
        self.results.lock()
    }

    fn completion(self: &Arc<Self>) -> Completion {
        let mut results = self.results();
        results.each.push(None);
        results.incomplete += 1;
        Completion::new(results.each.len() as u64 - 1, Arc::clone(self) as Arc<dyn OnCompleted>)
    }

    /// Removes the last record, which the client did not queue.
    fn withdraw_last(&self) {
        let mut results = self.results();
        results.each.pop();
        results.incomplete -= 1;
    }

    async fn wait_until(&self, holds: impl Fn(&BatchResults) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.results()) {
                return;
            }
            changed.await;
        }
    }
}

impl OnCompleted for InFlightBatch {
    fn on_completed(&self, number: u64, result: Result<(), PublishFailure>) {
        let mut results = self.results();
        results.complete(number, result);
        // Most completions acknowledge one record among many, and no task waits for those.
        let is_awaited = results.incomplete == 0 || results.failure().is_some();
        drop(results);
        if is_awaited {
            self.changed.notify_one();
        }
    }
}
