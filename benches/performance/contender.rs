//! A server as a process of its own, which answers callbacks with 204.

use std::{
    env,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::Instant,
};

use crate::{
    callbacks::Shape,
    floor::Floor,
    load::Crowd,
    process::cpu_seconds,
    support::{
        Connection, PUBLIC_URL, Request, TIMEOUT, TOKEN,
        kafka::{Broker, free_port, unique_topic},
        program, wait_for,
    },
};

/// As the service makes its topics.
pub(crate) const PARTITIONS: i32 = 6;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The HTTP server with nothing behind it.
    HttpFloor,
    /// The HTTP server and the producer with nothing between them.
    Floor,
    /// This service as it is configured by default, with a line in the log for each callback.
    Bridge,
    /// The same with a log of warnings only.
    QuietBridge,
    /// FastAPI, Twilio's validator and aiokafka.
    FastApi,
    /// Express, Twilio's validator and kafkajs.
    Express,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HttpFloor => "HTTP floor",
            Self::Floor => "floor",
            Self::Bridge => "trusthub-bridge",
            Self::QuietBridge => "trusthub-bridge, RUST_LOG=warn",
            Self::FastApi => "FastAPI + twilio + aiokafka",
            Self::Express => "Express + twilio + kafkajs",
        }
    }

    fn command(self) -> Command {
        match self {
            Self::HttpFloor => floor(Floor::Http),
            Self::Floor => floor(Floor::Kafka),
            Self::Bridge | Self::QuietBridge => {
                let mut bridge = program();
                bridge.arg("serve").env("LOG_FORMAT", "json").env("SHUTDOWN_DELAY_SECS", "0");
                if self == Self::QuietBridge {
                    bridge.env("RUST_LOG", "warn");
                }
                bridge
            }
            Self::FastApi => {
                let app = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/python/app.py");
                peer(PEERS.join("python/bin/python"), Path::new(app))
            }
            Self::Express => {
                let mut express = peer("node".into(), &PEERS.join("node/app.js"));
                express.env("NODE_ENV", "production");
                express
            }
        }
    }
}

/// Where the libraries of the peers are.
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

fn peer(program: PathBuf, app: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(app).env_clear().env("PATH", env::var_os("PATH").unwrap());
    command
}

/// A server that runs. It is killed when this is dropped, and its folder removed.
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Contender {
    /// Started with a topic of its own, and answering.
    pub(crate) fn start(kind: Kind, kafka: &Broker) -> Self {
        Self::start_with(kind.name(), kind, kafka, &[])
    }

    /// The same under another name and with other variables.
    pub(crate) fn start_with(name: &str, kind: Kind, kafka: &Broker, variables: &[(&str, &str)]) -> Self {
        let topic = unique_topic("bench");
        kafka.create_topic(&topic, PARTITIONS);
        let usual = [("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("KAFKA_TOPIC", &topic)];
        Self::launch(name, kind, &[&usual, variables].concat())
    }

    /// Started with these variables, and answering.
    pub(crate) fn launch(name: &str, kind: Kind, variables: &[(&str, &str)]) -> Self {
        let contender = Self::launch_cold(name, kind, variables);
        contender.warm_up();
        contender
    }

    /// Started with these variables, and listening.
    pub(crate) fn launch_cold(name: &str, kind: Kind, variables: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("contender"));
        fs::create_dir_all(&folder).unwrap();
        let [address, admin] = [free_port(), free_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let child = kind
            .command()
            .envs([("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", TOKEN)])
            .envs([("HTTP_BIND", address.to_string()), ("ADMIN_BIND", admin.to_string())])
            .env("KAFKA_DEAD_LETTER_TOPIC", unique_topic("bench-dead-letters"))
            .env("SPOOL_DIR", folder.join("spool"))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // A file, as logs are kept in some way; a pipe would cost its reader's time as well.
            .stderr(File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let contender = Self { name: name.to_owned(), address, admin, folder, child };
        wait_for(&format!("{name} listens"), || Connection::open(address).map(drop));
        contender
    }

    /// The first callbacks load code, make connections and let a compiler do its work.
    fn warm_up(&self) {
        const CALLBACKS: u64 = 2_000;
        Crowd::arrive(self.address, 64).full(Shape::USUAL.prepare(CALLBACKS), TIMEOUT);
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// A page of the service's admin port.
    pub(crate) fn ask_admin(&self, path: &str) -> String {
        Request::get(path).send(self.admin).body
    }

    /// What `work` returns, and the seconds of CPU that the server used meanwhile.
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
