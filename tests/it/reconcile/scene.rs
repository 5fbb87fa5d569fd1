//! A Trust Hub that loses callbacks, the program that receives the others, and a clock that both of its sides go by.

use std::{
    collections::BTreeMap,
    process::Output,
    thread,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::Value;

use crate::support::{ACCOUNT, Bridge, kafka::free_port, machine::Machine, simulator::Simulator, wait_for};

/// For a program that takes thousands of callbacks.
pub(crate) const QUIET: (&str, &str) = ("RUST_LOG", "warn,trusthub_bridge::app=info");

/// Longer than a change is left to its callback.
const LATER: i64 = 300;

/// All of it. The program's clock stands still beside that of Trust Hub until [`Scene::later`].
pub(crate) struct Scene {
    pub(crate) simulator: Simulator,
    pub(crate) bridge: Bridge,
    pub(crate) machine: Machine,
    /// Where changes of customer profiles are announced.
    pub(crate) url: String,
}

impl Scene {
    /// With a topic whose history has begun.
    pub(crate) fn new() -> Self {
        let scene = Self::with(&[], &[]);
        scene.begin();
        scene
    }

    /// With these arguments of the simulator and variables of the program, and an empty topic.
    pub(crate) fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let (simulator, machine) = (Simulator::start_with(arguments, &[]), Machine::new());
        let base = format!("http://127.0.0.1:{}", free_port());
        let trusthub = simulator.url();
        let usual = [
            ("HTTP_BIND", base.trim_start_matches("http://")),
            ("PUBLIC_URL", &base),
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TRUSTHUB_BASE_URL", &trusthub),
        ];
        let bridge = Bridge::start_with(&[&usual[..], &machine.variables(), variables].concat());
        Self { simulator, bridge, machine, url: format!("{base}/callbacks/customer-profiles") }
    }

    /// From here on the topic has everything: a change is announced, and the second in which it was is over.
    pub(crate) fn begin(&self) {
        let profile = self.simulator.create(&self.url);
        self.simulator.submit(&profile);
        self.simulator.settle();
        let first = self.bridge.events(1)[0].timestamp_ms / 1_000;
        let now = || i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        wait_for("the next second", || (now() > first).then_some(()));
    }

    /// A submitted profile of which no callback says anything.
    pub(crate) fn unheard(&self) -> String {
        self.simulator.set("drop=100");
        let profile = self.simulator.create(&self.url);
        self.simulator.submit(&profile);
        self.simulator.settle();
        self.simulator.set("drop=0");
        profile
    }

    /// So many submitted profiles of which no callback says anything.
    pub(crate) fn many_unheard(&self, count: usize) {
        self.simulator.set("drop=100");
        self.simulator.post("/simulator/profiles", &format!("count={count}&status_callback={}", self.url));
        self.submit_all();
        self.simulator.settle();
        self.simulator.set("drop=0");
    }

    /// Submits every draft.
    pub(crate) fn submit_all(&self) {
        const AT_ONCE: usize = 4;
        let drafts = self.of_status("draft");
        thread::scope(|scope| {
            for part in drafts.chunks(drafts.len().div_ceil(AT_ONCE).max(1)) {
                scope.spawn(move || part.iter().for_each(|sid| drop(self.simulator.submit(sid))));
            }
        });
    }

    /// The profiles of this status.
    pub(crate) fn of_status(&self, status: &str) -> Vec<String> {
        self.state().into_iter().filter(|(_, now)| now == status).map(|(sid, _)| sid).collect()
    }

    /// The status of every customer profile, as Trust Hub has it.
    pub(crate) fn state(&self) -> BTreeMap<String, String> {
        let text = |profile: &Value, field: &str| profile[field].as_str().unwrap().to_owned();
        self.simulator.list().iter().map(|profile| (text(profile, "sid"), text(profile, "status"))).collect()
    }

    /// Five minutes later for the program, but not for Trust Hub: no change is so recent that its callback may come.
    pub(crate) fn later(&self) {
        self.machine.set_clock(LATER);
    }

    /// Runs the command to its end.
    pub(crate) fn reconcile(&self, arguments: &[&str]) -> Run {
        Run::of(self.bridge.command(&[&["reconcile"], arguments].concat()))
    }
}

/// What the command said.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    /// The lines of its table, without the head.
    pub(crate) rows: Vec<String>,
    pub(crate) told: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        let Output { status, stdout, stderr } = output;
        let rows = String::from_utf8(stdout).unwrap().lines().skip(1).map(str::to_owned).collect();
        Self { code: status.code(), rows, told: String::from_utf8(stderr).unwrap() }
    }

    /// How many changes it says were missed and are published.
    pub(crate) fn published(&self) -> usize {
        assert_eq!(self.code, Some(0), "{self:?}");
        let told = self.told.split(" missed and published").next().and_then(|text| text.rsplit(' ').next());
        told.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// How long a run of the command may be, and then some.
pub(crate) const A_WHILE: Duration = Duration::from_secs(120);
