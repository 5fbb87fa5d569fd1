//! Wires the modules of the service together, and starts and stops them in order.
//!
//! Order matters twice. At start, the sink, the spool and the pipeline exist before the public port is served. A stop releases
//! them in the opposite order, see [`Service::stop`] and [`shutdown`](crate::shutdown).
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | open the spool, read the event time, create the Kafka client | the caller of [`Service::start`], before anything is served | none | none; the spool logs that it is still being opened |
//! | close the spool | `spool-close` | none | the rest of `SHUTDOWN_TIMEOUT_SECS`; then the stop continues without it |
//! | poll and read the credential files | `key-files` | see `reload` | only the next poll waits |

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

use durable_spool::{OpenError, Spool, SpoolLimits};
use thiserror::Error;
use tokio::{
    runtime::{Builder, Handle},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use twilio_signature::{EmptyKey, Keyring, Verifier};

use crate::{
    admin::{self, AdminState},
    blocking,
    config::{self, Config, KafkaConfig, LoadedConfig, ShutdownConfig, TwilioConfig},
    deliver::{Deliver, FailoverController},
    domain::{AccountSid, SignatureMode},
    kafka::{self, KafkaSink, Sink, Topics},
    liveness::Liveness,
    pipeline::{EventClock, Pipeline, PipelineConfig},
    receive::{self, CallbackHandler},
    shutdown::ShutdownFlag,
    spool::{APPEND_TIMEOUT, SpoolReporter},
    telemetry::{Metrics, Operations},
};
pub use fd_limit::fit_descriptors;
pub use reconcile::{ReconcileError, reconcile, set_callbacks};
use reload::CredentialReloader;
use running::{BackgroundTask, RunningServer};
pub use spool_commands::{DrainError, drain, open_idle_spool};

/// Reads the configuration, and lets librdkafka check the properties that only it knows.
///
/// # Errors
/// [`Problems`](config::Problems) lists all problems at once.
pub fn load(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<LoadedConfig, config::Problems> {
    let loaded = config::load(variables)?;
    kafka::check_properties(&loaded.config.kafka)
        .map_err(|problem| config::Problems::one("KAFKA_PROPERTIES", problem))?;
    Ok(loaded)
}

/// Runs `work` to completion on a new runtime. The service finishes accepted callbacks on this runtime, and reads requests on
/// threads of its own.
///
/// The runtime's pool of blocking threads is small, because callbacks, probes and the reload of keys do not depend on it: they
/// make blocking calls on threads of their own (`blocking::run`). Only the HTTP client of the reconciliation uses the pool, for
/// name lookups.
///
/// # Errors
/// An I/O error if the system cannot create the threads.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(4).enable_all().build()?;
    let result = runtime.block_on(work);
    // A call to Kafka may still be running. Its result is not needed any more.
    runtime.shutdown_background();
    Ok(result)
}

/// The listening sockets of the service. Tests and `dev` create their own.
pub struct Ports {
    /// The public port.
    pub public: TcpListener,
    /// The admin port.
    pub admin: TcpListener,
}

impl Ports {
    /// Listens on the configured addresses.
    ///
    /// # Errors
    /// [`StartError::Listen`], which names the variable of the address.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Self { public: listen("HTTP_BIND", config.http.bind)?, admin: listen("ADMIN_BIND", config.admin.bind)? })
    }
}

fn listen(variable: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    /// The number of connections that may wait to be accepted. The standard library uses 128, which a burst exceeds.
    const BACKLOG: i32 = 1024;
    let listener = TcpListener::bind(address);
    let listener =
        listener.and_then(|listener| rustix::net::listen(&listener, BACKLOG).map(|()| listener).map_err(Into::into));
    listener.map_err(|error| StartError::Listen { variable, address, error })
}

