//! Trust Hub and the topic, compared by the service and by commands.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{runtime::Handle, sync::watch};

use super::{Background, StartError, close, keyring, metrics, open_sink, spool_commands::TO_CLOSE};
use crate::{
    config::{Access, Config, Credentials, Problems, Reconciliation},
    deliver::Deliver,
    domain::SignatureMode,
    kafka::KafkaSink,
    liveness::Liveness,
    pipeline::{EventClock, Pipeline, PipelineConfig},
    reconcile::{Callback, Callbacks, Mode, Observer, Reconciler, Schedule, Stop, Summary, Unlisted},
    spool::Spool,
    telemetry::Metrics,
    trusthub::{Limits, TrustHub},
    verify::Verifier,
};

/// Why nothing, or not everything, was compared.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// It could not even begin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It did not come to its end.
    #[error(transparent)]
    Stop(#[from] Stop),
}

/// The comparisons that the configuration asks for.
pub(super) fn schedule(
    config: &Config,
    accounts: watch::Receiver<Vec<Credentials>>,
    pipeline: &Arc<Pipeline>,
    metrics: &Arc<Metrics>,
    (sink, spool): (&Arc<KafkaSink>, &Spool),
) -> Result<Option<Schedule>, Problems> {
    let Some(interval) = config.reconcile.interval else { return Ok(None) };
    metrics.reconcile.interval.set(i64::try_from(interval.as_secs()).unwrap_or(i64::MAX));
    let trusthub = TrustHub::new(&config.trusthub, Limits::default())?;
    let reconciler = Reconciler::new(trusthub, config.kafka.clone(), Arc::clone(pipeline), Arc::clone(metrics));
    let (health, spool) = (Arc::clone(sink.health()), spool.clone());
    // What waits in the spool is not missed.
    let is_calm = Arc::new(move || health.is_up() && spool.is_empty());
    Ok(Some(Schedule::new(reconciler, accounts, interval, is_calm)))
}

/// Compares once, without a service. `None` when another process is at it.
///
/// # Errors
/// [`ReconcileError`]; what was published until then is durable.
pub async fn reconcile(
    config: &Reconciliation,
    mode: Mode,
    observer: &mut dyn Observer,
) -> Result<Option<Summary>, ReconcileError> {
    let Reconciliation { access, kafka } = config;
    // The rooms count, and nobody looks.
    let metrics = metrics(kafka)?;
    let trusthub = TrustHub::new(&access.trusthub, Limits::default()).map_err(StartError::from)?;
    let sink = open_sink(kafka, &metrics)?;
    let spool = Spool::none(Arc::clone(&metrics));
    let (deliver, failover) = super::deliver(&sink, &spool, &metrics, kafka);
    let pipeline = pipeline(access, deliver, &metrics)?;
    let failover = Background::start(&Liveness::default(), "the way to Kafka", |stop| failover.run(stop));
    let accounts: Vec<_> = access.twilio.credentials().collect();
    let reconciler = Reconciler::new(trusthub, kafka.clone(), pipeline, metrics);
    let result = reconciler.run(&accounts, mode, observer).await;
    failover.stop(TO_CLOSE).await;
    drop(reconciler);
    close(sink, spool, TO_CLOSE).await;
    Ok(result?)
}

/// A pipeline that takes no callbacks: no URL is theirs.
fn pipeline(access: &Access, deliver: Deliver, metrics: &Arc<Metrics>) -> Result<Arc<Pipeline>, StartError> {
    // No callbacks arrive here.
    let rules = PipelineConfig {
        signature_mode: SignatureMode::Enforce,
        dedup_window: Duration::ZERO,
        callbacks_in_progress: 0,
    };
    let verifier = Verifier::new(Vec::new(), keyring(&access.twilio)?);
    let pipeline =
        Pipeline::new(rules, verifier, deliver, EventClock::default(), Arc::clone(metrics), Handle::current());
    Ok(Arc::new(pipeline))
}

/// Has changes announced where `callbacks` says.
///
/// # Errors
/// [`Problems`] when Trust Hub cannot be asked at all.
pub async fn set_callbacks(
    access: &Access,
    callbacks: &Callbacks,
    tell: impl FnMut(Result<Callback, Unlisted>),
) -> Result<(), Problems> {
    let trusthub = TrustHub::new(&access.trusthub, Limits::default())?;
    let accounts: Vec<_> = access.twilio.credentials().collect();
    callbacks.set(&trusthub, &accounts, tell).await;
    Ok(())
}
