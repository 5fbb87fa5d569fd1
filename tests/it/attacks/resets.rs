//! Callers that disconnect before their callback is durable, while the disk is slow.

use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use test_support::{Bridge, machine::Machine, wait_for, wait_within};

use super::{assert_healthy, genuine, sent, total};

const LIMIT: f64 = 8.0;

/// Requests that have no outcome yet.
fn in_progress(bridge: &Bridge) -> f64 {
    let outcomes = total(bridge, "trusthub_callbacks_outcome_total");
    total(bridge, "trusthub_callbacks_received_total") - outcomes
}

#[test]
fn callbacks_of_disconnected_callers_count_until_they_are_durable() {
    // A few more than the limit: on a slow machine, too, the last one comes before the program gives up the first append.
    const CALLERS: usize = 24;
    let machine = Machine::new();
    let own =
        [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_ACK_TIMEOUT_MS", "500"), ("HTTP_MAX_IN_FLIGHT", "8")];
    let bridge = Bridge::launch(&[&own[..], &machine.variables()].concat());
    // From here on Kafka is known to be unreachable, so callbacks are spooled immediately.
    assert_eq!(bridge.send(&genuine(0)).status, 204);
    // Until all callers have been here.
    machine.delay_syncs(Duration::from_secs(600));
    let mut most = 0.0_f64;
    for number in 1..=CALLERS {
        let caller = sent(&bridge, genuine(number).bytes());
        wait_for("the callback is read", || {
            (total(&bridge, "trusthub_callbacks_received_total") == (number + 1) as f64).then_some(())
        });
        // Closing this connection sends a reset.
        set_socket_linger(&caller, Some(Duration::ZERO)).unwrap();
        drop(caller);
        // Received is not yet accepted: a callback that will be rejected counts as in progress for a moment. The first
        // append is given up only after this time.
        let within_limit = || Some(in_progress(&bridge)).filter(|now| *now <= LIMIT);
        most = most.max(wait_within(Duration::from_secs(5), "the limit is kept", within_limit));
    }
    assert_eq!(most, LIMIT, "callbacks are accepted up to the limit");
    let rejected = bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#);
    assert!(rejected > 0.0, "the others were rejected");
    machine.delay_syncs(Duration::ZERO);
    wait_for("an outcome of each", || (in_progress(&bridge) == 0.0).then_some(()));
    let spooled = bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="spooled"}"#);
    assert_eq!(bridge.metric("trusthub_spool_events"), spooled, "each accepted callback is durable without its caller");
    assert_healthy(&bridge);
}
