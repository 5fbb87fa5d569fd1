//! A load of callbacks, the ledger of every answer, and a topic held against it.

mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    ops::RangeBounds,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    ACCOUNT, Bridge, Connection, PATIENCE, Request,
    kafka::{Broker, Record},
    wait_within,
};

/// Callers at the same time, each on a connection of its own.
const CALLERS: u64 = 8;
/// A profile belongs to one caller, who waits for an answer before the next callback: so the order of receipt is known.
pub(crate) const PROFILES_PER_CALLER: u64 = 4;
/// From an answer to the caller's next callback. Without it the load would take the two cores from Kafka.
const PACE: Duration = Duration::from_millis(5);

/// After so long Twilio gives a callback up.
const TWILIOS_PATIENCE: Duration = Duration::from_secs(15);

const STATUSES: [&str; 5] = ["draft", "pending-review", "in-review", "twilio-rejected", "twilio-approved"];

/// A callback and its answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) profile: String,
    pub(crate) number: u64,
    pub(crate) sent: Instant,
    pub(crate) took: Duration,
    /// `None` when the connection ended instead; the next callback of the profile is another one.
    pub(crate) status: Option<u16>,
}

/// Where a caller writes down each call.
pub(crate) trait Book: Send + 'static {
    fn note(&mut self, call: Call);
}

impl Book for Vec<Call> {
    fn note(&mut self, call: Call) {
        self.push(call);
    }
}

/// Callers who call until they are told to stop, whatever they are answered.
pub(crate) struct Load<B = Vec<Call>> {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<B>>,
}

impl Load {
    /// Callbacks to this address.
    pub(crate) fn on(address: SocketAddr) -> Self {
        Self::noted_in((0..CALLERS).map(|name| (name, Vec::new())), PACE, address)
    }

    /// The same from fewer callers who rest for longer, when what counts is how long each of them waits.
    pub(crate) fn light_on(address: SocketAddr) -> Self {
        Self::noted_in((0..CALLERS / 2).map(|name| (name, Vec::new())), 8 * PACE, address)
    }

    /// Ends the calls after those under way.
    pub(crate) fn stop(self) -> Ledger {
        Ledger { calls: self.finish().into_iter().flatten().collect() }
    }

    /// Ends the load, lets the spool drain and holds the whole topic against the ledger, in which nobody may have waited
    /// longer than Twilio does.
    pub(crate) fn settle(self, bridge: &Bridge, kafka: &Broker) -> Ledger {
        let ledger = self.stop();
        let slowest = ledger.calls.iter().map(|call| call.took).max();
        assert!(slowest < Some(TWILIOS_PATIENCE), "{slowest:?}");
        bridge.wait_until_drained();
        ledger.check(&kafka.wait_for_records(&bridge.topic, 0, PATIENCE));
        let dead_letters = kafka.wait_for_records(&bridge.dead_letter_topic, 0, PATIENCE);
        assert_eq!(dead_letters.len(), 0, "{:?}", dead_letters.first());
        ledger
    }
}

impl<B: Book> Load<B> {
    /// Callbacks to this address from each of these callers, who rests so long after an answer.
    pub(crate) fn noted_in(books: impl IntoIterator<Item = (u64, B)>, pace: Duration, address: SocketAddr) -> Self {
        let shared = Arc::new(Shared { pace, ..Shared::default() });
        let caller = |(name, book)| {
            let caller = Caller { name, line: None, shared: Arc::clone(&shared) };
            thread::spawn(move || caller.call(book))
        };
        let callers = books.into_iter().map(caller).collect();
        let load = Self { shared, callers };
        load.aim_at(address);
        load
    }

    /// Ends the calls after those under way.
    pub(crate) fn finish(mut self) -> Vec<B> {
        self.shared.change(|aim| aim.stopped = true);
        self.callers.drain(..).map(|caller| caller.join().unwrap()).collect()
    }
}

impl<B> Load<B> {
    /// From now on callbacks go to this address.
    pub(crate) fn aim_at(&self, address: SocketAddr) {
        self.shared.change(|aim| aim.address = Some(address));
    }

    /// No further callbacks until there is an address again.
    pub(crate) fn pause(&self) {
        self.shared.change(|aim| aim.address = None);
    }

