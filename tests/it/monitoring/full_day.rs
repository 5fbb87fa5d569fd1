//! A day with every kind of event that the dashboard can show.

use std::{
    cell::RefCell,
    thread,
    time::{Duration, Instant},
};

use test_support::{
    ACCOUNT, PUBLIC_URL, Request, TOKEN,
    kafka::{Cluster, FaultProxy, free_port},
    machine::Machine,
    prometheus::now,
    proxy::Fault,
    simulator::Simulator,
    wait_for,
};

use super::fixture::MonitoringFixture;

const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";
const KINDS: [&str; 3] = ["customer-profiles", "trust-products", "regulatory-bundles"];
const STATUSES: [&str; 4] = ["pending-review", "in-review", "twilio-approved", "draft"];
const CODES: [&str; 4] = ["18602", "18603", "18601", "99999"];
/// Longer than reconciliation waits for the callback of a change.
const CALLBACK_GRACE_SECS: i64 = 300;

/// How long the day takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// One event after the other.
    AtOnce,
    /// Some minutes with pauses between callbacks, for the picture, and with enough brokers for durable topics.
    Minutes,
}

pub(crate) struct FullDay {
    pub(crate) fixture: MonitoringFixture,
    pace: Pace,
    simulator: Simulator,
    /// Fakes the clock of the first instance.
    machine: Machine,
    proxy: FaultProxy,
    random: RefCell<fastrand::Rng>,
    /// The URL to which the simulator announces changes, at the first instance.
    callback_url: String,
    // Stopped when dropped.
    _kafka: Cluster,
}

impl FullDay {
    /// Plays the whole day.
    pub(crate) fn play(pace: Pace) -> Self {
        let day = Self::begin(pace);
        day.send_all_kinds_of_callbacks();
        day.reject_profiles();
        day.approve_a_profile_for_days();
        day.create_a_profile_without_callback();
        day.lose_a_callback();
        day.send_forged_callbacks();
        day.send_callbacks_signed_for_another_url();
        day.cut_off_kafka();
        day.send_all_kinds_of_callbacks();
        day.wait_for_missed_change();
        day.send_all_kinds_of_callbacks();
        day
    }

    fn begin(pace: Pace) -> Self {
        let (machine, simulator) = (Machine::new(), Simulator::start());
        let brokers = if pace == Pace::Minutes { 3 } else { 1 };
        let kafka = Cluster::start("dashboard", brokers, 1);
        let proxy = kafka.take_fault_proxy();
        let base = format!("http://127.0.0.1:{}", free_port());
        let (bootstrap, urls) = (proxy.bootstrap(), format!("{PUBLIC_URL},{base}"));
        let replication = brokers.to_string();
        let trusthub = simulator.url();
        let usual = [("KAFKA_BOOTSTRAP_SERVERS", bootstrap.as_str()), ("KAFKA_TOPIC_REPLICATION", &replication)];
        let asks = [
            ("HTTP_BIND", base.trim_start_matches("http://")),
            ("PUBLIC_URL", &urls),
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TRUSTHUB_BASE_URL", &trusthub),
            ("RECONCILE_INTERVAL_SECS", if pace == Pace::Minutes { "20" } else { "1" }),
        ];
        let tokens = format!("{TOKEN},{PREVIOUS}");
        // The spool of the second instance fills up quickly.
        let small = [("TWILIO_AUTH_TOKEN", tokens.as_str()), ("SPOOL_MAX_BYTES", "16384")];
        let fixture =
            MonitoringFixture::of([&[&usual[..], &asks, &machine.variables()].concat(), &[usual, small].concat()]);
        let callback_url = format!("{base}/callbacks/customer-profiles");
        let random = RefCell::new(fastrand::Rng::with_seed(7));
        Self { fixture, pace, simulator, machine, proxy, random, callback_url, _kafka: kafka }
    }

