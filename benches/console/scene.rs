//! A service with a past: profiles in all statuses, some of which have waited for days, dead letters, and rejected callbacks.

use test_support::{
    ACCOUNT, Bridge, PUBLIC_URL, Request, TOKEN,
    kafka::{Broker, free_port},
    machine::Machine,
    simulator::{POLICY, Simulator},
    wait_for,
};

const DAY: i64 = 86_400;

const TARGET: &str = "/callbacks/customer-profiles";

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

/// The name of one more profile, which would run if a page did not escape it.
const HOSTILE_NAME: &str = "<img src=x onerror=\"top.attacked='name'\">";

/// The running service.
pub(crate) struct Scene {
    simulator: Simulator,
    bridge: Bridge,
    machine: Machine,
    /// Its Kafka.
    pub(crate) kafka: Broker,
    /// The URL for callbacks about customer profiles.
    pub(crate) callbacks: String,
    /// A profile that was rejected with two codes.
    pub(crate) rejected: String,
    /// A profile whose name is hostile.
    pub(crate) hostile: String,
}

impl Scene {
    /// Starts the service and plays its past. Blocks for about a minute.
    pub(crate) fn prepare() -> Self {
        let (simulator, machine, kafka) =
            (Simulator::start_with(&[], &[]), Machine::new(), Broker::start("console", &[]));
        let base = format!("http://127.0.0.1:{}", free_port());
        let (urls, trust_hub) = (format!("{PUBLIC_URL},{base}"), simulator.url());
        let variables = [
            ("HTTP_BIND", base.trim_start_matches("http://")),
            ("PUBLIC_URL", &urls),
            ("CONSOLE_BIND", "127.0.0.1:0"),
            ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()),
            ("TWILIO_ACCOUNT_SID", ACCOUNT),
            ("TRUSTHUB_BASE_URL", &trust_hub),
            ("RECONCILE_INTERVAL_SECS", "300"),
            ("RECONCILE_GRACE_SECS", "0"),
            // The names of a usual installation, because the pictures have them.
            ("KAFKA_TOPIC", "trusthub.profile-status-changed"),
            ("KAFKA_DEAD_LETTER_TOPIC", "trusthub.callbacks-unprocessable"),
            ("KAFKA_PROFILES_TOPIC", "trusthub.profiles"),
        ];
        let bridge = Bridge::launch(&[&variables[..], &machine.variables()].concat());
        bridge.wait_until_publishing();
        let mut scene = Self {
            simulator,
            bridge,
            machine,
            kafka,
            callbacks: base + TARGET,
            rejected: String::new(),
            hostile: String::new(),
        };
        scene.rejected = scene.play();
        scene.send_others();
        scene.wait_for_profiles();
        scene.hostile = scene.create(HOSTILE_NAME);
        scene.submit(&scene.hostile);
        scene.reconcile(&[]);
        scene
    }

    /// The URL of the console.
    pub(crate) fn console(&self) -> String {
        format!("http://{}", self.bridge.console.unwrap())
    }

    /// Five days in the lives of the profiles. Returns the rejected one.
    fn play(&self) -> String {
        // Kafka rejects records from the future, so the past begins five days ago.
        self.machine.set_clock(-5 * DAY);
        let profiles = NAMES.map(|name| self.create(name));
        profiles[..4].iter().for_each(|sid| self.submit(sid));
        self.machine.set_clock(-2 * DAY);
        profiles[4..7].iter().for_each(|sid| self.submit(sid));
        self.review(&profiles[4], "approve", "valid_for_secs=1700000");
        self.machine.set_clock(-3_600);
        self.submit(&profiles[7]);
        self.review(&profiles[5], "approve", "");
        let reason = "code=18602&code=18609&reason=The+number+12345+is+not+in+the+register";
        self.review(&profiles[2], "reject", reason);
        self.machine.set_clock(0);
        let form = format!("count={OTHERS}&status=twilio-approved&status_callback={}", self.callbacks);
        self.simulator.post("/simulator/profiles", &form);
        self.reconcile(&["--baseline"]);
        profiles[2].clone()
    }

    /// A draft with this name, whose changes are announced.
    fn create(&self, name: &str) -> String {
        let form = format!(
            "FriendlyName={}&Email=owner%40example.com&PolicySid={POLICY}&StatusCallback={}",
            name.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>(),
            self.callbacks
        );
        self.simulator.post("/v1/CustomerProfiles", &form)["sid"].as_str().unwrap().to_owned()
    }

    /// Submits a profile, and waits until its callbacks have arrived.
    fn submit(&self, sid: &str) {
        self.simulator.submit(sid);
        self.simulator.settle();
    }

    /// Decides about a profile, and waits until its callback has arrived.
    fn review(&self, sid: &str, action: &str, form: &str) {
        self.simulator.control(sid, action, form);
        self.simulator.settle();
    }

    /// Callbacks that do not become events.
    fn send_others(&self) {
        let form = |body: &str| Request::form(TARGET, &format!("AccountSid={ACCOUNT}&{body}"));
        let rejected = format!("BundleSid={}&Status=in-review", self.rejected);
        let (missing, malformed) = ("Status=in-review", "BundleSid=BU1&Status=in-review");
        let without_status = format!("BundleSid={}", self.rejected);
        for (request, expected) in [
            (form(missing).signed(), 204),
            (form(malformed).signed(), 204),
            (form(&without_status).signed(), 204),
            (form(&rejected), 403),
            // Signed for the URL as a proxy changes it.
            (form(&rejected).signed_with(TOKEN, &PUBLIC_URL.replace("https", "http")), 403),
        ] {
            let answer = self.bridge.send(&request);
            assert_eq!(answer.status, expected, "{answer:?}");
        }
    }

    /// Waits until the console lists all profiles, with their names, which only a comparison with the states tells.
    fn wait_for_profiles(&self) {
        self.wait_for_list(&format!("\"total\":{}", NAMES.len() + OTHERS));
        self.reconcile(&[]);
        self.wait_for_list(NAMES[0]);
    }

    fn wait_for_list(&self, text: &str) {
        let console = self.bridge.console.unwrap();
        let list = Request::get("/api/v1/profiles").with("Host", &console.to_string());
        wait_for(text, || list.send(console).body.contains(text).then_some(()));
    }

    fn reconcile(&self, arguments: &[&str]) {
        let run = self.bridge.command(&[&["reconcile"], arguments].concat());
        assert!(run.status.success(), "{run:?}");
    }
}
