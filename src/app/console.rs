//! The running console, and what it shows of the other modules, read from memory.
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | look at the password file and read it | `password-file`, one for each poll | none | none: only the next poll waits for it |

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use durable_spool::Spool;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use twilio_signature::Verifier;

use super::{
    metrics::ServiceMetrics,
    parts::keyring,
    reload::{KeysInUse, POLL_INTERVAL},
    running::{BackgroundTask, RunningServer},
};
use crate::{
    blocking,
    config::{Config, ConsoleConfig, ExplainConfig},
    console::{
        self, Console, ConsoleSources, ExpiringCount, ExplainRequest, KafkaOverview, KeysOverview, ProfilesOverview,
        ReconciliationOverview, RecordSources, ServiceOverview, SpoolOverview, StatusCount,
    },
    domain::{DataSchema, Label as _, PublishFailure, ReconcileResult, Resource, SignatureMode, Timestamp},
    explain::{self, Explainer, NamedKey, SignatureDisplay},
    kafka::{Availability, KafkaSink},
    liveness::Liveness,
    pipeline::{PipelineMetrics, RecentCallbacks},
    profiles::ProfileFollower,
    projector::ProjectorMetrics,
    reconcile::ReconcileMetrics,
    replay::LetterClassifier,
    shutdown::ShutdownFlag,
    telemetry::{IntGauge, Metrics},
};

/// What the overview is read from.
pub(super) struct OverviewSources {
    shared: Arc<Metrics>,
    pipeline: Arc<PipelineMetrics>,
    reconcile: Arc<ReconcileMetrics>,
    /// `None` if the states of profiles are turned off.
    projector: Option<Arc<ProjectorMetrics>>,
    reload_failed: IntGauge,
    keys: watch::Receiver<KeysInUse>,
    kafka: Arc<KafkaSink>,
    spool: Spool,
    signature_mode: SignatureMode,
    shutdown_flag: ShutdownFlag,
    started: Timestamp,
}

impl OverviewSources {
    pub(super) fn new(
        config: &Config,
        metrics: &ServiceMetrics,
        keys: watch::Receiver<KeysInUse>,
        (kafka, spool): (&Arc<KafkaSink>, &Spool),
        shutdown_flag: &ShutdownFlag,
    ) -> Self {
        Self {
            shared: Arc::clone(&metrics.shared),
            pipeline: Arc::clone(&metrics.pipeline),
            reconcile: Arc::clone(&metrics.reconcile),
            projector: config.kafka.profiles_topic.as_ref().map(|_| Arc::clone(&metrics.projector)),
            reload_failed: metrics.accounts_reload_failed.clone(),
            keys,
            kafka: Arc::clone(kafka),
            spool: spool.clone(),
            signature_mode: config.callbacks.signature_mode,
            shutdown_flag: shutdown_flag.clone(),
            started: SystemTime::now().into(),
        }
    }

    fn overview(&self) -> ServiceOverview {
        ServiceOverview {
            at: SystemTime::now().into(),
            is_stopping: self.shutdown_flag.has_begun(),
            kafka: kafka(self.kafka.health().availability()),
            outage: self.outage(),
            spool: self.spool(),
            keys: self.keys(),
            signature_mode: self.signature_mode,
            reconciliation: self.reconciliation(),
            profiles: self.projector.as_deref().map(profiles),
            last_callback: time(&self.pipeline.last_callback),
        }
    }

    /// Without the id of the schema of status changes, the next callback goes to the spool, although no record has failed yet.
    fn outage(&self) -> Option<PublishFailure> {
        let causes = &self.shared.spool.outage;
        let cause = PublishFailure::ALL.iter().copied().find(|reason| causes.of(*reason).get() != 0);
        let can_encode = self.kafka.encoder().can_encode(DataSchema::ProfileStatusChanged);
        cause.or_else(|| (!can_encode).then_some(PublishFailure::NoSchemaId))
    }

    fn spool(&self) -> SpoolOverview {
        let metrics = &self.shared.spool;
        SpoolOverview {
            records: self.spool.queued(),
            bytes: count(&metrics.bytes),
            capacity_bytes: count(&metrics.capacity),
            oldest: metrics.oldest.age(),
            parked: count(&metrics.parked),
            has_space: self.spool.has_space(),
        }
    }

    fn keys(&self) -> KeysOverview {
        let keys = self.keys.borrow();
        KeysOverview {
            auth_tokens: keys.twilio.auth_tokens.len(),
            shared_keys: keys.twilio.shared_keys.len(),
            accounts: keys.twilio.accounts.as_ref().map(|accounts| accounts.list.len()),
            reloaded_at: keys.reloaded_at,
            reload_failed: self.reload_failed.get() != 0,
        }
    }

    fn reconciliation(&self) -> Option<ReconciliationOverview> {
        let metrics = &self.reconcile;
        let interval = Some(count(&metrics.interval)).filter(|seconds| *seconds > 0)?;
        Some(ReconciliationOverview {
            interval: Duration::from_secs(interval),
            started: self.started,
            last_success: time(&metrics.last_success),
            missed: Resource::ALL.iter().map(|resource| metrics.missed.of(*resource).get()).sum(),
            failures: metrics.runs.of(ReconcileResult::Failure).get(),
        })
    }
}