    /// Waits until so many more callbacks are answered.
    pub(crate) fn wait_for_answers(&self, more: usize) {
        self.answers_within(PATIENCE, more);
    }

    /// The same when this must not take longer.
    pub(crate) fn answers_within(&self, patience: Duration, more: usize) {
        let answers = || self.shared.answers.load(Ordering::Relaxed);
        let goal = answers() + more;
        wait_within(patience, "answers to callbacks", || (answers() >= goal).then_some(()));
    }

    /// Lets so much time pass, in which answers keep coming.
    pub(crate) fn goes_on_for(&self, time: Duration) {
        let end = Instant::now() + time;
        self.goes_on_while(|| Instant::now() < end);
    }

    /// Answers keep coming while this is so.
    pub(crate) fn goes_on_while(&self, so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while so() {
            assert!(Instant::now() < deadline, "it does not end");
            self.wait_for_answers(1);
        }
    }
}

impl<B> Drop for Load<B> {
    fn drop(&mut self) {
        self.shared.change(|aim| aim.stopped = true);
    }
}

/// What the callers are told, and what they tell.
#[derive(Default)]
struct Shared {
    aim: Mutex<Aim>,
    changed: Condvar,
    answers: AtomicUsize,
    pace: Duration,
}

#[derive(Default)]
struct Aim {
    address: Option<SocketAddr>,
    stopped: bool,
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Aim)) {
        change(&mut self.aim());
        self.changed.notify_all();
    }

    fn aim(&self) -> MutexGuard<'_, Aim> {
        self.aim.lock().unwrap()
    }

    /// Where to call, once there is such a place other than `dead`; `None` when there is nothing more to do.
    fn address(&self, dead: Option<SocketAddr>) -> Option<SocketAddr> {
        let useless = |aim: &mut Aim| !aim.stopped && (aim.address.is_none() || aim.address == dead);
        let (aim, waited) = self.changed.wait_timeout_while(self.aim(), PATIENCE, useless).unwrap();
        assert!(!waited.timed_out(), "nothing to call, and not told to stop");
        aim.address.filter(|_| !aim.stopped)
    }

    fn rest(&self) {
        let _ = self.changed.wait_timeout_while(self.aim(), self.pace, |aim| !aim.stopped).unwrap();
    }
}

struct Caller {
    name: u64,
    line: Option<(SocketAddr, Connection)>,
    shared: Arc<Shared>,
}

impl Caller {
    fn call<B: Book>(mut self, mut book: B) -> B {
        for number in 0.. {
            let profile = format!("BU{:016x}{:016x}", self.name, number % PROFILES_PER_CALLER);
            let request = callback(&profile, number);
            let Some(connection) = self.connection() else { break };
            let sent = Instant::now();
            connection.write(request.bytes());
            let answer = connection.read();
            let status = answer.as_ref().map(|answer| answer.status);
            if answer.is_some() {
                self.shared.answers.fetch_add(1, Ordering::Relaxed);
            }
            if answer.is_none_or(|answer| answer.header("connection") == Some("close")) {
                self.line = None;
            }
            book.note(Call { profile, number, sent, took: sent.elapsed(), status });
            self.shared.rest();
        }
        book
    }

    /// The connection to where the load is aimed at, once somebody listens there; `None` at the end.
    fn connection(&mut self) -> Option<&mut Connection> {
        let mut address = self.shared.address(None)?;
        if self.line.as_ref().is_none_or(|(open, _)| *open != address) {
            let connection = loop {
                match Connection::open(address) {
                    Some(connection) => break connection,
                    None => address = self.shared.address(Some(address))?,
                }
            };
            self.line = Some((address, connection));
        }
        self.line.as_mut().map(|(_, connection)| connection)
    }
}

fn callback(profile: &str, number: u64) -> Request {
    let status = STATUSES[(number % STATUSES.len() as u64) as usize];
    let body = format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status={status}&FailureReason=&Number={number}");
    let token = format!("{profile}-{number}");
    Request::form("/callbacks/customer-profiles", &body).signed().with("I-Twilio-Idempotency-Token", &token)
}

/// Every callback of a load, with its answer.
pub(crate) struct Ledger {
    calls: Vec<Call>,
}

