//! The machine of an operator: a folder with `bridge.env`, the program and Kafka's tools on the path, and a bash that runs
//! the blocks of docs/operations.md exactly as written.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::Receiver,
    thread,
    time::{Duration, Instant},
};

use test_support::{
    PATIENT, PUBLIC_URL, Request, TIMEOUT, TOKEN,
    kafka::{broker, free_port, unique_topic},
    lines_of, project_root, wait_for,
};

use super::document::{OPERATIONS, blocks};

/// An address without a listener: Kafka during an outage.
pub(super) const UNREACHABLE: &str = "127.0.0.1:1";

/// Makes bash stop at the first command that fails, and kill the processes that it started.
const PROLOGUE: &str = "exec 2>&1; set -euo pipefail; trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n";

/// The sections whose blocks the tests run, each with its number of blocks.
pub(super) const EXECUTED_BLOCKS: [(&str, usize); 17] = [
    ("Start", 1),
    ("Stop", 1),
    ("Install", 1),
    ("Kafka permissions", 1),
    ("Rotate a token", 3),
    ("Move to a SharedKey", 6),
    ("Move the public URL", 3),
    ("Add an account", 1),
    ("Read the metrics", 1),
    ("Replay events for a consumer", 1),
    ("From a log line to the record", 1),
    ("TrusthubTopicNotDurable", 1),
    ("A spool from another disk", 1),
    ("A quarantined spool store", 1),
    ("Replay dead letters", 2),
    ("Scale", 1),
    ("Personal data", 2),
];

/// Marks the end of a block in the output.
const DONE: &str = "--- the block is done";

