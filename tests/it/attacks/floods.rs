//! More connections and more requests than the limits allow.

use std::{
    collections::VecDeque,
    iter,
    net::TcpStream,
    time::{Duration, Instant},
};

use test_support::{Bridge, Connection, Request, machine::Machine, wait_for};

use super::{PATH, answers, assert_healthy, genuine, sent, settled};

/// The bytes that each connection of an attack sends before it goes silent.
type Opening<'a> = &'a (dyn Fn(usize) -> Vec<u8> + Sync);

/// Keeps `count` attacking connections open, each with an opening, and replaces the oldest ones between genuine
/// callbacks, which use separate connections. Returns the 99th percentile of the time that these callbacks took.
fn percentile_99_among(bridge: &Bridge, count: usize, opening: Opening<'_>) -> Duration {
    const GENUINE: usize = 300;
    const REPLACED_PER_CALLBACK: usize = 10;
    rlimit::increase_nofile_limit(rlimit::INFINITY).unwrap();
    let mut arrivals = (0..).map(|number| sent(bridge, opening(number)));
    let mut open: VecDeque<_> = arrivals.by_ref().take(count).collect();
    let mut times: Vec<_> = (0..GENUINE)
        .map(|number| {
            open.drain(..REPLACED_PER_CALLBACK);
            open.extend(arrivals.by_ref().take(REPLACED_PER_CALLBACK));
            time_of(bridge, &genuine(number))
        })
        .collect();
    times.sort();
    times[GENUINE * 99 / 100]
}

fn time_of(bridge: &Bridge, callback: &Request) -> Duration {
    let began = Instant::now();
    assert_eq!(bridge.send(callback).status, 204);
    began.elapsed()
}

/// Far longer than a callback takes, also on a busy machine; shorter than the timeout of a head, which is five seconds.
const PROMPT: Duration = Duration::from_millis(4_500);

#[test]
fn idle_connections_do_not_delay_genuine_callers() {
    let bridge = Bridge::start_with(&[("HTTP_MAX_IN_FLIGHT", "512")]);
    let request = genuine(0).bytes();
    let half = &request[..request.len() / 4];
    let opening = |number: usize| match number % 4 {
        0 => Vec::new(),
        1 => half.to_vec(),
        2 => request.clone(),
        _ => [&request, half].concat(),
    };
    let time = percentile_99_among(&bridge, 2000, &opening);
    assert!(time < PROMPT, "{time:?}");
    assert_healthy(&bridge);
    settled(&bridge);
}

#[test]
fn slow_bodies_have_one_outcome_each_and_do_not_delay_genuine_callers() {
    let bridge = Bridge::start_with(&[("HTTP_MAX_IN_FLIGHT", "64")]);
    let request = genuine(0).bytes();
    let time = percentile_99_among(&bridge, 400, &|_| request[..request.len() - 1].to_vec());
    assert!(time < PROMPT, "{time:?}");
    assert_healthy(&bridge);
    settled(&bridge);
    bridge.wait_for_log("overloaded");
}

#[test]
fn slow_and_huge_heads_do_not_delay_genuine_callers() {
    let bridge = Bridge::start_with(&[("HTTP_MAX_IN_FLIGHT", "64")]);
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(100_000));
    let time = percentile_99_among(&bridge, 400, &|_| head.clone().into_bytes());
    assert!(time < PROMPT, "{time:?}");
    assert_healthy(&bridge);
}

#[test]
fn excess_callbacks_are_rejected_before_their_body_and_others_completed() {
    let machine = Machine::new();
    let own =
        [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_ACK_TIMEOUT_MS", "500"), ("HTTP_MAX_IN_FLIGHT", "2")];
    let bridge = Bridge::launch(&[&own[..], &machine.variables()].concat());
    // From here on Kafka is known to be unreachable, so callbacks wait for the disk.
    assert_eq!(bridge.send(&genuine(4)).status, 204);
    machine.delay_syncs(Duration::from_secs(600));

    let mut in_progress: Vec<_> = (0..2).map(|_| Connection::to(bridge.public)).collect();
    for (number, connection) in in_progress.iter_mut().enumerate() {
        connection.write(genuine(number).bytes());
    }
    let verified = || super::total(&bridge, "trusthub_signatures_verified_total");
    wait_for("both are in progress", || (verified() == 3.0).then_some(()));
    let flood: Vec<TcpStream> = iter::repeat_with(|| sent(&bridge, "")).take(200).collect();
    let head = Request { body: Vec::new(), ..genuine(2) }.with("Content-Length", "100").bytes();
    let head = String::from_utf8(head).unwrap().replace("Content-Length: 0\r\n", "");
    let began = Instant::now();
    assert_eq!(answers(sent(&bridge, head)), [503], "and closed");
    assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="unavailable"}"#), 1.0);
    assert!(bridge.wait_for_log("overloaded").contains("unavailable"));

    machine.delay_syncs(Duration::ZERO);
    for connection in &mut in_progress {
        assert_eq!(connection.read().map(|answer| answer.status), Some(204));
    }
    drop(flood);
    assert_eq!(bridge.send(&genuine(3)).status, 204, "accepted again at once");
}
