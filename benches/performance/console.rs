//! Measures the console with many profiles: the memory of its index, and how fast its pages are.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use test_support::{
    Bridge, Request,
    histories::{EVENTS_OF_PROFILE, Histories},
    kafka::{broker, unique_topic},
};

use crate::{
    report::{Cell, Report, Spread},
    setting,
};

const PROFILES: usize = 100_000;
const PARTITIONS: i32 = 6;
/// Far more than the slowest step takes.
const LIMIT: Duration = Duration::from_secs(1_800);
/// How many times each page is loaded.
const ROUNDS: usize = 20;

/// Each page with its path.
const PAGES: [(&str, &str); 7] = [
    ("first page", "/profiles"),
    ("last page of the reverse order by status", "/profiles?sort=status&reverse=1&page=2000"),
    ("rejected, sorted by the last change", "/profiles?status=twilio-rejected&sort=updated&reverse=1"),
    ("search that every profile fails", "/profiles?q=no+such+name"),
    ("search for a part of a SID", "/profiles?q=beef"),
    ("first page of the API", "/api/v1/profiles"),
    ("one profile", "/profiles/BU00000000000000000000000000000007"),
];

pub(crate) fn run() {
    let profiles = setting("BENCH_CONSOLE_PROFILES", PROFILES);
    let (events, states) = (unique_topic("bench"), unique_topic("bench-states"));
    broker().create_topic(&events, PARTITIONS);
    Histories { kafka: broker(), topic: &events, profiles }.publish();
    let mut bridge = Bridge::start_with(&[("KAFKA_TOPIC", &events), ("KAFKA_PROFILES_TOPIC", &states)]);
    let applied = (profiles * EVENTS_OF_PROFILE) as f64;
    wait_long("the states", || bridge.metric(r#"trusthub_profiles_events_total{outcome="applied"}"#) >= applied);
    restart(&mut bridge, &[], profiles);
    let without = bridge.peak_kib();

    let began = Instant::now();
    restart(&mut bridge, &[("CONSOLE_BIND", "127.0.0.1:0")], profiles);
    let list = || serde_json::from_str::<Value>(&load(&bridge, "/api/v1/profiles")).unwrap_or_default();
    wait_long("the index", || list()["complete"] == true && list()["total"] == profiles);
    let seconds = began.elapsed().as_secs_f64();
    let bytes = bridge.peak_kib().saturating_sub(without) as f64 * 1024.0 / profiles as f64;

    let mut report = Report::new("console");
    let rows = PAGES.map(|(name, path)| {
        let millis: Spread = (0..ROUNDS).map(|_| timed(|| drop(load(&bridge, path)))).collect();
        [Cell::text(name), Cell::Spread(millis, 1)]
    });
    let title = format!(
        "{profiles} profiles; {bytes:.0} bytes of memory for each in the index, which is complete after {seconds:.1} s"
    );
    report.table(&title, ["Page", "ms"], rows.into());
    report.finish();
}

/// Starts the service again, and waits until it owns the states of all profiles.
fn restart(bridge: &mut Bridge, variables: &[(&str, &str)], profiles: usize) {
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    bridge.restart(variables);
    wait_long("the states", || bridge.series("trusthub_profiles").values().sum::<f64>() as usize == profiles);
}

/// Waits for a condition, for as long as the slowest step takes.
fn wait_long(what: &str, is_met: impl Fn() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_met() {
        assert!(Instant::now() < deadline, "{what} did not come");
        thread::sleep(Duration::from_millis(50));
    }
}

fn load(bridge: &Bridge, path: &str) -> String {
    let console = bridge.console.expect("the console is on");
    Request::get(path).with("Host", &console.to_string()).send(console).body
}

/// Milliseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1_000.0
}
