//! Everything that `dev` runs.

use std::{
    ffi::OsString,
    future::Future,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};
use trusthub_simulator::{self as simulator, EmbeddedKafka, SignerList, Simulator, SimulatorAccount};
use twilio_signature::SharedKey;

use super::{
    super::{output::Failure, serve, variables::Variables},
    arguments::Arguments,
    folder::TemporaryFolder,
    ports::{DevPorts, value},
    scenario::ACCOUNT,
};
use crate::{
    app::{Ports, Service},
    config::{self, ReconcileCommandConfig},
    domain::AccountSid,
    kafka::{ConsumedRecord, TopicTail},
    shutdown::StopSignals,
    telemetry::{LoggedRequest, init_logging_with_outcomes},
};

/// The log on stderr. What these modules say about an outage of Kafka, `dev` shows itself.
const LOG_FILTER: &str = "error,trusthub_bridge::deliver=off,trusthub_bridge::kafka=off,trusthub_bridge::projector=off";

/// The auth token of the simulated account. It is not a secret.
pub(super) const TOKEN: &str = "dev-auth-token";

/// The SharedKey of the simulated account, as in `TWILIO_SHARED_KEYS`. It is not a secret either.
const SHARED_KEY: &str = "webhooks_sharedkey_dev=dev-shared-key";

pub(super) const EVENTS: &str = "trusthub.profile-status-changed";
pub(super) const DEAD_LETTERS: &str = "trusthub.callbacks-unprocessable";
pub(super) const PROFILES: &str = "trusthub.profiles";
const PARTITIONS: i32 = 3;

/// How long `dev --once` waits for each event and each answer before it fails.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// The pause after Kafka reported an error to a consumer, as while it is stopped.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// The service with the simulator and Kafka, except the HTTP server of the simulator.
pub(super) struct DevEnvironment {
    pub(super) service: Service,
    pub(super) topic_tail: TopicTail,
    pub(super) simulator: Arc<Simulator>,
    pub(super) account: AccountSid,
    pub(super) urls: DevUrls,
    /// What `reconcile` needs.
    pub(super) reconcile: ReconcileCommandConfig,
    /// The file with the settings of the other commands.
    pub(super) settings: PathBuf,
    requests: broadcast::Receiver<LoggedRequest>,
    _folder: TemporaryFolder,
    /// The last field, because it must be dropped after its clients.
    pub(super) kafka: EmbeddedKafka,
}

/// The addresses of the parts.
pub(super) struct DevUrls {
    pub(super) callbacks: String,
    pub(super) trust_hub: String,
    pub(super) admin: SocketAddr,
    /// The console, which is not served for `--once`.
    pub(super) console: Option<String>,
}

impl DevEnvironment {
    /// Starts everything. Returns the HTTP server of the simulator separately; it runs while it is awaited.
    pub(super) async fn start(
        arguments: &Arguments,
        variables: &Variables,
    ) -> Result<(Self, simulator::Server), Failure> {
        let filter = value(variables, "RUST_LOG").unwrap_or(LOG_FILTER);
        let requests = init_logging_with_outcomes(None, filter).map_err(Failure::failed)?;
        let DevPorts { public, admin, console, simulator: api, kafka } = DevPorts::bind(variables, arguments.once)?;
        let (base, trust_hub) = (url(&public)?, url(&api)?);
        let kafka = EmbeddedKafka::start(&[EVENTS, DEAD_LETTERS, PROFILES], PARTITIONS, kafka);
        let kafka = kafka.map_err(Failure::failed)?;
        let folder = TemporaryFolder::create().map_err(Failure::failed)?;
        let (brokers, spool) = (kafka.bootstrap_servers(), folder.spool().display().to_string());
        let console_url = console.as_ref().map(url).transpose()?;
        let admin_address = admin.local_addr().map_err(Failure::failed)?;
        let service = service_settings(&base, &brokers, &spool);
        let commands = command_settings(&service, &trust_hub, &admin_address.to_string());
        let settings = folder.write_settings(&borrowed(&commands)).map_err(Failure::failed)?;
        let config = config::load(owned(&service)).map_err(Failure::failed)?.config;
        let reconcile = config::load_reconcile(owned(&commands)).map_err(Failure::failed)?;
        let account = AccountSid::parse(ACCOUNT).map_err(Failure::failed)?;
        let simulator = Arc::new(create_simulator(&account, arguments.signed_by.clone())?);
        simulator.control_kafka(kafka.control());
        let server = simulator::server(api, Arc::clone(&simulator), arguments.allowed_hosts.clone());
        let server = server.map_err(Failure::failed)?;
        let environment = Self {
            topic_tail: TopicTail::open(&config.kafka, &[EVENTS, DEAD_LETTERS]).await.map_err(Failure::failed)?,
            service: Service::start(config, Ports { public, admin, console }).map_err(Failure::failed)?,
            simulator,
            account,
            urls: DevUrls {
                callbacks: format!("{base}/callbacks/customer-profiles"),
                trust_hub,
                admin: admin_address,
                console: console_url,
            },
            reconcile,
            settings,
            requests,
            _folder: folder,
            kafka,
        };
        Ok((environment, server))
    }

