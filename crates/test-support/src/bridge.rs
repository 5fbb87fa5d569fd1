//! The program under test as a child process.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, mpsc},
    thread,
};

use serde_json::Value;

use super::{
    Answer, PUBLIC_URL, Request, TIMEOUT, TOKEN,
    executable::{kill, temporary_folder},
    kafka::{Record, broker, unique_topic},
    log::{HeldLog, Log},
    program::program,
    wait_for,
};

/// An acknowledgement timeout for tests that are not about a slow Kafka. On a busy machine every Kafka is slow, and with a shorter one the
/// program spools a record, and may publish it twice.
pub const PATIENT: (&str, &str) = ("KAFKA_ACK_TIMEOUT_MS", "13000");

/// The message of the log line about the beginning of an outage.
pub const OUTAGE: &str = "Kafka does not accept records; they are spooled";

/// `trusthub-bridge serve` on free ports, with its own topics and spool. It is killed when the value is dropped.
pub struct Bridge {
    /// A command that runs the program, which is appended to it; empty when the program runs directly.
    wrapper: Vec<String>,
    variables: BTreeMap<String, String>,
    spool: Arc<SpoolFolder>,
    child: Child,
    log: Log,
    /// The address of the port for callbacks.
    pub public: SocketAddr,
    /// The address of the admin port.
    pub admin: SocketAddr,
    /// The address of the console, if `CONSOLE_BIND` is set.
    pub console: Option<SocketAddr>,
    /// The topic of events.
    pub topic: String,
    /// The topic of dead letters.
    pub dead_letter_topic: String,
    /// The topic with the states of profiles; instances with the same topic of events share it. Empty if it is turned off.
    pub profiles_topic: String,
}

