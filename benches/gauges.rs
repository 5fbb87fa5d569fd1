//! The gauges of profiles after an hour of random reviews: their sums over two instances are what Trust Hub has, while one of the
//! instances is killed, stopped and suspended at random.
//!
//! `make gauges` does so in a minute, in which an hour of the simulator's time passes; `GAUGES_SECONDS` is another length, and
//! `GAUGES_SEED` decides what happens. Between two faults it waits until the gauges equal what the simulator lists at that moment,
//! without stopping the reviews, and prints a row of a table. A short form with fixed reviews is in `tests/it/profiles/gauges.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use test_support::{
    ACCOUNT, Bridge, Request,
    kafka::free_port,
    profile_gauges::{largest, sums},
    random::Random,
    simulator::Simulator,
    wait_for,
};

/// Simulated seconds per second.
const SPEED: u64 = 60;
const MINUTE: u64 = 60;
/// The profiles that are reviewed.
const PROFILES: usize = 150;
/// The drafts without a callback URL at the beginning.
const SILENT: usize = 10;
const PARTITIONS: f64 = 3.0;
const DAY: u64 = 86_400;
/// How long an approval lasts, in seconds of the simulator. The short ones end before the run does.
const APPROVALS: [u64; 5] = [1_200, 2_400, 6 * DAY, 20 * DAY, 60 * DAY];
/// The pause between two random actions, and how many follow on one look at the list.
const PACE: Duration = Duration::from_millis(20);
const ACTIONS: usize = 10;
/// How long reviews go on between two faults, and during one. The session of a member ends after six seconds.
const BETWEEN_FAULTS: Duration = Duration::from_secs(5);
const DURING_FAULT: Duration = Duration::from_secs(2);
/// How far an age may be from that in Trust Hub, in seconds: the callback takes its time, and an instance shows ages that are up
/// to a second old.
const AGE_TOLERANCE: f64 = 5.0;

const HEAD: &str = "| Seed | Simulated | Actions | Killed / stopped / suspended | Comparisons | Series compared | Oldest age | \
                    Most profiles that expire within 7 / 30 days | Without callback, at first and at last |";

fn main() {
    let seed = variable("GAUGES_SEED").unwrap_or_else(|| UNIX_EPOCH.elapsed().unwrap().as_secs());
    let length = Duration::from_secs(variable("GAUGES_SECONDS").unwrap_or(MINUTE));
    println!("GAUGES_SEED={seed}");
    let mut run = Run::start(seed);
    let mut faults = [0; 3];
    while run.began.elapsed() < length {
        let fault = run.random.below(3) as usize;
        faults[fault] += 1;
        run.survive(fault);
    }
    let Counts { actions, comparisons, series, oldest, expiring, silent } = run.counts;
    println!("{HEAD}");
    let [killed, stopped, suspended] = faults;
    let minutes = run.began.elapsed().as_secs() * SPEED / MINUTE;
    let (week, month) = (expiring[0], expiring[1]);
    println!(
        "| {seed} | {minutes} min | {actions} | {killed} / {stopped} / {suspended} | {comparisons} | {series} | {oldest:.0} s | \
         {week} / {month} | {} / {} |\nno gauge is wrong",
        silent[0], silent[1]
    );
}

fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}

/// Trust Hub, and two instances of the service. The first one receives all callbacks, so that none is lost.
struct Run {
    simulator: Simulator,
    first: Bridge,
    second: Bridge,
    callback: String,
    /// The real time and that of the simulator at one moment, in seconds.
    clocks: (f64, f64),
    began: Instant,
    random: Random,
    /// The profiles that a callback has announced. A draft that was never submitted has no state.
    announced: BTreeSet<String>,
    counts: Counts,
}

/// What the run did and saw.
#[derive(Default)]
struct Counts {
    actions: usize,
    comparisons: usize,
    series: usize,
    oldest: f64,
    expiring: [f64; 2],
    silent: [f64; 2],
}

/// The series of the gauges as Trust Hub's profiles demand them.
#[derive(Debug, Default, PartialEq)]
struct Truth {
    profiles: BTreeMap<String, f64>,
    expiring: BTreeMap<String, f64>,
    without_callback: BTreeMap<String, f64>,
    /// When the first profile of each series got its status, in real time.
    oldest: BTreeMap<String, f64>,
}

