//! The records that are not durable yet, and the mode that decides where the next record goes.
//!
//! All state is behind one lock, and this lock is what orders records. No blocking call is made while it is held: handing a
//! record to librdkafka or to the spool only queues it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use durable_spool::Spool;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    delivery::Delivery,
    in_flight::{InFlightRecord, RecordState, Records},
    outbound::OutboundRecord,
    parked_notices::ParkedNotices,
    publish::{Interrupts, may_concern_dead_letters_only},
};
use crate::{
    domain::{Durability, PublishFailure, Receipt, TopicPosition},
    kafka::{Completion, OnCompleted, Sink},
    telemetry::Metrics,
    traces::Tracer,
};

/// How long after the head of its request a record may wait for Kafka, however slow the body was. Twilio waits 15 s and
/// deliveries end after 14.5 s, so a second and a half is left for the failover and the disk.
const KAFKA_BUDGET: Duration = Duration::from_secs(13);

/// The time that Kafka gets for a record whose request arrived so slowly that the budget is almost used up.
const MIN_ACK_TIMEOUT: Duration = Duration::from_millis(500);

/// Where a new record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeliveryMode {
    /// To Kafka.
    Direct,
    /// Into the buffer, until Kafka has acknowledged the records in flight and the producer has been replaced by one with newer
    /// credentials.
    Renewing,
    /// Into the buffer, while the records that Kafka holds are being purged. The reason is the failure that caused it;
    /// `None` when the spool must be emptied first or when the service stops.
    FailingOver(Option<PublishFailure>),
    /// Into the spool.
    Spooling,
    /// Into the buffer, while the last records of the spool are being published.
    Recovering,
}

/// Sends each record to Kafka, to the buffer or to the spool. See the [module](super) for the modes and the transitions
/// between them.
pub(super) struct Dispatcher {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) spool: Spool,
    pub(super) parked_notices: ParkedNotices,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tracer: Tracer,
    /// How long Kafka may take to acknowledge a record, counted from its submission.
    pub(super) ack_timeout: Duration,
    state: Mutex<DispatchState>,
    /// Notified when the mode changed, or when a record completed while the failover waits for it.
    pub(super) changed: Notify,
    /// The earliest deadline of the buffered and failed records. The failover controller waits for nothing beyond it.
    buffered_until: watch::Sender<Option<Instant>>,
    /// Cancelled when records must no longer wait for Kafka.
    pub(super) stop_waiting: CancellationToken,
}

/// The state behind the lock. No panic can leave it half-changed.
pub(super) struct DispatchState {
    pub(super) mode: DeliveryMode,
    /// The number of the record that was submitted last.
    last_number: u64,
    records: Records,
    /// No record in flight has a deadline before this instant.
    next_deadline: Option<Instant>,
    /// Whether the dead-letter topic accepts records, as far as is known.
    pub(super) accepts_dead_letters: bool,
}