impl Bridge {
    /// Starts the program against the shared Kafka and waits until it publishes.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with additional variables. It is [`PATIENT`] unless these set another acknowledgement timeout.
    pub fn start_with(variables: &[(&str, &str)]) -> Self {
        let usual = [("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), PATIENT];
        let bridge = Self::launch(&[&usual, variables].concat());
        bridge.wait_until_publishing();
        bridge
    }

    /// Starts the program and waits until it listens. It may not be ready.
    pub fn launch(variables: &[(&str, &str)]) -> Self {
        Self::launch_by(&[], variables)
    }

    /// The same, run through another command that becomes the program.
    pub fn launch_by(wrapper: &[String], variables: &[(&str, &str)]) -> Self {
        let (topic, dead_letter_topic) = (unique_topic("events"), unique_topic("dead-letters"));
        let spool = Arc::new(SpoolFolder::new());
        let usual = [
            ("PUBLIC_URL", PUBLIC_URL),
            ("TWILIO_AUTH_TOKEN", TOKEN),
            ("HTTP_BIND", "127.0.0.1:0"),
            ("ADMIN_BIND", "127.0.0.1:0"),
            ("KAFKA_TOPIC", &topic),
            ("KAFKA_DEAD_LETTER_TOPIC", &dead_letter_topic),
            ("KAFKA_TOPIC_PARTITIONS", "3"),
            ("SPOOL_DIR", spool.0.to_str().unwrap()),
            ("SHUTDOWN_DELAY_SECS", "0"),
            ("LOG_FORMAT", "json"),
        ];
        let mut variables: BTreeMap<_, _> = owned(&usual).chain(owned(variables)).collect();
        let profiles_topic = format!("profiles-of-{}", variables["KAFKA_TOPIC"]);
        variables.entry("KAFKA_PROFILES_TOPIC".to_owned()).or_insert(profiles_topic);
        Self::run_as(wrapper.to_vec(), variables, spool)
    }

    /// Starts the program again after it has exited, on the same spool and topics, with these variables changed.
    pub fn restart(&mut self, changes: &[(&str, &str)]) {
        assert!(self.child.try_wait().unwrap().is_some(), "the program is still running");
        let mut variables = self.variables.clone();
        variables.extend(owned(changes));
        *self = Self::run_as(self.wrapper.clone(), variables, Arc::clone(&self.spool));
    }

    fn run_as(wrapper: Vec<String>, variables: BTreeMap<String, String>, spool: Arc<SpoolFolder>) -> Self {
        let mut child = run_by(&wrapper).arg("serve").envs(&variables).spawn().unwrap();
        let log = Log::of(&mut child);
        let listening = wait_for("the program listens", || log.find("listening"));
        let address = |name: &str| listening[name].as_str().unwrap().parse().unwrap();
        let (public, admin) = (address("public"), address("admin"));
        let console = listening["console"].as_str().map(|address| address.parse().unwrap());
        let (topic, dead_letter_topic) =
            (variables["KAFKA_TOPIC"].clone(), variables["KAFKA_DEAD_LETTER_TOPIC"].clone());
        let profiles_topic = variables["KAFKA_PROFILES_TOPIC"].clone();
        Self { wrapper, variables, spool, child, log, public, admin, console, topic, dead_letter_topic, profiles_topic }
    }

    /// Runs another command with the same variables until it exits.
    pub fn command(&self, arguments: &[&str]) -> Output {
        self.command_with(arguments, &[])
    }

    /// Starts another command with the same variables.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.spawn_with(arguments, &[])
    }

    /// The same with these variables changed.
    pub fn spawn_with(&self, arguments: &[&str], changes: &[(&str, &str)]) -> Child {
        program().args(arguments).envs(&self.variables).envs(changes.iter().copied()).spawn().unwrap()
    }

    /// Runs another command with these variables changed until it exits.
    pub fn command_with(&self, arguments: &[&str], changes: &[(&str, &str)]) -> Output {
        let child = self.spawn_with(arguments, changes);
        let id = child.id();
        let (sender, output) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = output.recv_timeout(TIMEOUT) else {
            kill("KILL", id);
            panic!("{arguments:?} does not exit");
        };
        output.unwrap()
    }

    /// The spool folder.
    pub fn spool(&self) -> &Path {
        Path::new(&self.variables["SPOOL_DIR"])
    }

    /// Waits until callbacks can be made durable, with or without Kafka.
    pub fn wait_until_ready(&self) {
        wait_for("the program is ready", || (self.ask_admin("/readyz").status == 200).then_some(()));
    }

    /// Waits until Kafka is up and has all spooled records, and callbacks go to it.
    pub fn wait_until_publishing(&self) {
        self.wait_until_kafka_is_up();
        self.wait_until_drained();
        let causes = || self.series("trusthub_spool_cause").values().sum::<f64>();
        wait_for("no outage is left", || (causes() == 0.0).then_some(()));
    }

    /// Waits until a probe has found that Kafka accepts events, as far as it can tell.
    pub fn wait_until_kafka_is_up(&self) {
        wait_for("Kafka is up", || (self.metric("trusthub_kafka_up") == 1.0).then_some(()));
    }

    /// Waits until it is known that Kafka does not accept events.
    pub fn wait_until_kafka_is_down(&self) {
        wait_for("Kafka is down", || (self.metric("trusthub_kafka_up") == 0.0).then_some(()));
    }

    /// Waits until the spool is empty.
    pub fn wait_until_drained(&self) {
        wait_for("the spool is empty", || (self.metric("trusthub_spool_events") == 0.0).then_some(()));
    }

    /// Sends a request to the port for callbacks, on a new connection.
    pub fn send(&self, request: &Request) -> Answer {
        request.send(self.public)
    }

    /// The response of the admin port to a `GET`.
    pub fn ask_admin(&self, path: &str) -> Answer {
        Request::get(path).send(self.admin)
    }

    /// The value of one series, named with its labels as the metrics page writes them.
    pub fn metric(&self, series: &str) -> f64 {
        let page = self.ask_admin("/metrics").body;
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no series {series} in\n{page}"))
    }

    /// All series of a metric with their values.
    pub fn series(&self, metric: &str) -> BTreeMap<String, f64> {
        let page = self.ask_admin("/metrics").body;
        let lines = page.lines().filter_map(|line| line.rsplit_once(' '));
        lines
            .filter(|(series, _)| series.split('{').next() == Some(metric))
            .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// The response to a `HEAD`, read until the connection closes: its content length describes a body that is not
    /// sent.
    pub fn send_head(&self, path: &str, port: SocketAddr) -> String {
        let mut stream = TcpStream::connect_timeout(&port, TIMEOUT).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.write_all(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The log lines so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Stops reading the log until the returned value is dropped, so that its pipe fills up.
    pub fn hold_log(&self) -> HeldLog {
        self.log.hold()
    }

    /// Closes the reading end of the program's log at its next line.
    pub fn close_log(&self) {
        self.log.close();
    }

    /// The log lines with this message so far.
    pub fn lines(&self, message: &str) -> Vec<Value> {
        self.json_lines().filter(|line| line["message"] == message).collect()
    }

    fn json_lines(&self) -> impl Iterator<Item = Value> {
        self.log().into_iter().filter_map(|line| serde_json::from_str(&line).ok())
    }

    /// The outages that the program has logged since it reached Kafka for the first time.
    pub fn outages(&self) -> Vec<Value> {
        let reached = |line: &Value| line["message"] == "reached Kafka";
        let lines = self.json_lines().skip_while(|line| !reached(line));
        lines.filter(|line| line["message"] == OUTAGE).collect()
    }

    /// How often the program has created this topic.
    pub fn creations_of(&self, topic: &str) -> usize {
        self.lines("created the topic").iter().filter(|line| line["topic"] == topic).count()
    }

    /// Waits until a topic that the program had created this often is deleted, or has been created again already.
    pub fn wait_until_deleted(&self, topic: &str, created: usize) {
        let is_new = || !broker().has_topic(topic) || self.creations_of(topic) > created;
        wait_for("the topic is deleted", || is_new().then_some(()));
    }

    /// Waits until a deleted topic exists again that the program had created this often. The line of a creation is missing if
    /// Kafka's answer came too late.
    pub fn wait_until_created_again(&self, topic: &str, created: usize) {
        self.wait_until_deleted(topic, created);
        wait_for("the topic is created again", || broker().has_topic(topic).then_some(()));
    }

    /// The log lines so far that requests to the port for callbacks caused; an outage is not one of them. The last one is that
    /// of a callback that this sends, so that none is missing.
    pub fn lines_of_requests(&self) -> Vec<Value> {
        const ON_THEIR_PATH: [&str; 5] = ["http_server", "receive", "pipeline", "deliver", "traces"];
        assert_eq!(self.send(&Request::change("draft")).status, 204);
        self.wait_for_lines("callback", 1);
        let is_on_their_path = |line: &Value| {
            let mut modules = line["target"].as_str().unwrap_or_default().split("::");
            let is_own = modules.next() == Some("trusthub_bridge");
            !is_own || modules.next().is_some_and(|module| ON_THEIR_PATH.contains(&module))
        };
        let is_outage = |line: &Value| line["target"] == "trusthub_bridge::deliver::failover";
        self.json_lines().filter(|line| is_on_their_path(line) && !is_outage(line)).collect()
    }

    /// The log lines with this message, once there are at least this many. The program writes a line some milliseconds after
    /// what it says can be observed.
    pub fn wait_for_lines(&self, message: &str, at_least: usize) -> Vec<Value> {
        wait_for(&format!("{at_least} lines {message:?}"), || {
            Some(self.lines(message)).filter(|lines| lines.len() >= at_least)
        })
    }

    /// Waits for a log line that contains the text, and returns it.
    pub fn wait_for_log(&self, text: &str) -> String {
        wait_for(&format!("{text:?} in the log"), || self.log().into_iter().find(|line| line.contains(text)))
    }

    /// The records of the event topic, once there are at least this many.
    pub fn events(&self, at_least: usize) -> Vec<Record> {
        broker().wait_for_records(&self.topic, at_least, TIMEOUT)
    }

    /// The records of the dead-letter topic, once there are at least this many.
    pub fn dead_letters(&self, at_least: usize) -> Vec<Record> {
        broker().wait_for_records(&self.dead_letter_topic, at_least, TIMEOUT)
    }

    /// The peak resident memory of the program so far.
    pub fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
        peak.trim().parse().unwrap()
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        kill(signal, self.child.id());
    }

    /// Kills the program as the kernel does when memory is short: without a chance to clean up.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.wait();
    }

    /// Waits until the process exits, without reading its log to the end.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        wait_for("the program exits", || self.child.try_wait().unwrap())
    }

    /// Waits until the process exits and its log ends.
    pub fn wait(&mut self) -> ExitStatus {
        let status = self.wait_for_exit();
        self.log.finish();
        status
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let exited = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "exit of the program: {exited:?}\nits log:\n{}", self.log().join("\n"));
        }
    }
}

/// A spool folder that no other test uses, removed when dropped. The program creates it.
struct SpoolFolder(PathBuf);

impl SpoolFolder {
    fn new() -> Self {
        Self(temporary_folder().join(unique_topic("spool")))
    }
}

impl Drop for SpoolFolder {
    fn drop(&mut self) {
        // Missing when the program never started.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn owned(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

/// The program, run through this command.
fn run_by(wrapper: &[String]) -> Command {
    let program = program();
    let Some((first, others)) = wrapper.split_first() else { return program };
    let mut command = Command::new(first);
    command.args(others).arg(program.get_program());
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
