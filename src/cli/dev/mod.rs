//! `dev`: the whole system in one process, without installing anything.

mod format;
mod scenario;

use std::{
    env, ffi::OsString, fs, future::Future, net::TcpListener, path::PathBuf, process, sync::Arc, time::Duration,
};

use tokio::{sync::broadcast, time::timeout};
use trusthub_simulator::{
    self as simulator, AllowedHost, Attempt, AttemptOutcome, EmbeddedKafka, SignerList, Simulator, SimulatorAccount,
};
use twilio_signature::SharedKey;

use super::{
    activity,
    color::Colors,
    output::{Failure, print, say},
    serve,
    variables::Variables,
};
use crate::{
    app::{self, Ports, Service, StartError},
    config::{self, Config},
    domain::{AccountSid, Label as _, Status},
    kafka::TopicTail,
    shutdown::StopSignals,
    telemetry::init_logging,
};

/// The auth token of the simulated account. It is not a secret.
const TOKEN: &str = "dev-auth-token";

/// The SharedKey of the simulated account, as in `TWILIO_SHARED_KEYS`. It is not a secret either.
const SHARED_KEY: &str = "webhooks_sharedkey_dev=dev-shared-key";

const EVENTS: &str = "trusthub.profile-status-changed";
const DEAD_LETTERS: &str = "trusthub.callbacks-unprocessable";
const PROFILES: &str = "trusthub.profiles";
const PARTITIONS: i32 = 3;

/// How long `dev --once` waits for each event and each answer before it fails.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// What `dev --help` says.
pub(super) const LONG: &str = "Run the bridge, a Trust Hub simulator and Kafka in one process, without installing anything

It listens on HTTP_BIND, ADMIN_BIND and SIMULATOR_BIND, on loopback by default, prints these addresses and the commands to
try, and shows every request to Trust Hub, every callback and every event until Ctrl-C. Nothing is kept when it exits.";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Run one profile through its statuses, print each event from Kafka as a JSON line, and exit
    #[arg(long)]
    once: bool,
    /// What signs the callbacks: auth_token, webhooks_sharedkey_dev, or both in turn, auth_token,webhooks_sharedkey_dev
    #[arg(long, value_name = "KEY,…", default_value = "auth_token")]
    signed_by: SignerList,
    /// A host name under which the simulator may be addressed in addition to loopback addresses and *.localhost (if
    /// SIMULATOR_BIND is not loopback, any IP address and names without a dot), so that pages of other names cannot control
    /// it; can be repeated
    #[arg(long = "allowed-host", value_name = "NAME")]
    allowed_hosts: Vec<AllowedHost>,
}

pub(super) fn run(arguments: &Arguments, variables: &Variables) -> Result<(), Failure> {
    app::block_on(run_until_stopped(arguments, variables)).map_err(Failure::failed)?
}

async fn run_until_stopped(arguments: &Arguments, variables: &Variables) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let (environment, api) = DevEnvironment::start(arguments, variables).await?;
    let work = async {
        if arguments.once {
            environment.run_scenario().await
        } else {
            environment.run_interactively(&mut signals).await
        }
    };
    let result = tokio::select! {
        result = work => result,
        () = Arc::clone(&environment.simulator).run_timers() => Ok(()),
        ended = api => ended.map_err(Failure::failed),
    };
    let stopped = serve::stop(environment.service, &mut signals).await;
    environment.topic_tail.close().await;
    stopped.and(result)
}

/// Everything that `dev` runs, except the HTTP server of the simulator.
struct DevEnvironment {
    service: Service,
    topic_tail: TopicTail,
    simulator: Arc<Simulator>,
    account: AccountSid,
    urls: DevUrls,
    /// Of stdout.
    colors: Colors,
    _spool: TemporaryFolder,
    /// The last field, because it must be dropped after its clients.
    kafka: EmbeddedKafka,
}

/// The URLs of the bridge and of the simulator.
struct DevUrls {
    callbacks: String,
    trust_hub: String,
}