impl Dispatcher {
    pub(super) fn new(
        sink: Arc<dyn Sink>,
        spool: Spool,
        metrics: Arc<Metrics>,
        tracer: Tracer,
        ack_timeout: Duration,
    ) -> Self {
        // Records that an earlier run left in the spool go first.
        let mode = if spool.is_empty() { DeliveryMode::Direct } else { DeliveryMode::Spooling };
        let state = DispatchState {
            mode,
            last_number: 0,
            records: BTreeMap::new(),
            next_deadline: None,
            accepts_dead_letters: true,
        };
        Self {
            sink,
            spool,
            parked_notices: ParkedNotices::default(),
            metrics,
            tracer,
            ack_timeout,
            state: Mutex::new(state),
            changed: Notify::new(),
            buffered_until: watch::Sender::new(None),
            stop_waiting: CancellationToken::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, DispatchState> {
        self.state.lock()
    }

    pub(super) fn mode(&self) -> DeliveryMode {
        self.state().mode
    }

    /// Accepts a record. Its place in the order is fixed when this returns.
    pub(super) fn submit(self: &Arc<Self>, outbound: OutboundRecord, received: Instant) -> Delivery {
        let mut state = self.state();
        if state.mode == DeliveryMode::Spooling {
            return match outbound.encode() {
                Ok(bytes) => Delivery::spooling(self.spool.append(vec![bytes]), received),
                Err(error) => Delivery::not_encoded(&error),
            };
        }
        let (reply, handoff) = oneshot::channel();
        let deadline = self.deadline(received);
        let outbound = Box::new(outbound);
        let record = InFlightRecord { outbound, state: RecordState::Buffered, deadline, reply };
        match state.mode {
            DeliveryMode::Direct => self.dispatch(&mut state, record),
            DeliveryMode::Renewing
            | DeliveryMode::FailingOver(_)
            | DeliveryMode::Spooling
            | DeliveryMode::Recovering => self.buffer(&mut state, record),
        }
        Delivery::dispatched(handoff, received)
    }

    fn buffer(&self, state: &mut DispatchState, record: InFlightRecord) {
        self.limit_buffering(record.deadline);
        state.insert(record);
    }

    /// Ends buffering at `deadline` at the latest: no record is buffered for longer than it may wait for Kafka.
    pub(super) fn limit_buffering(&self, deadline: Instant) {
        self.buffered_until.send_if_modified(|until| {
            let is_earlier = until.is_none_or(|until| deadline < until);
            if is_earlier {
                *until = Some(deadline);
            }
            is_earlier
        });
    }

    pub(super) fn interrupts(&self, stop: CancellationToken) -> Interrupts {
        Interrupts::new(stop, self.stop_waiting.clone(), self.buffered_until.subscribe())
    }

    fn deadline(&self, received: Instant) -> Instant {
        let now = Instant::now();
        (now + self.ack_timeout).min((received + KAFKA_BUDGET).max(now + MIN_ACK_TIMEOUT))
    }

    /// Hands a record to the Kafka client, or treats it as failed if the client does not queue it.
    fn dispatch(self: &Arc<Self>, state: &mut DispatchState, mut record: InFlightRecord) {
        let is_dead_letter = record.outbound.is_dead_letter();
        if (is_dead_letter && !state.accepts_dead_letters) || self.parked_notices.must_follow(&record.outbound) {
            return record.park(&self.spool);
        }
        let number = state.next_number();
        let completion = Completion::new(number, Arc::clone(self) as Arc<dyn OnCompleted>);
        match self.sink.enqueue(&record.outbound.record, completion) {
            Ok(()) => {
                record.state = RecordState::InFlight;
                state.next_deadline = state.next_deadline.min(Some(record.deadline)).or(Some(record.deadline));
                state.records.insert(number, record);
            }
            Err(reason) => self.on_failure(state, number, record, reason),
        }
    }

    /// Handles a record that Kafka did not accept: parks a dead letter whose own topic is at fault, and fails over otherwise.
    fn on_failure(&self, state: &mut DispatchState, number: u64, mut record: InFlightRecord, reason: PublishFailure) {
        if state.mode == DeliveryMode::Direct
            && record.outbound.is_dead_letter()
            && may_concern_dead_letters_only(reason)
        {
            state.accepts_dead_letters = false;
            self.changed.notify_one();
            return record.park(&self.spool);
        }
        record.state = RecordState::Failed;
        state.records.insert(number, record);
        self.start_failover(state, Some(reason));
    }

    /// Leaves *Direct* or *Renewing*, because Kafka is failing for this reason, or without a reason because it must not be used now.
    pub(super) fn fail_over(&self, reason: Option<PublishFailure>) {
        self.start_failover(&mut self.state(), reason);
    }

    /// `Direct | Renewing → FailingOver`: no more records are handed to Kafka. The failover controller does the rest.
    fn start_failover(&self, state: &mut DispatchState, reason: Option<PublishFailure>) {
        if matches!(state.mode, DeliveryMode::Direct | DeliveryMode::Renewing) {
            state.mode = DeliveryMode::FailingOver(reason);
            self.limit_buffering_to_records(state);
            self.changed.notify_one();
        }
    }

    /// `Direct → Renewing`: no more records are handed to the producer, which is replaced once Kafka has acknowledged those in
    /// flight.
    pub(super) fn start_renewal(&self) {
        let mut state = self.state();
        if state.mode == DeliveryMode::Direct {
            state.mode = DeliveryMode::Renewing;
            self.limit_buffering_to_records(&state);
        }
    }

    fn limit_buffering_to_records(&self, state: &DispatchState) {
        if let Some(earliest) = state.records.values().map(|record| record.deadline).min() {
            self.limit_buffering(earliest);
        }
    }

    /// Fails over if a record in flight has reached its deadline.
    pub(super) fn check_deadlines(&self, now: Instant) {
        let mut state = self.state();
        if state.mode != DeliveryMode::Direct || state.next_deadline.is_none_or(|next| now < next) {
            return;
        }
        let overdue: Vec<_> = state.in_flight().filter(|(_, record)| record.deadline <= now).map(|(n, _)| *n).collect();
        state.next_deadline = state.in_flight().map(|(_, record)| record.deadline).filter(|next| *next > now).min();
        for number in overdue {
            if let Some(record) = state.records.remove(&number) {
                self.on_failure(&mut state, number, record, PublishFailure::TimedOut);
            }
        }
    }

    /// `Renewing | FailingOver | Recovering → Direct`: buffered records are handed to Kafka first, in their order.
    pub(super) fn go_direct(self: &Arc<Self>) {
        let mut state = self.state();
        state.mode = DeliveryMode::Direct;
        self.buffered_until.send_replace(None);
        for record in std::mem::take(&mut state.records).into_values() {
            // An earlier record may have started a failover.
            match state.mode {
                DeliveryMode::Direct => self.dispatch(&mut state, record),
                DeliveryMode::Renewing
                | DeliveryMode::FailingOver(_)
                | DeliveryMode::Spooling
                | DeliveryMode::Recovering => self.buffer(&mut state, record),
            }
        }
    }

    /// `FailingOver | Recovering → Spooling`: in-flight, failed and buffered records are appended to the spool in their
    /// order, and so are all records that arrive later.
    pub(super) fn go_spooling(&self) {
        let mut state = self.state();
        for record in std::mem::take(&mut state.records).into_values() {
            record.spool(&self.spool);
        }
        state.next_deadline = None;
        self.buffered_until.send_replace(None);
        state.mode = DeliveryMode::Spooling;
    }

    /// `Spooling → Recovering`: from here on the spool does not grow. New records are buffered until the last record of the
    /// spool is in Kafka, but no longer than Kafka may take to acknowledge a record.
    pub(super) fn go_recovering(&self) {
        let mut state = self.state();
        if state.mode == DeliveryMode::Spooling {
            state.mode = DeliveryMode::Recovering;
            self.limit_buffering(Instant::now() + self.ack_timeout);
        }
    }

    /// Takes all records out, to publish them one at a time during a failover. Records that were not published are returned
    /// with [`put_back`](Self::put_back).
    pub(super) fn take_all(&self) -> Records {
        std::mem::take(&mut self.state().records)
    }

    /// Returns records that [`take_all`](Self::take_all) took out.
    pub(super) fn put_back(&self, records: Records) {
        self.state().records.extend(records);
    }

    pub(super) fn has_records_in_flight(&self) -> bool {
        self.state().in_flight().next().is_some()
    }

    /// Whether there are records that Kafka may have received and has not acknowledged.
    pub(super) fn has_unanswered_records(&self) -> bool {
        self.state().records.values().any(|record| record.state != RecordState::Buffered)
    }
}

impl OnCompleted for Dispatcher {
    fn on_completed(&self, number: u64, result: Result<TopicPosition, PublishFailure>) {
        let mut state = self.state();
        // A missing record went to the spool while a purge was still running.
        let Some(record) = state.records.remove(&number) else { return };
        let acknowledged = match result {
            Ok(position) => Some((record, position)),
            Err(reason) => {
                self.on_failure(&mut state, number, record, reason);
                None
            }
        };
        if state.mode != DeliveryMode::Direct {
            self.changed.notify_one();
        }
        // Wakes the callback, which frees the record, without holding the lock.
        drop(state);
        if let Some((record, position)) = acknowledged {
            record.settle(Ok(Receipt { durability: Durability::Published, position: Some(position) }));
        }
    }
}

impl DispatchState {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn insert(&mut self, record: InFlightRecord) {
        let number = self.next_number();
        self.records.insert(number, record);
    }

    fn in_flight(&self) -> impl Iterator<Item = (&u64, &InFlightRecord)> {
        self.records.iter().filter(|(_, record)| record.state == RecordState::InFlight)
    }
}