/// Why the service could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The service cannot listen on an address.
    #[error("{variable}: cannot listen on {address}: {error}; choose another address or port")]
    Listen {
        /// The variable that sets the address.
        variable: &'static str,
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        error: io::Error,
    },
    /// The runtime or a server could not be created.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
    /// librdkafka does not accept the configuration.
    #[error("Kafka client: {0}; see the KAFKA_ variables")]
    Kafka(String),
    /// A signing key is empty.
    #[error("TWILIO_AUTH_TOKEN: {0}")]
    Key(#[from] EmptyKey),
    /// The spool cannot be opened.
    #[error("SPOOL_DIR: {0}")]
    Spool(#[from] OpenError),
    /// The folder of the spool does not exist.
    #[error("SPOOL_DIR: {} is not a folder; write the path of the service's spool folder", .0.display())]
    NoSpool(PathBuf),
    /// The client for Trust Hub cannot be created.
    #[error(transparent)]
    TrustHub(#[from] config::Problems),
    /// The metrics contradict each other.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// The running service.
pub struct Service {
    public: RunningServer,
    admin: RunningServer,
    pipeline: Arc<Pipeline>,
    sink: Arc<KafkaSink>,
    spool: Spool,
    shutdown_flag: ShutdownFlag,
    failover: BackgroundTask,
    event_time_writer: BackgroundTask,
    kafka_probe: BackgroundTask,
    credential_reloader: BackgroundTask,
    reload_request: Arc<Notify>,
    reconciliation: Option<BackgroundTask>,
    slow_operations: BackgroundTask,
    shutdown: ShutdownConfig,
}

impl Service {
    /// Starts the service. Does not wait for Kafka, so it also starts while Kafka is unreachable. Needs a multi-threaded Tokio
    /// runtime.
    ///
    /// # Errors
    /// [`StartError`] when a part of the service cannot be created.
    pub fn start(config: Config, ports: Ports) -> Result<Self, StartError> {
        let metrics = metrics(&config.kafka)?;
        let sink = open_sink(&config.kafka, &metrics)?;
        let keyring = keyring(&config.twilio)?;
        let spool = open_spool(&config.spool, &metrics)?;
        let (deliver, failover) = deliver(&sink, &spool, &metrics, &config.kafka);
        let verifier = Verifier::new(config.public_urls.clone(), keyring);
        let reloader = CredentialReloader::new(&config, verifier.keyring(), Arc::clone(&metrics));
        let pipeline_config = PipelineConfig {
            signature_mode: config.callbacks.signature_mode,
            dedup_window: config.callbacks.dedup_window,
            callbacks_in_progress: config.http.max_in_flight,
        };
        warn_if_report_only(pipeline_config.signature_mode);
        let (clock, event_time_writer) =
            EventClock::open(&config.spool.folder, SystemTime::now().into(), Arc::clone(&metrics));
        let pipeline =
            Pipeline::new(pipeline_config, verifier, deliver, clock, Arc::clone(&metrics), Handle::current());
        let pipeline = Arc::new(pipeline);
        let shutdown_flag = ShutdownFlag::default();
        let schedule = reconcile::schedule(&config, reloader.accounts(), &pipeline, &metrics, (&sink, &spool))?;

        let liveness = Liveness::default();
        let slow_operations = BackgroundTask::start(&liveness, "the slow-operation reporter", {
            let operations = Arc::clone(&metrics.operations);
            |stop| report_slow_operations(operations, stop)
        });
        let admin = serve_admin(ports.admin, metrics, (&sink, &spool), &shutdown_flag, liveness.clone())?;
        let handler =
            CallbackHandler::new(Arc::clone(&pipeline), &config.public_urls, &config.http, shutdown_flag.clone());
        let public = RunningServer::start(ports.public, |listener| {
            receive::server(listener, &config.http, config.shutdown.timeout, handler, liveness.clone())
        })?;
        let probed = Arc::clone(&sink);
        let kafka_probe = BackgroundTask::start(&liveness, "the Kafka probe", |stop| {
            kafka::monitor_topics(probed, config.kafka, stop)
        });
        let failover = BackgroundTask::start(&liveness, "the failover controller", |stop| failover.run(stop));
        let reload_request = reloader.request();
        let credential_reloader = BackgroundTask::start(&liveness, "the credential reloader", |stop| async move {
            stop.run_until_cancelled(reloader.run()).await;
        });
        let event_time_writer =
            BackgroundTask::start(&liveness, "the event-time writer", |stop| event_time_writer.run(stop));
        let reconciliation = schedule.map(|schedule| {
            BackgroundTask::start(&liveness, "reconciliation", |stop| async move {
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
            shutdown_flag,
            failover,
            event_time_writer,
            kafka_probe,
            credential_reloader,
            reload_request,
            reconciliation,
            slow_operations,
            shutdown: config.shutdown,
        })
    }

    /// The address of the public port.
    #[must_use]
    pub fn public_address(&self) -> SocketAddr {
        self.public.address
    }

    /// The address of the admin port.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// Reloads the files of tokens and accounts immediately, changed or not.
    pub fn reload_keys(&self) {
        self.reload_request.notify_one();
    }

    /// Stops the service in an order that loses no callback, see [`shutdown`](crate::shutdown). Each step may take the time
    /// that the steps before it left of `SHUTDOWN_TIMEOUT_SECS`, and the stop continues without a step that takes longer.
    pub async fn stop(self) {
        self.shutdown_flag.begin();
        // Another replica, or the next start, continues the reconciliation. An event that it has submitted is finished with
        // the callbacks.
        if let Some(reconciliation) = &self.reconciliation {
            reconciliation.cancel();
        }
        tokio::time::sleep(self.shutdown.delay).await;
        let deadline = Instant::now() + self.shutdown.timeout;
        let remaining = || deadline.saturating_duration_since(Instant::now());
        let stop_waiting = stop_waiting_before_timeout(Arc::clone(&self.pipeline), self.shutdown.timeout);
        self.public.stop(remaining()).await;
        self.pipeline.drain(remaining()).await;
        stop_waiting.abort();
        let tasks = [self.credential_reloader, self.failover, self.kafka_probe];
        for task in self.reconciliation.into_iter().chain(tasks) {
            task.stop(remaining()).await;
        }
        drop(self.pipeline);
        self.event_time_writer.stop(remaining()).await;
        close(self.sink, self.spool, remaining()).await;
        self.slow_operations.stop(remaining()).await;
        self.admin.stop(Duration::ZERO).await;
        tracing::info!("stopped");
    }
}

fn warn_if_report_only(mode: SignatureMode) {
    match mode {
        SignatureMode::Enforce => {}
        SignatureMode::ReportOnly => tracing::warn!(
            "SIGNATURE_MODE=report-only: callbacks whose signature does not match are answered 204 and kept as dead \
             letters; set it to enforce as soon as genuine callbacks match"
        ),
    }
}

/// Starts a task that spools the records that Kafka has not acknowledged, one second before `timeout` has passed, so that their
/// callbacks are still answered.
fn stop_waiting_before_timeout(pipeline: Arc<Pipeline>, timeout: Duration) -> JoinHandle<()> {
    /// Enough to write to the disk and to send the responses.
    const RESPONSE_TIME: Duration = Duration::from_secs(1);
    tokio::spawn(async move {
        tokio::time::sleep(timeout.saturating_sub(RESPONSE_TIME)).await;
        pipeline.stop_waiting();
    })
}

/// Reports once a second which blocking calls have become slow.
async fn report_slow_operations(operations: Arc<Operations>, stop: CancellationToken) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    while stop.run_until_cancelled(seconds.tick()).await.is_some() {
        operations.report(Instant::now());
    }
}

fn metrics(kafka: &KafkaConfig) -> Result<Arc<Metrics>, StartError> {
    let topics = Topics::of(kafka);
    let metrics = Metrics::new(|destination| topics.name(destination).to_owned());
    metrics.map(Arc::new).map_err(|error| StartError::Metrics(error.to_string()))
}

fn open_sink(kafka: &KafkaConfig, metrics: &Arc<Metrics>) -> Result<Arc<KafkaSink>, StartError> {
    let sink = KafkaSink::new(kafka, Arc::clone(metrics));
    sink.map(Arc::new).map_err(|error| StartError::Kafka(error.to_string()))
}

/// Closes the producer and the spool at the same time, within `timeout`.
async fn close(sink: Arc<KafkaSink>, spool: Spool, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    let spool_closed = blocking::run("spool-close", move || spool.close_within(timeout));
    sink.close(deadline).await;
    match tokio::time::timeout_at(deadline.into(), spool_closed).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the spool could not be closed"),
        Err(_late) => tracing::warn!("the spool could not be closed in time; the next start checks it"),
    }
}

/// Opens the spool to drain it. Parked records are put back into the queue, so that they are tried once more.
fn open_spool(spool: &config::SpoolConfig, metrics: &Arc<Metrics>) -> Result<Spool, StartError> {
    Ok(Spool::open_and_unpark(&spool.folder, limits(spool), SpoolReporter::new(Arc::clone(metrics)))?)
}

fn limits(spool: &config::SpoolConfig) -> SpoolLimits {
    SpoolLimits { max_bytes: spool.max_bytes, min_free_bytes: spool.min_free_bytes, append_timeout: APPEND_TIMEOUT }
}

fn deliver(
    sink: &Arc<KafkaSink>,
    spool: &Spool,
    metrics: &Arc<Metrics>,
    kafka: &KafkaConfig,
) -> (Deliver, FailoverController) {
    let sink = Arc::clone(sink) as Arc<dyn Sink>;
    Deliver::new(sink, spool.clone(), Arc::clone(metrics), kafka.ack_timeout)
}

fn serve_admin(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    (sink, spool): (&Arc<KafkaSink>, &Spool),
    shutdown_flag: &ShutdownFlag,
    liveness: Liveness,
) -> io::Result<RunningServer> {
    let (health, spool, shutdown_flag) = (Arc::clone(sink.health()), spool.clone(), shutdown_flag.clone());
    let ready = Arc::new(move || (spool.has_space() || health.is_up()) && !shutdown_flag.has_begun());
    RunningServer::start(listener, |listener| admin::server(listener, AdminState { metrics, ready, liveness }))
}

/// The configured keys: those of the listed accounts, or else those of one account or of any account.
fn keyring(twilio: &TwilioConfig) -> Result<Keyring, EmptyKey> {
    match twilio.listed_accounts() {
        Some(accounts) => Keyring::of_accounts(accounts.map(|(sid, tokens)| (sid.as_str(), tokens))),
        None => Keyring::new(twilio.account_sid.as_ref().map(AccountSid::as_str), &twilio.auth_tokens),
    }
}
