//! The READMEs of the examples and the pages of docs/consume, followed as a new user follows them: their commands in a copy of
//! the project, until the example prints the first event. Each prints how long that takes, with the caches of this machine.
//!
//! Only addresses and what a machine has already are replaced. The simulated Kafka of `dev` is used by all examples except those
//! with Kafka's Java client, which cannot talk to it.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read},
    os::unix::{fs::symlink, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::Value;

use test_support::{
    Bridge, Request,
    kafka::{broker, class_path, unique_topic},
    postgres::Postgres,
    project_root, wait_for, wait_within,
};

use crate::{consumer::built_example, dev::running::Dev};

/// Enough to download what an example needs.
const LIMIT: Duration = Duration::from_secs(900);

/// The addresses that the pages name.
const KAFKA_OF_DEV: &str = "127.0.0.1:19092";
const REAL_KAFKA: &str = "localhost:9092";

const BUILT_BY_CARGO: &str = "cargo run --package example-consumer";

/// A copy of what a new user has, without what the tools of a language have written into the folder of the tests.
struct Checkout {
    folder: PathBuf,
}

impl Checkout {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("checkout"));
        for part in ["examples", "packages"] {
            copy(&project_root().join(part), &folder.join(part));
        }
        // The README of the Java example: "the folder `libs` of Kafka's own distribution".
        let kafka = folder.join("examples/java/kafka");
        fs::create_dir(&kafka).unwrap();
        symlink(class_path().trim_end_matches("/*"), kafka.join("libs")).unwrap();
        Self { folder }
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn copy(from: &Path, to: &Path) {
    const WRITTEN_BY_TOOLS: [&str; 4] = [".venv", "__pycache__", "node_modules", "target"];
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if WRITTEN_BY_TOOLS.iter().any(|written| name == *written) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// The blocks of this language in a page of the project.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(project_root().join(page)).unwrap();
    let (mut blocks, mut open) = (Vec::new(), None::<(bool, String)>);
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, None) => {}
            (None, Some(found)) => open = Some((found == language, String::new())),
            (Some((_, block)), None) => block.push_str(&format!("{line}\n")),
            (Some(_), Some(_)) => blocks.extend(open.take().filter(|(wanted, _)| *wanted).map(|(_, block)| block)),
        }
    }
    blocks
}

/// Replaces what the page must contain.
fn replaced(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part} is not in\n{text}");
    text.replace(part, by)
}

/// Commands that run in a bash. Dropping this ends all of them.
struct Shell {
    bash: Child,
    reader: JoinHandle<()>,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Shell {
    fn run(folder: &Path, commands: &str, variables: &[(&str, &str)]) -> Self {
        let mut bash = Command::new("bash");
        bash.args(["-c", &format!("exec 2>&1; set -euo pipefail\n{commands}")]).current_dir(folder);
        bash.envs(variables.iter().copied()).env_remove("SCHEMA_REGISTRY_URL");
        // The default folder of Go's own archive.
        bash.env("PATH", format!("{}:/usr/local/go/bin", env::var("PATH").unwrap()));
        let mut bash = bash.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let (stdout, lines) = (bash.stdout.take().unwrap(), Arc::clone(&printed));
        let reader = thread::spawn(move || collect(stdout, &lines));
        Self { bash, reader, printed }
    }

    /// Waits until a printed line is so. Fails with all lines when the commands end before.
    fn wait_for_line(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        wait_within(LIMIT, what, || {
            // First, so that no line can arrive between the two.
            let has_ended = self.reader.is_finished();
            let lines = self.printed.lock().unwrap();
            let found = lines.iter().any(|line| is_it(line)).then_some(());
            assert!(found.is_some() || !has_ended, "{what}: the commands ended\n{}", lines.join("\n"));
            found
        });
    }
}

fn collect(stdout: impl Read, lines: &Mutex<Vec<String>>) {
    let read = BufReader::new(stdout).lines().map_while(Result::ok);
    read.for_each(|line| lines.lock().unwrap().push(line));
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.bash.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.bash.wait();
    }
}

fn is_first_event(line: &str) -> bool {
    // A command before the example, such as Maven, may have left a control sequence on this line.
    let json = line.find('{').and_then(|start| line.get(start..)).unwrap_or_default();
    let decision: Value = serde_json::from_str(json).unwrap_or_default();
    decision["applied"] == true && decision["status"] == "pending-review"
}

#[expect(clippy::print_stdout, reason = "the time is what a reader of `make interop` wants to see")]
fn report(page: &str, began: Instant) {
    println!("{page}: {:.1} s until the first event", began.elapsed().as_secs_f64());
}

/// The commands of a README, and the folder in which they are typed; or those of a page of docs/consume, which begins with the
/// command that starts the service.
fn commands_of(page: &str, start: &str) -> (String, PathBuf) {
    let mut blocks = blocks(page, "sh");
    match page.strip_suffix("/README.md") {
        Some(folder) => (blocks.remove(0), folder.into()),
        None => {
            assert_eq!(blocks.remove(0).trim_end(), start, "{page}");
            (blocks.remove(0), PathBuf::new())
        }
    }
}

