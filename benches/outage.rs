//! Measures the cost of an outage of Kafka: answer times before it, in its first second and while it lasts; how fast the
//! spool fills and drains compared with direct publishing; memory and start time with a million records in the spool. Uses
//! the release build and a real Kafka that is killed and started again.
//!
//! `make outage` runs it and prints a table.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use durable_spool::{ReadLimit, Spool, SpoolLimits};
use test_support::{ACCOUNT, Bridge, Connection, Request, kafka::Broker, wait_for};
use tokio::runtime::Builder;
use trusthub_bridge::spool::APPEND_TIMEOUT;

const CALLERS: u64 = 64;
const PERIOD: Duration = Duration::from_secs(10);
const MILLION: u64 = 1_000_000;
/// Far more than a million records need.
const LARGE_SPOOL: (&str, &str) = ("SPOOL_MAX_BYTES", "8589934592");

fn main() {
    let mut kafka = Broker::start("outage-bench", &[]);
    let bootstrap = kafka.bootstrap().to_owned();
    let mut bridge = Bridge::launch(&[
        ("KAFKA_BOOTSTRAP_SERVERS", &bootstrap),
        LARGE_SPOOL,
        ("RUST_LOG", "warn,trusthub_bridge::app=info,trusthub_bridge::deliver=info"),
    ]);
    wait_for("Kafka is up", || (bridge.metric("trusthub_kafka_up") == 1.0).then_some(()));
    let load = Load::start(&bridge);

    print_line("| Period | Answers/s | p50 | p99 | Slowest |");
    print_line("| --- | --- | --- | --- | --- |");
    load.measure("direct publishing, 64 connections", PERIOD);
    kafka.kill();
    load.measure("first second after Kafka was killed", Duration::from_secs(1));
    load.measure("seconds 2 to 10 of the outage", Duration::from_secs(9));
    load.measure("while Kafka is known to be unreachable", PERIOD);
    load.stop();

    let spooled = bridge.metric("trusthub_spool_events");
    kafka.start_again();
    measure_drain("drain of what that outage left", &bridge, spooled);

    let sample = sample_of(&mut bridge, &mut kafka);
    fill(&bridge, &sample);
    let began = Instant::now();
    bridge.restart(&[("RUST_LOG", "info,actix_server=warn")]);
    print_line(&format!("start to listening with {MILLION} records in the spool: {} ms", began.elapsed().as_millis()));
    wait_for("the records are seen", || (bridge.metric("trusthub_spool_events") >= MILLION as f64).then_some(()));
    print_line(&format!("resident memory with them, Kafka unreachable: {:.1} MiB", resident_mib(&bridge)));
    kafka.start_again();
    measure_drain("drain of a million records", &bridge, MILLION as f64);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
}

/// Callers that send one callback after the other, each on its own connection.
struct Load {
    stop: Arc<AtomicBool>,
    times: Arc<Mutex<Vec<Duration>>>,
    callers: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start(bridge: &Bridge) -> Self {
        let (stop, times) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let number = Arc::new(AtomicU64::new(0));
        let callers = (0..CALLERS).map(|caller| {
            let (stop, times, number) = (Arc::clone(&stop), Arc::clone(&times), Arc::clone(&number));
            let mut connection = Connection::to(bridge.public);
            let request = callback(caller);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // The idempotency token is not signed, and makes each callback distinct.
                    let token = number.fetch_add(1, Ordering::Relaxed).to_string();
                    let bytes = request.clone().with("I-Twilio-Idempotency-Token", &token).bytes();
                    let sent = Instant::now();
                    connection.write(bytes);
                    assert_eq!(connection.read().unwrap().status, 204);
                    times.lock().unwrap().push(sent.elapsed());
                }
            })
        });
        let callers = callers.collect();
        Self { stop, times, callers }
    }

    fn measure(&self, what: &str, period: Duration) {
        self.times.lock().unwrap().clear();
        thread::sleep(period);
        let mut times = std::mem::take(&mut *self.times.lock().unwrap());
        times.sort_unstable();
        let milliseconds = |share: f64| {
            let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        print_line(&format!(
            "| {what} | {:.0} | {:.1} ms | {:.1} ms | {:.1} ms |",
            times.len() as f64 / period.as_secs_f64(),
            milliseconds(0.5),
            milliseconds(0.99),
            milliseconds(1.0)
        ));
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.join().unwrap();
        }
    }
}

fn callback(caller: u64) -> Request {
    let body = format!(
        "AccountSid={ACCOUNT}&BundleSid=BU{caller:032x}&Status=twilio-rejected&FailureReason=Business+registration+number+\
         could+not+be+verified+%2818602%29"
    );
    Request::form("/callbacks/customer-profiles", &body).signed()
}

fn measure_drain(what: &str, bridge: &Bridge, records: f64) {
    let began = Instant::now();
    wait_for("the drain begins", || (bridge.metric("trusthub_spool_drained_total") > 0.0).then_some(()));
    let first = Instant::now();
    let mut peak = 0.0_f64;
    while bridge.metric("trusthub_spool_events") > 0.0 {
        assert!(first.elapsed() < Duration::from_secs(600), "the drain does not end");
        peak = peak.max(resident_mib(bridge));
        thread::sleep(Duration::from_millis(100));
    }
    let seconds = first.elapsed().as_secs_f64();
    print_line(&format!(
        "{what}: {records:.0} records in {seconds:.1} s, {:.0} records/s, begun {:.1} s after Kafka was back, \
         at most {peak:.1} MiB resident",
        records / seconds,
        (first - began).as_secs_f64()
    ));
}

fn resident_mib(bridge: &Bridge) -> f64 {
    bridge.metric("process_resident_memory_bytes") / f64::from(1 << 20)
}

/// The bytes of one callback in the spool, from a service that was stopped while Kafka was unreachable.
fn sample_of(bridge: &mut Bridge, kafka: &mut Broker) -> Vec<u8> {
    kafka.kill();
    assert_eq!(bridge.send(&callback(0).with("I-Twilio-Idempotency-Token", "sample")).status, 204);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let spool = open(bridge);
    let first = block_on(spool.read(None, ReadLimit { entries: 1, bytes: 1 })).unwrap().remove(0);
    block_on(spool.remove_through(first.position)).unwrap();
    spool.close();
    first.bytes
}

fn fill(bridge: &Bridge, sample: &[u8]) {
    let spool = open(bridge);
    let began = Instant::now();
    for _ in 0..MILLION / 1_000 {
        block_on(spool.append(vec![sample.to_vec(); 1_000])).unwrap();
    }
    let seconds = began.elapsed().as_secs_f64();
    spool.close();
    let bytes = fs::read_dir(bridge.spool()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>();
    print_line(&format!(
        "appending {MILLION} records of {} bytes, a sync for each 1,000: {seconds:.1} s, {:.0} MB on disk",
        sample.len(),
        bytes as f64 / 1e6
    ));
}

fn open(bridge: &Bridge) -> Spool {
    let limits = SpoolLimits { max_bytes: u64::MAX, min_free_bytes: 0, append_timeout: APPEND_TIMEOUT };
    Spool::open(bridge.spool(), limits, Arc::new(())).unwrap()
}

fn block_on<F: Future>(future: F) -> F::Output {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn print_line(line: &str) {
    println!("{line}");
}