fn kafka(availability: Availability) -> KafkaOverview {
    match availability {
        Availability::Unknown => KafkaOverview::Unknown,
        Availability::Up => KafkaOverview::Up,
        Availability::Down { reason, detail } => {
            KafkaOverview::Down { reason: reason.as_str(), detail: detail.to_string() }
        }
    }
}

fn profiles(metrics: &ProjectorMetrics) -> ProfilesOverview {
    let statuses = metrics.statuses().map(|(resource, status, profiles, oldest)| {
        let (profiles, oldest) = (unsigned(profiles), Duration::from_secs(unsigned(oldest)));
        StatusCount { resource, status, profiles, oldest }
    });
    let expiring = metrics.expiring();
    let expiring =
        expiring.map(|(resource, within, profiles)| ExpiringCount { resource, within, profiles: unsigned(profiles) });
    ProfilesOverview {
        profiles: count(&metrics.owned),
        partitions: count(&metrics.partitions),
        lag: count(&metrics.lag),
        statuses: statuses.filter(|count| count.profiles > 0).collect(),
        expiring: expiring.filter(|count| count.profiles > 0).collect(),
    }
}

fn count(gauge: &IntGauge) -> u64 {
    unsigned(gauge.get())
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// The time of a gauge of seconds since the Unix epoch, in which 0 means never.
fn time(gauge: &IntGauge) -> Option<Timestamp> {
    let seconds = Some(gauge.get()).filter(|seconds| *seconds > 0)?;
    Timestamp::from_unix_millis(seconds.saturating_mul(1_000))
}

/// What the console reads from Kafka. The verifier has the keys that are in use.
pub(super) fn records(config: &Config, follower: Option<&ProfileFollower>, verifier: Verifier) -> RecordSources {
    let classifier = LetterClassifier::new(&config.public_urls, verifier, config.traces.trusts_context);
    RecordSources::new(&config.kafka, follower.map(ProfileFollower::profiles), classifier)
}

/// The running console.
pub(super) struct RunningConsole {
    server: RunningServer,
    /// Reads the password file again when it changes.
    password: Option<BackgroundTask>,
}

impl RunningConsole {
    /// Serves the console.
    ///
    /// # Errors
    /// An I/O error if the listener cannot be used.
    pub(super) fn start(
        listener: TcpListener,
        config: &Config,
        (sources, recent, records): (OverviewSources, Arc<RecentCallbacks>, RecordSources),
        liveness: &Liveness,
    ) -> io::Result<Self> {
        let explain = explain_with(config, sources.keys.clone());
        let sources = ConsoleSources { overview: Box::new(move || sources.overview()), recent, explain, records };
        let console = Console::new(&config.console, sources);
        let shared = Arc::clone(&console);
        let server = RunningServer::start(listener, |listener| console::server(listener, shared, liveness.clone()))?;
        let password = config.console.password_file.as_ref().map(|_| {
            let config = config.console.clone();
            BackgroundTask::start(liveness, "the reloader of the console's password", |stop| async move {
                stop.run_until_cancelled(reload_password(&console, config)).await;
            })
        });
        Ok(Self { server, password })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Stops immediately: event streams never end.
    pub(super) async fn stop_by(self, deadline: Instant) {
        if let Some(password) = self.password {
            password.stop_by(deadline).await;
        }
        self.server.stop_by(Duration::ZERO, deadline).await;
    }
}

/// Reads the password file again each time it has changed and then stayed the same for one interval. Runs until it is dropped.
async fn reload_password(console: &Console, mut config: ConsoleConfig) {
    let mut polls = interval(POLL_INTERVAL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = config.files.clone();
    loop {
        polls.tick().await;
        let (polled, before) = (config.clone(), seen.clone());
        let poll = blocking::run("password-file", move || {
            let files = polled.files.current();
            let is_changed = files != polled.files && files == before;
            (is_changed.then(|| polled.reload()), files)
        });
        let Ok((reloaded, files)) = poll.await else { continue };
        seen = files.clone();
        match reloaded {
            None => {}
            Some(Ok(fresh)) => {
                if let Some(password) = &fresh.password {
                    console.replace_password(password);
                }
                tracing::info!("reloaded the password of the console");
                config = fresh;
            }
            Some(Err(error)) => {
                tracing::error!(%error, "the password of the console is not reloaded; the previous one stays in use");
                config.files = files;
            }
        }
    }
}

/// Explains captured requests with the keys that are configured then.
fn explain_with(config: &Config, keys: watch::Receiver<KeysInUse>) -> Arc<ExplainRequest> {
    let urls = config.public_urls.clone();
    let (max_body_bytes, signature_mode) = (config.http.max_body_bytes, config.callbacks.signature_mode);
    let settings = ExplainConfig { max_body_bytes, signature_mode };
    Arc::new(move |capture| {
        let capture = explain::read_capture(capture, None, None).map_err(|error| error.to_string())?;
        let twilio = keys.borrow().twilio.clone();
        let keys = NamedKey::of_config(&twilio).and_then(|named| Ok((named, keyring(&twilio)?)));
        let explainer = Explainer::new(urls.clone(), keys.map_err(|error| error.to_string())?, settings);
        explainer.explain(&capture, SignatureDisplay::Hidden).map_err(|error| error.to_string())
    })
}
