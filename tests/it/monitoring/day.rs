//! A day on which everything happens that the dashboard can show.

use std::{
    cell::RefCell,
    thread,
    time::{Duration, Instant},
};

use super::scene::Scene;
use crate::support::{
    ACCOUNT, PUBLIC_URL, Request, TOKEN,
    kafka::{Cluster, FaultProxy, free_port},
    machine::Machine,
    prometheus::now,
    proxy::Fault,
    simulator::Simulator,
    wait_for,
};

const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";
const KINDS: [&str; 3] = ["customer-profiles", "trust-products", "regulatory-bundles"];
const STATUSES: [&str; 4] = ["pending-review", "in-review", "twilio-approved", "draft"];
const CODES: [&str; 4] = ["18602", "18603", "18601", "99999"];
/// Longer than a change is left to its callback.
const LATER: i64 = 300;

/// How long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// One thing after the other.
    AtOnce,
    /// With pauses in which callbacks come and go, to be looked at, and enough brokers for what is meant to last.
    Minutes,
}

pub(crate) struct Day {
    pub(crate) scene: Scene,
    pace: Pace,
    simulator: Simulator,
    /// What the first instance takes for the system.
    machine: Machine,
    door: FaultProxy,
    random: RefCell<fastrand::Rng>,
    /// Where the simulator announces changes: the first instance.
    announced_to: String,
    // Kept for its end.
    _kafka: Cluster,
}

impl Day {
    /// Plays it to its end.
    pub(crate) fn play(pace: Pace) -> Self {
        let day = Self::begin(pace);
        day.callbacks_come();
        day.a_profile_is_rejected();
        day.a_change_is_not_announced();
        day.strangers_call();
        day.twilio_calls_another_url();
        day.kafka_is_away();
        day.callbacks_come();
        day.the_missed_change_is_found();
        day.callbacks_come();
        day
    }

    fn begin(pace: Pace) -> Self {
        let (machine, simulator) = (Machine::new(), Simulator::start());
        let brokers = if pace == Pace::Minutes { 3 } else { 1 };
        let kafka = Cluster::start("dashboard", brokers, 1);
        let door = kafka.take_fault_proxy();
        let base = format!("http://127.0.0.1:{}", free_port());
        let (bootstrap, urls) = (door.bootstrap(), format!("{PUBLIC_URL},{base}"));
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
        // Its spool is soon full.
        let small = [("TWILIO_AUTH_TOKEN", tokens.as_str()), ("SPOOL_MAX_BYTES", "16384")];
        let scene = Scene::of([&[&usual[..], &asks, &machine.variables()].concat(), &[usual, small].concat()]);
        let announced_to = format!("{base}/callbacks/customer-profiles");
        let random = RefCell::new(fastrand::Rng::with_seed(7));
        Self { scene, pace, simulator, machine, door, random, announced_to, _kafka: kafka }
    }

