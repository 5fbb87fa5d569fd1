//! `dev`: the whole system in one process, with nothing installed.

mod life;
mod show;

use std::{
    env, ffi::OsString, fs, future::Future, net::TcpListener, path::PathBuf, process, sync::Arc, time::Duration,
};

use tokio::{sync::broadcast, time::timeout};

use super::{
    Variables,
    output::{Failure, print, say},
    serve,
};
use crate::{
    app::{self, Ports, Service, StartError},
    config::{self, Config},
    domain::{AccountSid, Label as _, Status},
    kafka::TopicTail,
    shutdown::StopSignals,
    simulator::{self, Account, Attempt, EmbeddedKafka, Ending, World},
    telemetry::init_logging,
};

/// What the simulated Trust Hub signs with. It guards nothing.
const TOKEN: &str = "dev-auth-token";

const EVENTS: &str = "trusthub.profile-status-changed";
const DEAD_LETTERS: &str = "trusthub.callbacks-unprocessable";
const PARTITIONS: i32 = 3;

/// The longest that any step may take before `dev` says that it failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Play a profile's life once, print each event as JSON as it comes out of Kafka, and exit
    #[arg(long)]
    once: bool,
}

pub(super) fn run(arguments: &Arguments, variables: &Variables) -> Result<(), Failure> {
    app::block_on(play(arguments.once, variables)).map_err(Failure::failed)?
}

async fn play(once: bool, variables: &Variables) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let (stage, api) = Stage::build(once, variables).await?;
    let result = tokio::select! {
        result = async { if once { stage.play_once().await } else { stage.play_on(&mut signals).await } } => result,
        () = Arc::clone(&stage.world).turn() => Ok(()),
        ended = api => ended.map_err(Failure::failed),
    };
    let stopped = serve::stop(stage.service, &mut signals).await;
    stage.follower.close().await;
    stopped.and(result)
}

/// Everything that runs during `dev`.
struct Stage {
    service: Service,
    follower: TopicTail,
    world: Arc<World>,
    account: AccountSid,
    places: Places,
    _spool: TemporaryFolder,
    /// Last, so that it outlives its clients.
    kafka: EmbeddedKafka,
}

/// Where everything listens.
struct Places {
    callbacks: String,
    trust_hub: String,
}

impl Stage {
    /// The stage, and the server of the simulated Trust Hub.
    async fn build(once: bool, variables: &Variables) -> Result<(Self, simulator::Server), Failure> {
        let given = |name: &str| {
            let found = variables.iter().find(|(variable, _)| variable == name);
            found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
        };
        init_logging(None, given("RUST_LOG").unwrap_or("error")).map_err(Failure::failed)?;
        let listen = |name, usual| listen(name, given(name).unwrap_or(if once { "127.0.0.1:0" } else { usual }));
        let public = listen("HTTP_BIND", "127.0.0.1:8080")?;
        let admin = listen("ADMIN_BIND", "127.0.0.1:9090")?;
        let api = listen("SIMULATOR_BIND", "127.0.0.1:8090")?;
        let (base, trust_hub) = (url(&public)?, url(&api)?);
        let kafka = EmbeddedKafka::start(&[EVENTS, DEAD_LETTERS], PARTITIONS).map_err(Failure::failed)?;
        let spool = TemporaryFolder::new();
        let config = configuration(&base, &kafka, &spool)?;
        let account = AccountSid::parse(life::ACCOUNT).map_err(Failure::failed)?;
        let owner = Account { sid: account.clone(), tokens: vec![TOKEN.into()], api_key: None };
        let world = Arc::new(World::new(vec![owner], None, None).map_err(Failure::failed)?);
        let server = simulator::server(api, Arc::clone(&world)).map_err(Failure::failed)?;
        let stage = Self {
            follower: TopicTail::open(&config.kafka, &[EVENTS, DEAD_LETTERS]).await.map_err(Failure::failed)?,
            service: Service::start(config, Ports { public, admin }).map_err(Failure::failed)?,
            world,
            account,
            places: Places { callbacks: format!("{base}/callbacks/customer-profiles"), trust_hub },
            _spool: spool,
            kafka,
        };
        Ok((stage, server))
    }

