//! Records → Kafka while the failover controller has Kafka to itself: several at once, or one with its fallbacks.

use std::{
    borrow::Cow,
    future::pending,
    iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::{Notify, watch},
    time::{sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::outbound::OutboundRecord;
use crate::{
    domain::{Destination, Durability, FailureClass, PublishFailure, Timestamp},
    kafka::{Completion, OnCompleted, Record, Running, Sink},
};

/// How long the end of a purge is waited for before the records go to the spool without it. It usually takes less than a
/// millisecond, but as long as a name look-up when a connection is being made.
pub(super) const PURGE_WAIT: Duration = Duration::from_millis(500);

/// What ends every wait.
#[derive(Clone)]
pub(super) struct Interrupts {
    /// The service stops.
    pub(super) stop: CancellationToken,
    /// Nothing may wait for Kafka any more.
    pub(super) stop_waiting: CancellationToken,
    /// Until when buffered records may wait for Kafka. It becomes earlier when one comes that may wait for less.
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

    /// Nothing interrupts: for a service that does not run.
    pub(super) fn none() -> Self {
        let never = CancellationToken::new();
        Self::new(never.clone(), never, watch::Sender::new(None).subscribe())
    }

    /// Ready when the service stops, or when records have been buffered for as long as they may.
    pub(super) async fn interrupted(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.stop_waiting.cancelled() => {}
            () = self.buffering_is_over() => {}
        }
    }

    async fn buffering_is_over(&self) {
        let mut buffered_until = self.buffered_until.clone();
        loop {
            let until = *buffered_until.borrow_and_update();
            let is_over = async {
                match until {
                    Some(until) => sleep_until(until.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = is_over => return,
                Ok(()) = buffered_until.changed() => {}
            }
        }
    }

    /// Whether the service stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_cancelled() || self.stop_waiting.is_cancelled()
    }

    /// Whether the service stops, or records have been buffered for as long as they may.
    pub(super) fn are_set(&self) -> bool {
        let buffered_until = *self.buffered_until.borrow();
        self.is_stopping() || buffered_until.is_some_and(|until| until <= Instant::now())
    }
}

/// Why a record was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpublished {
    Failed(PublishFailure),
    /// The wait for Kafka was interrupted, which says nothing of Kafka.
    Interrupted,
}

/// Kafka, used by one task alone: every mode but *Direct*.
///
/// It keeps the rule that nothing is handed over while a purge runs. The wait for a purge is bounded, the purge is not:
/// what was handed over meanwhile could be purged, or overtake what was taken back.
pub(super) struct ExclusiveProducer {
    sink: Arc<dyn Sink>,
    /// A purge, or a replacement of the producer, that has not returned.
    running: Option<Running>,
}

impl ExclusiveProducer {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, running: None }
    }

    /// Takes back what Kafka has not acknowledged.
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

    /// Waits until records may be handed over.
    pub(super) async fn ready(&mut self) {
        if let Some(running) = &mut self.running {
            running.await;
            self.running = None;
        }
    }

    /// Publishes records in their order and says how many, from the first on, Kafka has acknowledged, and why not the next.
    ///
    /// When this returns, Kafka holds none of them, or [`ready`](Self::ready) waits until it does not, so that they can be
    /// published again without a later one overtaking an earlier one. It must not be dropped before that.
    pub(super) async fn publish<'r>(
        &mut self,
        records: impl IntoIterator<Item = &'r Record>,
        deadline: Instant,
        interrupts: &Interrupts,
    ) -> (usize, Option<Unpublished>) {
        // What was taken back before must be gone first.
        tokio::select! {
            biased;
            () = self.ready() => {}
            () = interrupts.interrupted() => return (0, Some(Unpublished::Interrupted)),
        }
        if interrupts.are_set() {
            return (0, Some(Unpublished::Interrupted));
        }
        let batch = Arc::new(Batch::default());
        let not_queued = self.enqueue(records, &batch);
        let interrupted = tokio::select! {
            biased;
            () = batch.until(|results| results.are_all_acknowledged() || results.failure().is_some()) => None,
            () = interrupts.interrupted() => Some(Unpublished::Interrupted),
            () = sleep_until(deadline.into()) => Some(Unpublished::Failed(PublishFailure::TimedOut)),
        };
        let is_whole = batch.results().are_all_acknowledged();
        if !is_whole {
            self.purge();
            let completed = async { tokio::join!(self.ready(), batch.until(|results| results.open == 0)) };
            // Not returned yet? Then the next hand-over waits for it.
            let _ = timeout(PURGE_WAIT, completed).await;
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

    /// Hands records over, and says why the first that was not even queued was not.
    fn enqueue<'r>(&self, records: impl IntoIterator<Item = &'r Record>, batch: &Arc<Batch>) -> Option<PublishFailure> {
        for record in records {
            if let Err(reason) = self.sink.enqueue(record, batch.completion()) {
                batch.withdraw_last();
                return Some(reason);
            }
        }
        None
    }

    /// Publishes one record, alone: as it is, with another time, or as what may take its place. Each form may take as long as
    /// `patience`; dead letters are not even tried when it is known that their topic does not take them.
    pub(super) async fn publish_with_fallbacks(
        &mut self,
        outbound: &OutboundRecord,
        patience: Duration,
        takes_dead_letters: bool,
        interrupts: &Interrupts,
    ) -> PublishResult {
        // Fallbacks are made only when the record itself is refused.
        let fallbacks = iter::once_with(|| outbound.fallbacks()).flatten();
        let record = iter::once((Cow::Borrowed(&outbound.record), Durability::Published));
        let forms = record.chain(fallbacks.map(|record| (Cow::Owned(record), Durability::DeadLettered)));
        for (record, durable) in forms {
            if record.destination == Destination::DeadLetters && !takes_dead_letters {
                return PublishResult::DeadLetterNotTaken(None);
            }
            match self.publish_at_some_time(&record, patience, interrupts).await {
                Ok(time) => return PublishResult::Durable(durable, time),
                Err(Unpublished::Interrupted) => return PublishResult::Interrupted,
                Err(Unpublished::Failed(reason)) if reason.class() == FailureClass::Record => {}
                Err(Unpublished::Failed(reason)) if record.destination == Destination::DeadLetters => {
                    return PublishResult::DeadLetterNotTaken(Some(reason));
                }
                Err(Unpublished::Failed(reason)) => return PublishResult::Outage(reason),
            }
        }
        PublishResult::Refused
    }

    /// With the time of receipt, or the present time when the topic does not accept that. `ce_time` keeps the truth.
    async fn publish_at_some_time(
        &mut self,
        record: &Record,
        patience: Duration,
        interrupts: &Interrupts,
    ) -> Result<RecordTime, Unpublished> {
        match self.publish([record], Instant::now() + patience, interrupts).await.1 {
            None => return Ok(RecordTime::Receipt),
            Some(Unpublished::Failed(reason)) if reason.class() == FailureClass::Time => {}
            Some(unpublished) => return Err(unpublished),
        }
        match self.publish([&record.at(present())], Instant::now() + patience, interrupts).await.1 {
            None => Ok(RecordTime::Present),
            Some(unpublished) => Err(unpublished),
        }
    }
}