fn leads_to_the_first_event_of_dev(pages: &[&str]) {
    for page in pages {
        let (checkout, dev) = (Checkout::new(), Dev::start());
        let (commands, folder) = commands_of(page, "cargo run -- dev");
        let commands = replaced(&commands, KAFKA_OF_DEV, &dev.kafka());
        // What a new user builds here, the tests have built.
        let commands = if commands.contains(BUILT_BY_CARGO) {
            commands.replace(BUILT_BY_CARGO, built_example().to_str().unwrap())
        } else {
            commands
        };
        let began = Instant::now();
        let shell = Shell::run(&checkout.folder.join(folder), &commands, &[]);
        dev.submit_profile();
        shell.wait_for_line(page, is_first_event);
        report(page, began);
    }
}

fn leads_to_the_first_event_of_kafka(pages: &[&str]) {
    for page in pages {
        let (checkout, bridge) = (Checkout::new(), Bridge::start());
        let (commands, folder) = commands_of(page, "docker compose up --build    # docs/image.md");
        let commands = replaced(&commands, REAL_KAFKA, broker().bootstrap());
        let began = Instant::now();
        let shell = Shell::run(&checkout.folder.join(folder), &commands, &[("KAFKA_TOPIC", &bridge.topic)]);
        assert_eq!(bridge.send(&Request::change("pending-review")).status, 204);
        shell.wait_for_line(page, is_first_event);
        report(page, began);
    }
}

#[test]
fn python_pages_lead_to_the_first_event() {
    leads_to_the_first_event_of_dev(&["examples/python/README.md", "docs/consume/python.md"]);
}

#[test]
fn go_pages_lead_to_the_first_event() {
    leads_to_the_first_event_of_dev(&["examples/go/README.md", "docs/consume/go.md"]);
}

#[test]
fn typescript_pages_lead_to_the_first_event() {
    leads_to_the_first_event_of_dev(&["examples/node/README.md", "docs/consume/typescript.md"]);
}

#[test]
fn rust_page_leads_to_the_first_event() {
    leads_to_the_first_event_of_dev(&["docs/consume/rust.md"]);
}

/// One after the other: each installs the package into the repository of Maven on this machine.
#[test]
fn java_pages_lead_to_the_first_event() {
    leads_to_the_first_event_of_kafka(&[
        "examples/java/README.md",
        "examples/spring-boot/README.md",
        "docs/consume/java.md",
    ]);
}

/// Its commands, its questions, and the command that rebuilds the table.
#[test]
fn postgresql_readme_leads_to_a_table_that_answers_its_questions() {
    const PAGE: &str = "examples/postgresql/README.md";
    let (checkout, bridge, postgres) = (Checkout::new(), Bridge::start(), Postgres::start());
    assert_eq!(bridge.send(&Request::change("pending-review")).status, 204);
    wait_for("the state topic", || broker().has_topic(&bridge.profiles_topic).then_some(()));
    let environment = checkout.folder.join("sink");
    let [run, rebuild] = <[String; 2]>::try_from(blocks(PAGE, "sh")).unwrap();
    let here = |commands: &str| replaced(commands, "/tmp/sink", environment.to_str().unwrap());
    let run = replaced(&here(&run), "postgresql://localhost/trusthub", &postgres.url());
    let run = replaced(&run, REAL_KAFKA, broker().bootstrap());
    let url = postgres.url();
    let variables = [
        ("KAFKA_PROFILES_TOPIC", &*bridge.profiles_topic),
        ("DATABASE_URL", &*url),
        ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()),
    ];
    let folder = checkout.folder.join("examples/postgresql");
    let began = Instant::now();
    let sink = Shell::run(&folder, &run, &variables);
    wait_within(LIMIT, PAGE, || {
        let lines = sink.printed.lock().unwrap().join("\n");
        assert!(!sink.reader.is_finished() && !lines.contains("Traceback"), "{lines}");
        let has_tables = postgres.query("SELECT to_regclass('trust_hub_profiles') IS NOT NULL").trim() == "t";
        let rows = has_tables.then(|| postgres.query("SELECT status FROM trust_hub_profiles"))?;
        (rows.trim() == "pending-review").then_some(())
    });
    report(PAGE, began);
    let questions = blocks(PAGE, "sql");
    assert_eq!(questions.len(), 4);
    assert!(postgres.query(&questions[0]).contains("pending-review"));
    assert!(postgres.query(&questions[1]).contains("BU"));
    questions[2..].iter().for_each(|question| assert_eq!(postgres.query(question).trim(), ""));
    let rebuild = Shell::run(&folder, &format!("{}echo rebuilt", here(&rebuild)), &variables);
    rebuild.wait_for_line("the rebuild", |line| line == "rebuilt");
}
