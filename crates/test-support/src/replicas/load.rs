//! Callers that send random callbacks about many profiles to all instances.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{ACCOUNT, Connection, Request, TIMEOUT, random::Random, wait_for};

const CALLERS: u64 = 8;
const STATUSES: [&str; 5] = ["draft", "pending-review", "in-review", "twilio-rejected", "twilio-approved"];

/// How much the callers send.
#[derive(Debug, Clone, Copy)]
pub struct LoadSize {
    /// The number of profiles.
    pub profiles: u64,
    /// The pause of a caller after an answer.
    pub pace: Duration,
}

/// The addresses of the instances, as their load balancer would know them.
#[derive(Default)]
pub(super) struct Targets {
    state: Mutex<TargetState>,
    changed: Condvar,
    answers: AtomicUsize,
}

#[derive(Default)]
struct TargetState {
    instances: Vec<InstanceAddress>,
    is_stopped: bool,
}

#[derive(Default, Clone, Copy)]
struct InstanceAddress {
    /// `None` for an instance that gets no callbacks.
    address: Option<SocketAddr>,
    /// How often the address was set.
    changes: usize,
}

/// The address of an instance for as long as the load balancer sends callbacks there.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CallbackTarget {
    instance: usize,
    address: SocketAddr,
    changes: usize,
}

impl Targets {
    /// Sends the callbacks for an instance to this address, or none.
    pub(super) fn set(&self, instance: usize, address: Option<SocketAddr>) {
        let mut state = self.state.lock().unwrap();
        let length = state.instances.len().max(instance + 1);
        state.instances.resize(length, InstanceAddress::default());
        let changes = state.instances[instance].changes + 1;
        state.instances[instance] = InstanceAddress { address, changes };
        self.changed.notify_all();
    }

    /// A random instance that has an address, once there is one; `None` when the load is stopped.
    fn pick(&self, random: &mut Random) -> Option<CallbackTarget> {
        let is_idle = |state: &mut TargetState| !state.is_stopped && state.targets().next().is_none();
        let (state, waited) = self.changed.wait_timeout_while(self.state.lock().unwrap(), TIMEOUT, is_idle).unwrap();
        assert!(!waited.timed_out(), "no instance has an address, and the load is not stopped");
        let targets: Vec<_> = state.targets().collect();
        (!state.is_stopped).then(|| random.pick(&targets))
    }

    /// Whether the instance has got callbacks without interruption since it was picked.
    fn is_unchanged(&self, target: CallbackTarget) -> bool {
        self.state.lock().unwrap().targets().any(|now| now == target)
    }

    fn rest(&self, pace: Duration) {
        let state = self.state.lock().unwrap();
        let _ = self.changed.wait_timeout_while(state, pace, |state| !state.is_stopped).unwrap();
    }
}

impl TargetState {
    fn targets(&self) -> impl Iterator<Item = CallbackTarget> {
        self.instances.iter().enumerate().filter_map(|(instance, of)| {
            of.address.map(|address| CallbackTarget { instance, address, changes: of.changes })
        })
    }
}

/// Callers that send callbacks until they are stopped, whatever the answers are.
pub struct RandomLoad {
    targets: Arc<Targets>,
    callers: Vec<JoinHandle<Answers>>,
}

impl RandomLoad {
    pub(super) fn start(targets: &Arc<Targets>, seed: u64, size: LoadSize) -> Self {
        let start = |name| {
            let random = Random::from(seed ^ (name << 48));
            let caller = RandomCaller {
                name,
                random,
                size,
                targets: Arc::clone(targets),
                connection: None,
                answers: Answers::default(),
            };
            thread::spawn(move || caller.call())
        };
        Self { targets: Arc::clone(targets), callers: (0..CALLERS).map(start).collect() }
    }

    /// Waits until this many more callbacks are answered.
    pub fn wait_for_answers(&self, more: usize) {
        let answers = || self.targets.answers.load(Ordering::Relaxed);
        let goal = answers() + more;
        wait_for("answers to callbacks", || (answers() >= goal).then_some(()));
    }

    /// Stops after the calls in progress.
    pub(super) fn finish(mut self) -> Answers {
        self.stop();
        let mut all = Answers::default();
        self.callers.drain(..).for_each(|caller| all.add(caller.join().unwrap()));
        all
    }

