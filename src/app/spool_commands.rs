//! Commands on the spool of a service that is not running.

use std::{sync::Arc, time::Duration};

use durable_spool::Spool;
use thiserror::Error;

use super::{
    parts::{close, deliver, learn_event_schema_ids, limits, metrics, open_sink, open_spool},
    running::BackgroundTask,
    start_error::StartError,
};
use crate::{
    config::{self, KafkaConfig},
    deliver::DrainFailed,
    kafka,
    liveness::Liveness,
    spool::SpoolReporter,
    telemetry::Metrics,
    traces::Tracer,
};

/// How long a command waits for the producer and the spool to close. All records have been acknowledged by then.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a spool could not be drained.
#[derive(Debug, Error)]
pub(crate) enum DrainError {
    /// The drain could not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Records remain in the spool.
    #[error(transparent)]
    Left(#[from] DrainFailed),
}

/// Opens the spool of a service that is not running, to inspect it. Its lock is held until it is closed.
///
/// # Errors
/// [`StartError::NoSpool`] when there is no such folder, and [`StartError::Spool`] when the spool cannot be opened, also
/// because the service is running.
pub(crate) fn open_idle_spool(spool: &config::SpoolConfig) -> Result<Spool, StartError> {
    check_existence(spool)?;
    let metrics = Metrics::new(|destination| destination.to_string())?;
    Ok(Spool::open_to_inspect(&spool.folder, limits(spool), SpoolReporter::new(Arc::new(metrics)))?)
}

/// Checks that the folder exists. A missing folder is a mistake of the user, so it is not created.
fn check_existence(spool: &config::SpoolConfig) -> Result<(), StartError> {
    if spool.folder.is_dir() { Ok(()) } else { Err(StartError::NoSpool(spool.folder.clone())) }
}

/// Publishes all records in the spool of a service that is not running, and returns how many there were. Gives up when no
/// record leaves the queue for `stall_timeout`. Calls `progress` with the number of records that remain.
///
/// # Errors
/// [`DrainError`] when the drain cannot start or records remain. They stay in the spool.
pub(crate) async fn drain(
    spool: &config::SpoolConfig,
    kafka: &KafkaConfig,
    stall_timeout: Duration,
    progress: impl FnMut(u64),
) -> Result<u64, DrainError> {
    check_existence(spool)?;
    // These components require metrics, but this command does not expose them.
    let metrics = metrics(kafka)?;
    let spool = open_spool(spool, &metrics.shared)?;
    let sink = open_sink(kafka, &metrics.kafka)?;
    learn_event_schema_ids(sink.encoder()).await?;
    let (_, failover) = deliver(&sink, &spool, &metrics.shared, (kafka, Tracer::off()));
    // The probe also creates missing topics.
    let (probed, kafka) = (Arc::clone(&sink), kafka.clone());
    let probe = BackgroundTask::start(&Liveness::default(), "the Kafka probe", |stop| {
        kafka::monitor_topics(probed, kafka, stop)
    });
    let drained = failover.drain_all(stall_timeout, progress).await;
    probe.stop(CLOSE_TIMEOUT).await;
    close(sink, spool, CLOSE_TIMEOUT).await;
    Ok(drained?)
}
