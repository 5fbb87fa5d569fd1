//! The examples as processes.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use serde_json::Value;
use trusthub_events::view::View;

use test_support::{
    TIMEOUT,
    kafka::{broker, class_path},
    kill,
    oracle::{harness, libraries, packages},
    project_root, wait_for,
};

use super::{
    Record, Topic,
    mixed::{self, RawRecord, schemas_by_id},
};

/// The language of an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    Go,
    TypeScript,
    /// With Kafka's own client.
    Java,
    /// The rules of the same package.
    SpringBoot,
}

impl Language {
    fn example(self) -> Command {
        match self {
            Self::Rust => Command::new(built_example()),
            Self::Python => python(&project_root().join("examples/python/consumer.py")),
            Self::Go => Command::new(packages().join("go/example")),
            Self::TypeScript => node(&packages().join("examples/node/consumer.js")),
            Self::Java => {
                let mut java = java();
                let package = packages().join("java/trusthub-events-0.1.0.jar");
                java.arg("-classpath").arg(format!("{}:{}", package.display(), class_path()));
                java.arg(project_root().join("examples/java/EventConsumer.java"));
                java
            }
            Self::SpringBoot => {
                let mut java = java();
                java.arg("-jar").arg(packages().join("spring-boot.jar"));
                java
            }
        }
    }

    /// The decisions of the rules about the records of some partitions, with a new view for each partition.
    pub(super) fn decide(self, partitions: &[Vec<Record>]) -> Vec<Vec<Value>> {
        if self == Self::Rust {
            return partitions.iter().map(|records| decided_in_rust(records)).collect();
        }
        let raw: Vec<Vec<_>> = partitions.iter().map(|records| records.iter().map(RawRecord::json).collect()).collect();
        self.decide_raw(&raw)
    }

    /// The same about records as they are in Kafka.
    pub(super) fn decide_raw(self, partitions: &[Vec<RawRecord>]) -> Vec<Vec<Value>> {
        match self {
            Self::Rust => partitions.iter().map(|records| mixed::decided_in_rust(records)).collect(),
            Self::Python => decided_by(python(&project_root().join("tests/it/consumer/feed.py")), partitions),
            Self::Go => decided_by(Command::new(packages().join("go/feed")), partitions),
            Self::TypeScript => {
                let mut node = node(&harness("packages/feed.mjs"));
                node.arg(packages().join("packages/typescript/src/index.js"));
                decided_by(node, partitions)
            }
            Self::Java | Self::SpringBoot => {
                let mut java = java();
                java.arg("-classpath").arg(format!("{0}:{0}/*", packages().join("java").display())).arg("Feed");
                decided_by(java, partitions)
            }
        }
    }

    /// Whether it ended as its runtime ends programs that are terminated.
    fn is_terminated(self, status: ExitStatus) -> bool {
        /// 128 and the number of SIGTERM.
        const JVM_TERMINATED: i32 = 143;
        status.success() || (matches!(self, Self::Java | Self::SpringBoot) && status.code() == Some(JVM_TERMINATED))
    }
}

fn decided_in_rust(records: &[Record]) -> Vec<Value> {
    let mut view = View::default();
    records.iter().map(|record| view.apply(&record.as_read()).outcome(&record.as_read())).collect()
}

/// The decisions of a program that reads the records of a partition from each line.
fn decided_by(mut feed: Command, partitions: &[Vec<RawRecord>]) -> Vec<Vec<Value>> {
    feed.env("SCHEMAS", schemas_by_id());
    let mut process = feed.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut answers = BufReader::new(process.stdout.take().unwrap()).lines();
    let decided = partitions
        .iter()
        .map(|records| {
            writeln!(stdin, "{}", serde_json::to_string(records).unwrap()).unwrap();
            serde_json::from_str(&answers.next().expect("an answer").unwrap()).unwrap()
        })
        .collect();
    drop(stdin);
    assert!(process.wait().unwrap().success());
    decided
}

