//! Wires the reconciliation of Trust Hub with the topic, for the service and for commands.

use std::{sync::Arc, time::Duration};

use durable_spool::Spool;
use thiserror::Error;
use tokio::{runtime::Handle, sync::watch};
use trusthub_client::{ApiLimits, Credentials};
use twilio_signature::Verifier;

use super::{
    parts::{close, deliver, keyring, learn_event_schema_ids, metrics, open_sink},
    running::BackgroundTask,
    spool_commands::CLOSE_TIMEOUT,
    start_error::StartError,
};
use crate::{
    config::{Config, Problems, ReconcileCommandConfig, TrustHubAccess},
    deliver::Deliver,
    domain::SignatureMode,
    kafka::{KafkaSink, LastRun},
    liveness::Liveness,
    pipeline::{EventClock, Pipeline, PipelineConfig, PipelineMetrics, ProcessId},
    reconcile::{
        ListFailure, Observer, ReconcileMetrics, ReconcileSummary, Reconciler, RunError, RunOptions, Schedule,
        ServiceUrls, UrlUpdate, UrlUpdater,
    },
    traces::Tracer,
};

/// Why a reconciliation failed.
#[derive(Debug, Error)]
pub(crate) enum ReconcileError {
    /// The reconciliation could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The reconciliation ended early.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Creates the schedule of reconciliations; `None` if the configuration has none.
pub(super) fn schedule(
    config: &Config,
    accounts: watch::Receiver<Vec<Credentials>>,
    pipeline: &Arc<Pipeline>,
    metrics: &Arc<ReconcileMetrics>,
    (sink, spool): (&Arc<KafkaSink>, &Spool),
) -> Result<Option<Schedule>, Problems> {
    let Some(interval) = config.reconcile.interval else { return Ok(None) };
    metrics.interval.set(i64::try_from(interval.as_secs()).unwrap_or(i64::MAX));
    let trusthub = config.trusthub.client(ApiLimits::default())?;
    let (kafka, grace) = (config.kafka.clone(), config.reconcile.grace);
    let reconciler = Reconciler::new(trusthub, kafka, Arc::clone(pipeline), Arc::clone(metrics), grace);
    let reconciler =
        reconciler.with_encoder(sink.encoder().clone()).with_service_urls(ServiceUrls::below(&config.public_urls));
    let (health, spool) = (Arc::clone(sink.health()), spool.clone());
    // Changes that wait in the spool must not count as missed.
    let is_ready = Arc::new(move || health.is_up() && spool.is_empty());
    let last_run = LastRun::new(config.kafka.clone(), Arc::clone(&metrics.operations));
    Ok(Some(Schedule::new(reconciler, accounts, interval, is_ready, last_run)))
}

/// Reconciles once, without a running service. Returns `None` when another process is reconciling this topic.
///
/// # Errors
/// [`ReconcileError`] when the reconciliation cannot start or ends early. Events that were published before are durable.
pub(crate) async fn reconcile(
    config: &ReconcileCommandConfig,
    mode: RunOptions,
    observer: &mut dyn Observer,
) -> Result<Option<ReconcileSummary>, ReconcileError> {
    let ReconcileCommandConfig { access, kafka, reconcile } = config;
    // These components require metrics, but this command does not expose them.
    let metrics = metrics(kafka)?;
    let trusthub = access.trusthub.client(ApiLimits::default()).map_err(StartError::from)?;
    let sink = open_sink(kafka, &metrics.kafka)?;
    learn_event_schema_ids(sink.encoder()).await?;
    let spool = Spool::disabled();
    let (deliver, failover) = deliver(&sink, &spool, &metrics.shared, (kafka, Tracer::off()));
    let pipeline = pipeline(access, deliver, &metrics.pipeline)?;
    let failover = BackgroundTask::start(&Liveness::default(), "the failover controller", |stop| failover.run(stop));
    let accounts: Vec<_> = access.twilio.credentials().collect();
    let reconciler = Reconciler::new(trusthub, kafka.clone(), pipeline, metrics.reconcile, reconcile.grace);
    let reconciler = reconciler.with_encoder(sink.encoder().clone());
    let result = reconciler.run(&accounts, mode, observer).await;
    failover.stop(CLOSE_TIMEOUT).await;
    drop(reconciler);
    close(sink, spool, CLOSE_TIMEOUT).await;
    Ok(result?)
}

/// A pipeline that publishes fetched profiles only: no callbacks arrive, so it has no URLs.
fn pipeline(
    access: &TrustHubAccess,
    deliver: Deliver,
    metrics: &Arc<PipelineMetrics>,
) -> Result<Arc<Pipeline>, StartError> {
    let pipeline_config = PipelineConfig {
        signature_mode: SignatureMode::Enforce,
        dedup_window: Duration::ZERO,
        callbacks_in_progress: 0,
        process: ProcessId::random().map_err(StartError::from)?,
    };
    let verifier = Verifier::new(Vec::new(), keyring(&access.twilio)?);
    let pipeline = Pipeline::new(
        pipeline_config,
        verifier,
        deliver,
        EventClock::default(),
        Arc::clone(metrics),
        Handle::current(),
    );
    Ok(Arc::new(pipeline))
}

/// Sets the callback URLs of profiles in Trust Hub as `callbacks` says. Calls `report` with the result for each profile, and for
/// each account whose profiles cannot be listed.
///
/// # Errors
/// [`Problems`] when the client for Trust Hub cannot be created.
pub(crate) async fn set_callbacks(
    access: &TrustHubAccess,
    callbacks: &UrlUpdater,
    report: impl FnMut(Result<UrlUpdate, ListFailure>),
) -> Result<(), Problems> {
    let trusthub = access.trusthub.client(ApiLimits::default())?;
    let accounts: Vec<_> = access.twilio.credentials().collect();
    callbacks.run(&trusthub, &accounts, report).await;
    Ok(())
}
