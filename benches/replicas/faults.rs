//! Random faults of instances and, at the same time, of brokers.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use test_support::{kafka::Cluster, random::Random, replicas::Replicas};

const STEP: Duration = Duration::from_millis(200);

/// How often each fault was injected.
pub(crate) type Counts = BTreeMap<&'static str, usize>;

/// The period in which faults are injected.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) began: Instant,
    pub(crate) length: Duration,
}

impl Moment {
    fn is_over(self) -> bool {
        self.began.elapsed() >= self.length
    }

    fn report(self, counts: &mut Counts, fault: &'static str, number: usize) {
        *counts.entry(fault).or_default() += 1;
        println!("<!-- {:6.1} s {fault}: {number} -->", self.began.elapsed().as_secs_f64());
    }
}

/// A time between these, in milliseconds.
fn between(random: &mut Random, from: u64, to: u64) -> Duration {
    Duration::from_millis(from + random.below(to - from))
}

/// Reads the metrics for this time.
fn watch(replicas: &mut Replicas, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        replicas.sample();
        thread::sleep(STEP);
    }
}

/// Breaks one instance after another. All of them are active at the end.
pub(crate) fn break_instances(replicas: &mut Replicas, random: &mut Random, moment: Moment, counts: &mut Counts) {
    while !moment.is_over() {
        let number = random.below(replicas.size() as u64) as usize;
        match random.below(4) {
            0 | 1 => {
                moment.report(counts, "instance killed", number);
                replicas.kill(number);
                // The next owner may begin before or after the killed one is back.
                let time = between(random, 0, 12_000);
                watch(replicas, time);
                replicas.start_again(number);
            }
            2 => {
                moment.report(counts, "instance stopped", number);
                replicas.stop(number);
                let time = between(random, 0, 2_000);
                watch(replicas, time);
                replicas.start_again(number);
            }
            _ => {
                moment.report(counts, "instance suspended", number);
                replicas.suspend(number);
                // Its session expires after six seconds, its transaction after ten.
                let time = between(random, 5_000, 16_000);
                watch(replicas, time);
                replicas.resume(number);
            }
        }
        let time = between(random, 0, 8_000);
        watch(replicas, time);
    }
}

/// Breaks one broker after another, and returns how often. All of them run at the end.
pub(crate) fn break_brokers(kafka: &mut Cluster, topic: &str, random: &mut Random, moment: Moment) -> Counts {
    let mut counts = Counts::new();
    while !moment.is_over() {
        thread::sleep(between(random, 2_000, 15_000));
        let broker = random.below(kafka.size() as u64) as usize;
        if random.one_in(3) {
            moment.report(&mut counts, "broker stopped", broker);
            kafka.stop(broker);
        } else {
            moment.report(&mut counts, "broker killed", broker);
            kafka.kill(broker);
        }
        thread::sleep(between(random, 1_000, 10_000));
        kafka.start_stopped();
        kafka.wait_until_in_sync(topic);
    }
    counts
}