impl Ledger {
    /// The answers that were given; `None` stands for a callback without one.
    pub(crate) fn answers(&self) -> BTreeSet<Option<u16>> {
        self.calls.iter().map(|call| call.status).collect()
    }

    /// How many callbacks that were sent before this moment got this answer.
    pub(crate) fn count_before(&self, moment: Instant, status: u16) -> usize {
        self.calls.iter().filter(|call| call.sent < moment && call.status == Some(status)).count()
    }

    /// The longest wait for an answer to a callback that was sent in this time.
    pub(crate) fn slowest_in(&self, time: impl RangeBounds<Instant>) -> Duration {
        let answered = self.calls.iter().filter(|call| call.status.is_some() && time.contains(&call.sent));
        answered.map(|call| call.took).max().unwrap_or_default()
    }

    /// Only what was sent from this moment on.
    pub(crate) fn since(self, moment: Instant) -> Self {
        Self { calls: self.calls.into_iter().filter(|call| call.sent >= moment).collect() }
    }

    /// Holds all records of the event topic against the promise: what was answered 204 is there, first occurrences of one
    /// profile stand in the order of receipt, and a repeat has the id of the first.
    pub(crate) fn check(&self, records: &[Record]) {
        let occurrences: Vec<_> = records.iter().map(Occurrence::from).collect();
        self.assert_complete(&occurrences);
        assert_in_order(&occurrences);
        assert_repeats_share_their_id(&occurrences);
    }

    fn assert_complete(&self, occurrences: &[Occurrence]) {
        let present: BTreeSet<_> = occurrences.iter().map(Occurrence::callback).collect();
        let promised = self.calls.iter().filter(|call| call.status == Some(204));
        let missing: Vec<_> = promised.filter(|call| !present.contains(&(&call.profile[..], call.number))).collect();
        assert!(missing.is_empty(), "{} of {} are lost: {:#?}", missing.len(), self.calls.len(), few(&missing));
    }
}

/// A record of the event topic.
#[derive(Debug)]
struct Occurrence {
    profile: String,
    number: u64,
    id: String,
    place: (i32, i64),
}

impl Occurrence {
    fn callback(&self) -> (&str, u64) {
        (&self.profile, self.number)
    }
}

impl From<&Record> for Occurrence {
    fn from(record: &Record) -> Self {
        let event: Value = serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
        Self {
            profile: event["profile_sid"].as_str().unwrap().to_owned(),
            number: event["extra"]["Number"][0].as_str().unwrap().parse().unwrap(),
            id: header(record, "ce_id"),
            place: (record.partition, record.offset),
        }
    }
}

fn header(record: &Record, name: &str) -> String {
    let (_, value) = record.headers.iter().find(|(header, _)| header == name).unwrap();
    String::from_utf8(value.clone()).unwrap()
}

/// The numbers of a profile rise with time, so a first occurrence behind a higher number was overtaken.
fn assert_in_order(occurrences: &[Occurrence]) {
    let mut seen: BTreeMap<&str, BTreeMap<u64, &Occurrence>> = BTreeMap::new();
    let mut overtaken = Vec::new();
    for occurrence in occurrences {
        let before = seen.entry(&occurrence.profile).or_default();
        if let Some((_, last)) = before.last_key_value() {
            assert_eq!(last.place.0, occurrence.place.0, "one profile in two partitions");
            if last.number > occurrence.number && !before.contains_key(&occurrence.number) {
                overtaken.push((*last, occurrence));
            }
        }
        before.entry(occurrence.number).or_insert(occurrence);
    }
    assert!(overtaken.is_empty(), "{} came too late: {:#?}", overtaken.len(), few(&overtaken));
}

fn assert_repeats_share_their_id(occurrences: &[Occurrence]) {
    let callbacks: BTreeSet<_> = occurrences.iter().map(Occurrence::callback).collect();
    let identified: BTreeSet<_> = occurrences.iter().map(|one| (one.callback(), &one.id)).collect();
    let ids: BTreeSet<_> = occurrences.iter().map(|one| &one.id).collect();
    assert_eq!((identified.len(), ids.len()), (callbacks.len(), callbacks.len()), "an id for each callback, no more");
}

/// As many as one wants to read in the message of a failed test.
fn few<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(5)]
}
