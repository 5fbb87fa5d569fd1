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

mod console;
mod dead_letters;
mod fd_limit;
mod metrics;
mod parts;
mod profiles;
mod reconcile;
mod registry_password;
mod reload;
mod running;
mod spool_commands;
mod start_error;
mod startup_log;
mod steps;
#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use durable_spool::Spool;
use tokio::{runtime::Builder, sync::Notify, task::JoinHandle};
use tracing::field::display;
use twilio_signature::Verifier;

pub(crate) use crate::projector::RebuildProgress;
use crate::{
    config::{self, Config, LoadedConfig, ShutdownConfig},
    domain::SignatureMode,
    kafka::{self, KafkaSink},
    liveness::Liveness,
    pipeline::{Pipeline, RecentCallbacks},
    profiles::ProfileFollower,
    projector::Projector,
    shutdown::ShutdownFlag,
};
use console::{OverviewSources, RunningConsole};
pub(crate) use dead_letters::{DeadLettersError, letter_classifier, replay_dead_letters, survey_dead_letters};
pub(crate) use fd_limit::fit_descriptors;
pub use metrics::initial_metrics_page;
pub(crate) use parts::keyring;
use parts::{close, deliver, metrics, open_sink, open_spool, tracer};
pub(crate) use profiles::{RebuildError, rebuild_profiles};
pub(crate) use reconcile::{ReconcileError, reconcile, set_callbacks};
use reload::CredentialReloader;
use running::{BackgroundTask, GRACE_PERIOD, RunningServer};
pub(crate) use spool_commands::{drain, open_idle_spool};
pub(crate) use start_error::StartError;
pub(crate) use startup_log::log_start;

/// Reads the configuration, and lets librdkafka check the properties that only it knows.
///
/// # Errors
/// [`Problems`](config::Problems) lists all problems at once.
pub(crate) fn load(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<LoadedConfig, config::Problems> {
    let loaded = config::load(variables)?;
    kafka::check_properties(&loaded.config.kafka)
        .map_err(|problem| config::Problems::one("KAFKA_PROPERTIES", problem))?;
    Ok(loaded)
}

/// Runs `work` to completion on a new runtime. The service finishes accepted callbacks on this runtime, and reads requests on
/// threads of its own.
///
/// The runtime's pool of blocking threads is small, because callbacks, probes and the reload of keys do not depend on it: they
/// make blocking calls on threads of their own (`blocking::run`). Only HTTP clients use the pool, for name lookups, which cannot be
/// cancelled: those of the receiver of traces must leave threads for Trust Hub's and for the schema registry's.
///
/// # Errors
/// An I/O error if the system cannot create the threads.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let runtime = Builder::new_multi_thread().worker_threads(2).max_blocking_threads(16).enable_all().build()?;
    let result = runtime.block_on(work);
    // A call to Kafka may still be running. Its result is not needed any more.
    runtime.shutdown_background();
    Ok(result)
}

/// How long a stop waits until the projection has left its group. If that takes longer, Kafka notices later that its
/// partitions have no owner.
const MAX_PROJECTION_STOP: Duration = Duration::from_secs(5);

/// The listening sockets of the service. Tests and `dev` create their own.
pub(crate) struct Ports {
    /// The public port.
    pub public: TcpListener,
    /// The admin port.
    pub admin: TcpListener,
    /// The port of the console, if there is one.
    pub console: Option<TcpListener>,
}

impl Ports {
    /// Listens on the configured addresses.
    ///
    /// # Errors
    /// [`StartError::Listen`], which names the variable of the address.
    pub(crate) fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            public: listen("HTTP_BIND", config.http.bind)?,
            admin: listen("ADMIN_BIND", config.admin.bind)?,
            console: config.console.bind.map(|bind| listen("CONSOLE_BIND", bind)).transpose()?,
        })
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

