//! `dev`: the whole system in one process, with nothing installed.

mod show;

use std::{env, ffi::OsString, fs, net::TcpListener, path::PathBuf, process, time::Duration};

use tokio::time::timeout;

use super::{
    Variables,
    output::{Failure, print, say},
};
use crate::{
    app::{self, Ports, Service, StartError},
    config::{self, Config},
    domain::Label as _,
    lifecycle::StopSignals,
    publish::{Consumed, EmbeddedKafka, Follower},
    simulator::{Caller, Step, life_of_a_profile},
    telemetry::init_logging,
};

/// What the scripted Trust Hub signs with. It guards nothing.
const TOKEN: &str = "dev-auth-token";

const EVENTS: &str = "trusthub.profile-status-changed";
const DEAD_LETTERS: &str = "trusthub.callbacks-unprocessable";
const PARTITIONS: i32 = 3;

/// The longest that any step may take before `dev` says that it failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between the steps of the script, when somebody watches.
const PACE: Duration = Duration::from_secs(1);

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
    let signals = StopSignals::listen().map_err(Failure::failed)?;
    let stage = Stage::build(once, variables)?;
    let result = if once { stage.play_once().await } else { stage.play_on(signals).await };
    stage.service.stop().await;
    result
}

/// Everything that runs during `dev`.
struct Stage {
    service: Service,
    follower: Follower,
    twilio: Caller,
    forger: Caller,
    url: String,
    _spool: TemporaryFolder,
    /// Last, so that it outlives its clients.
    kafka: EmbeddedKafka,
}

impl Stage {
    fn build(once: bool, variables: &Variables) -> Result<Self, Failure> {
        let given = |name: &str| {
            let found = variables.iter().find(|(variable, _)| variable == name);
            found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
        };
        init_logging(None, given("RUST_LOG").unwrap_or("error"));
        let address = |name, fixed| given(name).unwrap_or(if once { "127.0.0.1:0" } else { fixed }).to_owned();
        let public = listen("HTTP_BIND", &address("HTTP_BIND", "127.0.0.1:8080"))?;
        let admin = listen("ADMIN_BIND", &address("ADMIN_BIND", "127.0.0.1:9090"))?;
        let base = format!("http://{}", public.local_addr().map_err(Failure::failed)?);
        let kafka = EmbeddedKafka::start(&[EVENTS, DEAD_LETTERS], PARTITIONS).map_err(Failure::failed)?;
        let spool = TemporaryFolder::new();
        let config = configuration(&base, &kafka, &spool)?;
        let caller = |token: &str| Caller::new(&token.into()).map_err(Failure::failed);
        Ok(Self {
            follower: Follower::new(&config.kafka, &[EVENTS, DEAD_LETTERS]).map_err(Failure::failed)?,
            service: Service::start(config, Ports { public, admin }).map_err(Failure::failed)?,
            twilio: caller(TOKEN)?,
            forger: caller("not-the-token")?,
            url: format!("{base}/callbacks/customer-profiles"),
            _spool: spool,
            kafka,
        })
    }

    /// Every step must be answered 204 and come out of Kafka; then the forged callback must be refused.
    async fn play_once(&self) -> Result<(), Failure> {
        for (number, step) in life_of_a_profile().iter().enumerate() {
            self.call(number, step).await?;
            let event = self.consume().await?;
            if event.value.get("status").is_none_or(|status| status != step.status.as_str()) {
                return Err(Failure::Failed(format!("{} was expected, but out of Kafka came {event:?}", step.status)));
            }
            print(&serde_json::to_string(&event).map_err(Failure::failed)?)?;
        }
        self.forge().await
    }

    /// Plays the script slowly, then shows what else is sent, until a signal.
    async fn play_on(&self, mut signals: StopSignals) -> Result<(), Failure> {
        say(&show::welcome(&self.url, self.service.admin_address(), &self.kafka.bootstrap_servers(), EVENTS, TOKEN));
        tokio::select! {
            result = self.play_slowly() => result,
            result = self.follow() => result,
            _ = signals.next() => Ok(()),
        }
    }

    async fn play_slowly(&self) -> Result<(), Failure> {
        for (number, step) in life_of_a_profile().iter().enumerate() {
            self.call(number, step).await?;
            tokio::time::sleep(PACE).await;
        }
        self.forge().await?;
        say("The script is over. Send your own callbacks, or press Ctrl-C.");
        std::future::pending().await
    }

    async fn follow(&self) -> Result<(), Failure> {
        loop {
            print(&show::event(&self.follower.next().await.map_err(Failure::failed)?))?;
        }
    }

    async fn call(&self, number: usize, step: &Step) -> Result<(), Failure> {
        let token = format!("00000000-0000-4000-8000-{number:012}");
        let answer = self.twilio.send(&self.url, &step.form(), &token).await.map_err(Failure::failed)?;
        say(&show::call(step.what, answer));
        expect(204, answer)
    }

    async fn forge(&self) -> Result<(), Failure> {
        let [first, ..] = life_of_a_profile();
        let answer = self.forger.send(&self.url, &first.form(), "forged").await.map_err(Failure::failed)?;
        say(&show::call("somebody without the token forges a callback, which is refused", answer));
        expect(403, answer)
    }

    async fn consume(&self) -> Result<Consumed, Failure> {
        let next = timeout(PATIENCE, self.follower.next()).await;
        let seconds = PATIENCE.as_secs();
        next.map_err(|_| Failure::Failed(format!("no event came out of Kafka within {seconds} s")))?
            .map_err(Failure::failed)
    }
}

fn expect(expected: u16, answer: u16) -> Result<(), Failure> {
    if answer == expected {
        Ok(())
    } else {
        Err(Failure::Failed(format!("the bridge answered {answer}, {expected} was expected")))
    }
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
