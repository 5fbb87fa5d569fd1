//! The environment of a case: the cluster, the proxy to it, the program and the load.

use std::{
    fs::File,
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use test_support::{
    Bridge, Connection, Request,
    kafka::{Cluster, FaultProxy},
    ledger::Load,
    machine::Machine,
    proxy::Fault,
    random::Random,
    wait_for,
};

use crate::{
    check::{Findings, Measured, Topic},
    recorder::FileRecorder,
};

const CALLERS: u64 = 64;
/// The pause of a caller after an answer. Two cores that also run three brokers can handle about this rate.
const PACE: Duration = Duration::from_millis(15);
/// Without compression, ten million records in three replicas would fill the disk.
pub(crate) const COMPRESSION: &str = "compression.type=lz4";
/// The timeout for draining after a long outage, and for reading a topic of millions of records.
const LONG: Duration = Duration::from_secs(3600);
/// The time after which Twilio gives up a callback.
const TWILIO_TIMEOUT: Duration = Duration::from_secs(15);
const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct SoakFixture<'a> {
    pub(crate) kafka: &'a mut Cluster,
    pub(crate) proxy: &'a FaultProxy,
    pub(crate) bridge: Bridge,
    pub(crate) load: Load<FileRecorder>,
    pub(crate) machine: Machine,
    pub(crate) random: Random,
    /// The maximum time for an answer.
    pub(crate) patience: Duration,
    folder: PathBuf,
    callers: u64,
    log: File,
    began: Instant,
    memory: f64,
}

impl<'a> SoakFixture<'a> {
    /// Starts everything without faults, and starts the load.
    pub(crate) fn start(kafka: &'a mut Cluster, proxy: &'a FaultProxy, folder: &Path, seed: u64) -> Self {
        proxy.set(Fault::None);
        kafka.start_stopped();
        let machine = Machine::new();
        let bootstrap = proxy.bootstrap();
        let settings = [
            ("KAFKA_BOOTSTRAP_SERVERS", &bootstrap[..]),
            ("KAFKA_TOPIC_REPLICATION", "3"),
            ("KAFKA_PROPERTIES", COMPRESSION),
            ("RUST_LOG", "warn,trusthub_bridge::app=info,trusthub_bridge::deliver=info"),
        ];
        let bridge = Bridge::launch(&[&settings[..], &machine.variables()].concat());
        bridge.wait_until_publishing();
        let load = Load::with_recorders(recorders(folder, 0..CALLERS), PACE, bridge.public);
        let log = File::create(folder.join("service.log")).unwrap();
        let (random, patience, began) = (Random::from(seed), TWILIO_TIMEOUT, Instant::now());
        let soak = Self {
            kafka,
            proxy,
            bridge,
            load,
            machine,
            random,
            patience,
            folder: folder.to_owned(),
            callers: CALLERS,
            log,
            began,
            memory: 0.0,
        };
        soak.load.wait_for_answers(1000);
        soak
    }

