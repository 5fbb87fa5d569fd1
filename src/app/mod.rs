//! Wiring: the only place that knows every room.

mod fd_limit;
mod reconcile;
mod reload;
mod running;
mod spool_commands;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use thiserror::Error;
use tokio::{
    runtime::{Builder, Handle},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Admin},
    blocking,
    config::{self, Config, Kafka, Loaded, Shutdown, Twilio},
    deliver::{Deliver, FailoverController},
    domain::SignatureMode,
    kafka::{self, KafkaSink, Sink, Topics},
    liveness::Liveness,
    pipeline::{EventClock, Pipeline, PipelineConfig},
    receive::{self, CallbackHandler},
    shutdown::Stopping,
    spool::{Limits, OpenError, Spool},
    telemetry::{Metrics, Operations},
    verify::{EmptyKey, Keyring, Verifier},
};
pub use fd_limit::fit_descriptors;
pub use reconcile::{ReconcileError, reconcile, set_callbacks};
use reload::Reload;
use running::{Background, Running};
pub use spool_commands::{DrainError, drain, open_idle_spool};

/// Reads the configuration, and asks librdkafka about the part of it that only librdkafka understands.
///
/// # Errors
/// [`Problems`](config::Problems): every problem at once.
pub fn load(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Loaded, config::Problems> {
    let loaded = config::load(variables)?;
    kafka::check_properties(&loaded.config.kafka)
        .map_err(|problem| config::Problems::one("KAFKA_PROPERTIES", problem))?;
    Ok(loaded)
}

/// Runs to its end on the runtime on which accepted callbacks are brought to their outcome. Reading requests has its
/// own threads.
///
/// Its pool of blocking threads is small, because no callback, no probe and no key may depend on it: those make blocking
/// calls on threads of their own (`blocking::run`). It is left to reconciliation, whose HTTP client looks names up there.
///
/// # Errors
/// When the system gives no threads.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()?;
    let result = runtime.block_on(work);
    // A question to Kafka may still be under way, and nobody needs its answer.
    runtime.shutdown_background();
    Ok(result)
}

/// Where the service listens; a test or `dev` brings its own.
pub struct Ports {
    /// The public port.
    pub public: TcpListener,
    /// The admin port.
    pub admin: TcpListener,
}

impl Ports {
    /// Listens where the configuration says.
    ///
    /// # Errors
    /// [`StartError::Listen`], which names the variable.
    pub fn of(config: &Config) -> Result<Self, StartError> {
        Ok(Self { public: listen("HTTP_BIND", config.http.bind)?, admin: listen("ADMIN_BIND", config.admin.bind)? })
    }
}

fn listen(variable: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    /// Callers who have not been accepted yet; the library's own number is 128, which a burst exceeds.
    const BACKLOG: i32 = 1024;
    let listener = TcpListener::bind(address);
    let listener =
        listener.and_then(|listener| rustix::net::listen(&listener, BACKLOG).map(|()| listener).map_err(Into::into));
    listener.map_err(|error| StartError::Listen { variable, address, error })
}

