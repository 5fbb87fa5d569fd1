//! One Kafka process: its command line, folder, ports and lifetime.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{self, Command};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{fs, iter};

use crate::{
    executable::{project_root, temporary_folder},
    supervised::Supervised,
};

/// The user of a restricted broker, with no permission except those that a test grants.
pub const USER: &str = "alice";
/// The password of [`USER`].
pub const USER_PASSWORD: &str = "alice-secret";

/// The login with which a librdkafka client is the administrator of a restricted broker.
pub(super) const ADMIN_CLIENT: [(&str, &str); 4] = [
    ("security.protocol", "SASL_PLAINTEXT"),
    ("sasl.mechanism", "PLAIN"),
    ("sasl.username", "admin"),
    ("sasl.password", "admin-secret"),
];

/// The same for a Java client, and for the broker when it calls itself.
const ADMIN_LOGIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                           username=admin password=admin-secret";

/// A combined broker and controller with a single replica of everything.
const PROPERTIES: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENT
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
min.insync.replicas=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
";

/// A private Kafka process. Dropping it ends the process and removes its folder.
pub(super) struct Node {
    process: Supervised,
    port: u16,
}

impl Node {
    /// Starts a broker with these properties in addition to the usual ones. It is not ready when this returns.
    pub(super) fn launch(name: &str, properties: &[(&str, &str)]) -> Self {
        let mut node = Self::prepare(name, properties);
        node.start();
        node
    }

    /// The same without starting it.
    pub(super) fn prepare(name: &str, properties: &[(&str, &str)]) -> Self {
        Self::prepare_with(name, properties, &[])
    }

    /// The same, with more arguments for the tool that formats its storage.
    pub(super) fn prepare_with(name: &str, properties: &[(&str, &str)], format: &[&str]) -> Self {
        Self::prepare_with_options(name, properties, format, &[])
    }

    /// The same, with options for its JVM.
    pub(super) fn prepare_with_options(
        name: &str,
        properties: &[(&str, &str)],
        format: &[&str],
        options: &[&str],
    ) -> Self {
        Self::prepare_on(class_path(), name, properties, format, options)
    }

    /// The same, with classes that the properties name.
    pub(super) fn prepare_with_classes(
        name: &str,
        properties: &[(&str, &str)],
        options: &[&str],
        classes: &Path,
    ) -> Self {
        Self::prepare_on(&format!("{}:{}", class_path(), classes.display()), name, properties, &[], options)
    }

    fn prepare_on(
        class_path: &str,
        name: &str,
        properties: &[(&str, &str)],
        format: &[&str],
        options: &[&str],
    ) -> Self {
        let folder = temporary_folder().join(name);
        fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
        let (port, controller) = (free_port(), free_port());
        let addresses = format!(
            "controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             log.dirs={}\n",
            folder.join("data").display()
        );
        let settings = folder.join("server.properties");
        write(&settings, &[PROPERTIES, &addresses, &lines(properties)].concat());
        // The supervisor starts first: from here on the folder is removed in every case.
        let mut broker = Command::new("java");
        broker.args(options).args(java_on(class_path, "kafka.Kafka").get_args()).arg(&settings);
        let node = Self { process: Supervised::new(&broker, &folder), port };
        let cluster = ["format", "--cluster-id", "trusthub-bridge-tests", "--config"];
        run(java_on(class_path, "kafka.tools.StorageTool").args(cluster).arg(settings).args(format));
        node
    }

