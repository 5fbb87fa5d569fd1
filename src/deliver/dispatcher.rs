//! The records that are not durable yet, and the mode that says where the next one goes.
//!
//! All state is behind one lock, which is what orders records. Nothing that can block is called under it: handing a
//! record to librdkafka and to the spool only queues it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    delivery::{Delivery, Handoff},
    outbound::OutboundRecord,
    publish::Interrupts,
};
use crate::{
    domain::{DeliveryError, Durability, FailureClass, PublishFailure},
    kafka::{Completion, OnCompleted, Sink},
    spool::Spool,
    telemetry::Metrics,
};

/// Twilio waits 15 s from the head of the request. Kafka is not waited for beyond this, however slow the body was, so that
/// a second and a half is left for the failover and the disk.
const KAFKA_BUDGET: Duration = Duration::from_secs(13);

/// What arrived so late that hardly anything of that is left still gets this much.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// Where a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// To Kafka.
    Direct,
    /// Into the buffer: Kafka did not take a record for this reason, or something else must go to the spool or leave it first,
    /// and what Kafka holds is being taken back.
    FailingOver(Option<PublishFailure>),
    /// Into the spool.
    Spooling,
    /// Into the buffer: the end of the spool is on its way to Kafka.
    Recovering,
}

/// Dispatches records. See the [module](super) for the modes and the transitions between them.
pub(super) struct Dispatcher {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) spool: Spool,
    pub(super) metrics: Arc<Metrics>,
    /// How long Kafka may take for an acknowledgement, from the hand-over.
    pub(super) ack_timeout: Duration,
    state: Mutex<DispatchState>,
    /// The mode changed, or a record completed while the failover waits for it.
    pub(super) changed: Notify,
    /// Until when the records that are buffered, or failed, may wait for Kafka. Nothing that the failover controller waits
    /// for lasts longer than that.
    buffered_until: watch::Sender<Option<Instant>>,
    /// Cancelled when nothing may wait for Kafka any more.
    pub(super) stop_waiting: CancellationToken,
}

/// What the lock protects. No panic can leave it half-changed.
pub(super) struct DispatchState {
    pub(super) mode: Mode,
    next: u64,
    /// In the order of receipt.
    records: BTreeMap<u64, Box<InFlightRecord>>,
    /// No record in flight has a deadline before this moment.
    next_deadline: Option<Instant>,
    /// Whether the topic of dead letters takes records, as far as is known.
    pub(super) takes_dead_letters: bool,
}

/// A record that is neither durable nor given to the spool. This is its only owner.
pub(super) struct InFlightRecord {
    pub(super) outbound: OutboundRecord,
    state: RecordState,
    /// Until when Kafka may take it.
    pub(super) deadline: Instant,
    reply: oneshot::Sender<Handoff>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecordState {
    /// Kafka has it and has not acknowledged it.
    InFlight,
    /// Kafka did not take it.
    Failed,
    /// It came while the mode was being changed.
    Buffered,
}

/// Records by number, which is the order of receipt.
pub(super) type Records = BTreeMap<u64, Box<InFlightRecord>>;

impl InFlightRecord {
    pub(super) fn settle(self, result: Result<Durability, DeliveryError>) {
        self.hand_off(Handoff::Settled(result));
    }

    /// To the end of the spool. Queues it only: its callback waits for the disk.
    fn spool(self, spool: &Spool) {
        match self.outbound.encode() {
            Ok(bytes) => self.hand_off(Handoff::Spooling(spool.append(vec![bytes]))),
            Err(_never) => self.settle(Err(DeliveryError::Abandoned)),
        }
    }

    /// Beside the queue of the spool, where it blocks nothing.
    pub(super) fn park(self, spool: &Spool) {
        match self.outbound.encode() {
            Ok(bytes) => self.hand_off(Handoff::Spooling(spool.append_parked(vec![bytes]))),
            Err(_never) => self.settle(Err(DeliveryError::Abandoned)),
        }
    }

