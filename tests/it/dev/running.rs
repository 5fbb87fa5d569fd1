//! `dev` until Ctrl-C: what it prints, and the commands beside it.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::UNIX_EPOCH,
};

use test_support::{kill, program, wait_for};

/// A running `dev`, which is stopped when this is dropped.
pub(crate) struct Dev {
    child: Child,
    /// What it printed before the first callback.
    welcome: Vec<String>,
    /// What it has shown since then.
    shown: Arc<Mutex<Vec<String>>>,
}

impl Dev {
    pub(crate) fn start() -> Self {
        let variables = ["HTTP_BIND", "ADMIN_BIND", "CONSOLE_BIND", "SIMULATOR_BIND"].map(|name| (name, "127.0.0.1:0"));
        let dev = program().arg("dev").envs(variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = dev.unwrap();
        let said = lines(child.stderr.take().unwrap());
        let welcome = said.take_while(|line| line != "Requests, callbacks and events:").collect();
        let (shown, output) = (Arc::new(Mutex::new(Vec::new())), lines(child.stdout.take().unwrap()));
        let collected = Arc::clone(&shown);
        thread::spawn(move || output.for_each(|line| collected.lock().unwrap().push(line)));
        Self { child, welcome, shown }
    }

    /// Creates a profile and submits it, with the commands that the welcome shows.
    pub(crate) fn submit_profile(&self) {
        let typed = self.welcome.iter().skip_while(|line| !line.contains("SID=$(")).take_while(|line| !line.is_empty());
        shell(&typed.map(String::as_str).collect::<Vec<_>>().join("\n"));
    }

    /// The address of its Kafka.
    pub(crate) fn kafka(&self) -> String {
        let line = self.welcome.iter().find_map(|line| line.trim_start().strip_prefix("Kafka ")).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// Runs a script with the settings that the welcome tells to read.
    fn run(&self, script: &str) -> Output {
        let settings = self.welcome.iter().find(|line| line.starts_with("  . /")).unwrap();
        shell(&format!("{settings}\n{script}"))
    }

    /// Waits for a line that contains all of these parts.
    fn wait_for(&self, parts: &[&str]) -> String {
        wait_for(&parts.join(" "), || {
            let shown = self.shown.lock().unwrap();
            shown.iter().find(|line| parts.iter().all(|part| line.contains(part))).cloned()
        })
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            kill("INT", self.child.id());
            let _ = self.child.wait();
        }
    }
}

fn lines(output: impl Read + Send + 'static) -> impl Iterator<Item = String> + Send + 'static {
    BufReader::new(output).lines().map_while(Result::ok)
}

fn shell(typed: &str) -> Output {
    let output = Command::new("sh").args(["-ec", typed]).output().unwrap();
    assert!(output.status.success(), "{typed}\n{output:?}");
    output
}

/// A callback that is signed for `https` and sent to the bridge, which is configured with `http`.
const SIGNED_FOR_HTTPS: &str = r#"
url=$PUBLIC_URL/callbacks/customer-profiles
body="AccountSid=$TWILIO_ACCOUNT_SID&BundleSid=BU00000000000000000000000000000002&Status=in-review"
signature=$(trusthub-bridge sign --url "https://${url#http://}" --body "$body")
curl -s -o /dev/null -d "$body" -H "$signature" "$url"
"#;

#[test]
fn dev_prints_what_to_type_and_each_request_with_its_answer_and_event() {
    let mut dev = Dev::start();
    for part in
        ["Trust Hub  http://127.0.0.1:", "callbacks  http://127.0.0.1:", "metrics    http://127.0.0.1:", "kcat -b"]
    {
        assert!(dev.welcome.iter().any(|line| line.contains(part)), "{part} is missing in\n{:#?}", dev.welcome);
    }
    // A free port has one digit more than the default ports.
    let wide: Vec<_> = dev.welcome.iter().filter(|line| line.chars().count() > 81).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    dev.submit_profile();
    let reject = dev.wait_for(&["reject it:"]);
    shell(reject.split_once("reject it:").unwrap().1);
    for part in ["204 POST BU", "Z BU", "submit it again:", "twilio-rejected (18602)"] {
        dev.wait_for(&[part]);
    }
    dev.run("curl -s -o /dev/null -d a=b $PUBLIC_URL/callbacks/trust-products");
    dev.wait_for(&["bridge", "rejected, missing_signature: trust-product"]);
    dev.run("curl -s -o /dev/null -d a=b $PUBLIC_URL/callback");
    dev.wait_for(&["bridge", "404 POST /callback"]);
    dev.run(SIGNED_FOR_HTTPS);
    dev.wait_for(&["rejected, url_mismatch: customer-profile"]);
    dev.wait_for(&["signature would match https://127.0.0.1:", "set PUBLIC_URL="]);
    kill("INT", dev.child.id());
    assert!(dev.child.wait().unwrap().success());
}

#[test]
fn kafka_of_dev_can_be_stopped_and_started_and_keeps_its_records() {
    let dev = Dev::start();
    dev.submit_profile();
    dev.wait_for(&["Z BU", "in-review"]);
    let stopped = dev.run("curl -sf -X POST $TRUSTHUB_BASE_URL/simulator/kafka/down");
    assert_eq!(String::from_utf8(stopped.stdout).unwrap(), r#"{"state":"down"}"#);
    let reject = dev.wait_for(&["reject it:"]);
    shell(reject.split_once("reject it:").unwrap().1);
    dev.wait_for(&["bridge", "spooled until Kafka accepts it:", "twilio-rejected"]);
    let spool = dev.run("trusthub-bridge spool ls");
    assert!(String::from_utf8(spool.stdout).unwrap().contains("twilio-rejected"));
    let origin =
        "curl -s -w '%{http_code}' -H 'Origin: http://example.com' -X POST $TRUSTHUB_BASE_URL/simulator/kafka/up";
    assert!(dev.run(origin).stdout.ends_with(b"403"), "a page of another origin cannot start it");
    dev.run("curl -sf -X POST $TRUSTHUB_BASE_URL/simulator/kafka/up");
    dev.wait_for(&["Z BU", "twilio-rejected (18602)"]);
    let state = dev.run("curl -sf $TRUSTHUB_BASE_URL/simulator/kafka");
    assert_eq!(String::from_utf8(state.stdout).unwrap(), r#"{"state":"up"}"#);
}

#[test]
fn embedded_kafka_of_dev_gets_the_missed_change_at_once() {
    let dev = Dev::start();
    // The history of the topic begins with the event of a callback, and in the next second.
    dev.submit_profile();
    dev.wait_for(&["Z BU", "in-review"]);
    let now = || UNIX_EPOCH.elapsed().unwrap().as_secs();
    let first = now();
    wait_for("the next second", || (now() > first).then_some(()));
    dev.run("curl -sf -d drop=100 $TRUSTHUB_BASE_URL/simulator/settings");
    dev.submit_profile();
    dev.wait_for(&["dropped", "in-review"]);
    let output = dev.run("trusthub-bridge reconcile");
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(stderr.contains(": 1 missed and published") && !stderr.contains("warning"), "{stderr}");
    assert!(!stderr.contains("kafka_admin"), "it waits for an answer that never comes: {stderr}");
    let published = stdout.lines().find(|line| line.starts_with("BU")).unwrap();
    dev.wait_for(&["Z ", published.split_whitespace().next().unwrap(), "in-review"]);
}
