//! Several instances of the service that share their topics: they are killed, restarted and suspended under a load, and then
//! the states of all profiles are compared with the events.

mod load;

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use self::load::{Answers, Targets};
pub use self::load::{LoadSize, RandomLoad};
use crate::{
    Bridge,
    kafka::Broker,
    profile_gauges::wait_for_gauges,
    states::{DerivedStates, PublishedStates},
    wait_for,
};

const TRANSACTIONS: &str = "trusthub_profiles_transactions_total";

/// How long reading a whole topic may take.
const READ_TIMEOUT: Duration = Duration::from_secs(600);
/// Twilio gives up on a callback after this time.
const TWILIO_TIMEOUT: Duration = Duration::from_secs(15);

/// Instances of the service with the same topics.
pub struct Replicas {
    instances: Vec<Bridge>,
    /// The instances that run and are not suspended.
    active: Vec<bool>,
    targets: Arc<Targets>,
    /// The transactions of processes that have ended, by result.
    ended_transactions: BTreeMap<String, f64>,
    /// The number of partitions of each instance, when it was last asked for.
    owned: Vec<f64>,
    ownership_changes: usize,
    largest_lag: f64,
    began: Instant,
}

impl Replicas {
    /// Starts this many instances with these variables.
    pub fn start(count: usize, variables: &[(&str, &str)]) -> Self {
        let first = Bridge::launch(variables);
        let topics = [
            ("KAFKA_TOPIC", first.topic.clone()),
            ("KAFKA_DEAD_LETTER_TOPIC", first.dead_letter_topic.clone()),
            ("KAFKA_PROFILES_TOPIC", first.profiles_topic.clone()),
        ];
        let topics: Vec<_> = topics.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let variables = [variables, &topics].concat();
        let others = (1..count).map(|_| Bridge::launch(&variables));
        let instances: Vec<_> = std::iter::once(first).chain(others).collect();
        let targets = Arc::<Targets>::default();
        for (number, instance) in instances.iter().enumerate() {
            instance.wait_until_publishing();
            targets.set(number, Some(instance.public));
        }
        Self {
            active: vec![true; count],
            owned: vec![0.0; count],
            instances,
            targets,
            ended_transactions: BTreeMap::new(),
            ownership_changes: 0,
            largest_lag: 0.0,
            began: Instant::now(),
        }
    }

    /// The number of instances.
    pub fn size(&self) -> usize {
        self.instances.len()
    }

    /// One of the instances.
    pub fn instance(&self, number: usize) -> &Bridge {
        &self.instances[number]
    }

    /// Starts to send random callbacks to all instances.
    pub fn load(&self, seed: u64, size: LoadSize) -> RandomLoad {
        RandomLoad::start(&self.targets, seed, size)
    }

    /// Kills an instance as the kernel does when memory is short.
    pub fn kill(&mut self, number: usize) {
        self.leave(number);
        self.instances[number].kill();
    }

    /// Stops an instance as Kubernetes does.
    pub fn stop(&mut self, number: usize) {
        self.leave(number);
        self.instances[number].signal("TERM");
        let status = self.instances[number].wait();
        assert!(status.success(), "{status}");
    }

    /// Starts an instance that has ended.
    pub fn start_again(&mut self, number: usize) {
        self.instances[number].restart(&[]);
        self.enter(number);
    }

    /// Suspends an instance: its connections stay open, and it does nothing.
    pub fn suspend(&mut self, number: usize) {
        self.targets.set(number, None);
        self.active[number] = false;
        self.instances[number].signal("STOP");
    }

    /// Resumes a suspended instance.
    pub fn resume(&mut self, number: usize) {
        self.instances[number].signal("CONT");
        self.enter(number);
    }

    fn leave(&mut self, number: usize) {
        self.targets.set(number, None);
        self.active[number] = false;
        for (series, count) in self.instances[number].series(TRANSACTIONS) {
            *self.ended_transactions.entry(series).or_default() += count;
        }
    }

    fn enter(&mut self, number: usize) {
        self.active[number] = true;
        self.targets.set(number, Some(self.instances[number].public));
    }

    /// What the metrics of all instances say about the states of profiles.
    fn metrics(&self) -> String {
        let pages = self.instances.iter().enumerate().map(|(number, instance)| {
            let page = instance.ask_admin("/metrics").body;
            let lines = page.lines().filter(|line| line.starts_with("trusthub_profiles_") && !line.ends_with(" 0"));
            format!("instance {number}: {:?}", lines.collect::<Vec<_>>())
        });
        pages.collect::<Vec<_>>().join("\n")
    }

    fn sum(&self, metric: &str) -> f64 {
        let active = self.instances.iter().zip(&self.active).filter(|(_, is_active)| **is_active);
        active.map(|(instance, _)| instance.metric(metric)).sum()
    }

    /// Reads the metrics of all instances that are active.
    pub fn sample(&mut self) {
        for number in (0..self.size()).filter(|number| self.active[*number]) {
            let owned = self.instances[number].metric("trusthub_profiles_partitions");
            let before = std::mem::replace(&mut self.owned[number], owned);
            self.ownership_changes += usize::from(before != owned);
        }
        self.largest_lag = self.largest_lag.max(self.sum("trusthub_profiles_lag"));
    }

