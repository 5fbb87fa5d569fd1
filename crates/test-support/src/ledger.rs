//! A load of callbacks, a ledger of every answer, and the check of a topic against the ledger.

#[cfg(test)]
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
    ACCOUNT, Bridge, Connection, Request, TIMEOUT,
    kafka::{Broker, Record},
    wait::wait_within,
};

/// The number of concurrent callers, each with its own connection.
const CALLERS: u64 = 8;
/// Each profile belongs to one caller, which waits for an answer before the next callback: so the order of receipt is
/// known.
pub const PROFILES_PER_CALLER: u64 = 4;
/// The pause between an answer and the caller's next callback. Without it the load would take both cores from Kafka.
const PACE: Duration = Duration::from_millis(5);

/// Twilio gives up on a callback after this time.
const TWILIO_TIMEOUT: Duration = Duration::from_secs(15);

const STATUSES: [&str; 5] = ["draft", "pending-review", "in-review", "twilio-rejected", "twilio-approved"];

/// A callback and its answer.
#[derive(Debug)]
pub struct Call {
    /// The SID of the profile.
    pub profile: String,
    /// The number of the callback among those of its caller.
    pub number: u64,
    /// When it was sent.
    pub sent: Instant,
    /// The time until it was answered or the connection closed.
    pub took: Duration,
    /// `None` when the connection closed instead; the caller then sends the next callback, not this one again.
    pub status: Option<u16>,
}

/// Receives every call of a caller.
pub trait CallRecorder: Send + 'static {
    /// Receives the next call.
    fn record(&mut self, call: Call);
}

impl CallRecorder for Vec<Call> {
    fn record(&mut self, call: Call) {
        self.push(call);
    }
}

/// Callers that send callbacks until they are stopped, whatever the answers are.
pub struct Load<B = Vec<Call>> {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<B>>,
}

impl Load {
    /// Sends callbacks to this address.
    pub fn start(address: SocketAddr) -> Self {
        Self::with_recorders((0..CALLERS).map(|name| (name, Vec::new())), PACE, address)
    }

    /// The same with fewer callers and longer pauses, for tests that measure the wait of each callback.
    pub fn start_light(address: SocketAddr) -> Self {
        Self::with_recorders((0..CALLERS / 2).map(|name| (name, Vec::new())), 8 * PACE, address)
    }

    /// Stops after the calls in progress.
    pub fn stop(self) -> Ledger {
        Ledger { calls: self.finish().into_iter().flatten().collect() }
    }

    /// Stops the load, waits until the spool is drained and checks the whole topic against the ledger. No callback may
    /// have waited longer than Twilio does.
    pub fn settle(self, bridge: &Bridge, kafka: &Broker) -> Ledger {
        let ledger = self.stop();
        let slowest = ledger.calls.iter().map(|call| call.took).max();
        assert!(slowest < Some(TWILIO_TIMEOUT), "{slowest:?}");
        bridge.wait_until_drained();
        ledger.check(&kafka.wait_for_records(&bridge.topic, 0, TIMEOUT));
        let dead_letters = kafka.wait_for_records(&bridge.dead_letter_topic, 0, TIMEOUT);
        assert_eq!(dead_letters.len(), 0, "{:?}", dead_letters.first());
        ledger
    }
}

impl<B: CallRecorder> Load<B> {
    /// Sends callbacks to this address from each of these callers, with this pause after an answer.
    pub fn with_recorders(recorders: impl IntoIterator<Item = (u64, B)>, pace: Duration, address: SocketAddr) -> Self {
        let shared = Arc::new(Shared { pace, ..Shared::default() });
        let caller = |(name, recorder)| {
            let caller = Caller { name, connection: None, shared: Arc::clone(&shared) };
            thread::spawn(move || caller.call(recorder))
        };
        let callers = recorders.into_iter().map(caller).collect();
        let load = Self { shared, callers };
        load.set_address(address);
        load
    }

    /// Stops after the calls in progress.
    pub fn finish(mut self) -> Vec<B> {
        self.shared.change(|target| target.stopped = true);
        self.callers.drain(..).map(|caller| caller.join().unwrap()).collect()
    }
}

impl<B> Load<B> {
    /// Sends the next callbacks to this address.
    pub fn set_address(&self, address: SocketAddr) {
        self.shared.change(|target| target.address = Some(address));
    }

    /// Sends no callbacks until there is a new address.
    pub fn pause(&self) {
        self.shared.change(|target| target.address = None);
    }

    /// Waits until this many more callbacks are answered.
    pub fn wait_for_answers(&self, more: usize) {
        self.wait_for_answers_within(TIMEOUT, more);
    }

    /// The same within this time.
    pub fn wait_for_answers_within(&self, timeout: Duration, more: usize) {
        let answers = || self.shared.answers.load(Ordering::Relaxed);
        let goal = answers() + more;
        wait_within(timeout, "answers to callbacks", || (answers() >= goal).then_some(()));
    }

    /// Waits for this time, during which answers must keep arriving.
    pub fn run_for(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.wait_for_answers(1);
        }
    }

    /// Waits while this holds, during which answers must keep arriving.
    pub fn run_while(&self, so: impl Fn() -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while so() {
            assert!(Instant::now() < deadline, "the condition does not end");
            self.wait_for_answers(1);
        }
    }
}

impl<B> Drop for Load<B> {
    fn drop(&mut self) {
        self.shared.change(|target| target.stopped = true);
    }
}