    /// Reviews go on: changes of all kinds, with either token, one of them repeated and one of them not understood.
    fn callbacks_come(&self) {
        self.for_a_while(|| {
            for kind in KINDS {
                let callback = self.change(kind);
                self.accepted(0, &callback.clone().signed());
                self.accepted(1, &callback.signed_with(PREVIOUS, PUBLIC_URL));
            }
            let twice = self.change(KINDS[0]).signed();
            self.accepted(1, &twice);
            self.accepted(1, &twice);
        });
        let json = format!(r#"{{"AccountSid":"{ACCOUNT}","BundleSid":"{}","Status":"draft"}}"#, self.profile());
        self.accepted(0, &Request::json("/callbacks/customer-profiles", &json).signed());
        self.accepted(
            1,
            &Request::form("/callbacks/trust-products", &format!("AccountSid={ACCOUNT}&What=this")).signed(),
        );
    }

    /// One is rejected in Trust Hub, which announces it; others for other reasons.
    fn a_profile_is_rejected(&self) {
        let profile = self.simulator.create(&self.announced_to);
        self.simulator.submit(&profile);
        self.simulator.control(&profile, "reject", "code=18602");
        self.simulator.settle();
        for code in CODES {
            let body =
                format!("AccountSid={ACCOUNT}&BundleSid={}&Status=twilio-rejected&ErrorCode={code}", self.profile());
            self.accepted(1, &Request::form("/callbacks/customer-profiles", &body).signed());
            self.pause();
        }
    }

    /// A callback gets lost, so that only Trust Hub knows of the change.
    fn a_change_is_not_announced(&self) {
        // Trust Hub tells the second of a change: one of the second in which the topic began may be older than the
        // topic.
        let began = now().floor();
        wait_for("the next second", || (now().floor() > began).then_some(()));
        self.simulator.set("drop=100");
        let profile = self.simulator.create(&self.announced_to);
        self.simulator.submit(&profile);
        self.simulator.settle();
        self.simulator.set("drop=0");
    }

    /// As soon as it is too old for its callback to be under way.
    fn the_missed_change_is_found(&self) {
        let missed = r#"trusthub_reconcile_missed_total{resource="customer-profile"}"#;
        wait_for("the missed change is found", || {
            match self.pace {
                Pace::AtOnce => self.machine.set_clock(LATER),
                Pace::Minutes => self.callbacks_come(),
            }
            (self.scene.bridges[0].metric(missed) > 0.0).then_some(())
        });
    }

    /// A scanner, and somebody with another token, while genuine callbacks come as well.
    fn strangers_call(&self) {
        self.for_a_while(|| {
            let callback = self.change(KINDS[0]);
            self.accepted(0, &callback.clone().signed());
            for request in [Request::get("/callbacks/trust-products"), callback.signed_with("another", PUBLIC_URL)] {
                assert_eq!(self.scene.send(&request), [403, 403]);
                self.pause();
            }
        });
    }

    /// Twilio was given another URL. It is told apart in one callback of a second.
    fn twilio_calls_another_url(&self) {
        wait_for("both have told it apart", || {
            let callback = self.change(KINDS[0]).signed_with(TOKEN, "http://hooks.example.com");
            assert_eq!(self.scene.send(&callback), [403, 403]);
            self.pause();
            let told = r#"trusthub_callbacks_rejected_total{reason="url_mismatch"}"#;
            self.scene.bridges.iter().all(|bridge| bridge.metric(told) > 0.0).then_some(())
        });
    }

    /// An outage: the first instance keeps what comes, the spool of the second is too small for that.
    fn kafka_is_away(&self) {
        self.door.set(Fault::Swallow);
        let full = || self.scene.bridges[1].metric("trusthub_spool_full") == 1.0;
        let send = |instance: usize| self.scene.bridges[instance].send(&self.change(KINDS[0]).signed()).status;
        wait_for("the small spool is full", || {
            assert_eq!(send(0), 204);
            send(1);
            self.pause();
            full().then_some(())
        });
        assert_eq!(send(1), 503);
        let seen = "count(trusthub_kafka_up == 0) == 2 and on () max(trusthub_spool_full) == 1";
        self.scene.monitoring.wait_for_data(seen);
        self.for_a_while(|| assert_eq!(send(0), 204));
        self.door.set(Fault::None);
        self.scene.bridges.iter().for_each(|bridge| bridge.wait_until_publishing());
    }

    fn accepted(&self, instance: usize, request: &Request) {
        assert_eq!(self.scene.bridges[instance].send(request).status, 204, "{request:?}");
        self.pause();
    }

    /// A change of some profile, not signed yet.
    fn change(&self, kind: &str) -> Request {
        let status = self.random.borrow_mut().choice(STATUSES).unwrap();
        let body = format!("AccountSid={ACCOUNT}&BundleSid={}&Status={status}", self.profile());
        Request::form(&format!("/callbacks/{kind}"), &body)
    }

    /// One that no other callback is about.
    fn profile(&self) -> String {
        format!("BU{:032x}", self.random.borrow_mut().u128(..))
    }

    /// Once, or again and again for a part of the day.
    fn for_a_while(&self, act: impl Fn()) {
        let end = Instant::now() + Duration::from_secs(25);
        act();
        while self.pace == Pace::Minutes && Instant::now() < end {
            act();
            self.pause();
        }
    }

    /// A moment in which nothing happens, for who looks on.
    fn pause(&self) {
        if self.pace == Pace::Minutes {
            thread::sleep(Duration::from_millis(self.random.borrow_mut().u64(50..900)));
        }
    }
}
