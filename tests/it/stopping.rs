//! A stop takes at most its configured time in every state: the program exits within `SHUTDOWN_DELAY_SECS` and
//! `SHUTDOWN_TIMEOUT_SECS`, with success, and every callback that it accepted is answered 204 and reaches its topic.

use std::time::{Duration, Instant};

use test_support::{
    ACCOUNT, Bridge, Load, Request,
    kafka::{Broker, broker},
    machine::Machine,
    name_server::NameServer,
    proxy::{Fault, TcpProxy},
    simulator::Simulator,
    wait_for,
};

use crate::faults::one_broker;

/// An address without a listener.
const NOWHERE: &str = "127.0.0.1:1";
/// Enough callbacks for every caller to have an answer.
const SOME: usize = 8;
/// The time that a stop may take in addition to its configured time. Kubernetes kills the pod after that.
const GRACE: Duration = Duration::from_secs(5);

/// The configured time of a stop, in seconds.
#[derive(Clone, Copy)]
struct Time {
    delay: &'static str,
    timeout: &'static str,
}

const SHORT: Time = Time { delay: "1", timeout: "5" };
/// Enough for some syncs of a disk that takes two seconds for each.
const LONG: Time = Time { delay: "0", timeout: "10" };

impl Time {
    fn variables(self) -> [(&'static str, &'static str); 2] {
        [("SHUTDOWN_DELAY_SECS", self.delay), ("SHUTDOWN_TIMEOUT_SECS", self.timeout)]
    }

    fn all(self) -> Duration {
        Duration::from_secs([self.delay, self.timeout].map(|text| text.parse::<u64>().unwrap()).iter().sum())
    }
}

/// The variables of a program with an acknowledgement timeout longer than a stop may take.
fn with_long_ack_timeout(bootstrap: &str) -> Vec<(&str, &str)> {
    // Callbacks that wait for it are answered well before the 14.5 seconds after which they are given up.
    [&[("KAFKA_BOOTSTRAP_SERVERS", bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "10000")][..], &SHORT.variables()].concat()
}

#[test]
fn stop_while_kafka_accepts_records_keeps_its_time() {
    let bridge = Bridge::launch(&with_long_ack_timeout(broker().bootstrap()));
    bridge.wait_until_publishing();
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(SOME);
    stops_in_time(bridge, load, SHORT, &[], broker());
}

