//! The desk at which records are handed over: what is under way, and which way the next one goes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    parcel::Parcel,
    pending::{Flight, News, Pending},
};
use crate::{
    domain::PublishFailure,
    publish::Sink,
    spool::{Appended, Spool},
    telemetry::Metrics,
};

/// Twilio waits 15 s from the request on; Kafka is not waited for beyond this, however slow the body was.
const BUDGET: Duration = Duration::from_secs(14);

/// What arrived so late that hardly anything of that is left is made durable all the same.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);

/// After a purge every acknowledgement resolves within milliseconds; this bounds a client that does not answer.
pub(super) const PURGE_PATIENCE: Duration = Duration::from_secs(1);

/// Which way a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// To Kafka.
    Direct,
    /// Nowhere yet: Kafka did not take a record for this reason, and what comes waits.
    Turning(PublishFailure),
    /// Into the spool.
    Outage,
    /// Nowhere yet: the end of the spool is on its way to Kafka, and what comes waits, until this moment at most.
    Returning(Instant),
}

/// The desk. Its lock is what orders records.
pub(super) struct Desk {
    pub(super) sink: Arc<dyn Sink>,
    pub(super) spool: Spool,
    pub(super) metrics: Arc<Metrics>,
    pub(super) patience: Duration,
    book: Mutex<Book>,
    /// Something happened that the conductor may wait for.
    pub(super) changed: Notify,
    /// Cancelled when nothing may wait for Kafka any more.
    pub(super) last_call: CancellationToken,
}

pub(super) struct Book {
    pub(super) mode: Mode,
    next: u64,
    /// In the order of receipt.
    underway: BTreeMap<u64, Box<Underway>>,
}

/// A record that is not durable yet and not in the spool's hands.
pub(super) struct Underway {
    pub(super) parcel: Parcel,
    pub(super) state: State,
    /// When the head of its request was read.
    received: Instant,
    tell: oneshot::Sender<News>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// With Kafka.
    Flying,
    /// Kafka did not take it.
    Failed,
    /// It came while the way was being changed.
    Held,
}

impl Underway {
    /// Boxed: what stands in the book is moved about as others come and go.
    fn new(parcel: Parcel, state: State, received: Instant, tell: oneshot::Sender<News>) -> Box<Self> {
        Box::new(Self { parcel, state, received, tell })
    }

    pub(super) fn settle(self: Box<Self>, news: News) {
        // Nobody listens when the service stops without its callbacks.
        let _ = self.tell.send(news);
    }
}

impl Desk {
    pub(super) fn new(sink: Arc<dyn Sink>, spool: Spool, metrics: Arc<Metrics>, patience: Duration) -> Self {
        // What a former run has left comes first.
        let mode = if spool.is_empty() { Mode::Direct } else { Mode::Outage };
        let book = Mutex::new(Book { mode, next: 0, underway: BTreeMap::new() });
        Self { sink, spool, metrics, patience, book, changed: Notify::new(), last_call: CancellationToken::new() }
    }

    /// The lock protects no value that a panic could leave half-changed.
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record on. Its place in the order is fixed when this returns.
    pub(super) fn submit(self: &Arc<Self>, parcel: Parcel, received: Instant) -> Pending {
        let mut book = self.book();
        match book.mode {
            Mode::Direct => self.submit_directly(&mut book, parcel, received),
            Mode::Turning(_) | Mode::Returning(_) => {
                let number = book.number();
                Pending::held(book.keep(number, parcel, State::Held, received))
            }
            Mode::Outage => match parcel.encode() {
                Ok(bytes) => Pending::spooling(self.spool.append(vec![bytes])),
                Err(error) => Pending::not_encoded(&error),
            },
        }
    }

    fn submit_directly(self: &Arc<Self>, book: &mut Book, parcel: Parcel, received: Instant) -> Pending {
        let number = book.number();
        match self.hand_over(&parcel, number, received) {
            Ok((flight, tell)) => {
                book.underway.insert(number, Underway::new(parcel, State::Flying, received, tell));
                Pending::in_flight(flight)
            }
            Err(reason) => {
                let news = book.keep(number, parcel, State::Failed, received);
                self.turn(book, reason);
                Pending::held(news)
            }
        }
    }