/// The state that the callers share with the load.
#[derive(Default)]
struct Shared {
    target: Mutex<Target>,
    changed: Condvar,
    answers: AtomicUsize,
    pace: Duration,
}

#[derive(Default)]
struct Target {
    address: Option<SocketAddr>,
    stopped: bool,
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Target)) {
        change(&mut self.target());
        self.changed.notify_all();
    }

    fn target(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap()
    }

    /// The address to call, once there is one other than `unreachable`; `None` when the load is stopped.
    fn address(&self, unreachable: Option<SocketAddr>) -> Option<SocketAddr> {
        let waits =
            |target: &mut Target| !target.stopped && (target.address.is_none() || target.address == unreachable);
        let (target, waited) = self.changed.wait_timeout_while(self.target(), TIMEOUT, waits).unwrap();
        assert!(!waited.timed_out(), "the load has no address and is not stopped");
        target.address.filter(|_| !target.stopped)
    }

    fn rest(&self) {
        let _ = self.changed.wait_timeout_while(self.target(), self.pace, |target| !target.stopped).unwrap();
    }
}

struct Caller {
    name: u64,
    connection: Option<(SocketAddr, Connection)>,
    shared: Arc<Shared>,
}

impl Caller {
    fn call<B: CallRecorder>(mut self, mut recorder: B) -> B {
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
                self.connection = None;
            }
            recorder.record(Call { profile, number, sent, took: sent.elapsed(), status });
            self.shared.rest();
        }
        recorder
    }

    /// The connection to the current address, once the address accepts one; `None` when the load is stopped.
    fn connection(&mut self) -> Option<&mut Connection> {
        let mut address = self.shared.address(None)?;
        if self.connection.as_ref().is_none_or(|(open, _)| *open != address) {
            let connection = loop {
                match Connection::open(address) {
                    Some(connection) => break connection,
                    None => address = self.shared.address(Some(address))?,
                }
            };
            self.connection = Some((address, connection));
        }
        self.connection.as_mut().map(|(_, connection)| connection)
    }
}

fn callback(profile: &str, number: u64) -> Request {
    let status = STATUSES[(number % STATUSES.len() as u64) as usize];
    let body = format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status={status}&FailureReason=&Number={number}");
    let token = format!("{profile}-{number}");
    Request::form("/callbacks/customer-profiles", &body).signed().with("I-Twilio-Idempotency-Token", &token)
}

/// Every callback of a load, with its answer.
pub struct Ledger {
    calls: Vec<Call>,
}

impl Ledger {
    /// The distinct answers; `None` is a callback without one.
    pub fn answers(&self) -> BTreeSet<Option<u16>> {
        self.calls.iter().map(|call| call.status).collect()
    }

    /// The number of callbacks sent before this moment that got this answer.
    pub fn count_before(&self, moment: Instant, status: u16) -> usize {
        self.calls.iter().filter(|call| call.sent < moment && call.status == Some(status)).count()
    }

    /// The longest wait for an answer to a callback that was sent in this period.
    pub fn slowest_in(&self, time: impl RangeBounds<Instant>) -> Duration {
        let answered = self.calls.iter().filter(|call| call.status.is_some() && time.contains(&call.sent));
        answered.map(|call| call.took).max().unwrap_or_default()
    }

    /// Only the callbacks sent from this moment on.
    pub fn since(self, moment: Instant) -> Self {
        Self { calls: self.calls.into_iter().filter(|call| call.sent >= moment).collect() }
    }

    /// Checks all records of the event topic against the promise: every callback answered 204 has a record, the first
    /// occurrences of a profile's events are in the order of receipt, and a repeat has the id of the first.
    pub fn check(&self, records: &[Record]) {
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
    position: (i32, i64),
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
            position: (record.partition, record.offset),
        }
    }
}

fn header(record: &Record, name: &str) -> String {
    let (_, value) = record.headers.iter().find(|(header, _)| header == name).unwrap();
    String::from_utf8(value.clone()).unwrap()
}

/// The numbers of a profile rise with time, so a first occurrence after a higher number was overtaken.
fn assert_in_order(occurrences: &[Occurrence]) {
    let mut seen: BTreeMap<&str, BTreeMap<u64, &Occurrence>> = BTreeMap::new();
    let mut overtaken = Vec::new();
    for occurrence in occurrences {
        let before = seen.entry(&occurrence.profile).or_default();
        if let Some((_, last)) = before.last_key_value() {
            assert_eq!(last.position.0, occurrence.position.0, "one profile in two partitions");
            if last.number > occurrence.number && !before.contains_key(&occurrence.number) {
                overtaken.push((*last, occurrence));
            }
        }
        before.entry(occurrence.number).or_insert(occurrence);
    }
    assert!(overtaken.is_empty(), "{} out of order: {:#?}", overtaken.len(), few(&overtaken));
}

fn assert_repeats_share_their_id(occurrences: &[Occurrence]) {
    let callbacks: BTreeSet<_> = occurrences.iter().map(Occurrence::callback).collect();
    let identified: BTreeSet<_> = occurrences.iter().map(|one| (one.callback(), &one.id)).collect();
    let ids: BTreeSet<_> = occurrences.iter().map(|one| &one.id).collect();
    assert_eq!((identified.len(), ids.len()), (callbacks.len(), callbacks.len()), "one id for each callback");
}

/// Few enough to read in the message of a failed test.
fn few<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(5)]
}