    /// Waits for this time.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.sample_memory();
            thread::sleep(left.min(SECOND));
        }
    }

    fn sample_memory(&mut self) {
        self.memory = self.memory.max(self.bridge.metric("process_resident_memory_bytes"));
    }

    /// Makes the topic reject records above this age, or none.
    pub(crate) fn limit_age(&self, age: Option<Duration>) {
        let age = age.map(|age| age.as_millis().to_string());
        let setting = age.as_deref().map(|age| ("message.timestamp.before.max.ms", age));
        self.kafka.direct().alter_topic(&self.bridge.topic, setting.as_slice());
    }

    /// Stops reading the log for this time, and sends forged callbacks that each write a log line.
    pub(crate) fn hold_log_unread(&self, forged: usize, time: Duration) {
        let held = self.bridge.hold_log();
        let public = self.bridge.public;
        // If the log blocked the service, the answers would not arrive during that time.
        thread::spawn(move || {
            let request = Request::form("/callbacks/customer-profiles", "a=b").bytes();
            for _ in 0..forged {
                let Some(mut connection) = Connection::open(public) else { return };
                connection.write(&request);
                connection.read();
            }
        });
        thread::sleep(time);
        drop(held);
    }

    /// Removes the faults of Kafka and the network, and waits until Kafka has all records.
    pub(crate) fn recover(&mut self) {
        self.proxy.set(Fault::None);
        self.kafka.start_stopped();
        let deadline = Instant::now() + LONG;
        while self.is_behind() {
            assert!(Instant::now() < deadline, "the service does not catch up");
            self.wait(Duration::from_millis(200));
        }
    }

    /// Also makes name lookups work again.
    pub(crate) fn recover_lookups(&mut self) {
        self.machine.hang_lookups(Duration::ZERO);
        self.recover();
    }

    fn is_behind(&self) -> bool {
        self.bridge.metric("trusthub_kafka_up") == 0.0 || self.bridge.metric("trusthub_spool_events") > 0.0
    }

    /// Ends the program in this way and starts it again with these variables changed.
    pub(crate) fn restart(&mut self, end: fn(&mut Bridge), changes: &[(&str, &str)]) {
        self.sample_memory();
        end(&mut self.bridge);
        append_log(&mut self.log, &self.bridge);
        self.bridge.restart(changes);
        self.load.set_address(self.bridge.public);
    }

    /// Adds callers for this time.
    pub(crate) fn flood(&mut self, callers: u64, pace: Duration, time: Duration) {
        let names = self.callers..self.callers + callers;
        self.callers = names.end;
        let flood = Load::with_recorders(recorders(&self.folder, names), pace, self.bridge.public);
        self.wait(time);
        flood.finish().into_iter().for_each(FileRecorder::close);
    }

    /// Writes a line about a fault to the log.
    pub(crate) fn log_event(&mut self, what: &str) {
        writeln!(self.log, "{:8.1} s {what}", self.began.elapsed().as_secs_f64()).unwrap();
    }

    /// Ends the load and compares the whole topic with the ledger.
    pub(crate) fn finish(mut self) -> Findings {
        self.recover();
        self.sample_memory();
        let seconds = self.began.elapsed().as_secs_f64();
        self.load.finish().into_iter().for_each(FileRecorder::close);
        wait_for("the spool is empty", || (self.bridge.metric("trusthub_spool_events") == 0.0).then_some(()));
        self.bridge.signal("TERM");
        assert!(self.bridge.wait().success());
        append_log(&mut self.log, &self.bridge);
        let topic = self.kafka.direct().gather(&self.bridge.topic, 0, LONG, Topic::default());
        let dead_letters = self.kafka.direct().wait_for_records(&self.bridge.dead_letter_topic, 0, LONG);
        assert_eq!(dead_letters.len(), 0, "{:?}", dead_letters.first());
        // The topics of all cases would fill the disk.
        self.kafka.direct().delete_topic(&self.bridge.topic);
        let memory_mib = self.memory / f64::from(1 << 20);
        topic.compare_with_ledger(&self.folder, self.callers, Measured { seconds, memory_mib, patience: self.patience })
    }
}

fn recorders(folder: &Path, callers: Range<u64>) -> impl Iterator<Item = (u64, FileRecorder)> {
    callers.map(|caller| (caller, FileRecorder::create(folder, caller)))
}

fn append_log(log: &mut File, bridge: &Bridge) {
    writeln!(log, "{}", bridge.log().join("\n")).unwrap();
}

/// Kills the program, as the kernel does when memory is short.
pub(crate) fn kill(bridge: &mut Bridge) {
    bridge.kill();
}

/// Stops the program, as an operator does.
pub(crate) fn stop(bridge: &mut Bridge) {
    bridge.signal("TERM");
    let status = bridge.wait();
    assert!(status.success(), "{status}");
}

/// Stops the program, and asserts that this takes no longer than the default timeout.
pub(crate) fn stop_in_time(bridge: &mut Bridge) {
    const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
    let began = Instant::now();
    stop(bridge);
    let took = began.elapsed();
    assert!(took < DEFAULT_TIMEOUT + SECOND, "the stop took {took:?}");
}