    /// Sends changes of all kinds, signed with either token. One is a duplicate, and one becomes a dead letter.
    fn send_all_kinds_of_callbacks(&self) {
        self.repeat_for_a_while(|| {
            for kind in KINDS {
                let callback = self.change(kind);
                self.send_accepted(0, &callback.clone().signed());
                self.send_accepted(1, &callback.signed_with(PREVIOUS, PUBLIC_URL));
            }
            let twice = self.change(KINDS[0]).signed();
            self.send_accepted(1, &twice);
            self.send_accepted(1, &twice);
        });
        let json = format!(r#"{{"AccountSid":"{ACCOUNT}","BundleSid":"{}","Status":"draft"}}"#, self.profile());
        self.send_accepted(0, &Request::json("/callbacks/customer-profiles", &json).signed());
        self.send_accepted(
            1,
            &Request::form("/callbacks/trust-products", &format!("AccountSid={ACCOUNT}&What=this")).signed(),
        );
    }

    /// Rejects one profile in Trust Hub, which announces it, and announces rejections with other codes.
    fn reject_profiles(&self) {
        let profile = self.simulator.create(&self.callback_url);
        self.simulator.submit(&profile);
        self.simulator.control(&profile, "reject", "code=18602");
        self.simulator.settle();
        for code in CODES {
            let body =
                format!("AccountSid={ACCOUNT}&BundleSid={}&Status=twilio-rejected&ErrorCode={code}", self.profile());
            self.send_accepted(1, &Request::form("/callbacks/customer-profiles", &body).signed());
            self.pause();
        }
    }

    /// The approval ends within a week, as another callback says: those of the simulator do not.
    fn approve_a_profile_for_days(&self) {
        let profile = self.simulator.create(&self.callback_url);
        self.simulator.submit(&profile);
        let decision = self.simulator.control(&profile, "approve", "valid_for_secs=432000");
        self.simulator.settle();
        let end = decision["valid_until"].as_str().unwrap();
        let body = format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status=twilio-approved&ValidUntil={end}");
        self.send_accepted(0, &Request::form("/callbacks/customer-profiles", &body).signed());
    }

    /// Only reconciliation can find this profile.
    fn create_a_profile_without_callback(&self) {
        self.simulator.post("/simulator/profiles", "count=1&status=in-review");
    }

    /// Drops a callback, so that only Trust Hub knows of its change.
    fn lose_a_callback(&self) {
        // Trust Hub tells the second of a change: one of the second in which the topic began may be older than the topic.
        let began = now().floor();
        wait_for("the next second", || (now().floor() > began).then_some(()));
        self.simulator.set("drop=100");
        let profile = self.simulator.create(&self.callback_url);
        self.simulator.submit(&profile);
        self.simulator.settle();
        self.simulator.set("drop=0");
    }

    /// Reconciliation finds it once it is too old for its callback to be on the way.
    fn wait_for_missed_change(&self) {
        let missed = r#"trusthub_reconcile_missed_total{resource="customer-profile"}"#;
        wait_for("the missed change is found", || {
            match self.pace {
                Pace::AtOnce => self.machine.set_clock(CALLBACK_GRACE_SECS),
                Pace::Minutes => self.send_all_kinds_of_callbacks(),
            }
            (self.fixture.bridges[0].metric(missed) > 0.0).then_some(())
        });
    }

    /// Sends requests of a scanner and callbacks signed with another token, between genuine callbacks.
    fn send_forged_callbacks(&self) {
        self.repeat_for_a_while(|| {
            let callback = self.change(KINDS[0]);
            self.send_accepted(0, &callback.clone().signed());
            for request in [Request::get("/callbacks/trust-products"), callback.signed_with("another", PUBLIC_URL)] {
                assert_eq!(self.fixture.send(&request), [403, 403]);
                self.pause();
            }
        });
    }

    /// Twilio has another URL. The service diagnoses at most one callback per second.
    fn send_callbacks_signed_for_another_url(&self) {
        wait_for("both have diagnosed the URL", || {
            let callback = self.change(KINDS[0]).signed_with(TOKEN, "http://hooks.example.com");
            assert_eq!(self.fixture.send(&callback), [403, 403]);
            self.pause();
            let diagnosed = r#"trusthub_callbacks_rejected_total{reason="url_mismatch"}"#;
            self.fixture.bridges.iter().all(|bridge| bridge.metric(diagnosed) > 0.0).then_some(())
        });
    }

    /// An outage of Kafka: the first instance spools its callbacks, and the spool of the second one fills up.
    fn cut_off_kafka(&self) {
        self.proxy.set(Fault::Swallow);
        let full = || self.fixture.bridges[1].metric("trusthub_spool_full") == 1.0;
        let send = |instance: usize| self.fixture.bridges[instance].send(&self.change(KINDS[0]).signed()).status;
        wait_for("the small spool is full", || {
            assert_eq!(send(0), 204);
            // Another one may be shorter and still fit.
            let change = self.change(KINDS[0]).signed();
            let is_full = self.fixture.bridges[1].send(&change).status == 503 && full();
            if is_full {
                assert_eq!(self.fixture.bridges[1].send(&change).status, 503);
            }
            self.pause();
            is_full.then_some(())
        });
        let seen = "count(trusthub_kafka_up == 0) == 2 and on () max(trusthub_spool_full) == 1";
        self.fixture.monitoring.wait_for_data(seen);
        self.repeat_for_a_while(|| assert_eq!(send(0), 204));
        self.proxy.set(Fault::None);
        self.fixture.bridges.iter().for_each(|bridge| bridge.wait_until_publishing());
    }

    fn send_accepted(&self, instance: usize, request: &Request) {
        assert_eq!(self.fixture.bridges[instance].send(request).status, 204, "{request:?}");
        self.pause();
    }

    /// A change of some profile, not yet signed.
    fn change(&self, kind: &str) -> Request {
        let status = self.random.borrow_mut().choice(STATUSES).unwrap();
        let body = format!("AccountSid={ACCOUNT}&BundleSid={}&Status={status}", self.profile());
        Request::form(&format!("/callbacks/{kind}"), &body)
    }

    /// A new profile SID.
    fn profile(&self) -> String {
        format!("BU{:032x}", self.random.borrow_mut().u128(..))
    }

    /// Acts once or, at the slow pace, repeatedly for a part of the day.
    fn repeat_for_a_while(&self, act: impl Fn()) {
        let end = Instant::now() + Duration::from_secs(25);
        act();
        while self.pace == Pace::Minutes && Instant::now() < end {
            act();
            self.pause();
        }
    }

    /// At the slow pace, waits for a moment.
    fn pause(&self) {
        if self.pace == Pace::Minutes {
            thread::sleep(Duration::from_millis(self.random.borrow_mut().u64(50..900)));
        }
    }
}
