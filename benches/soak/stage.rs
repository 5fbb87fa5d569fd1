//! Where a case plays: the cluster, the door to it, the program and the load.

use std::{
    fs::File,
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    book::FileBook,
    check::{Findings, Measured, Topic},
    support::{
        Bridge, Connection, Request,
        kafka::{Cluster, FaultProxy},
        ledger::Load,
        machine::Machine,
        proxy::Fault,
        random::Random,
        wait_for,
    },
};

const CALLERS: u64 = 64;
/// From an answer to the caller's next callback: about as much as two cores take with three brokers beside it.
const PACE: Duration = Duration::from_millis(15);
/// Ten million records three times would fill the disk otherwise.
pub(crate) const COMPRESSION: &str = "compression.type=lz4";
/// A drain of a long outage, or reading a topic of millions, takes its time.
const LONG: Duration = Duration::from_secs(3600);
/// After so long it gives a callback up.
const TWILIOS_PATIENCE: Duration = Duration::from_secs(15);
const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Stage<'a> {
    pub(crate) kafka: &'a mut Cluster,
    pub(crate) door: &'a FaultProxy,
    pub(crate) bridge: Bridge,
    pub(crate) load: Load<FileBook>,
    pub(crate) machine: Machine,
    pub(crate) random: Random,
    /// The longest that an answer may take.
    pub(crate) patience: Duration,
    folder: PathBuf,
    callers: u64,
    log: File,
    began: Instant,
    memory: f64,
}

impl<'a> Stage<'a> {
    /// Everything is well, and the load has begun.
    pub(crate) fn set(kafka: &'a mut Cluster, door: &'a FaultProxy, folder: &Path, seed: u64) -> Self {
        door.set(Fault::None);
        kafka.start_stopped();
        let machine = Machine::new();
        let bootstrap = door.bootstrap();
        let settings = [
            ("KAFKA_BOOTSTRAP_SERVERS", &bootstrap[..]),
            ("KAFKA_TOPIC_REPLICATION", "3"),
            ("KAFKA_PROPERTIES", COMPRESSION),
            ("RUST_LOG", "warn,trusthub_bridge::app=info,trusthub_bridge::deliver=info"),
        ];
        let bridge = Bridge::launch(&[&settings[..], &machine.variables()].concat());
        bridge.wait_until_publishing();
        let load = Load::with_recorders(books(folder, 0..CALLERS), PACE, bridge.public);
        let log = File::create(folder.join("service.log")).unwrap();
        let (random, patience, began) = (Random::from(seed), TWILIOS_PATIENCE, Instant::now());
        let stage = Self {
            kafka,
            door,
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
        stage.load.wait_for_answers(1000);
        stage
    }

    /// Lets so much time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.look();
            thread::sleep(left.min(SECOND));
        }
    }

    fn look(&mut self) {
        self.memory = self.memory.max(self.bridge.metric("process_resident_memory_bytes"));
    }

    /// From now on the topic takes only records that are at most so old, or of any age.
    pub(crate) fn limit_age(&self, age: Option<Duration>) {
        let age = age.map(|age| age.as_millis().to_string());
        let setting = age.as_deref().map(|age| ("message.timestamp.before.max.ms", age));
        self.kafka.direct().alter_topic(&self.bridge.topic, setting.as_slice());
    }

    /// For so long the log is not read, while this many forged callbacks leave their lines in it.
    pub(crate) fn leave_log_unread(&self, forged: usize, time: Duration) {
        let held = self.bridge.hold_log();
        let public = self.bridge.public;
        // Their answers do not come while the log holds them up, if it does.
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

    /// Lets the load go on until Kafka has all of it.
    pub(crate) fn recover(&mut self) {
        self.door.set(Fault::None);
        self.kafka.start_stopped();
        let deadline = Instant::now() + LONG;
        while self.is_behind() {
            assert!(Instant::now() < deadline, "it does not catch up");
            self.pass(Duration::from_millis(200));
        }
    }

    /// The same, once look-ups are answered again.
    pub(crate) fn recover_names(&mut self) {
        self.machine.hang_lookups(Duration::ZERO);
        self.recover();
    }

    fn is_behind(&self) -> bool {
        self.bridge.metric("trusthub_kafka_up") == 0.0 || self.bridge.metric("trusthub_spool_events") > 0.0
    }

    /// Ends the program in this way and starts the next one, with these variables changed.
    pub(crate) fn restart(&mut self, end: fn(&mut Bridge), changes: &[(&str, &str)]) {
        self.look();
        end(&mut self.bridge);
        keep_log(&mut self.log, &self.bridge);
        self.bridge.restart(changes);
        self.load.set_address(self.bridge.public);
    }

    /// Lets so many callers more call for so long.
    pub(crate) fn flood(&mut self, callers: u64, pace: Duration, time: Duration) {
        let names = self.callers..self.callers + callers;
        self.callers = names.end;
        let flood = Load::with_recorders(books(&self.folder, names), pace, self.bridge.public);
        self.pass(time);
        flood.finish().into_iter().for_each(FileBook::close);
    }

    /// Writes a line about what is done to it.
    pub(crate) fn tell(&mut self, what: &str) {
        writeln!(self.log, "{:8.1} s {what}", self.began.elapsed().as_secs_f64()).unwrap();
    }

    /// Ends the load and holds the whole topic against the ledger.
    pub(crate) fn strike(mut self) -> Findings {
        self.recover();
        self.look();
        let seconds = self.began.elapsed().as_secs_f64();
        self.load.finish().into_iter().for_each(FileBook::close);
        wait_for("the spool is empty", || (self.bridge.metric("trusthub_spool_events") == 0.0).then_some(()));
        self.bridge.signal("TERM");
        assert!(self.bridge.wait().success());
        keep_log(&mut self.log, &self.bridge);
        let topic = self.kafka.direct().gather(&self.bridge.topic, 0, LONG, Topic::default());
        let dead_letters = self.kafka.direct().wait_for_records(&self.bridge.dead_letter_topic, 0, LONG);
        assert_eq!(dead_letters.len(), 0, "{:?}", dead_letters.first());
        // The topics of a case would fill the disk of the next.
        self.kafka.direct().delete_topic(&self.bridge.topic);
        let memory_mib = self.memory / f64::from(1 << 20);
        topic.against(&self.folder, self.callers, Measured { seconds, memory_mib, patience: self.patience })
    }
}

fn books(folder: &Path, callers: Range<u64>) -> impl Iterator<Item = (u64, FileBook)> {
    callers.map(|caller| (caller, FileBook::create(folder, caller)))
}

fn keep_log(log: &mut File, bridge: &Bridge) {
    writeln!(log, "{}", bridge.log().join("\n")).unwrap();
}

/// As the kernel does when memory is short.
pub(crate) fn kill(bridge: &mut Bridge) {
    bridge.kill();
}

/// As an operator does.
pub(crate) fn stop(bridge: &mut Bridge) {
    bridge.signal("TERM");
    let status = bridge.wait();
    assert!(status.success(), "{status}");
}

/// The same, and it must not take longer than the program is given by default.
pub(crate) fn stop_in_time(bridge: &mut Bridge) {
    const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
    let began = Instant::now();
    stop(bridge);
    let took = began.elapsed();
    assert!(took < DEFAULT_TIMEOUT + SECOND, "it stopped after {took:?}");
}