    /// Starts a broker that authenticates its users by password and authorizes only its administrator, with options for its
    /// JVM.
    pub(super) fn launch_restricted(name: &str, options: &[&str]) -> Self {
        let users = format!("{ADMIN_LOGIN} user_admin=admin-secret user_{USER}={USER_PASSWORD};");
        let properties = [
            ("listener.security.protocol.map", "CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ("sasl.enabled.mechanisms", "PLAIN"),
            ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
            ("listener.name.client.plain.sasl.jaas.config", &users),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("allow.everyone.if.no.acl.found", "false"),
            // The broker calls the controller anonymously, on a separate listener.
            ("super.users", "User:admin;User:ANONYMOUS"),
        ];
        let mut node = Self::prepare_with_options(name, &properties, &[], options);
        node.start();
        node
    }

    /// The bootstrap address for clients.
    pub(super) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The running or stopped process.
    pub(super) fn process(&mut self) -> &mut Supervised {
        &mut self.process
    }

    /// Starts the process.
    pub(super) fn start(&mut self) {
        self.process.start();
    }

    /// Shuts the process down and waits until it exits. A clean shutdown, because a killed broker cannot rejoin its
    /// cluster until its session expires.
    pub(super) fn stop(&mut self) {
        self.process.stop();
    }

    /// Grants [`USER`] a permission on a `topic` or a `group`.
    pub(super) fn allow(&self, operation: &str, kind: &str, name: &str) {
        self.grant(&[operation], kind, name, "literal");
    }

    /// Grants [`USER`] permissions on what has this name, or begins with it if the pattern is `prefixed`.
    pub(super) fn grant(&self, operations: &[&str], kind: &str, name: &str, pattern: &str) {
        let [protocol, mechanism, ..] = ADMIN_CLIENT;
        let client = [protocol, mechanism, ("sasl.jaas.config", &format!("{ADMIN_LOGIN};"))];
        let on = ["--resource-pattern-type", pattern, &format!("--{kind}"), name];
        self.grant_as(&client, USER, operations, &on);
    }

    /// Grants a user permissions, with these settings of an administrator's client and these arguments of `kafka-acls.sh`.
    pub(super) fn grant_as(&self, client: &[(&str, &str)], user: &str, operations: &[&str], on: &[&str]) {
        let settings = self.process.folder().join("admin.properties");
        write(&settings, &lines(client));
        run(java("org.apache.kafka.tools.AclCommand")
            .args(["--bootstrap-server", &self.bootstrap(), "--command-config"])
            .arg(settings)
            .args(["--add", "--allow-principal", &format!("User:{user}")])
            .args(operations.iter().flat_map(|operation| ["--operation", operation]))
            .args(on));
    }

    /// The broker's log.
    pub(super) fn log(&self) -> String {
        self.process.log()
    }

    /// Changes a user's password for `SCRAM-SHA-512`, with these settings of an administrator's client.
    pub(super) fn set_scram_password(&self, client: &[(&str, &str)], user: &str, password: &str) {
        let settings = self.process.folder().join("scram.properties");
        write(&settings, &lines(client));
        run(java("kafka.admin.ConfigCommand")
            .args(["--bootstrap-server", &self.bootstrap(), "--command-config"])
            .arg(settings)
            .args(["--alter", "--entity-type", "users", "--entity-name", user])
            .args(["--add-config", &format!("SCRAM-SHA-512=[password={password}]")]));
    }

    /// The last lines of the broker's log.
    pub(super) fn end_of_log(&self) -> String {
        self.process.end_of_log()
    }
}

/// The number of idempotent producers that the broker at this address knows in the first partition of the topic.
pub(super) fn producer_count(bootstrap: &str, topic: &str) -> usize {
    let table = run(java("org.apache.kafka.tools.TransactionsCommand").args([
        "--bootstrap-server",
        bootstrap,
        "describe-producers",
        "--topic",
        topic,
        "--partition",
        "0",
    ]));
    table.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())).count()
}

/// A JVM with a small heap that starts fast and runs for a short time.
fn java(class: &str) -> Command {
    java_on(class_path(), class)
}

fn java_on(class_path: &str, class: &str) -> Command {
    let logging = project_root().join("tests/kafka/log4j2.properties");
    let logging = format!("-Dlog4j2.configurationFile={}", logging.display());
    let mut java = Command::new("java");
    java.args(["-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", &logging, "-cp", class_path, class]);
    java
}

/// The class path of Kafka, which also has its libraries, such as Jackson.
pub fn class_path() -> &'static str {
    static CLASS_PATH: LazyLock<String> = LazyLock::new(|| {
        let folder = run(&mut Command::new(project_root().join("scripts/kafka")));
        format!("{}/*", folder.trim_end())
    });
    &CLASS_PATH
}

/// Returns what the command prints; panics with all of it if the command fails.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let diagnostics = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} fails: {}\n{printed}{diagnostics}", output.status);
    printed
}

/// A port below the ephemeral range, so that no other process takes it while its broker is stopped.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = process::id().wrapping_mul(64);
    let candidates = iter::repeat_with(|| start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000 + 10_000);
    candidates
        .map(|port| u16::try_from(port).expect("30,000 is a port"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("there is always another candidate")
}

fn lines(properties: &[(&str, &str)]) -> String {
    properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
}
