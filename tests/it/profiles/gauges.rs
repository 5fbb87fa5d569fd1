//! The gauges of profiles: their sums over all instances are what Trust Hub has, whichever instance owns the partitions.

use std::collections::BTreeMap;

use test_support::{
    ACCOUNT, Bridge, Request,
    kafka::{broker, free_port},
    profile_gauges::{sums, wait_for_gauges},
    simulator::Simulator,
    wait_for,
};

use super::{expected_states, wait_for_partitions};

const PROFILES: usize = 300;
const DAY: u32 = 24 * 60 * 60;

/// Trust Hub, and two instances of the service. The first one receives all callbacks.
struct Fixture {
    simulator: Simulator,
    first: Bridge,
    second: Bridge,
    profiles: Vec<String>,
}

impl Fixture {
    /// With drafts, which have no state yet. Reviews end at once, and a third of them in a rejection.
    fn new() -> Self {
        let simulator = Simulator::start_with(&["--seed", "24", "--set", "auto_reject=33"], &[]);
        let address = format!("127.0.0.1:{}", free_port());
        let base = format!("http://{address}");
        let first = Bridge::start_with(&[("HTTP_BIND", &address), ("PUBLIC_URL", &base)]);
        let second = Bridge::start_with(&[
            ("KAFKA_TOPIC", &first.topic),
            ("KAFKA_DEAD_LETTER_TOPIC", &first.dead_letter_topic),
            ("KAFKA_PROFILES_TOPIC", &first.profiles_topic),
        ]);
        let callback = format!("{base}/callbacks/customer-profiles");
        simulator.post("/simulator/profiles", &format!("count={PROFILES}&status_callback={callback}"));
        let profiles = simulator.list().iter().map(|profile| profile["sid"].as_str().unwrap().to_owned()).collect();
        Self { simulator, first, second, profiles }
    }

    fn with_status(&self, status: &str) -> Vec<String> {
        let profiles = self.simulator.list();
        let those = profiles.iter().filter(|profile| profile["status"] == status);
        those.map(|profile| profile["sid"].as_str().unwrap().to_owned()).collect()
    }

    /// Submits these profiles, and waits until the automatic reviewer has decided all of them.
    fn review(&self, profiles: &[String]) {
        self.simulator.set("auto_review_secs=1");
        profiles.iter().for_each(|sid| drop(self.simulator.submit(sid)));
        wait_for("their reviews end", || {
            let reviewed = self.with_status("in-review");
            profiles.iter().all(|sid| !reviewed.contains(sid)).then_some(())
        });
        self.simulator.set("auto_review_secs=off");
    }

    /// Approves a profile for this many days, and announces when that ends, which the simulator's callbacks do not say.
    fn approve_for(&self, sid: &str, days: u32) {
        self.simulator.control(sid, "approve", &format!("valid_for_secs={}", days * DAY));
        self.simulator.settle();
        let profile = self.simulator.get(&format!("/v1/CustomerProfiles/{sid}"));
        let end = profile["valid_until"].as_str().unwrap();
        let body = format!("AccountSid={ACCOUNT}&BundleSid={sid}&Status=twilio-approved&ValidUntil={end}");
        let callback = Request::form("/callbacks/customer-profiles", &body).signed();
        assert_eq!(self.second.send(&callback).status, 204);
    }

    /// How many profiles Trust Hub has, by the series that must show them.
    fn truth(&self) -> BTreeMap<String, f64> {
        let mut truth = BTreeMap::new();
        for profile in self.simulator.list().iter().filter(|profile| profile["status"] != "draft") {
            let status = profile["status"].as_str().unwrap();
            let series = format!(r#"trusthub_profiles{{resource="customer-profile",status="{status}"}}"#);
            *truth.entry(series).or_insert(0.0) += 1.0;
        }
        truth
    }

    /// Waits until the gauges of these instances, which own all partitions, show what Trust Hub has.
    fn check(&self, instances: &[&Bridge]) {
        self.simulator.settle();
        let truth = self.truth();
        wait_for("the sums equal the truth", || (sums(instances, "trusthub_profiles") == truth).then_some(()));
        wait_for_gauges(instances, &expected_states(broker(), &self.first.topic));
    }

    fn check_both(&self) {
        let instances = [&self.first, &self.second];
        wait_for("both instances own partitions", || {
            let owned = instances.map(|instance| instance.metric("trusthub_profiles_partitions"));
            (owned.iter().sum::<f64>() == 3.0 && owned.iter().all(|count| *count > 0.0)).then_some(())
        });
        self.check(&instances);
    }
}

#[test]
fn sums_of_the_gauges_equal_trust_hub_through_kills_and_restarts() {
    let mut fixture = Fixture::new();
    let (reviewed, submitted) = fixture.profiles.split_at(PROFILES / 2);
    let (reviewed, submitted) = (reviewed.to_vec(), submitted.to_vec());
    fixture.review(&reviewed);
    fixture.check_both();

    fixture.second.kill();
    submitted.iter().for_each(|sid| drop(fixture.simulator.submit(sid)));
    wait_for_partitions(&fixture.first, 3);
    fixture.check(&[&fixture.first]);

    fixture.second.restart(&[]);
    fixture.review(&fixture.with_status("twilio-rejected"));
    for (sid, days) in submitted.iter().zip([6, 20, 20, 60]) {
        fixture.approve_for(sid, days);
    }
    fixture.check_both();
    let expiring = |within| format!(r#"trusthub_profiles_expiring{{resource="customer-profile",within="{within}"}}"#);
    let expected = BTreeMap::from([(expiring("7d"), 1.0), (expiring("30d"), 3.0)]);
    wait_for("the ends of the approvals", || {
        let both = [&fixture.first, &fixture.second];
        (sums(&both, "trusthub_profiles_expiring") == expected).then_some(())
    });

    fixture.second.signal("TERM");
    assert!(fixture.second.wait().success());
    wait_for_partitions(&fixture.first, 3);
    fixture.check(&[&fixture.first]);
}
