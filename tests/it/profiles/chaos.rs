//! Instances that die, stall and restart under a load of random callbacks. `make replicas` does more of it, with three brokers.

use std::time::Duration;

use test_support::{
    kafka::broker,
    replicas::{LoadSize, RandomLoad, Replicas},
    wait_for,
};

const SEED: u64 = 20261129;
/// Enough callbacks for every caller to have several answers.
const SOME: usize = 200;

#[test]
fn no_state_is_wrong_after_owners_were_killed_suspended_and_restarted() {
    let mut replicas = Replicas::start(2, &[("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())]);
    let load = replicas.load(SEED, LoadSize { profiles: 200, pace: Duration::from_millis(10) });
    wait_until_both_own(&replicas, &load);

    replicas.kill(0);
    load.wait_for_answers(SOME);
    replicas.start_again(0);
    wait_until_both_own(&replicas, &load);

    replicas.suspend(1);
    // Its session expires meanwhile.
    wait_for("the other instance owns all partitions", || (owned(&replicas, 0) == 3.0).then_some(()));
    load.wait_for_answers(SOME);
    replicas.resume(1);
    wait_until_both_own(&replicas, &load);

    replicas.stop(0);
    load.wait_for_answers(SOME);
    replicas.start_again(0);
    wait_until_both_own(&replicas, &load);

    let figures = replicas.settle(load, broker());
    assert_eq!((figures.profiles, figures.unavailable), (200, 0), "{figures:?}");
}

fn owned(replicas: &Replicas, number: usize) -> f64 {
    replicas.instance(number).metric("trusthub_profiles_partitions")
}

/// Waits until both instances own partitions, three in total, and until each has applied some events.
fn wait_until_both_own(replicas: &Replicas, load: &RandomLoad) {
    wait_for("both instances own partitions", || {
        let owned = [0, 1].map(|number| owned(replicas, number));
        (owned.iter().sum::<f64>() == 3.0 && owned.iter().all(|count| *count > 0.0)).then_some(())
    });
    load.wait_for_answers(SOME);
}