impl Run {
    fn start(seed: u64) -> Self {
        let simulator = Simulator::start_with(&["--seed", &seed.to_string(), "--set", "auto_reject=33"], &[]);
        simulator.set("auto_review_secs=300");
        let address = format!("127.0.0.1:{}", free_port());
        let base = format!("http://{address}");
        let trusthub = simulator.url();
        let usual = [
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TRUSTHUB_BASE_URL", trusthub.as_str()),
            ("RECONCILE_INTERVAL_SECS", "1"),
            ("PUBLIC_URL", &base),
        ];
        let first = Bridge::start_with(&[&usual[..], &[("HTTP_BIND", &address)]].concat());
        let topics = [
            ("KAFKA_TOPIC", first.topic.as_str()),
            ("KAFKA_DEAD_LETTER_TOPIC", &first.dead_letter_topic),
            ("KAFKA_PROFILES_TOPIC", &first.profiles_topic),
        ];
        let second = Bridge::start_with(&[&usual[..], &topics].concat());
        let callback = format!("{base}/callbacks/customer-profiles");
        simulator.post("/simulator/profiles", &format!("count={PROFILES}&status_callback={callback}"));
        simulator.post("/simulator/profiles", &format!("count={SILENT}"));
        simulator.set(&format!("speed={SPEED}"));
        let probe = simulator.create(&callback);
        let created = simulator.get(&format!("/v1/CustomerProfiles/{probe}"));
        let clocks = (now(), seconds(&created["date_created"]));
        let mut run = Self {
            simulator,
            first,
            second,
            callback,
            clocks,
            began: Instant::now(),
            random: Random::from(seed),
            announced: BTreeSet::new(),
            counts: Counts::default(),
        };
        run.review_for(BETWEEN_FAULTS);
        run.check_both();
        run.counts.silent[0] = run.counts.silent[1];
        run
    }

    /// Lets the second instance fail, and compares while it is away, and when it is back.
    fn survive(&mut self, fault: usize) {
        match fault {
            0 => self.second.kill(),
            1 => {
                self.second.signal("TERM");
                assert!(self.second.wait().success());
            }
            _ => self.second.signal("STOP"),
        }
        self.review_for(DURING_FAULT);
        wait_for("the first instance owns all partitions", || {
            (self.first.metric("trusthub_profiles_partitions") == PARTITIONS).then_some(())
        });
        self.check(false);
        match fault {
            0 | 1 => self.second.restart(&[]),
            _ => self.second.signal("CONT"),
        }
        self.review_for(BETWEEN_FAULTS);
        self.check_both();
    }

