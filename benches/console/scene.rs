//! A service with a past: profiles in all statuses, some of which have waited for days, dead letters, and rejected callbacks.

use test_support::{
    ACCOUNT, PUBLIC_URL, Request, TOKEN, kafka::unique_topic, reconcile::Fixture, simulator::POLICY, wait_for,
};

const DAY: i64 = 86_400;

/// More than a page of the list has.
const OTHERS: usize = 120;

/// The names of the profiles. They are those of nobody.
const NAMES: [&str; 8] = [
    "Corner Bakery",
    "Bicycle Repair",
    "Flower Delivery",
    "Night Pharmacy",
    "Book Exchange",
    "Garden Supplies",
    "Language School",
    "Piano Lessons",
];

/// The running service.
pub(crate) struct Scene {
    fixture: Fixture,
    /// The URL for callbacks about customer profiles.
    pub(crate) callbacks: String,
    /// A profile that was rejected with two codes.
    pub(crate) rejected: String,
}

impl Scene {
    /// Starts the service and plays its past. Blocks for about a minute.
    pub(crate) fn prepare() -> Self {
        let topic = unique_topic("states");
        let fixture = Fixture::with(
            &[],
            &[
                ("KAFKA_PROFILES_TOPIC", &topic),
                ("CONSOLE_BIND", "127.0.0.1:0"),
                ("RECONCILE_INTERVAL_SECS", "300"),
                ("RECONCILE_GRACE_SECS", "0"),
            ],
        );
        // Kafka rejects records from the future, so the past begins five days ago.
        fixture.machine.set_clock(-5 * DAY);
        let profiles: Vec<_> = NAMES.iter().map(|name| create(&fixture, name)).collect();
        profiles[..4].iter().for_each(|sid| submit(&fixture, sid));
        fixture.machine.set_clock(-2 * DAY);
        profiles[4..7].iter().for_each(|sid| submit(&fixture, sid));
        review(&fixture, &profiles[4], "approve", "valid_for_secs=1700000");
        fixture.machine.set_clock(-3_600);
        submit(&fixture, &profiles[7]);
        review(&fixture, &profiles[5], "approve", "");
        let reason = "code=18602&code=18609&reason=The+number+12345+is+not+in+the+register";
        review(&fixture, &profiles[2], "reject", reason);
        fixture.machine.set_clock(0);
        let form = format!("count={OTHERS}&status=twilio-approved&status_callback={}", fixture.url);
        fixture.simulator.post("/simulator/profiles", &form);
        fixture.simulator.settle();
        let run = fixture.reconcile(&["--baseline"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        let scene = Self { callbacks: fixture.url.clone(), rejected: profiles[2].clone(), fixture };
        scene.send_others();
        scene.wait_for_profiles();
        scene
    }

    /// Callbacks that do not become events, and callbacks that are rejected.
    fn send_others(&self) {
        let target = "/callbacks/customer-profiles";
        let base = self.callbacks.trim_end_matches(target);
        let send = |request: Request, expected: u16| {
            let answer = self.fixture.bridge.send(&request);
            assert_eq!(answer.status, expected, "{answer:?}");
        };
        let form = |body: &str| Request::form(target, body);
        send(form(&format!("AccountSid={ACCOUNT}&BundleSid=&Status=in-review")).signed_with(TOKEN, base), 204);
        send(form("BundleSid=BU1&Status=in-review").signed_with(TOKEN, base), 204);
        // Signed for the URL as a proxy changes it.
        send(form(&format!("AccountSid={ACCOUNT}&Status=draft")).signed_with(TOKEN, PUBLIC_URL), 403);
        send(form("Status=twilio-approved"), 403);
    }

    /// Waits until the console lists all profiles, with their names.
    fn wait_for_profiles(&self) {
        let console = self.fixture.bridge.console.unwrap();
        let list = Request::get("/api/v1/profiles").with("Host", &console.to_string());
        let (total, name) = (format!("\"total\":{}", NAMES.len() + OTHERS), NAMES[0]);
        wait_for("the console lists all profiles", || {
            let list = list.send(console).body;
            (list.contains(&total) && list.contains(name)).then_some(())
        });
    }

    /// The URL of the console.
    pub(crate) fn console(&self) -> String {
        format!("http://{}", self.fixture.bridge.console.unwrap())
    }
}

/// A draft with this name, whose changes are announced.
fn create(fixture: &Fixture, name: &str) -> String {
    let form = format!(
        "FriendlyName={}&Email=owner%40example.com&PolicySid={POLICY}&StatusCallback={}",
        name.replace(' ', "+"),
        fixture.url
    );
    fixture.simulator.post("/v1/CustomerProfiles", &form)["sid"].as_str().unwrap().to_owned()
}

/// Decides about a profile, and waits until its callback has arrived.
fn review(fixture: &Fixture, sid: &str, action: &str, form: &str) {
    fixture.simulator.control(sid, action, form);
    fixture.simulator.settle();
}

/// Submits a profile, and waits until its callbacks have arrived.
fn submit(fixture: &Fixture, sid: &str) {
    fixture.simulator.submit(sid);
    fixture.simulator.settle();
}