    fn hand_off(self, handoff: Handoff) {
        // The callback is gone when the service stops without it.
        let _ = self.reply.send(handoff);
    }
}

impl Dispatcher {
    pub(super) fn new(sink: Arc<dyn Sink>, spool: Spool, metrics: Arc<Metrics>, ack_timeout: Duration) -> Self {
        // What an earlier run has left goes first.
        let mode = if spool.is_empty() { Mode::Direct } else { Mode::Spooling };
        let state =
            DispatchState { mode, next: 0, records: BTreeMap::new(), next_deadline: None, takes_dead_letters: true };
        Self {
            sink,
            spool,
            metrics,
            ack_timeout,
            state: Mutex::new(state),
            changed: Notify::new(),
            buffered_until: watch::Sender::new(None),
            stop_waiting: CancellationToken::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, DispatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn mode(&self) -> Mode {
        self.state().mode
    }

    /// Takes a record on. Its place in the order is fixed when this returns.
    pub(super) fn submit(self: &Arc<Self>, outbound: OutboundRecord, received: Instant) -> Delivery {
        let mut state = self.state();
        if state.mode == Mode::Spooling {
            return match outbound.encode() {
                Ok(bytes) => Delivery::spooling(self.spool.append(vec![bytes]), received),
                Err(error) => Delivery::not_encoded(&error),
            };
        }
        let (reply, answer) = oneshot::channel();
        let deadline = self.deadline(received);
        let record = Box::new(InFlightRecord { outbound, state: RecordState::Buffered, deadline, reply });
        match state.mode {
            Mode::Direct => self.dispatch(&mut state, record),
            Mode::FailingOver(_) | Mode::Spooling | Mode::Recovering => self.buffer(&mut state, record),
        }
        Delivery::dispatched(answer, received)
    }

    fn buffer(&self, state: &mut DispatchState, record: Box<InFlightRecord>) {
        self.limit_buffering(record.deadline);
        state.keep(record);
    }

    /// No record is buffered for longer than it may wait for Kafka.
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
        (now + self.ack_timeout).min((received + KAFKA_BUDGET).max(now + LEAST_PATIENCE))
    }

    /// Hands a record to Kafka, or keeps it as failed when Kafka does not even queue it.
    fn dispatch(self: &Arc<Self>, state: &mut DispatchState, mut record: Box<InFlightRecord>) {
        if record.outbound.is_dead_letter() && !state.takes_dead_letters {
            return record.park(&self.spool);
        }
        let number = state.number();
        let completion = Completion::new(number, Arc::clone(self) as Arc<dyn OnCompleted>);
        match self.sink.enqueue(&record.outbound.record, completion) {
            Ok(()) => {
                record.state = RecordState::InFlight;
                state.next_deadline = state.next_deadline.min(Some(record.deadline)).or(Some(record.deadline));
                state.records.insert(number, record);
            }
            Err(reason) => self.failed(state, number, record, reason),
        }
    }

    /// Kafka did not take a record.
    fn failed(&self, state: &mut DispatchState, number: u64, mut record: Box<InFlightRecord>, reason: PublishFailure) {
        if state.mode == Mode::Direct && record.outbound.is_dead_letter() && is_of_topic_alone(reason) {
            state.takes_dead_letters = false;
            self.changed.notify_one();
            return record.park(&self.spool);
        }
        record.state = RecordState::Failed;
        state.records.insert(number, record);
        self.start_failover(state, Some(reason));
    }

    /// Leaves *Direct*: Kafka cannot be relied on now for this reason, or is not to be used now.
    pub(super) fn fail_over(&self, reason: Option<PublishFailure>) {
        self.start_failover(&mut self.state(), reason);
    }

    /// `Direct → FailingOver`: nothing more is handed to Kafka. The failover controller does the rest.
    fn start_failover(&self, state: &mut DispatchState, reason: Option<PublishFailure>) {
        if state.mode == Mode::Direct {
            state.mode = Mode::FailingOver(reason);
            if let Some(earliest) = state.records.values().map(|record| record.deadline).min() {
                self.limit_buffering(earliest);
            }
            self.changed.notify_one();
        }
    }

    /// Fails over if a record has been in flight for too long.
    pub(super) fn check_deadlines(&self, now: Instant) {
        let mut state = self.state();
        if state.mode != Mode::Direct || state.next_deadline.is_none_or(|next| now < next) {
            return;
        }
        let late: Vec<_> = state.in_flight().filter(|(_, record)| record.deadline <= now).map(|(n, _)| *n).collect();
        state.next_deadline = state.in_flight().map(|(_, record)| record.deadline).filter(|next| *next > now).min();
        for number in late {
            if let Some(record) = state.records.remove(&number) {
                self.failed(&mut state, number, record, PublishFailure::TimedOut);
            }
        }
    }

    /// `FailingOver | Recovering → Direct`: what was buffered goes first, in its order.
    pub(super) fn go_direct(self: &Arc<Self>) {
        let mut state = self.state();
        state.mode = Mode::Direct;
        self.buffered_until.send_replace(None);
        for record in std::mem::take(&mut state.records).into_values() {
            // One before it may have started a failover.
            match state.mode {
                Mode::Direct => self.dispatch(&mut state, record),
                Mode::FailingOver(_) | Mode::Spooling | Mode::Recovering => self.buffer(&mut state, record),
            }
        }
    }

    /// `FailingOver | Recovering → Spooling`: what is in flight, failed or buffered goes to the end of the spool in its
    /// order, and what comes next goes behind it.
    pub(super) fn go_spooling(&self) {
        let mut state = self.state();
        for record in std::mem::take(&mut state.records).into_values() {
            record.spool(&self.spool);
        }
        state.next_deadline = None;
        self.buffered_until.send_replace(None);
        state.mode = Mode::Spooling;
    }

    /// `Spooling → Recovering`: from here on the spool does not grow. What comes is buffered until the end of the spool is
    /// in Kafka, but no longer than Kafka may take for a record.
    pub(super) fn go_recovering(&self) {
        let mut state = self.state();
        if state.mode == Mode::Spooling {
            state.mode = Mode::Recovering;
            self.limit_buffering(Instant::now() + self.ack_timeout);
        }
    }

    /// Everything, to be published one at a time during a failover; what is left comes back through
    /// [`put_back`](Self::put_back).
    pub(super) fn take_all(&self) -> Records {
        std::mem::take(&mut self.state().records)
    }

    /// Puts back what was taken.
    pub(super) fn put_back(&self, records: Records) {
        self.state().records.extend(records);
    }

    pub(super) fn has_records_in_flight(&self) -> bool {
        self.state().in_flight().next().is_some()
    }
}

impl OnCompleted for Dispatcher {
    fn on_completed(&self, number: u64, result: Result<(), PublishFailure>) {
        let mut state = self.state();
        // One that is not there went to the spool while a purge was still running.
        let Some(record) = state.records.remove(&number) else { return };
        let acknowledged = match result {
            Ok(()) => Some(record),
            Err(reason) => {
                self.failed(&mut state, number, record, reason);
                None
            }
        };
        if state.mode != Mode::Direct {
            self.changed.notify_one();
        }
        // The callback is woken and the record is freed without the lock.
        drop(state);
        if let Some(record) = acknowledged {
            record.settle(Ok(Durability::Published));
        }
    }
}

impl DispatchState {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn keep(&mut self, record: Box<InFlightRecord>) {
        let number = self.number();
        self.records.insert(number, record);
    }

    fn in_flight(&self) -> impl Iterator<Item = (&u64, &Box<InFlightRecord>)> {
        self.records.iter().filter(|(_, record)| record.state == RecordState::InFlight)
    }
}

/// Whether a dead letter that failed for this reason says nothing about events: each topic has its own leaders and
/// permissions, and if Kafka as a whole is unreachable, an event or a probe says so.
fn is_of_topic_alone(reason: PublishFailure) -> bool {
    match reason.class() {
        FailureClass::Topic | FailureClass::Outage => reason != PublishFailure::QueueFull,
        FailureClass::Record | FailureClass::Time | FailureClass::Fatal => false,
    }
}