/// The running service.
pub(crate) struct Service {
    public: RunningServer,
    admin: RunningServer,
    console: Option<RunningConsole>,
    pipeline: Arc<Pipeline>,
    sink: Arc<KafkaSink>,
    spool: Spool,
    shutdown_flag: ShutdownFlag,
    failover: BackgroundTask,
    event_time_writer: BackgroundTask,
    schema_registry: BackgroundTask,
    kafka_probe: BackgroundTask,
    kafka_renewal: BackgroundTask,
    registry_password: Option<BackgroundTask>,
    credential_reloader: BackgroundTask,
    reload_request: Arc<Notify>,
    reconciliation: Option<BackgroundTask>,
    projection: Option<BackgroundTask>,
    /// Only for a console.
    state_follower: Option<BackgroundTask>,
    trace_exporter: Option<BackgroundTask>,
    slow_operations: BackgroundTask,
    shutdown: ShutdownConfig,
}

impl Service {
    /// Starts the service. Does not wait for Kafka, so it also starts while Kafka is unreachable. Needs a multi-threaded Tokio
    /// runtime.
    ///
    /// # Errors
    /// [`StartError`] when a part of the service cannot be created.
    pub(crate) fn start(config: Config, ports: Ports) -> Result<Self, StartError> {
        let metrics = metrics(&config.kafka)?;
        let sink = open_sink(&config.kafka, &metrics.kafka)?;
        let keyring = keyring(&config.twilio)?;
        let spool = open_spool(&config.spool, &metrics.shared)?;
        let (tracer, span_exporter) = tracer(&config, &metrics.traces)?;
        let (deliver, failover) = deliver(&sink, &spool, &metrics.shared, (&config.kafka, tracer.clone()));
        let verifier = Verifier::new(config.public_urls.clone(), keyring);
        let reloader = CredentialReloader::new(&config, verifier.keyring(), &metrics);
        warn_if_report_only(config.callbacks.signature_mode);
        let letter_verifier = verifier.clone();
        // Callbacks are recorded only for a console.
        let recent = ports.console.as_ref().map(|_| Arc::<RecentCallbacks>::default());
        let reports = (&metrics.pipeline, recent.clone(), tracer);
        let (pipeline, event_time_writer) = steps::connect_pipeline(&config, verifier, deliver, reports)?;
        let schedule =
            reconcile::schedule(&config, reloader.accounts(), &pipeline, &metrics.reconcile, (&sink, &spool))?;

        let projector = Projector::new(&config.kafka, sink.encoder(), &metrics.projector);

        let (shutdown_flag, liveness) = (ShutdownFlag::default(), Liveness::default());
        let overview = OverviewSources::new(&config, &metrics, reloader.keys(), (&sink, &spool), &shutdown_flag);
        // The states are read only for a console.
        let follower = ports.console.as_ref().and_then(|_| ProfileFollower::new(&config.kafka));
        let console = ports.console.zip(recent).map(|(listener, recent)| {
            let records = console::records(&config, follower.as_ref(), letter_verifier);
            RunningConsole::start(listener, &config, (overview, recent, records), &liveness)
        });
        let console = console.transpose()?;
        let state_follower = follower.map(|follower| steps::follow_states(&liveness, follower));
        let trace_exporter = span_exporter.map(|exporter| steps::export_traces(&liveness, exporter));
        let slow_operations = steps::report_slow_operations(&liveness, &metrics.shared);
        let admin = steps::serve_admin(ports.admin, metrics.shared, (&sink, &spool), &shutdown_flag, &liveness)?;
        let public = steps::serve_callbacks(ports.public, &config, &pipeline, &shutdown_flag, &liveness)?;
        let schema_registry = steps::learn_schema_ids(&liveness, &sink);
        steps::watch_msk_login(&liveness, &config.kafka)?;
        let kafka_renewal = steps::renew_kafka_credentials(&liveness, &sink, &config.kafka);
        let registry_password = steps::reload_registry_password(&liveness, &config.kafka);
        let kafka_probe = steps::probe_kafka(&liveness, &sink, config.kafka);
        let failover = steps::control_failover(&liveness, failover);
        let reload_request = reloader.request();
        let credential_reloader = steps::reload_credentials(&liveness, reloader);
        let event_time_writer = steps::write_event_time(&liveness, event_time_writer);
        let reconciliation = schedule.map(|schedule| steps::reconcile_periodically(&liveness, schedule));
        let projection = projector.map(|projector| steps::project_profiles(&liveness, projector));
        let console_address = console.as_ref().map(|console| display(console.address()));
        tracing::info!(public = %public.address, admin = %admin.address, console = console_address, "listening");
        Ok(Self {
            public,
            admin,
            console,
            pipeline,
            sink,
            spool,
            shutdown_flag,
            failover,
            event_time_writer,
            schema_registry,
            kafka_probe,
            kafka_renewal,
            registry_password,
            credential_reloader,
            reload_request,
            reconciliation,
            projection,
            state_follower,
            trace_exporter,
            slow_operations,
            shutdown: config.shutdown,
        })
    }