#[test]
fn stop_while_kafka_is_unreachable_keeps_its_time() {
    let bridge = Bridge::launch(&with_long_ack_timeout(NOWHERE));
    let load = Load::start_light(bridge.public);
    received(&bridge);
    stops_in_time(bridge, load, SHORT, &[("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())], broker());
}

#[test]
fn stop_while_kafka_does_not_answer_keeps_its_time() {
    let proxy = one_broker().take_fault_proxy();
    let bridge = Bridge::launch(&with_long_ack_timeout(&proxy.bootstrap()));
    bridge.wait_until_publishing();
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(SOME);
    proxy.set(Fault::Swallow);
    received(&bridge);
    let direct = one_broker().direct();
    stops_in_time(bridge, load, SHORT, &[("KAFKA_BOOTSTRAP_SERVERS", direct.bootstrap())], direct);
}

#[test]
fn stop_while_lookups_hang_keeps_its_time() {
    let (machine, proxy) = (Machine::new(), one_broker().take_fault_proxy());
    let bootstrap = proxy.bootstrap();
    let bridge = Bridge::launch(&[&with_long_ack_timeout(&bootstrap)[..], &machine.variables()].concat());
    bridge.wait_until_publishing();
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(SOME);
    machine.hang_lookups(Duration::from_secs(60));
    proxy.set(Fault::Cut);
    machine.wait_for_hanging_lookup();
    received(&bridge);
    let direct = one_broker().direct();
    let repaired = [("LD_PRELOAD", ""), ("KAFKA_BOOTSTRAP_SERVERS", direct.bootstrap())];
    stops_in_time(bridge, load, SHORT, &repaired, direct);
}

#[test]
fn stop_with_a_silent_name_server_keeps_its_time() {
    let names = NameServer::silent(broker().bootstrap());
    let bootstrap = names.bootstrap();
    let bridge = Bridge::launch_by(&names.wrapper(), &with_long_ack_timeout(&bootstrap));
    names.wait_for_question();
    let load = Load::start_light(bridge.public);
    received(&bridge);
    stops_in_time(bridge, load, SHORT, &[("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())], broker());
}

#[test]
fn stop_while_syncs_take_half_a_second_keeps_its_time() {
    stops_while_syncs_take(Duration::from_millis(500), SHORT);
}

#[test]
fn stop_while_syncs_take_two_seconds_keeps_its_time() {
    stops_while_syncs_take(Duration::from_secs(2), LONG);
}

fn stops_while_syncs_take(delay: Duration, time: Time) {
    let machine = Machine::new();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", NOWHERE), ("KAFKA_ACK_TIMEOUT_MS", "1000")];
    let bridge = Bridge::launch(&[&settings[..], &time.variables(), &machine.variables()].concat());
    machine.delay_syncs(delay);
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(1);
    let repaired = [("LD_PRELOAD", ""), ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())];
    stops_in_time(bridge, load, time, &repaired, broker());
}

/// The event time cannot be saved, and the last lines cannot be written.
#[test]
fn stop_with_a_hanging_disk_and_an_unread_log_keeps_its_time() {
    /// Their lines do not fit into a pipe.
    const CALLBACKS: usize = 400;
    let machine = Machine::new();
    let variables = [&with_long_ack_timeout(broker().bootstrap())[..], &machine.variables()].concat();
    let mut bridge = Bridge::launch(&variables);
    bridge.wait_until_publishing();
    machine.delay_syncs(Duration::from_secs(600));
    let held = bridge.hold_log();
    for number in 0..CALLBACKS {
        assert_eq!(bridge.send(&Request::change_of(&format!("BU{number:032x}"), "draft")).status, 204);
    }
    let began = Instant::now();
    bridge.signal("TERM");
    let status = bridge.wait_for_exit();
    let took = began.elapsed();
    drop(held);
    assert!(status.success(), "{status}");
    assert!(took < SHORT.all() + GRACE, "it stopped after {took:?}");
}

/// Neither a list of profiles that does not arrive nor its retries delay the exit.
#[test]
fn stop_while_reconciliation_waits_for_trust_hub_keeps_its_time() {
    let simulator = Simulator::start();
    let slow = TcpProxy::before(simulator.address);
    slow.set(Fault::Swallow);
    let trusthub = format!("http://{}", slow.address());
    let variables =
        [("TRUSTHUB_BASE_URL", &trusthub[..]), ("RECONCILE_INTERVAL_SECS", "1"), ("TWILIO_ACCOUNT_SID", ACCOUNT)];
    let bridge = Bridge::launch(&[&with_long_ack_timeout(broker().bootstrap())[..], &variables].concat());
    bridge.wait_until_publishing();
    slow.wait_for_connection();
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(SOME);
    stops_in_time(bridge, load, SHORT, &[("RECONCILE_INTERVAL_SECS", "0")], broker());
}

/// Waits until the program has received callbacks of the load, answered or not.
fn received(bridge: &Bridge) {
    let received = || bridge.series("trusthub_callbacks_received_total").values().sum::<f64>();
    let before = received();
    wait_for("callbacks are received", || (received() >= before + 2.0).then_some(()));
}

/// Stops the program under load and starts the next one with these changes, which publishes everything.
fn stops_in_time(mut bridge: Bridge, load: Load, time: Time, changes: &[(&str, &str)], kafka: &Broker) {
    let limit = time.all() + GRACE;
    let began = Instant::now();
    bridge.signal("TERM");
    let status = bridge.wait();
    let ended = Instant::now();
    assert!(status.success(), "{status}");
    assert!(ended - began < limit, "it stopped after {:?} instead of {limit:?}", ended - began);
    let accepted = bridge.lines("callback").len();
    bridge.restart(changes);
    load.set_address(bridge.public);
    load.wait_for_answers(SOME);
    bridge.wait_until_publishing();
    let ledger = load.settle(&bridge, kafka);
    let answers = ledger.answers();
    assert!(answers.is_subset(&[None, Some(204)].into()), "{answers:?}");
    assert_eq!(ledger.count_before(ended, 204), accepted, "every accepted callback is answered");
}