    /// Gives a record to Kafka, unless Kafka does not even queue it.
    fn hand_over(
        self: &Arc<Self>,
        parcel: &Parcel,
        number: u64,
        received: Instant,
    ) -> Result<(Flight, oneshot::Sender<News>), PublishFailure> {
        let acknowledgement = self.sink.enqueue(&parcel.record)?;
        let now = Instant::now();
        let deadline = (now + self.patience).min((received + BUDGET).max(now + LEAST_PATIENCE));
        let (tell, news) = oneshot::channel();
        Ok((Flight { desk: Arc::clone(self), number, acknowledgement, deadline, news }, tell))
    }

    /// Until when Kafka is waited for on behalf of the spool: not longer than those wait who are held meanwhile.
    pub(super) fn deadline(&self, patience: Duration) -> Instant {
        let deadline = Instant::now() + patience;
        match self.book().mode {
            Mode::Returning(until) => until.min(deadline),
            Mode::Direct | Mode::Turning(_) | Mode::Outage => deadline,
        }
    }

    /// Kafka has acknowledged the record, or has not taken it.
    pub(super) fn landed(&self, number: u64, result: Result<(), PublishFailure>) {
        let mut book = self.book();
        let landed = match result {
            Ok(()) => book.underway.remove(&number),
            Err(reason) => {
                if let Some(underway) = book.underway.get_mut(&number) {
                    underway.state = State::Failed;
                }
                self.turn(&mut book, reason);
                None
            }
        };
        if book.mode != Mode::Direct {
            self.changed.notify_one();
        }
        // Freeing a record takes time, in which others may go to the desk.
        drop(book);
        drop(landed);
    }

    /// Kafka cannot be relied on now.
    pub(super) fn trouble(&self, reason: PublishFailure) {
        self.turn(&mut self.book(), reason);
    }

    /// Closes the desk and takes back what Kafka has not acknowledged.
    fn turn(&self, book: &mut Book, reason: PublishFailure) {
        if book.mode == Mode::Direct {
            book.mode = Mode::Turning(reason);
            self.sink.purge();
            self.changed.notify_one();
        }
    }

    /// Opens the way to Kafka: what was held goes first, in its order.
    pub(super) fn go_direct(self: &Arc<Self>) {
        let mut book = self.book();
        book.mode = Mode::Direct;
        for (number, mut underway) in book.take_all() {
            // One before it may have closed the way again.
            if book.mode == Mode::Direct {
                self.release(&mut book, number, &mut underway);
            }
            book.underway.insert(number, underway);
        }
    }

    fn release(self: &Arc<Self>, book: &mut Book, number: u64, held: &mut Underway) {
        match self.hand_over(&held.parcel, number, held.received) {
            Ok((flight, tell)) => {
                let former = std::mem::replace(&mut held.tell, tell);
                // Nobody listens when the service stops without its callbacks.
                let _ = former.send(News::HandedOver(flight));
                held.state = State::Flying;
            }
            Err(reason) => {
                self.turn(book, reason);
                held.state = State::Failed;
            }
        }
    }

    /// Opens the way into the spool: what is at the desk goes first, in its order.
    pub(super) fn go_to_spool(&self) -> (BTreeMap<u64, Box<Underway>>, Appended) {
        let mut book = self.book();
        let all = book.take_all();
        let encoded = all.values().filter_map(|underway| underway.parcel.encode().ok()).collect();
        // Appended under the lock: what comes next is appended behind it.
        let appended = self.spool.append(encoded);
        book.mode = Mode::Outage;
        (all, appended)
    }
}

impl Book {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn keep(&mut self, number: u64, parcel: Parcel, state: State, received: Instant) -> oneshot::Receiver<News> {
        let (tell, news) = oneshot::channel();
        self.underway.insert(number, Underway::new(parcel, state, received, tell));
        news
    }

    /// Everything at the desk, in the order of receipt.
    pub(super) fn take_all(&mut self) -> BTreeMap<u64, Box<Underway>> {
        std::mem::take(&mut self.underway)
    }

    /// Puts back what was taken.
    pub(super) fn put_back(&mut self, taken: BTreeMap<u64, Box<Underway>>) {
        self.underway.extend(taken);
    }

    pub(super) fn has_flights(&self) -> bool {
        self.underway.values().any(|underway| underway.state == State::Flying)
    }
}