    /// Changes random profiles for this time.
    fn review_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let profiles = self.simulator.list();
            for _ in 0..ACTIONS {
                let profile = self.random.pick(&profiles);
                self.change(text(&profile["sid"]), text(&profile["status"]), text(&profile["status_callback"]));
                thread::sleep(PACE);
            }
        }
    }

    /// One random action of the owner or of a reviewer. The profile may have changed since, and the action then be refused.
    fn change(&mut self, sid: &str, status: &str, callback: &str) {
        let path = format!("/v1/CustomerProfiles/{sid}");
        let control = |action: &str| format!("/simulator/profiles/{sid}/{action}");
        if callback.is_empty() {
            if self.random.one_in(4) {
                self.ask(&path, &format!("StatusCallback={}", self.callback));
            }
            return;
        }
        match (status, self.random.below(4)) {
            ("draft" | "twilio-rejected", 0..=2) => {
                self.announced.insert(sid.to_owned());
                self.ask(&path, "Status=pending-review");
            }
            ("twilio-rejected", _) => self.ask(&path, "Status=draft"),
            ("in-review", 0 | 2) => {
                let time = self.random.pick(&APPROVALS);
                self.ask(&control("approve"), &format!("valid_for_secs={time}"));
            }
            ("in-review" | "twilio-approved", 1) => self.ask(&control("reject"), "code=18602"),
            ("twilio-approved", 0) => self.ask(&control("expire"), ""),
            _ => {}
        }
    }

    fn ask(&mut self, path: &str, form: &str) {
        let answer = self.simulator.ask(&Request::form(path, form));
        assert!(answer.status < 500, "{path} {form}: {answer:?}");
        self.counts.actions += 1;
    }

    /// What the gauges have to show now.
    fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        let (real, simulated) = self.clocks;
        for profile in self.simulator.list() {
            if text(&profile["status_callback"]) != self.callback {
                let series = r#"trusthub_profiles_without_callback{resource="customer-profile"}"#.to_owned();
                *truth.without_callback.entry(series).or_default() += 1.0;
            }
            if !self.announced.contains(text(&profile["sid"])) {
                continue;
            }
            let status = text(&profile["status"]);
            let series = |metric: &str| format!(r#"{metric}{{resource="customer-profile",status="{status}"}}"#);
            *truth.profiles.entry(series("trusthub_profiles")).or_default() += 1.0;
            let since = real + (seconds(&profile["date_updated"]) - simulated) / SPEED as f64;
            let oldest = truth.oldest.entry(series("trusthub_profiles_oldest_seconds")).or_insert(since);
            *oldest = oldest.min(since);
            if status == "twilio-approved" && !profile["valid_until"].is_null() {
                let left = seconds(&profile["valid_until"]) - now();
                for (within, days) in [("7d", 7), ("30d", 30)] {
                    let series =
                        format!(r#"trusthub_profiles_expiring{{resource="customer-profile",within="{within}"}}"#);
                    if left <= (days * DAY) as f64 {
                        *truth.expiring.entry(series).or_default() += 1.0;
                    }
                }
            }
        }
        truth
    }

    /// Waits until both instances own partitions, and compares.
    fn check_both(&mut self) {
        wait_for("both instances own partitions", || {
            let owned = [&self.first, &self.second].map(|instance| instance.metric("trusthub_profiles_partitions"));
            (owned.iter().sum::<f64>() == PARTITIONS && owned.iter().all(|count| *count > 0.0)).then_some(())
        });
        self.check(true);
    }

    /// Waits until all gauges show what Trust Hub has, at a moment at which it did not change meanwhile.
    fn check(&mut self, has_second: bool) {
        let instances = if has_second { vec![&self.first, &self.second] } else { vec![&self.first] };
        let (truth, oldest) = wait_for("the gauges equal Trust Hub", || {
            let truth = self.truth();
            let ages = largest(&instances, "trusthub_profiles_oldest_seconds");
            let is_equal = sums(&instances, "trusthub_profiles") == truth.profiles
                && sums(&instances, "trusthub_profiles_expiring") == truth.expiring
                && largest(&instances, "trusthub_profiles_without_callback") == truth.without_callback;
            let is_age_right = |(series, since): (&String, &f64)| {
                let age = ages.get(series).copied().unwrap_or_default();
                (age - (now() - since)).abs() < AGE_TOLERANCE
            };
            let has_ages = truth.oldest.iter().all(is_age_right);
            let has_no_other = ages.keys().all(|series| truth.oldest.contains_key(series));
            let oldest = ages.values().copied().fold(0.0, f64::max);
            (is_equal && has_ages && has_no_other && self.truth() == truth).then_some((truth, oldest))
        });
        let Truth { profiles, expiring, without_callback, .. } = truth;
        let counts = &mut self.counts;
        counts.comparisons += 1;
        counts.series += 2 * profiles.len() + expiring.len() + without_callback.len();
        counts.oldest = counts.oldest.max(oldest);
        for (most, within) in counts.expiring.iter_mut().zip(["7d", "30d"]) {
            let shown = expiring.iter().filter(|(series, _)| series.contains(&format!("\"{within}\"")));
            *most = most.max(shown.map(|(_, count)| *count).sum());
        }
        counts.silent[1] = without_callback.values().sum();
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A time of Trust Hub in seconds.
fn seconds(time: &Value) -> f64 {
    let time: trusthub_events::Timestamp = text(time).parse().unwrap();
    time.unix_millis() as f64 / 1e3
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
