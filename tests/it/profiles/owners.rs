//! Instances that share the partitions, and that stop, die or stall.

use test_support::{Bridge, kafka::broker, wait_for};

use super::{announce_all, last_states, wait_for_partitions, wait_for_states};

/// An instance that shares the topics of another one.
fn replica_of(bridge: &Bridge) -> Bridge {
    Bridge::start_with(&[
        ("KAFKA_TOPIC", &bridge.topic),
        ("KAFKA_DEAD_LETTER_TOPIC", &bridge.dead_letter_topic),
        ("KAFKA_PROFILES_TOPIC", &bridge.profiles_topic),
    ])
}

/// Waits until both instances own partitions, three in total.
fn wait_until_shared(bridges: [&Bridge; 2]) {
    wait_for("the partitions are shared", || {
        let owned = bridges.map(|bridge| bridge.metric("trusthub_profiles_partitions"));
        (owned.iter().sum::<f64>() == 3.0 && owned.iter().all(|count| *count > 0.0)).then_some(())
    });
}

#[test]
fn second_instance_takes_partitions_over_and_returns_them() {
    let first = Bridge::start();
    announce_all(&first, 20, &["pending-review"]);
    wait_for_states(&first);
    let mut second = replica_of(&first);
    wait_until_shared([&first, &second]);
    announce_all(&second, 20, &["in-review"]);
    wait_for_states(&first);
    second.signal("TERM");
    assert!(second.wait().success());
    announce_all(&first, 20, &["twilio-approved"]);
    wait_for_partitions(&first, 3);
    wait_for_states(&first);
    wait_for("all profiles are owned", || (first.metric("trusthub_profiles_owned") == 20.0).then_some(()));
}

#[test]
fn states_continue_after_their_owner_was_killed() {
    let mut first = Bridge::start();
    announce_all(&first, 20, &["pending-review"]);
    let second = replica_of(&first);
    wait_until_shared([&first, &second]);
    announce_all(&first, 20, &["in-review"]);
    first.kill();
    announce_all(&second, 20, &["twilio-rejected"]);
    wait_for_partitions(&second, 3);
    let records = wait_for_states(&second);
    assert!(last_states(&records).values().all(|state| state.changes == 3));
}

#[test]
fn owner_that_stalled_writes_nothing_after_it_was_replaced() {
    let first = Bridge::start();
    announce_all(&first, 20, &["pending-review"]);
    wait_for_states(&first);
    let second = replica_of(&first);
    wait_until_shared([&first, &second]);
    // Some of them are not applied yet when the first instance stops.
    announce_all(&second, 20, &["in-review"]);
    first.signal("STOP");
    wait_for_partitions(&second, 3);
    announce_all(&second, 20, &["twilio-approved"]);
    wait_for_states(&second);
    first.signal("CONT");
    announce_all(&second, 20, &["draft"]);
    wait_until_shared([&first, &second]);
    announce_all(&second, 20, &["pending-review"]);
    wait_for_states(&second);
}

#[test]
fn stop_does_not_wait_for_the_projection() {
    let mut bridge = Bridge::start();
    wait_for_partitions(&bridge, 3);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    // The service would wait some seconds for a projection that ignores the stop, and say so.
    let late = bridge.log().into_iter().filter(|line| line.contains("did not stop in time")).count();
    assert_eq!(late, 0);
    assert!(broker().has_topic(&bridge.profiles_topic));
}
