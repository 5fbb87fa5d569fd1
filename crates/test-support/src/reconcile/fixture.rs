//! A Trust Hub that loses callbacks, a program that receives the others, and a fake clock for the program.

use std::{collections::BTreeMap, process::Output, thread, time::UNIX_EPOCH};

use serde_json::Value;

use crate::{
    ACCOUNT, Bridge,
    kafka::{broker, free_port, unique_topic},
    machine::Machine,
    simulator::Simulator,
    wait_for,
};

/// For a program that receives thousands of callbacks.
pub const QUIET: (&str, &str) = ("RUST_LOG", "warn,trusthub_bridge::app=info");

/// Longer than the time for which reconciliation leaves a change to its callback.
const CLOCK_ADVANCE: i64 = 300;

/// The simulator and the program. The program's clock equals that of Trust Hub until [`Fixture::advance_clock`].
pub struct Fixture {
    /// Trust Hub.
    pub simulator: Simulator,
    /// The program.
    pub bridge: Bridge,
    /// The clock of the program.
    pub machine: Machine,
    /// The callback URL for customer profiles.
    pub url: String,
}

impl Fixture {
    /// With a topic whose history has begun.
    pub fn new() -> Self {
        let fixture = Self::with(&[], &[]);
        fixture.begin_history();
        fixture
    }

    /// With a topic whose history has begun, and with the states of profiles.
    pub fn with_states() -> Self {
        let fixture = Self::with(&[], &[("KAFKA_PROFILES_TOPIC", &unique_topic("states"))]);
        fixture.begin_history();
        fixture
    }

    /// With these arguments of the simulator, these variables of the program, an empty topic, and no states of profiles.
    pub fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let (simulator, machine) = (Simulator::start_with(arguments, &[]), Machine::new());
        let base = format!("http://127.0.0.1:{}", free_port());
        let trusthub = simulator.url();
        let usual = [
            ("HTTP_BIND", base.trim_start_matches("http://")),
            ("PUBLIC_URL", &base),
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TRUSTHUB_BASE_URL", &trusthub),
            ("KAFKA_PROFILES_TOPIC", ""),
        ];
        let bridge = Bridge::start_with(&[&usual[..], &machine.variables(), variables].concat());
        Self { simulator, bridge, machine, url: format!("{base}/callbacks/customer-profiles") }
    }

    /// Begins the history of the topic: announces a change and waits until the second of that change is over.
    pub fn begin_history(&self) {
        let profile = self.simulator.create(&self.url);
        self.simulator.submit(&profile);
        self.simulator.settle();
        let first = self.bridge.events(1)[0].timestamp_ms / 1_000;
        let now = || i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        wait_for("the next second", || (now() > first).then_some(()));
    }

    /// A submitted profile whose changes are not announced by a callback.
    pub fn create_missed(&self) -> String {
        self.simulator.set("drop=100");
        let profile = self.simulator.create(&self.url);
        self.simulator.submit(&profile);
        self.simulator.settle();
        self.simulator.set("drop=0");
        profile
    }

    /// This many submitted profiles whose changes are not announced by a callback.
    pub fn create_many_missed(&self, count: usize) {
        self.simulator.set("drop=100");
        self.simulator.post("/simulator/profiles", &format!("count={count}&status_callback={}", self.url));
        self.submit_all();
        self.simulator.settle();
        self.simulator.set("drop=0");
    }

    /// Submits every draft.
    pub fn submit_all(&self) {
        const THREADS: usize = 4;
        let drafts = self.of_status("draft");
        thread::scope(|scope| {
            for part in drafts.chunks(drafts.len().div_ceil(THREADS).max(1)) {
                scope.spawn(move || part.iter().for_each(|sid| drop(self.simulator.submit(sid))));
            }
        });
    }

    /// The profiles with this status.
    pub fn of_status(&self, status: &str) -> Vec<String> {
        self.state().into_iter().filter(|(_, now)| now == status).map(|(sid, _)| sid).collect()
    }

    /// The status of every customer profile in Trust Hub.
    pub fn state(&self) -> BTreeMap<String, String> {
        let text = |profile: &Value, field: &str| profile[field].as_str().unwrap().to_owned();
        self.simulator.list().iter().map(|profile| (text(profile, "sid"), text(profile, "status"))).collect()
    }

    /// Advances the program's clock by five minutes, but not Trust Hub's: every change is then old enough to be missed.
    pub fn advance_clock(&self) {
        self.machine.set_clock(CLOCK_ADVANCE);
    }

    /// The number of records in the event topic so far.
    pub fn records(&self) -> i64 {
        let partitions = 0..broker().partitions_of(&self.bridge.topic) as i32;
        partitions.map(|partition| broker().end_of(&self.bridge.topic, partition)).sum()
    }

    /// Runs the command until it exits.
    pub fn reconcile(&self, arguments: &[&str]) -> Run {
        Run::of(self.bridge.command(&[&["reconcile"], arguments].concat()))
    }
}

/// The output of the command.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub code: Option<i32>,
    /// The lines of its table, without the heading.
    pub rows: Vec<String>,
    /// The headings of the rows: the account and the kind of profile.
    pub groups: Vec<String>,
    /// Its diagnostics.
    pub told: String,
}

impl Run {
    /// The output of a command that has exited.
    pub fn of(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        let table = String::from_utf8(stdout).unwrap();
        let rows = table.lines().skip(1).map(str::to_owned);
        let (groups, rows) = rows.partition(|line: &String| line.starts_with("AC"));
        Self { code: status.code(), groups, rows, told: String::from_utf8(stderr).unwrap() }
    }

    /// The reported number of missed and published changes.
    pub fn published(&self) -> usize {
        assert_eq!(self.code, Some(0), "{self:?}");
        let number = self.told.split(" missed and published").next().and_then(|text| text.rsplit(' ').next());
        number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{self:?}"))
    }
}
