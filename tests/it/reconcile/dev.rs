//! The command against the Kafka that `dev` embeds, which lacks requests that a real one answers.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::UNIX_EPOCH,
};

use test_support::{kill, machine::Machine, program, reconcile::Run, wait_for};

/// A running `dev`, which is stopped when this is dropped.
struct Dev {
    child: Child,
    /// What it printed before the first callback.
    welcome: Vec<String>,
    /// The callbacks and events that it has shown.
    shown: Arc<Mutex<Vec<String>>>,
}

impl Dev {
    fn start() -> Self {
        let variables = ["HTTP_BIND", "ADMIN_BIND", "SIMULATOR_BIND"].map(|name| (name, "127.0.0.1:0"));
        let dev = program().arg("dev").envs(variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = dev.unwrap();
        let said = lines(child.stderr.take().unwrap());
        let welcome = said.take_while(|line| line != "Requests, callbacks and events:").collect();
        let (shown, output) = (Arc::new(Mutex::new(Vec::new())), lines(child.stdout.take().unwrap()));
        let collected = Arc::clone(&shown);
        thread::spawn(move || output.for_each(|line| collected.lock().unwrap().push(line)));
        Self { child, welcome, shown }
    }

    /// The word after this label in the welcome.
    fn address(&self, label: &str) -> String {
        let line = self.welcome.iter().find_map(|line| line.trim_start().strip_prefix(label)).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// Creates a profile and submits it, with the commands that the welcome shows.
    fn submit_profile(&self) {
        let typed = self.welcome.iter().skip_while(|line| !line.contains("SID=$(")).take_while(|line| !line.is_empty());
        shell(&typed.map(String::as_str).collect::<Vec<_>>().join("\n"));
    }

    /// Waits for a line that contains all of these parts.
    fn wait_for(&self, parts: &[&str]) {
        wait_for(&parts.join(" "), || {
            let shown = self.shown.lock().unwrap();
            shown.iter().any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
        });
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        kill("INT", self.child.id());
        let _ = self.child.wait();
    }
}

fn lines(output: impl Read + Send + 'static) -> impl Iterator<Item = String> + Send + 'static {
    BufReader::new(output).lines().map_while(Result::ok)
}

fn shell(typed: &str) {
    let output = Command::new("sh").args(["-ec", typed]).output().unwrap();
    assert!(output.status.success(), "{typed}\n{output:?}");
}

#[test]
fn embedded_kafka_of_dev_gets_the_missed_change() {
    let dev = Dev::start();
    let [hub, kafka] = ["Trust Hub  ", "Kafka      "].map(|label| dev.address(label));
    // The history of the topic begins with the event of a callback, and in the next second.
    dev.submit_profile();
    dev.wait_for(&["Z BU", "in-review"]);
    let now = || UNIX_EPOCH.elapsed().unwrap().as_secs();
    let first = now();
    wait_for("the next second", || (now() > first).then_some(()));
    shell(&format!("curl -sf -d drop=100 {hub}/simulator/settings"));
    dev.submit_profile();
    dev.wait_for(&["dropped", "in-review"]);

    let machine = Machine::new();
    machine.set_clock(300);
    let account = dev.welcome.iter().find_map(|line| line.split_once("account ")).unwrap().1;
    let (account, token) = account.split_once(", auth token ").unwrap();
    let variables = [
        ("TRUSTHUB_BASE_URL", hub.as_str()),
        ("KAFKA_BOOTSTRAP_SERVERS", &kafka),
        ("TWILIO_ACCOUNT_SID", account),
        ("TWILIO_AUTH_TOKEN", token),
    ];
    let mut command = program();
    let command = command.arg("reconcile").envs(variables).envs(machine.variables());
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.published(), 1, "{run:?}");
    assert!(!run.told.contains("kafka_admin"), "it waits for an answer that never comes: {run:?}");
    let missed = run.rows[0].split_whitespace().next().unwrap();
    dev.wait_for(&["Z ", missed, "in-review"]);
}