    /// Everything that is announced must come out of Kafka; then the forged callback must be refused.
    async fn play_once(&self) -> Result<(), Failure> {
        let profile = life::begin(&self.world, self.account.clone(), self.places.callbacks.clone());
        let profile = profile.map_err(Failure::failed)?;
        for step in &life::STEPS {
            say(&format!("  {}", step.what));
            step.play(&self.world, &profile).map_err(Failure::failed)?;
            for status in step.announced {
                self.expect(*status).await?;
            }
        }
        in_time("answer", self.world.postman().settled()).await?;
        let mut attempts = self.world.postman().follow();
        life::forge(&self.world, self.account.clone(), profile, self.places.callbacks.clone());
        let attempt = in_time("answer", attempts.recv()).await?.map_err(Failure::failed)?;
        say(&format!("  somebody without the token forges a callback: {}", show::ending(&attempt)));
        match attempt.ending {
            Ending::Answer(403) => Ok(()),
            _ => Err(Failure::failed("the forged callback should have been answered 403")),
        }
    }

    /// Takes the next event out of Kafka and prints it, if it is the right one.
    async fn expect(&self, status: Status) -> Result<(), Failure> {
        let event = in_time("event", self.follower.next()).await?.map_err(Failure::failed)?;
        if event.value.get("status").is_none_or(|consumed| consumed != status.as_str()) {
            return Err(Failure::Failed(format!("{status} was expected, but out of Kafka came {event:?}")));
        }
        print(&serde_json::to_string(&event).map_err(Failure::failed)?)
    }

    /// Says what can be typed, and shows what passes, until a signal.
    async fn play_on(&self, signals: &mut StopSignals) -> Result<(), Failure> {
        let Places { callbacks, trust_hub } = &self.places;
        say(&show::welcome(
            trust_hub,
            callbacks,
            self.service.admin_address(),
            &self.kafka.bootstrap_servers(),
            EVENTS,
            TOKEN,
        ));
        tokio::select! {
            result = self.follow_events() => result,
            result = self.follow_callbacks() => result,
            _ = signals.next() => Ok(()),
        }
    }

    async fn follow_events(&self) -> Result<(), Failure> {
        loop {
            print(&show::event(&self.follower.next().await.map_err(Failure::failed)?))?;
        }
    }

    async fn follow_callbacks(&self) -> Result<(), Failure> {
        let mut attempts = self.world.postman().follow();
        loop {
            match attempts.recv().await {
                Ok(attempt) => self.show(&attempt)?,
                Err(broadcast::error::RecvError::Lagged(missed)) => print(&format!("  … {missed} callbacks more"))?,
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            }
        }
    }

    fn show(&self, attempt: &Attempt) -> Result<(), Failure> {
        print(&show::attempt(attempt))?;
        match show::next_step(attempt, &self.places.trust_hub, TOKEN) {
            Some(text) => print(&text),
            None => Ok(()),
        }
    }
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    let seconds = PATIENCE.as_secs();
    timeout(PATIENCE, work).await.map_err(|_| Failure::Failed(format!("no {what} came within {seconds} s")))
}

fn url(listener: &TcpListener) -> Result<String, Failure> {
    listener.local_addr().map(|address| format!("http://{address}")).map_err(Failure::failed)
}

fn listen(variable: &'static str, address: &str) -> Result<TcpListener, Failure> {
    let wrong = || Failure::Usage(format!("{variable}: write an IP address and a port, such as 127.0.0.1:8080"));
    let address = address.parse().map_err(|_| wrong())?;
    TcpListener::bind(address).map_err(|error| Failure::failed(StartError::Listen { variable, address, error }))
}

/// What `serve` would need to run with the embedded Kafka.
fn configuration(base: &str, kafka: &EmbeddedKafka, spool: &TemporaryFolder) -> Result<Config, Failure> {
    let brokers = kafka.bootstrap_servers();
    let variables = [
        ("PUBLIC_URL", base),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("KAFKA_BOOTSTRAP_SERVERS", &brokers),
        ("KAFKA_TOPIC", EVENTS),
        ("KAFKA_DEAD_LETTER_TOPIC", DEAD_LETTERS),
        // The in-process cluster does not know the request.
        ("KAFKA_CREATE_TOPICS", "false"),
        ("SHUTDOWN_DELAY_SECS", "0"),
    ];
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let spool = (OsString::from("SPOOL_DIR"), spool.0.clone().into_os_string());
    config::load(variables.into_iter().chain([spool])).map(|loaded| loaded.config).map_err(Failure::failed)
}

/// A folder that is gone when `dev` is.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Only names it; whoever uses it makes it.
    fn new() -> Self {
        Self(env::temp_dir().join(format!("trusthub-bridge-dev-{}", process::id())))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What is left is in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