/// Why the service could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port cannot be listened on.
    #[error("{variable}: cannot listen on {address}: {error}; choose another address or port")]
    Listen {
        /// The variable to change.
        variable: &'static str,
        /// What it says.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The runtime or a server could not be made.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// librdkafka does not accept the configuration.
    #[error("Kafka client: {0}; see the KAFKA_ variables")]
    Kafka(String),
    /// No key.
    #[error("TWILIO_AUTH_TOKEN: {0}")]
    Key(#[from] EmptyKey),
    /// The spool cannot be used.
    #[error("SPOOL_DIR: {0}")]
    Spool(#[from] OpenError),
    /// There is no spool to look into.
    #[error("SPOOL_DIR: {} is not a folder; name the spool folder of the service", .0.display())]
    NoSpool(PathBuf),
    /// Trust Hub cannot be asked.
    #[error(transparent)]
    TrustHub(#[from] config::Problems),
    /// Metrics that exclude each other.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// The running service.
pub struct Service {
    public: Running,
    admin: Running,
    pipeline: Arc<Pipeline>,
    sink: Arc<KafkaSink>,
    spool: Spool,
    stopping: Stopping,
    failover: Background,
    event_time: Background,
    kafka_watch: Background,
    key_watch: Background,
    key_reload: Arc<Notify>,
    reconciliation: Option<Background>,
    slow_operations: Background,
    shutdown: Shutdown,
}

impl Service {
    /// Starts everything. Returns at once, also when Kafka is away. Needs a multi-threaded Tokio runtime.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(config: Config, ports: Ports) -> Result<Self, StartError> {
        let metrics = metrics(&config.kafka)?;
        let sink = open_sink(&config.kafka, &metrics)?;
        let keyring = keyring(&config.twilio)?;
        let spool = open_spool(&config.spool, &metrics)?;
        let (deliver, failover) = deliver(&sink, &spool, &metrics, &config.kafka);
        let verifier = Verifier::new(config.public_urls.clone(), keyring);
        let reload = Reload::new(&config, verifier.keyring(), Arc::clone(&metrics));
        let rules = PipelineConfig {
            signature_mode: config.callbacks.signature_mode,
            dedup_window: config.callbacks.dedup_window,
            callbacks_in_progress: config.http.max_connections,
        };
        warn_of(rules.signature_mode);
        let (clock, event_time) =
            EventClock::open(&config.spool.folder, SystemTime::now().into(), Arc::clone(&metrics));
        let pipeline = Pipeline::new(rules, verifier, deliver, clock, Arc::clone(&metrics), Handle::current());
        let pipeline = Arc::new(pipeline);
        let stopping = Stopping::default();
        let schedule = reconcile::schedule(&config, reload.accounts(), &pipeline, &metrics, (&sink, &spool))?;

        let liveness = Liveness::default();
        let slow_operations = Background::start(&liveness, "the watch on slow operations", {
            let operations = Arc::clone(&metrics.operations);
            |stop| report_slow_operations(operations, stop)
        });
        let admin = serve_admin(ports.admin, metrics, (&sink, &spool), &stopping, liveness.clone())?;
        let edge = CallbackHandler::new(Arc::clone(&pipeline), &config.public_urls, &config.http, stopping.clone());
        let public = Running::start(ports.public, |listener| {
            receive::server(listener, &config.http, config.shutdown.timeout, edge, liveness.clone())
        })?;
        let watched = Arc::clone(&sink);
        let kafka_watch =
            Background::start(&liveness, "the probe of Kafka", |stop| kafka::watch(watched, config.kafka, stop));
        let failover = Background::start(&liveness, "the failover controller", |stop| failover.run(stop));
        let key_reload = reload.request();
        let key_watch = Background::start(&liveness, "the watch on the keys", |stop| async move {
            stop.run_until_cancelled(reload.run()).await;
        });
        let event_time = Background::start(&liveness, "the record of the event time", |stop| event_time.run(stop));
        let reconciliation = schedule.map(|schedule| {
            Background::start(&liveness, "reconciliation", |stop| async move {
                stop.run_until_cancelled(schedule.run()).await;
            })
        });
        tracing::info!(public = %public.address, admin = %admin.address, "listening");
        Ok(Self {
            public,
            admin,
            pipeline,
            sink,
            spool,
            stopping,
            failover,
            event_time,
            kafka_watch,
            key_watch,
            key_reload,
            reconciliation,
            slow_operations,
            shutdown: config.shutdown,
        })
    }

    /// Where callbacks arrive.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    /// Where probes and metrics are.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// Reads the files of tokens and accounts again at once, changed or not.
    pub fn reload_keys(&self) {
        self.key_reload.notify_one();
    }

    /// Stops in the order that loses nothing; see [`shutdown`](crate::shutdown). Each step has what those before it
    /// left of the time to stop, so that no step can keep the others from their turn.
    pub async fn stop(self) {
        self.stopping.begin();
        // Another replica continues it, or the next start. The event that it has handed over is finished with the callbacks.
        if let Some(reconciliation) = &self.reconciliation {
            reconciliation.cancel();
        }
        tokio::time::sleep(self.shutdown.delay).await;
        let deadline = Instant::now() + self.shutdown.timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let last_call = last_call(Arc::clone(&self.pipeline), self.shutdown.timeout);
        self.public.stop(left()).await;
        self.pipeline.drain(left()).await;
        last_call.abort();
        for background in self.reconciliation.into_iter().chain([self.key_watch, self.failover, self.kafka_watch]) {
            background.stop(left()).await;
        }
        drop(self.pipeline);
        self.event_time.stop(left()).await;
        close(self.sink, self.spool, left()).await;
        self.slow_operations.stop(left()).await;
        self.admin.stop(Duration::ZERO).await;
        tracing::info!("stopped");
    }
}

fn warn_of(mode: SignatureMode) {
    match mode {
        SignatureMode::Enforce => {}
        SignatureMode::ReportOnly => tracing::warn!(
            "SIGNATURE_MODE=report-only: callbacks whose signature does not match are answered 204 and kept as dead \
             letters; set it to enforce as soon as genuine callbacks match"
        ),
    }
}

/// Spools what Kafka has not acknowledged shortly before the time to stop is over, so that it is answered yet.
fn last_call(pipeline: Arc<Pipeline>, timeout: Duration) -> JoinHandle<()> {
    /// Enough to write to the disk, and then the answers.
    const TO_ANSWER: Duration = Duration::from_secs(1);
    tokio::spawn(async move {
        tokio::time::sleep(timeout.saturating_sub(TO_ANSWER)).await;
        pipeline.stop_waiting();
    })
}

/// Says every second which calls out of the process have become slow.
async fn report_slow_operations(operations: Arc<Operations>, stop: CancellationToken) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    while stop.run_until_cancelled(seconds.tick()).await.is_some() {
        operations.report(Instant::now());
    }
}

fn metrics(kafka: &Kafka) -> Result<Arc<Metrics>, StartError> {
    let topics = Topics::of(kafka);
    let metrics = Metrics::new(|destination| topics.name(destination).to_owned());
    metrics.map(Arc::new).map_err(|error| StartError::Metrics(error.to_string()))
}

fn open_sink(kafka: &Kafka, metrics: &Arc<Metrics>) -> Result<Arc<KafkaSink>, StartError> {
    let sink = KafkaSink::new(kafka, Arc::clone(metrics));
    sink.map(Arc::new).map_err(|error| StartError::Kafka(error.to_string()))
}

/// Closes the producer and the spool at the same time, for as long as `patience` at most.
async fn close(sink: Arc<KafkaSink>, spool: Spool, patience: Duration) {
    let deadline = Instant::now() + patience;
    let spool_closed = blocking::run("spool-close", move || spool.close_within(patience));
    sink.close(deadline).await;
    match tokio::time::timeout_at(deadline.into(), spool_closed).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the spool could not be closed"),
        Err(_late) => tracing::warn!("the spool could not be closed in time; the next start checks it"),
    }
}

/// The spool, to be emptied: what was set aside before is tried once more.
fn open_spool(spool: &config::Spool, metrics: &Arc<Metrics>) -> Result<Spool, StartError> {
    Ok(Spool::open_and_unpark(&spool.folder, limits(spool), Arc::clone(metrics))?)
}

fn limits(spool: &config::Spool) -> Limits {
    Limits { max_bytes: spool.max_bytes, min_free_bytes: spool.min_free_bytes }
}

fn deliver(
    sink: &Arc<KafkaSink>,
    spool: &Spool,
    metrics: &Arc<Metrics>,
    kafka: &Kafka,
) -> (Deliver, FailoverController) {
    let sink = Arc::clone(sink) as Arc<dyn Sink>;
    Deliver::new(sink, spool.clone(), Arc::clone(metrics), kafka.ack_timeout)
}

fn serve_admin(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    (sink, spool): (&Arc<KafkaSink>, &Spool),
    stopping: &Stopping,
    liveness: Liveness,
) -> io::Result<Running> {
    let (health, spool, stopping) = (Arc::clone(sink.health()), spool.clone(), stopping.clone());
    let ready = Arc::new(move || (spool.has_room() || health.is_up()) && !stopping.has_begun());
    Running::start(listener, |listener| admin::server(listener, Admin { metrics, ready, liveness }))
}

/// The keys that the configuration gives: to those that it lists, or else to one account or to any.
fn keyring(twilio: &Twilio) -> Result<Keyring, EmptyKey> {
    match twilio.listed_accounts() {
        Some(accounts) => Keyring::of_accounts(accounts),
        None => Keyring::new(twilio.account_sid.clone(), &twilio.auth_tokens),
    }
}
