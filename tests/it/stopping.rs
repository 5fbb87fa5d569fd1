//! A stop keeps its time in every state: the program ends within `SHUTDOWN_DELAY_SECS` and `SHUTDOWN_TIMEOUT_SECS`, with
//! success, and every callback that it accepted is answered 204 and comes to its topic.

use std::time::{Duration, Instant};

use crate::{
    faults::one_broker,
    support::{
        ACCOUNT, Bridge, Load,
        kafka::{Broker, broker},
        machine::Machine,
        names::NameServer,
        proxy::{Fault, Proxy},
        simulator::Simulator,
        wait_for,
    },
};

/// An address without a listener.
const NOWHERE: &str = "127.0.0.1:1";
/// Enough callbacks for every caller to have had an answer.
const SOME: usize = 8;
/// What the end of a process may take beyond the time that it was given.
const GRACE: Duration = Duration::from_secs(1);

/// What a stop is given, in seconds.
#[derive(Clone, Copy)]
struct Time {
    delay: &'static str,
    timeout: &'static str,
}

const SHORT: Time = Time { delay: "1", timeout: "3" };
/// Time for some syncs of a disk that takes two seconds for each.
const LONG: Time = Time { delay: "0", timeout: "10" };

impl Time {
    fn variables(self) -> [(&'static str, &'static str); 2] {
        [("SHUTDOWN_DELAY_SECS", self.delay), ("SHUTDOWN_TIMEOUT_SECS", self.timeout)]
    }

    fn all(self) -> Duration {
        Duration::from_secs([self.delay, self.timeout].map(|text| text.parse::<u64>().unwrap()).iter().sum())
    }
}

/// The variables of a program that would wait longer for Kafka than a stop may take.
fn patient(bootstrap: &str) -> Vec<(&str, &str)> {
    [&[("KAFKA_BOOTSTRAP_SERVERS", bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "10000")][..], &SHORT.variables()].concat()
}

#[test]
fn stop_while_kafka_takes_records_keeps_its_time() {
    let bridge = Bridge::launch(&patient(broker().bootstrap()));
    bridge.wait_until_publishing();
    let load = Load::light_on(bridge.public);
    load.wait_for_answers(SOME);
    stops_in_time(bridge, load, SHORT, &[], broker());
}

#[test]
fn stop_while_kafka_is_unreachable_keeps_its_time() {
    let bridge = Bridge::launch(&patient(NOWHERE));
    let load = Load::light_on(bridge.public);
    received(&bridge);
    stops_in_time(bridge, load, SHORT, &[("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())], broker());
}

#[test]
fn stop_while_kafka_does_not_answer_keeps_its_time() {
    let door = one_broker().take_door();
    let bridge = Bridge::launch(&patient(&door.bootstrap()));
    bridge.wait_until_publishing();
    let load = Load::light_on(bridge.public);
    load.wait_for_answers(SOME);
    door.set(Fault::Swallow);
    received(&bridge);
    let direct = one_broker().direct();
    stops_in_time(bridge, load, SHORT, &[("KAFKA_BOOTSTRAP_SERVERS", direct.bootstrap())], direct);
}

#[test]
fn stop_while_lookups_hang_keeps_its_time() {
    let (machine, door) = (Machine::new(), one_broker().take_door());
    let bootstrap = door.bootstrap();
    let bridge = Bridge::launch(&[&patient(&bootstrap)[..], &machine.variables()].concat());
    bridge.wait_until_publishing();
    let load = Load::light_on(bridge.public);
    load.wait_for_answers(SOME);
    machine.hang_lookups(Duration::from_secs(60));
    door.set(Fault::Cut);
    machine.wait_for_hanging_lookup();
    received(&bridge);
    let direct = one_broker().direct();
    let healed = [("LD_PRELOAD", ""), ("KAFKA_BOOTSTRAP_SERVERS", direct.bootstrap())];
    stops_in_time(bridge, load, SHORT, &healed, direct);
}

#[test]
fn stop_with_a_silent_name_server_keeps_its_time() {
    let names = NameServer::silent(broker().bootstrap());
    let bootstrap = names.bootstrap();
    let bridge = Bridge::launch_by(&names.wrapper(), &patient(&bootstrap));
    names.wait_for_question();
    let load = Load::light_on(bridge.public);
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
    let load = Load::light_on(bridge.public);
    load.wait_for_answers(1);
    let healed = [("LD_PRELOAD", ""), ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())];
    stops_in_time(bridge, load, time, &healed, broker());
}

/// Neither a list of profiles that does not come nor the retries of it hold up the end.
#[test]
fn stop_while_reconciliation_waits_for_trust_hub_keeps_its_time() {
    let simulator = Simulator::start();
    let slow = Proxy::before(simulator.address);
    slow.set(Fault::Swallow);
    let trusthub = format!("http://{}", slow.address());
    let variables =
        [("TRUSTHUB_BASE_URL", &trusthub[..]), ("RECONCILE_INTERVAL_SECS", "1"), ("TWILIO_ACCOUNT_SID", ACCOUNT)];
    let bridge = Bridge::launch(&[&patient(broker().bootstrap())[..], &variables].concat());
    bridge.wait_until_publishing();
    slow.wait_for_connection();
    let load = Load::light_on(bridge.public);
    load.wait_for_answers(SOME);
    stops_in_time(bridge, load, SHORT, &[("RECONCILE_INTERVAL_SECS", "0")], broker());
}

/// Waits until the program has callbacks of the load, answered or not.
fn received(bridge: &Bridge) {
    let received = || bridge.series("trusthub_callbacks_received_total").values().sum::<f64>();
    let before = received();
    wait_for("callbacks are received", || (received() >= before + 2.0).then_some(()));
}

/// Stops the program under its load and starts the next one with these changes, which publishes everything.
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
    load.aim_at(bridge.public);
    load.wait_for_answers(SOME);
    bridge.wait_until_publishing();
    let ledger = load.settle(&bridge, kafka);
    let answers = ledger.answers();
    assert!(answers.is_subset(&[None, Some(204)].into()), "{answers:?}");
    assert_eq!(ledger.count_before(ended, 204), accepted, "every callback that was accepted is answered");
}
