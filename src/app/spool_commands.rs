//! Work on the spool of a service that does not run.

use std::{sync::Arc, time::Duration};

use thiserror::Error;

use super::{Background, StartError, close, deliver, limits, metrics, open_sink, open_spool};
use crate::{
    config::{self, Kafka},
    deliver::DrainFailed,
    kafka,
    liveness::Liveness,
    spool::Spool,
    telemetry::Metrics,
};

/// Flushing after the last acknowledgement has nothing left to wait for.
pub(super) const TO_CLOSE: Duration = Duration::from_secs(1);

/// Why a spool could not be drained.
#[derive(Debug, Error)]
pub enum DrainError {
    /// It could not even begin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Something is left.
    #[error(transparent)]
    Left(#[from] DrainFailed),
}

/// Opens the spool of a service that does not run, to look into it. Its lock is held until it is closed.
///
/// # Errors
/// [`StartError::NoSpool`] and [`StartError::Spool`], the latter also when the service runs.
pub fn open_idle_spool(spool: &config::Spool) -> Result<Spool, StartError> {
    check_existence(spool)?;
    let metrics = Metrics::new(|destination| destination.to_string());
    let metrics = metrics.map_err(|error| StartError::Metrics(error.to_string()))?;
    Ok(Spool::open_to_inspect(&spool.folder, limits(spool), Arc::new(metrics))?)
}

/// A folder that is not there was named by mistake, and is not made.
fn check_existence(spool: &config::Spool) -> Result<(), StartError> {
    if spool.folder.is_dir() { Ok(()) } else { Err(StartError::NoSpool(spool.folder.clone())) }
}

/// Publishes everything in the spool of a service that does not run, and says how many records that were. Gives up
/// when nothing moves for as long as `patience`; `progress` hears how many are left.
///
/// # Errors
/// [`DrainError`]; what is not published stays in the spool.
pub async fn drain(
    spool: &config::Spool,
    kafka: &Kafka,
    patience: Duration,
    progress: impl FnMut(u64),
) -> Result<u64, DrainError> {
    check_existence(spool)?;
    // The rooms count, and nobody looks.
    let metrics = metrics(kafka)?;
    let spool = open_spool(spool, &metrics)?;
    let sink = open_sink(kafka, &metrics)?;
    let (_, failover) = deliver(&sink, &spool, &metrics, kafka);
    // It creates the topics, too.
    let (watched, kafka) = (Arc::clone(&sink), kafka.clone());
    let watch =
        Background::start(&Liveness::default(), "the probe of Kafka", |stop| kafka::watch(watched, kafka, stop));
    let drained = failover.drain_all(patience, progress).await;
    watch.stop(TO_CLOSE).await;
    close(sink, spool, TO_CLOSE).await;
    Ok(drained?)
}