/// What became of one record.
pub(super) enum PublishResult {
    Durable(Durability, RecordTime),
    /// No topic takes it in any form.
    Refused,
    /// Its topic refuses it, or it is a dead letter, and the topic of dead letters takes nothing now; without a reason, that
    /// was known before.
    DeadLetterNotTaken(Option<PublishFailure>),
    /// Kafka takes nothing now.
    Outage(PublishFailure),
    /// The wait for Kafka was interrupted.
    Interrupted,
}

/// With which time Kafka took a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordTime {
    Receipt,
    /// The topic does not take records as old as this one.
    Present,
}

pub(super) fn present() -> Timestamp {
    SystemTime::now().into()
}

/// Publishes one record for which no order is promised, beside others, with the present time if need be. When it is late it
/// is left to Kafka.
pub(super) async fn publish_beside(sink: &dyn Sink, record: &Record, patience: Duration) -> Result<(), PublishFailure> {
    match publish_once_beside(sink, record, patience).await {
        Err(reason) if reason.class() == FailureClass::Time => {
            publish_once_beside(sink, &record.at(present()), patience).await
        }
        result => result,
    }
}

async fn publish_once_beside(sink: &dyn Sink, record: &Record, patience: Duration) -> Result<(), PublishFailure> {
    let deadline = Instant::now() + patience;
    let batch = Arc::new(Batch::default());
    sink.enqueue(record, batch.completion())?;
    let completed = timeout_at(deadline.into(), batch.until(|results| results.open == 0)).await;
    let failure = batch.results().failure();
    if completed.is_err() { Err(PublishFailure::TimedOut) } else { failure.map_or(Ok(()), Err) }
}

/// Records that were handed over together.
#[derive(Default)]
struct Batch {
    results: Mutex<Results>,
    changed: Notify,
}

#[derive(Default)]
struct Results {
    /// In the order of the hand-over; `None` until Kafka has said something.
    each: Vec<Option<Result<(), PublishFailure>>>,
    /// How many are acknowledged from the first on.
    acknowledged: usize,
    /// How many have not completed.
    open: usize,
}

impl Results {
    fn complete(&mut self, number: u64, result: Result<(), PublishFailure>) {
        let Some(slot) = usize::try_from(number).ok().and_then(|number| self.each.get_mut(number)) else { return };
        *slot = Some(result);
        self.open = self.open.saturating_sub(1);
        while self.each.get(self.acknowledged) == Some(&Some(Ok(()))) {
            self.acknowledged += 1;
        }
    }

    fn are_all_acknowledged(&self) -> bool {
        self.acknowledged == self.each.len()
    }

    /// Why the first that is not acknowledged is not, if that is known.
    fn failure(&self) -> Option<PublishFailure> {
        self.each.get(self.acknowledged).copied().flatten().and_then(Result::err)
    }
}

impl Batch {
    fn results(&self) -> MutexGuard<'_, Results> {
        // Nothing that holds the lock can panic.
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn completion(self: &Arc<Self>) -> Completion {
        let mut results = self.results();
        results.each.push(None);
        results.open += 1;
        Completion::new(results.each.len() as u64 - 1, Arc::clone(self) as Arc<dyn OnCompleted>)
    }

    /// The one that was handed over last was not even queued.
    fn withdraw_last(&self) {
        let mut results = self.results();
        results.each.pop();
        results.open -= 1;
    }

    async fn until(&self, holds: impl Fn(&Results) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.results()) {
                return;
            }
            changed.await;
        }
    }
}

impl OnCompleted for Batch {
    fn on_completed(&self, number: u64, result: Result<(), PublishFailure>) {
        let mut results = self.results();
        results.complete(number, result);
        // Most completions are acknowledgements of one among many, which nothing waits for.
        let is_awaited = results.open == 0 || results.failure().is_some();
        drop(results);
        if is_awaited {
            self.changed.notify_one();
        }
    }
}