impl DevEnvironment {
    /// Starts everything. Returns the HTTP server of the simulator separately; it runs while it is awaited.
    async fn start(arguments: &Arguments, variables: &Variables) -> Result<(Self, simulator::Server), Failure> {
        let given = |name: &str| {
            let found = variables.iter().find(|(variable, _)| variable == name);
            found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
        };
        init_logging(None, given("RUST_LOG").unwrap_or("error")).map_err(Failure::failed)?;
        let listen =
            |name, default| listen(name, given(name).unwrap_or(if arguments.once { "127.0.0.1:0" } else { default }));
        let public = listen("HTTP_BIND", "127.0.0.1:8080")?;
        let admin = listen("ADMIN_BIND", "127.0.0.1:9090")?;
        let api = listen("SIMULATOR_BIND", "127.0.0.1:8090")?;
        let (base, trust_hub) = (url(&public)?, url(&api)?);
        let kafka = EmbeddedKafka::start(&[EVENTS, DEAD_LETTERS, PROFILES], PARTITIONS).map_err(Failure::failed)?;
        let spool = TemporaryFolder::new();
        let config = configuration(&base, &kafka, &spool)?;
        let account = AccountSid::parse(scenario::ACCOUNT).map_err(Failure::failed)?;
        let simulator = Arc::new(create_simulator(&account, arguments.signed_by.clone())?);
        let server = simulator::server(api, Arc::clone(&simulator), arguments.allowed_hosts.clone());
        let server = server.map_err(Failure::failed)?;
        let environment = Self {
            topic_tail: TopicTail::open(&config.kafka, &[EVENTS, DEAD_LETTERS]).await.map_err(Failure::failed)?,
            service: Service::start(config, Ports { public, admin }).map_err(Failure::failed)?,
            simulator,
            account,
            urls: DevUrls { callbacks: format!("{base}/callbacks/customer-profiles"), trust_hub },
            colors: Colors::of_stdout(variables),
            _spool: spool,
            kafka,
        };
        Ok((environment, server))
    }

    /// Runs the scenario. Every announced status must arrive as an event, and a forged callback must be rejected.
    async fn run_scenario(&self) -> Result<(), Failure> {
        let profile = scenario::create_profile(&self.simulator, self.account.clone(), self.urls.callbacks.clone());
        let profile = profile.map_err(Failure::failed)?;
        for step in &scenario::STEPS {
            say(&format!("  {}", step.description));
            step.run(&self.simulator, &profile).map_err(Failure::failed)?;
            for status in step.announced {
                self.expect_event(*status).await?;
            }
        }
        in_time("answer", self.simulator.sender().wait_until_idle()).await?;
        let mut attempts = self.simulator.sender().subscribe();
        scenario::send_forged_callback(&self.simulator, self.account.clone(), profile, self.urls.callbacks.clone());
        let attempt = in_time("answer", attempts.recv()).await?.map_err(Failure::failed)?;
        say(&format!(
            "  a forged callback, not signed with the token, is sent: {}",
            activity::outcome(&attempt, self.colors)
        ));
        match attempt.outcome {
            AttemptOutcome::Answer(403) => Ok(()),
            _ => Err(Failure::failed("the forged callback should have been answered 403")),
        }
    }

    /// Prints the next event from Kafka, which must have this status.
    async fn expect_event(&self, status: Status) -> Result<(), Failure> {
        let event = in_time("event", self.topic_tail.next()).await?.map_err(Failure::failed)?;
        if event.value.get("status").is_none_or(|consumed| consumed != status.as_str()) {
            return Err(Failure::failed(format!("expected an event with status {status}, but consumed {event:?}")));
        }
        print(&serde_json::to_string(&event).map_err(Failure::failed)?)
    }

    /// Prints what to try, then every request, every callback and every event until a signal arrives.
    async fn run_interactively(&self, signals: &mut StopSignals) -> Result<(), Failure> {
        let DevUrls { callbacks, trust_hub } = &self.urls;
        say(&format::welcome(
            trust_hub,
            callbacks,
            self.service.admin_address(),
            &self.kafka.bootstrap_servers(),
            EVENTS,
            TOKEN,
        ));
        tokio::select! {
            result = self.print_events() => result,
            result = self.print_callbacks() => result,
            result = self.print_requests() => result,
            _ = signals.next() => Ok(()),
        }
    }