    fn stop(&self) {
        self.targets.state.lock().unwrap().is_stopped = true;
        self.targets.changed.notify_all();
    }
}

impl Drop for RandomLoad {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The answers to a load.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The numbers of the callbacks that were answered 204.
    pub(super) accepted: Vec<u64>,
    pub(super) unavailable: u64,
    /// How many connections closed instead.
    pub(super) unanswered: u64,
    pub(super) others: Vec<u16>,
    /// The longest wait for an answer of an instance that was not suspended meanwhile. A suspended one answers once it is
    /// resumed, and Twilio no longer waits for that.
    pub(super) slowest: Duration,
}

impl Answers {
    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.others.extend(other.others);
        self.unavailable += other.unavailable;
        self.unanswered += other.unanswered;
        self.slowest = self.slowest.max(other.slowest);
    }
}

struct RandomCaller {
    name: u64,
    random: Random,
    size: LoadSize,
    targets: Arc<Targets>,
    connection: Option<(CallbackTarget, Connection)>,
    answers: Answers,
}

impl RandomCaller {
    fn call(mut self) -> Answers {
        for count in 0.. {
            let number = (self.name << 32) | count;
            let request = self.next_callback(count, number);
            // Twilio repeats some callbacks, and those that were not answered.
            let repeats = u64::from(self.random.one_in(8));
            for _ in 0..=repeats {
                let Some(status) = self.send(&request, number) else { return self.answers };
                if status.is_none() && self.send(&request, number).is_none() {
                    return self.answers;
                }
            }
            self.targets.rest(self.size.pace);
        }
        self.answers
    }

    /// First each profile of this caller in turn, and then any of them.
    fn next_callback(&mut self, count: u64, number: u64) -> Request {
        let own = self.size.profiles / CALLERS;
        let index = if count < own { count } else { self.random.below(own) };
        let profile = index * CALLERS + self.name;
        let status = self.random.pick(&STATUSES);
        let reason = if status == "twilio-rejected" { "The+address+is+incomplete" } else { "" };
        let body = format!(
            "AccountSid={ACCOUNT}&BundleSid=BU{profile:032x}&Status={status}&FailureReason={reason}&Number={number}"
        );
        let request = Request::form("/callbacks/customer-profiles", &body).signed();
        if self.random.one_in(3) { request } else { request.with("I-Twilio-Idempotency-Token", &format!("{number}")) }
    }

    /// Sends a callback to a random instance. Returns its status, which is `None` without an answer; `None` when the load is
    /// stopped.
    fn send(&mut self, request: &Request, number: u64) -> Option<Option<u16>> {
        let (target, connection) = self.connection()?;
        let sent = Instant::now();
        connection.write(request.bytes());
        let answer = connection.read();
        let status = answer.as_ref().map(|answer| answer.status);
        if answer.is_none_or(|answer| answer.header("connection") == Some("close")) {
            self.connection = None;
        }
        // An instance that was suspended meanwhile may give up: its caller does not wait that long.
        let is_unchanged = self.targets.is_unchanged(target);
        match status {
            Some(204) => self.answers.accepted.push(number),
            Some(503) if is_unchanged => self.answers.unavailable += 1,
            Some(503) | None => self.answers.unanswered += 1,
            Some(other) => self.answers.others.push(other),
        }
        if status.is_some() {
            self.targets.answers.fetch_add(1, Ordering::Relaxed);
        }
        if status.is_some() && is_unchanged {
            self.answers.slowest = self.answers.slowest.max(sent.elapsed());
        }
        Some(status)
    }

    fn connection(&mut self) -> Option<(CallbackTarget, &mut Connection)> {
        loop {
            let target = self.targets.pick(&mut self.random)?;
            if self.connection.as_ref().is_some_and(|(open, _)| *open == target) {
                break;
            }
            // An instance that was killed a moment ago refuses connections.
            self.connection = Connection::open(target.address).map(|connection| (target, connection));
            if self.connection.is_some() {
                break;
            }
        }
        self.connection.as_mut().map(|(target, connection)| (*target, connection))
    }
}
