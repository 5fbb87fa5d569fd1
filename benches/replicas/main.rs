//! The states of profiles on three brokers: three instances of the service and a load of random callbacks, while instances and
//! brokers are killed, suspended and restarted at random.
//!
//! `make replicas` does so for `REPLICAS_SECONDS`, with faults that `REPLICAS_SEED` decides. At the end it compares the whole
//! state topic with what the rules derive from the event topic, and prints a row of a table.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

mod faults;

use std::{
    env, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use test_support::{
    kafka::Cluster,
    random::Random,
    replicas::{LoadSize, Replicas},
};

use faults::{Counts, Moment, break_brokers, break_instances};

const INSTANCES: usize = 3;
const FIVE_MINUTES: u64 = 300;
const SIZE: LoadSize = LoadSize { profiles: 10_000, pace: Duration::from_millis(15) };

const HEAD: &str = "| Seed | Profiles | Callbacks | 204 / 503 / no answer | Slowest | Events | States written | Transactions \
                    committed / aborted / unknown | Changes of owners | Largest lag | Complete after | Instances killed / \
                    stopped / suspended | Brokers killed / stopped |";

fn main() {
    let seed = variable("REPLICAS_SEED").unwrap_or_else(now);
    let length = Duration::from_secs(variable("REPLICAS_SECONDS").unwrap_or(FIVE_MINUTES));
    println!("REPLICAS_SEED={seed}");
    let mut kafka = Cluster::start("replicas", 3, 0);
    let bootstrap = kafka.direct().bootstrap().to_owned();
    let mut replicas = Replicas::start(
        INSTANCES,
        &[
            ("KAFKA_BOOTSTRAP_SERVERS", &bootstrap),
            ("KAFKA_TOPIC_PARTITIONS", "6"),
            ("KAFKA_TOPIC_REPLICATION", "3"),
            ("RUST_LOG", "warn,trusthub_bridge::app=info"),
        ],
    );
    let load = replicas.load(seed, SIZE);
    let topic = replicas.instance(0).profiles_topic.clone();
    let moment = Moment { began: Instant::now(), length };
    let (mut of_instances, mut of_brokers) = (Random::from(seed), Random::from(!seed));
    let mut counts = Counts::default();
    thread::scope(|scope| {
        let brokers = scope.spawn(|| break_brokers(&mut kafka, &topic, &mut of_brokers, moment));
        break_instances(&mut replicas, &mut of_instances, moment, &mut counts);
        brokers.join().unwrap().into_iter().for_each(|(fault, count)| *counts.entry(fault).or_default() += count);
    });
    let figures = replicas.settle(load, kafka.direct());
    let count = |fault: &str| counts.get(fault).copied().unwrap_or(0);
    let instances = ["instance killed", "instance stopped", "instance suspended"].map(count);
    let brokers = ["broker killed", "broker stopped"].map(count);
    let row = format!("{figures} | {} / {} / {}", instances[0], instances[1], instances[2]);
    println!("{HEAD}\n| {seed} | {row} | {} / {} |\nno state is wrong", brokers[0], brokers[1]);
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