    async fn print_events(&self) -> Result<(), Failure> {
        loop {
            let event = self.topic_tail.next().await.map_err(Failure::failed)?;
            print(&format::event(&event, self.colors))?;
        }
    }

    async fn print_callbacks(&self) -> Result<(), Failure> {
        let mut attempts = self.simulator.sender().subscribe();
        loop {
            match attempts.recv().await {
                Ok(attempt) => self.print_attempt(&attempt)?,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    print(&format!("  … {missed} more callbacks, not shown"))?;
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            }
        }
    }

    async fn print_requests(&self) -> Result<(), Failure> {
        let mut requests = self.simulator.subscribe_to_requests();
        loop {
            match requests.recv().await {
                Ok(request) => print(&format::request(&request, self.colors))?,
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    print(&format!("  … {missed} more requests, not shown"))?;
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            }
        }
    }

    fn print_attempt(&self, attempt: &Attempt) -> Result<(), Failure> {
        print(&format::attempt(attempt, self.colors))?;
        match format::next_step(attempt, &self.urls.trust_hub, TOKEN) {
            Some(text) => print(&text),
            None => Ok(()),
        }
    }
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    let seconds = STEP_TIMEOUT.as_secs();
    timeout(STEP_TIMEOUT, work).await.map_err(|_| Failure::failed(format!("no {what} arrived within {seconds} s")))
}

fn url(listener: &TcpListener) -> Result<String, Failure> {
    listener.local_addr().map(|address| format!("http://{address}")).map_err(Failure::failed)
}

fn listen(variable: &'static str, address: &str) -> Result<TcpListener, Failure> {
    let wrong = || Failure::usage(format!("{variable}: write an IP address and a port, such as 127.0.0.1:8080"));
    let address = address.parse().map_err(|_| wrong())?;
    TcpListener::bind(address).map_err(|error| Failure::failed(StartError::Listen { variable, address, error }))
}

/// Creates a simulator of one account, whose callbacks these keys sign.
fn create_simulator(account: &AccountSid, signers: SignerList) -> Result<Simulator, Failure> {
    let shared_key = SharedKey::parse(SHARED_KEY).map_err(Failure::failed)?;
    let owner = SimulatorAccount {
        sid: account.clone(),
        tokens: vec![TOKEN.into()],
        api_key: None,
        shared_keys: vec![shared_key],
    };
    let simulator = Simulator::new(vec![owner], None, None).map_err(Failure::failed)?;
    let set = simulator.sender().set_account_signers(account, signers);
    set.map_err(|problem| Failure::usage(format!("--signed-by: {problem}")))?;
    Ok(simulator)
}

/// Loads the configuration that `serve` would need to run with the embedded Kafka.
fn configuration(base: &str, kafka: &EmbeddedKafka, spool: &TemporaryFolder) -> Result<Config, Failure> {
    let brokers = kafka.bootstrap_servers();
    let variables = [
        ("PUBLIC_URL", base),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_SHARED_KEYS", SHARED_KEY),
        ("KAFKA_BOOTSTRAP_SERVERS", &brokers),
        ("KAFKA_TOPIC", EVENTS),
        ("KAFKA_DEAD_LETTER_TOPIC", DEAD_LETTERS),
        ("KAFKA_PROFILES_TOPIC", PROFILES),
        // The in-process cluster does not support CreateTopics requests.
        ("KAFKA_CREATE_TOPICS", "false"),
        ("SHUTDOWN_DELAY_SECS", "0"),
    ];
    let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let spool = (OsString::from("SPOOL_DIR"), spool.0.clone().into_os_string());
    config::load(variables.into_iter().chain([spool])).map(|loaded| loaded.config).map_err(Failure::failed)
}

/// The path of a folder that is removed when this is dropped.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Chooses the path. The spool creates the folder.
    fn new() -> Self {
        Self(env::temp_dir().join(format!("trusthub-bridge-dev-{}", process::id())))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // An error leaves files only in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
