//! The servers to compare. Each is a process that answers callbacks with 204.

use std::{
    env,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use test_support::{
    ACCOUNT, Connection, PROFILE, PUBLIC_URL, Request, TIMEOUT, TOKEN,
    kafka::{Broker, free_port, unique_topic},
    kill, program, wait_for,
};

use crate::{callbacks::Shape, floor::Floor, load::Clients, process::cpu_seconds};

/// The service's default number of partitions.
pub(crate) const PARTITIONS: i32 = 6;

/// An auth token that no server has.
const OTHER_TOKEN: &str = "ffffffffffffffffffffffffffffffff";

/// The kinds of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The HTTP server with nothing behind it.
    HttpFloor,
    /// The HTTP server and the producer with nothing between them.
    Floor,
    /// What no service can omit that accepts signed callbacks and publishes typed events.
    Minimal,
    /// This service without the states of profiles, which no other server derives. It logs a line for each callback.
    Bridge,
    /// The same, logging only warnings.
    QuietBridge,
    /// This service with its default configuration, which also reads its events again and derives the states of profiles.
    StatefulBridge,
    /// FastAPI, Twilio's validator and aiokafka.
    FastApi,
    /// Express, Twilio's validator and kafkajs.
    Express,
    /// Go's own HTTP server, Twilio's validator and franz-go.
    Go,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HttpFloor => "HTTP floor",
            Self::Floor => "floor",
            Self::Minimal => "minimal service",
            Self::Bridge => "trusthub-bridge",
            Self::QuietBridge => "trusthub-bridge, RUST_LOG=warn",
            Self::StatefulBridge => "trusthub-bridge with the states of profiles",
            Self::FastApi => "FastAPI + twilio + aiokafka",
            Self::Express => "Express + twilio + kafkajs",
            Self::Go => "net/http + twilio + franz-go",
        }
    }

    fn command(self) -> Command {
        match self {
            Self::HttpFloor => floor(Floor::Http),
            Self::Floor => floor(Floor::Kafka),
            Self::Minimal => floor(Floor::Minimal),
            Self::Bridge | Self::QuietBridge | Self::StatefulBridge => {
                let mut bridge = program();
                bridge.arg("serve").env("LOG_FORMAT", "json").env("SHUTDOWN_DELAY_SECS", "0");
                if self == Self::QuietBridge {
                    bridge.env("RUST_LOG", "warn");
                }
                bridge
            }
            Self::FastApi => {
                let app = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/python/app.py");
                peer(PEERS.join("python/bin/python"), &[Path::new(app)])
            }
            Self::Express => {
                let mut express = peer("node".into(), &[&PEERS.join("node/app.js")]);
                express.env("NODE_ENV", "production");
                express
            }
            Self::Go => peer(PEERS.join("go/service"), &[]),
        }
    }

    /// The topic of the states of profiles; without a name, there are none.
    fn states(self) -> String {
        if self == Self::StatefulBridge { unique_topic("bench-states") } else { String::new() }
    }

    /// Whether it checks signatures.
    fn verifies(self) -> bool {
        !matches!(self, Self::HttpFloor | Self::Floor)
    }
}

/// The folder of the libraries of the other services.
static PEERS: LazyLock<PathBuf> = LazyLock::new(|| {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
});

fn floor(floor: Floor) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(floor.name()).env_clear();
    command
}

fn peer(program: PathBuf, arguments: &[&Path]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", env::var_os("PATH").unwrap());
    command
}

/// A running server. Dropping it kills the process and removes its folder.
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Contender {
    /// Starts a server with its own topic, and warms it up.
    pub(crate) fn start(kind: Kind, kafka: &Broker) -> Self {
        Self::start_with(kind.name(), kind, kafka, &[])
    }

    /// Starts a server with its own topic, another name and more variables, and warms it up.
    pub(crate) fn start_with(name: &str, kind: Kind, kafka: &Broker, variables: &[(&str, &str)]) -> Self {
        let topic = unique_topic("bench");
        kafka.create_topic(&topic, PARTITIONS);
        let usual = [("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("KAFKA_TOPIC", &topic)];
        Self::launch(name, kind, &[&usual, variables].concat())
    }

    /// Starts a server with these variables, and warms it up.
    pub(crate) fn launch(name: &str, kind: Kind, variables: &[(&str, &str)]) -> Self {
        let contender = Self::launch_cold(name, kind, variables);
        contender.warm_up();
        contender
    }

    /// Checks that the server refuses a forged callback if it is one that verifies them.
    pub(crate) fn check(&self, kind: Kind) {
        let form = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=draft");
        let forged = Request::form("/callbacks/customer-profiles", &form).signed_with(OTHER_TOKEN, PUBLIC_URL);
        assert_eq!(forged.send(self.address).status == 403, kind.verifies(), "{}", self.name);
    }

    /// Starts a server with these variables, and waits until it listens.
    pub(crate) fn launch_cold(name: &str, kind: Kind, variables: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("contender"));
        fs::create_dir_all(&folder).unwrap();
        let [address, admin] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let child = kind
            .command()
            .envs([("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", TOKEN)])
            .envs([("HTTP_BIND", address.to_string()), ("ADMIN_BIND", admin.to_string())])
            .env("KAFKA_DEAD_LETTER_TOPIC", unique_topic("bench-dead-letters"))
            .env("KAFKA_PROFILES_TOPIC", kind.states())
            .env("SPOOL_DIR", folder.join("spool"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // A file, because logs are normally kept; the reader of a pipe would also use CPU time.
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let contender = Self { name: name.to_owned(), address, admin, folder, child };
        wait_for(&format!("{name} listens"), || Connection::open(address).map(drop));
        contender
    }

    /// Sends callbacks that load code, open connections and trigger just-in-time compilation.
    fn warm_up(&self) {
        const CALLBACKS: u64 = 2_000;
        Clients::connect(self.address, 64).full(Shape::USUAL.prepare(CALLBACKS), TIMEOUT);
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// A page of the service's admin port.
    pub(crate) fn ask_admin(&self, path: &str) -> String {
        Request::get(path).send(self.admin).body
    }

    /// Stops the server as an orchestrator does, and waits until it has exited.
    pub(crate) fn terminate(mut self) {
        kill("TERM", self.process());
        assert!(self.child.wait().unwrap().success(), "{} has failed", self.name);
    }

    /// Runs `work`, and returns its result and the CPU seconds that the server used in that time.
    pub(crate) fn at_work<T>(&self, work: impl FnOnce() -> T) -> (T, f64) {
        let before = cpu_seconds(self.process());
        let result = work();
        (result, cpu_seconds(self.process()) - before)
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("the folder of {}, with its log: {}", self.name, self.folder.display());
        } else {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