    /// The number of records in the spool that wait to be published.
    #[must_use]
    pub(crate) fn spooled(&self) -> u64 {
        self.spool.queued()
    }

    /// Reloads the files of tokens and accounts immediately, changed or not.
    pub(crate) fn reload_keys(&self) {
        self.reload_request.notify_one();
    }

    /// Stops the service in an order that loses no callback, see [`shutdown`](crate::shutdown). Each step may take the time
    /// that the steps before it left of `SHUTDOWN_TIMEOUT_SECS`, and the stop continues without a step that takes longer.
    pub(crate) async fn stop(self) {
        self.shutdown_flag.begin();
        // Another replica, or the next start, continues the reconciliation. An event that it has submitted is finished with
        // the callbacks.
        if let Some(reconciliation) = &self.reconciliation {
            reconciliation.cancel();
        }
        // Another replica, or the next start, continues where the last transaction ended.
        for task in self.projection.iter().chain(&self.state_follower) {
            task.cancel();
        }
        tokio::time::sleep(self.shutdown.delay).await;
        let deadline = Instant::now() + self.shutdown.timeout;
        let remaining = || deadline.saturating_duration_since(Instant::now());
        let stop_waiting = stop_waiting_before_timeout(Arc::clone(&self.pipeline), self.shutdown.timeout);
        self.public.stop_by(remaining(), deadline).await;
        self.pipeline.drain(remaining()).await;
        stop_waiting.abort();
        let tasks =
            [self.credential_reloader, self.kafka_renewal, self.failover, self.schema_registry, self.kafka_probe];
        for task in self.reconciliation.into_iter().chain(self.registry_password).chain(tasks) {
            task.stop_by(deadline).await;
        }
        if let Some(projection) = self.projection {
            projection.stop_by(deadline.min(Instant::now() + MAX_PROJECTION_STOP)).await;
        }
        drop(self.pipeline);
        self.event_time_writer.stop_by(deadline).await;
        close(self.sink, self.spool, remaining() + GRACE_PERIOD).await;
        // It only reads, so the spool does not wait for it.
        if let Some(follower) = self.state_follower {
            follower.stop_by(deadline.min(Instant::now() + MAX_PROJECTION_STOP)).await;
        }
        // All callbacks and the drain have ended, so no span follows. The exporter limits the time for the last ones itself.
        if let Some(exporter) = self.trace_exporter {
            exporter.stop_by(deadline).await;
        }
        self.slow_operations.stop_by(deadline).await;
        if let Some(console) = self.console {
            console.stop_by(deadline).await;
        }
        self.admin.stop_by(Duration::ZERO, deadline).await;
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

/// Starts a task that spools the records that Kafka has not acknowledged, two seconds before `timeout` has passed, but not in
/// its first half, so that their callbacks are still answered.
fn stop_waiting_before_timeout(pipeline: Arc<Pipeline>, timeout: Duration) -> JoinHandle<()> {
    /// Enough to take the records back from librdkafka, to write them to the disk and to send the responses.
    const RESPONSE_TIME: Duration = Duration::from_secs(2);
    tokio::spawn(async move {
        tokio::time::sleep(timeout - RESPONSE_TIME.min(timeout / 2)).await;
        pipeline.stop_waiting();
    })
}