/// Runs a Python program that imports the Python package.
fn python(program: &Path) -> Command {
    let mut command = Command::new(libraries().join("python/bin/python"));
    command
        .arg(program)
        .env("PYTHONPATH", project_root().join("packages/python/src"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn node(program: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(program);
    command
}

/// Starts quickly, and does not optimize what runs for seconds.
fn java() -> Command {
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
    command
}

/// Cargo builds the example for the tests of its own package, before it runs all tests of the workspace.
pub(crate) fn built_example() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("example-consumer");
    assert!(path.exists(), "{} is missing: run `cargo build --package example-consumer` first", path.display());
    path
}

/// A running example. Dropping it kills it.
pub(super) struct Consumer {
    language: Language,
    process: Child,
    decisions: Receiver<Value>,
}

impl Consumer {
    pub(super) fn start(language: Language, topic: &Topic) -> Self {
        Self::start_with(language, topic, &[])
    }

    /// Starts it with more variables.
    pub(super) fn start_with(language: Language, topic: &Topic, variables: &[(&str, &str)]) -> Self {
        let mut process = language
            .example()
            .env("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap())
            .env("KAFKA_TOPIC", &topic.name)
            .env("KAFKA_GROUP_ID", &topic.name)
            .env_remove("SCHEMA_REGISTRY_URL")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let decisions = lines_of(process.stdout.take().unwrap());
        Self { language, process, decisions }
    }

    pub(super) fn decisions(&self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.decisions.recv_timeout(TIMEOUT).expect("a decision in time")).collect()
    }

    /// Waits until its standard error has this text in so many lines, and returns the unread decisions of the killed process.
    pub(super) fn kill_after_reports(mut self, part: &'static str, count: usize) -> Vec<Value> {
        let (sender, receiver) = mpsc::channel();
        let stderr = BufReader::new(self.process.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok).filter(|line| line.contains(part)) {
                let _ = sender.send(line);
            }
        });
        for _ in 0..count {
            receiver.recv_timeout(TIMEOUT).unwrap_or_else(|_| panic!("{:?}: {part:?} in time", self.language));
        }
        self.kill()
    }

    /// Waits until it ends with a failure, and returns the unread decisions and its standard error.
    pub(super) fn wait_for_failure(mut self) -> (Vec<Value>, String) {
        let mut output = self.process.stderr.take().unwrap();
        // A process does not end while it waits for a reader.
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            text
        });
        let status = wait_for("the example ends", || self.process.try_wait().unwrap());
        let stderr = stderr.join().unwrap();
        assert!(!status.success(), "{:?}: {stderr}", self.language);
        (self.decisions.iter().collect(), stderr)
    }

    /// Terminates it as an orchestrator does, and returns the unread decisions and its standard error.
    pub(super) fn stop(mut self) -> (Vec<Value>, String) {
        kill("TERM", self.process.id());
        let mut stderr = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.process.wait().unwrap();
        assert!(self.language.is_terminated(status), "{status}: {stderr}");
        (self.decisions.iter().collect(), stderr)
    }

    /// Kills it and returns the unread decisions.
    pub(super) fn kill(mut self) -> Vec<Value> {
        self.process.kill().unwrap();
        self.decisions.iter().collect()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads a pipe, which has no timeout, in a thread, and only as far as the receiver asks.
fn lines_of(stdout: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = mpsc::sync_channel(0);
    let mut stdout = BufReader::new(stdout);
    thread::spawn(move || {
        let mut line = String::new();
        // A killed process may leave its last line incomplete, which is ignored.
        while stdout.read_line(&mut line).is_ok_and(|_| line.ends_with('\n')) {
            let decision = serde_json::from_str(&line).unwrap();
            if sender.send(decision).is_err() {
                break;
            }
            line.clear();
        }
    });
    receiver
}