    /// Stops the load, waits until all events are applied, and checks the topics: each callback that was answered 204 has an
    /// event, no state went back or was written twice, and the last states are those that the events lead to. All instances
    /// are active again.
    pub fn settle(mut self, load: RandomLoad, kafka: &Broker) -> Figures {
        let seconds = self.began.elapsed().as_secs_f64();
        let answers = load.finish();
        let settling = Instant::now();
        self.instances.iter().for_each(Bridge::wait_until_publishing);
        let (events, states) = (self.instances[0].topic.clone(), self.instances[0].profiles_topic.clone());
        let derived = kafka.read_to_end_into(&events, READ_TIMEOUT, DerivedStates::default());
        let partitions = kafka.partitions_of(&events) as f64;
        wait_for("every event is applied", || {
            self.sample();
            let is_owned = self.sum("trusthub_profiles_partitions") == partitions;
            (is_owned && self.sum("trusthub_profiles_lag") == 0.0).then_some(())
        });
        // The lag is that of some seconds ago.
        let mut published = PublishedStates::default();
        let deadline = Instant::now() + crate::TIMEOUT;
        while published.states != derived.states && !published.has_regressed() && Instant::now() < deadline {
            published = kafka.read_to_end_into(&states, READ_TIMEOUT, PublishedStates::default());
        }
        let problems = published.problems(&derived);
        assert!(problems.is_empty(), "{problems}{}", self.metrics());
        wait_for_gauges(&self.instances.iter().collect::<Vec<_>>(), &derived.states);
        check_answers(&answers, &derived);
        let dead_letters = kafka.wait_for_records(&self.instances[0].dead_letter_topic, 0, READ_TIMEOUT);
        assert_eq!(dead_letters.len(), 0, "{:?}", dead_letters.first());
        for number in 0..self.size() {
            self.leave(number);
        }
        Figures {
            seconds,
            settled: settling.elapsed().as_secs_f64(),
            profiles: derived.states.len(),
            callbacks: answers.accepted.len() as u64 + answers.unavailable + answers.unanswered,
            accepted: answers.accepted.len(),
            unavailable: answers.unavailable,
            unanswered: answers.unanswered,
            slowest: answers.slowest,
            events: derived.records,
            states: published.records,
            transactions: self.ended_transactions,
            ownership_changes: self.ownership_changes,
            largest_lag: self.largest_lag,
        }
    }
}

/// Every callback that was answered 204 has an event, and the states of profiles cause no other answer.
fn check_answers(answers: &Answers, derived: &DerivedStates) {
    let lost: Vec<_> = answers.accepted.iter().filter(|number| !derived.numbers.contains(number)).collect();
    assert!(lost.is_empty(), "{} callbacks are lost: {:?}", lost.len(), lost.first());
    assert!(answers.others.is_empty(), "answered otherwise: {:?}", answers.others);
    assert!(answers.slowest < TWILIO_TIMEOUT, "the slowest answer took {:?}", answers.slowest);
}

/// The figures of a run in which nothing was wrong.
#[derive(Debug)]
pub struct Figures {
    /// How long the load lasted.
    pub(crate) seconds: f64,
    /// How long it then took until the states were complete and compared.
    pub(crate) settled: f64,
    /// The number of profiles with a state.
    pub profiles: usize,
    /// The number of callbacks, with repeats.
    pub(crate) callbacks: u64,
    /// Those that were answered 204.
    pub(crate) accepted: usize,
    /// Those that were answered 503.
    pub unavailable: u64,
    /// Those whose connection closed instead.
    pub(crate) unanswered: u64,
    /// The longest wait for an answer of an instance that was not suspended meanwhile.
    pub(crate) slowest: Duration,
    /// The records of the event topic.
    pub(crate) events: usize,
    /// The committed records of the state topic.
    pub(crate) states: usize,
    /// The transactions by result. Those of a process between its last sample and its end are missing.
    pub(crate) transactions: BTreeMap<String, f64>,
    /// How often an instance owned another number of partitions than when it was last asked.
    pub(crate) ownership_changes: usize,
    /// The largest sum of `trusthub_profiles_lag`.
    pub(crate) largest_lag: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |result: &str| {
            let found = self.transactions.iter().find(|(series, _)| series.contains(result));
            found.map_or(0.0, |(_, count)| *count)
        };
        write!(
            f,
            "{} | {} in {:.0} s, {:.0}/s | {} / {} / {} | {:.1} s | {} | {} | {} / {} / {} | {} | {} | {:.0} s",
            self.profiles,
            self.callbacks,
            self.seconds,
            self.callbacks as f64 / self.seconds,
            self.accepted,
            self.unavailable,
            self.unanswered,
            self.slowest.as_secs_f64(),
            self.events,
            self.states,
            of("committed"),
            of("aborted"),
            of("unknown"),
            self.ownership_changes,
            self.largest_lag,
            self.settled,
        )
    }
}
