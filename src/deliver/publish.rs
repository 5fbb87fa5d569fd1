//! Publishes records while the failover controller is the only user of the producer: several at once, or one with its
//! fallbacks.

use std::{
    borrow::Cow,
    future::pending,
    iter,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::watch,
    time::{sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{batch::InFlightBatch, outbound::OutboundRecord};
use crate::{
    domain::{DataSchema, Destination, Durability, FailureClass, PublishFailure, Receipt, Timestamp, TopicPosition},
    kafka::{BackgroundCall, Record, Sink},
};

/// How long the controller waits for a purge before it spools the records anyway. A purge usually takes less than a
/// millisecond, but as long as a name lookup while a connection is being established.
pub(super) const PURGE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a producer with purged records stays although there is one with newer credentials. A broker can reject credentials in
/// ways that do not look like it, for example by closing the connection.
const MAX_DEFERRAL: Duration = Duration::from_secs(60);

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
    /// When records were first purged that Kafka may still write. `None` when Kafka has answered everything since.
    unanswered_since: Option<Instant>,
}

impl ExclusiveProducer {
    pub(super) fn new(sink: Arc<dyn Sink>) -> Self {
        Self { sink, running: None, unanswered_since: None }
    }

    /// Whether this notice cannot be encoded because the registry rejects its schema, and status changes can be.
    pub(super) fn is_rejected_notice(&self, outbound: &OutboundRecord) -> bool {
        let is_rejected = outbound.notice_schema().is_some_and(|schema| self.sink.is_schema_rejected(schema));
        is_rejected && self.sink.can_encode(DataSchema::ProfileStatusChanged)
    }

    /// Starts to purge the records that Kafka has not acknowledged.
    pub(super) fn purge(&mut self) {
        if self.running.is_none() {
            self.running = Some(self.sink.purge());
        }
    }

    /// Whether no purge and no replacement is running.
    pub(super) fn is_ready(&self) -> bool {
        self.running.is_none()
    }

    /// Notes that records are purged that may be on their way to Kafka.
    pub(super) fn note_unanswered(&mut self) {
        self.unanswered_since.get_or_insert_with(Instant::now);
    }

    /// Notes that Kafka has acknowledged every record that was purged before, so that none of them can be written later.
    pub(super) fn note_all_answered(&mut self) {
        self.unanswered_since = None;
    }

    /// Whether the producer may be replaced by one with newer credentials while records go through the spool.
    ///
    /// A broker that stalls can still write a purged record when it resumes. The same producer numbers its requests, so the
    /// broker orders them; another producer's records could get between a record and its repetition. So the producer stays as
    /// long as it may work: not if its credentials are rejected, and not if it has failed for [`MAX_DEFERRAL`].
    pub(super) fn may_be_replaced(&self) -> bool {
        let is_deferred = self.unanswered_since.is_some_and(|since| since.elapsed() < MAX_DEFERRAL);
        self.is_ready() && (!is_deferred || self.sink.are_credentials_rejected())
    }

    /// Replaces the producer, once it has been purged if a purge is running.
    pub(super) fn renew(&mut self) {
        self.unanswered_since = None;
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

    /// Publishes records in their order. Returns the positions of those that Kafka has acknowledged, counted from the first,
    /// and why it did not acknowledge the next one.
    ///
    /// When this returns, the client holds none of the records, or [`wait_until_ready`](Self::wait_until_ready) waits until
    /// it does not. They can then be published again without a later record overtaking an earlier one. The future must not be
    /// dropped before it returns.
    pub(super) async fn publish<'r>(
        &mut self,
        records: impl IntoIterator<Item = &'r Record>,
        deadline: Instant,
        interrupts: &Interrupts,
    ) -> (Vec<TopicPosition>, Option<Unpublished>) {
        // An earlier purge must have returned first.
        tokio::select! {
            biased;
            () = self.wait_until_ready() => {}
            () = interrupts.interrupted() => return (Vec::new(), Some(Unpublished::Interrupted)),
        }
        if interrupts.is_interrupted() {
            return (Vec::new(), Some(Unpublished::Interrupted));
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
            self.note_unanswered();
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
        (results.positions(), why)
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
                Ok((position, time)) => {
                    return PublishResult::Durable(Receipt { durability, position: Some(position) }, time);
                }
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
    ) -> Result<(TopicPosition, RecordTime), Unpublished> {
        match self.publish_one(record, ack_timeout, interrupts).await {
            Err(Unpublished::Failed(reason)) if reason.class() == FailureClass::Time => {
                let position = self.publish_one(&record.at(current_time()), ack_timeout, interrupts).await?;
                Ok((position, RecordTime::Current))
            }
            result => result.map(|position| (position, RecordTime::Original)),
        }
    }

    async fn publish_one(
        &mut self,
        record: &Record,
        ack_timeout: Duration,
        interrupts: &Interrupts,
    ) -> Result<TopicPosition, Unpublished> {
        let (positions, unpublished) = self.publish([record], Instant::now() + ack_timeout, interrupts).await;
        match (positions.into_iter().next(), unpublished) {
            (Some(position), None) => Ok(position),
            (_, unpublished) => Err(unpublished.unwrap_or(Unpublished::Interrupted)),
        }
    }
}

/// The result of publishing one record.
pub(super) enum PublishResult {
    /// Kafka acknowledged it, in this form and with this time.
    Durable(Receipt, RecordTime),
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
) -> Result<TopicPosition, PublishFailure> {
    match publish_unordered_once(sink, record, ack_timeout).await {
        Err(reason) if reason.class() == FailureClass::Time => {
            publish_unordered_once(sink, &record.at(current_time()), ack_timeout).await
        }
        result => result,
    }
}

async fn publish_unordered_once(
    sink: &dyn Sink,
    record: &Record,
    ack_timeout: Duration,
) -> Result<TopicPosition, PublishFailure> {
    let deadline = Instant::now() + ack_timeout;
    let batch = Arc::new(InFlightBatch::default());
    sink.enqueue(record, batch.completion())?;
    let completed = timeout_at(deadline.into(), batch.wait_until(|results| results.incomplete == 0)).await;
    let results = batch.results();
    match results.positions().pop() {
        Some(position) if completed.is_ok() => Ok(position),
        _ => Err(results.failure().unwrap_or(PublishFailure::TimedOut)),
    }
}

/// Whether the failure of a dead letter says nothing about events: each topic has its own leaders and permissions, and if
/// Kafka as a whole is unreachable, an event or a probe shows it.
pub(super) fn may_concern_dead_letters_only(reason: PublishFailure) -> bool {
    match reason.class() {
        FailureClass::Topic | FailureClass::Outage => reason != PublishFailure::QueueFull,
        FailureClass::Record | FailureClass::Time | FailureClass::Fatal => false,
    }
}