/// Kafka's command-line tools, each with its Java class.
const KAFKA_TOOLS: [(&str, &str); 5] = [
    ("kafka-acls.sh", "org.apache.kafka.tools.AclCommand"),
    ("kafka-configs.sh", "kafka.admin.ConfigCommand"),
    ("kafka-console-consumer.sh", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("kafka-consumer-groups.sh", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
    ("kafka-console-producer.sh", "org.apache.kafka.tools.ConsoleProducer"),
];

pub(super) struct OperatorMachine {
    pub(super) folder: PathBuf,
    bash: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    pub(super) public: SocketAddr,
    admin: SocketAddr,
    pub(super) topic: String,
    pub(super) dead_letter_topic: String,
}

impl OperatorMachine {
    /// Creates the machine, with these variables in `bridge.env` in addition to the usual ones. Starts no service.
    pub(super) fn new(variables: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("machine"));
        fs::create_dir(&folder).unwrap();
        create_tools(&folder.join("bin"));
        let (mut bash, input) = start_bash(&folder);
        let lines = lines_of(bash.stdout.take().unwrap());
        let [public, admin] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let [topic, dead_letter_topic] = ["events", "dead-letters"].map(unique_topic);
        let mut machine = Self { folder, bash, input: Some(input), lines, public, admin, topic, dead_letter_topic };
        machine.write_environment();
        variables.iter().for_each(|(name, value)| machine.change_environment(name, value));
        machine.tell(PROLOGUE);
        machine
    }

    fn write_environment(&self) {
        let (public, admin) = (self.public, self.admin);
        let (spool, topic, dead_letters) = (self.path("spool"), &self.topic, &self.dead_letter_topic);
        let (kafka, spool) = (broker().bootstrap(), spool.display());
        let (ack_timeout, milliseconds) = PATIENT;
        let lines = format!(
            "HTTP_BIND={public}\nADMIN_BIND={admin}\nPUBLIC_URL={PUBLIC_URL}\nTWILIO_AUTH_TOKEN={TOKEN}\nSPOOL_DIR={spool}\n\
             KAFKA_BOOTSTRAP_SERVERS={kafka}\nKAFKA_TOPIC={topic}\nKAFKA_DEAD_LETTER_TOPIC={dead_letters}\n\
             KAFKA_PROFILES_TOPIC=profiles-of-{topic}\n\
             KAFKA_TOPIC_PARTITIONS=3\n{ack_timeout}={milliseconds}\nSHUTDOWN_DELAY_SECS=0\nLOG_FORMAT=json\n"
        );
        fs::write(self.path("bridge.env"), lines).unwrap();
    }

    /// Changes a value in `bridge.env`.
    pub(super) fn change_environment(&self, name: &str, value: &str) {
        let file = self.path("bridge.env");
        let text = fs::read_to_string(&file).unwrap();
        let others = text.lines().filter(|line| line.split('=').next() != Some(name));
        fs::write(&file, others.fold(format!("{name}={value}\n"), |text, line| text + line + "\n")).unwrap();
    }

    /// Ends an outage that began with Kafka at [`UNREACHABLE`].
    pub(super) fn make_kafka_reachable(&mut self) {
        for (name, value) in [("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), PATIENT] {
            self.change_environment(name, value);
            self.set(name, value);
        }
    }

    /// Waits until Kafka is up and has the records of all answered callbacks.
    pub(super) fn wait_until_published(&self) {
        wait_for("Kafka has all records", || {
            let metrics = self.metrics();
            let has = |line: &str| metrics.lines().any(|found| found == line);
            (has("trusthub_kafka_up 1") && has("trusthub_spool_events 0")).then_some(())
        });
    }

    /// The path of a file in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Sets and exports a variable of the shell, as an operator does with a value from elsewhere.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        assert!(!value.contains('\''), "{value}");
        self.tell(&format!("export {name}='{value}'\n"));
    }

    /// Runs the block of this number, from 0, in the section with this title, and returns its output.
    pub(super) fn run(&mut self, title: &str, number: usize) -> String {
        assert!(
            EXECUTED_BLOCKS.iter().any(|(known, count)| *known == title && number < *count),
            "{title} {number} is not in EXECUTED_BLOCKS"
        );
        let mut found = blocks(OPERATIONS, title, "sh");
        self.run_command(&found.swap_remove(number))
    }

    /// Runs commands of an operator, and returns their output.
    pub(super) fn run_command(&mut self, block: &str) -> String {
        self.tell(&format!("{block}\necho '{DONE}'\n"));
        self.wait_for_end_of(block)
    }

    fn wait_for_end_of(&mut self, block: &str) -> String {
        let mut output = String::new();
        let deadline = Instant::now() + 2 * TIMEOUT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line == DONE => return output,
                Ok(line) => output += &format!("{line}\n"),
                Err(why) => {
                    panic!(
                        "{why}: bash failed or hangs in\n{block}\noutput\n{output}\nlog of the program\n{}",
                        self.log()
                    )
                }
            }
        }
    }

    fn tell(&mut self, script: &str) {
        self.input.as_mut().unwrap().write_all(script.as_bytes()).unwrap();
    }

    /// The metrics of the program.
    pub(super) fn metrics(&self) -> String {
        Request::get("/metrics").send(self.admin).body
    }

    /// The log of the program.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path("bridge.log")).unwrap_or_default()
    }
}

impl Drop for OperatorMachine {
    fn drop(&mut self) {
        // bash ends at the end of its input.
        drop(self.input.take());
        let patience = Instant::now() + Duration::from_secs(30);
        while self.bash.try_wait().unwrap().is_none() && Instant::now() < patience {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.bash.kill();
        let _ = self.bash.wait();
        if thread::panicking() {
            let _ = writeln!(io::stderr(), "log of the program:\n{}", self.log());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn start_bash(folder: &Path) -> (Child, ChildStdin) {
    let mut path = std::ffi::OsString::from(folder.join("bin"));
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut bash = Command::new("bash");
    // No settings of the user who runs the tests, except the caches of the tools.
    let kept = ["HOME", "XDG_CACHE_HOME", "JAVA_HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default()));
    bash.env_clear().envs(kept.into_iter().filter(|(_, value)| !value.is_empty())).env("PATH", path);
    bash.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut bash = bash.spawn().expect("bash starts");
    let input = bash.stdin.take().unwrap();
    (bash, input)
}

fn create_tools(bin: &Path) {
    fs::create_dir(bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_trusthub-bridge"), bin.join("trusthub-bridge")).unwrap();
    let jars = project_root().join("scripts/kafka");
    for (name, class) in KAFKA_TOOLS {
        let tool = bin.join(name);
        let call = format!("exec java -Xmx256m -XX:TieredStopAtLevel=1 -cp \"$({})/*\" {class} \"$@\"", jars.display());
        fs::write(&tool, format!("#!/bin/sh\n{call}\n")).unwrap();
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