    /// Stops everything.
    pub(super) async fn stop(self, signals: &mut StopSignals) -> Result<(), Failure> {
        // The consumer can only be closed in time while Kafka answers.
        let _ = self.kafka.control().set_up(true).await;
        let stopped = serve::stop(self.service, signals).await;
        self.topic_tail.close().await;
        stopped
    }

    /// Subscribes to what the bridge says about requests from now on.
    pub(super) fn subscribe_to_requests(&self) -> broadcast::Receiver<LoggedRequest> {
        self.requests.resubscribe()
    }

    /// Waits for the next event or dead letter, also while Kafka does not answer.
    pub(super) async fn next_record(&self) -> ConsumedRecord {
        next_of(&self.topic_tail).await
    }

    /// The same for a step of the scenario, without repeats: a slow machine may need the spool, and a record may then arrive twice
    /// with one id. `known` has the ids so far. Returns the record with its id.
    pub(super) async fn next_new_record(&self, known: &[String]) -> Result<(String, ConsumedRecord), Failure> {
        loop {
            let record = in_time("event", self.next_record()).await?;
            let id = record.headers.get("ce_id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
            if !known.contains(&id) {
                return Ok((id, record));
            }
        }
    }
}

/// Waits for the next record of these topics, also while Kafka does not answer.
pub(super) async fn next_of(tail: &TopicTail) -> ConsumedRecord {
    loop {
        match tail.next().await {
            Ok(record) => return record,
            Err(_) => sleep(ERROR_PAUSE).await,
        }
    }
}

/// Waits for the result, but not longer than a step of the scenario may take.
pub(super) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    let seconds = STEP_TIMEOUT.as_secs();
    timeout(STEP_TIMEOUT, work).await.map_err(|_| Failure::failed(format!("no {what} arrived within {seconds} s")))
}

fn url(listener: &TcpListener) -> Result<String, Failure> {
    listener.local_addr().map(|address| format!("http://{address}")).map_err(Failure::failed)
}

/// Creates a simulator of one account, whose callbacks these keys sign.
fn create_simulator(account: &AccountSid, signers: SignerList) -> Result<Simulator, Failure> {
    let shared_key = SharedKey::parse(SHARED_KEY).map_err(Failure::failed)?;
    let owner =
        SimulatorAccount { sid: *account, tokens: vec![TOKEN.into()], api_key: None, shared_keys: vec![shared_key] };
    let simulator = Simulator::new(vec![owner], None, None).map_err(Failure::failed)?;
    let set = simulator.sender().set_account_signers(account, signers);
    set.map_err(|problem| Failure::usage(format!("--signed-by: {problem}")))?;
    Ok(simulator)
}

/// Variables with their values.
type Settings = Vec<(&'static str, String)>;

/// The variables that `serve` would need to run with the embedded Kafka.
fn service_settings(base: &str, brokers: &str, spool: &str) -> Settings {
    let settings = [
        ("PUBLIC_URL", base),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_SHARED_KEYS", SHARED_KEY),
        ("KAFKA_BOOTSTRAP_SERVERS", brokers),
        ("KAFKA_TOPIC", EVENTS),
        ("KAFKA_DEAD_LETTER_TOPIC", DEAD_LETTERS),
        ("KAFKA_PROFILES_TOPIC", PROFILES),
        // The in-process cluster does not support CreateTopics requests.
        ("KAFKA_CREATE_TOPICS", "false"),
        // A person who has stopped Kafka is waiting, but a busy machine is slow.
        ("KAFKA_ACK_TIMEOUT_MS", "3000"),
        ("SPOOL_DIR", spool),
        ("SHUTDOWN_DELAY_SECS", "0"),
    ];
    settings.map(|(name, value)| (name, value.to_owned())).into()
}

/// The variables of the commands that work beside it.
fn command_settings(service: &Settings, trust_hub: &str, admin: &str) -> Settings {
    let others = [
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TRUSTHUB_BASE_URL", trust_hub),
        // Callbacks of the simulator arrive at once, or never.
        ("RECONCILE_GRACE_SECS", "0"),
        ("ADMIN_BIND", admin),
    ];
    service.iter().cloned().chain(others.map(|(name, value)| (name, value.to_owned()))).collect()
}

fn borrowed(settings: &Settings) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn owned(settings: &Settings) -> impl Iterator<Item = (OsString, OsString)> + use<'_> {
    settings.iter().map(|(name, value)| (name.into(), value.into()))
}
