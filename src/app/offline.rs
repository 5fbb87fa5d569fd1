//! Work on the spool of a service that does not run.

use std::{sync::Arc, time::Duration};

use thiserror::Error;

use super::{Background, StartError, deliver, limits, open_spool};
use crate::{
    config::{self, Kafka},
    deliver::DrainFailed,
    publish::{self, KafkaSink, Topics},
    spool::Spool,
    telemetry::Metrics,
};

/// Flushing after the last acknowledgement has nothing left to wait for.
const TO_CLOSE: Duration = Duration::from_secs(1);

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

/// Opens the spool of a service that does not run. Its lock is held until it is closed.
///
/// # Errors
/// [`StartError::NoSpool`] and [`StartError::Spool`], the latter also when the service runs.
pub fn open_idle_spool(spool: &config::Spool) -> Result<Spool, StartError> {
    check_existence(spool)?;
    Ok(Spool::open(&spool.folder, limits(spool), unseen_metrics(None)?)?)
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
    let metrics = unseen_metrics(Some(kafka))?;
    let spool = open_spool(spool, &metrics)?;
    let sink = KafkaSink::new(kafka, Arc::clone(&metrics)).map_err(|error| StartError::Kafka(error.to_string()))?;
    let sink = Arc::new(sink);
    let (_, conductor) = deliver(&sink, &spool, &metrics, kafka);
    // It creates the topics, too.
    let (watched, kafka) = (Arc::clone(&sink), kafka.clone());
    let watch = Background::start("the probe of Kafka", |stop| publish::watch(watched, kafka, stop));
    let drained = conductor.drain_all(patience, progress).await;
    watch.stop().await;
    let closed = tokio::task::spawn_blocking(move || {
        sink.close(TO_CLOSE);
        drop(sink);
        spool.close();
    });
    if let Err(error) = closed.await {
        tracing::error!(%error, "the producer and the spool could not be closed");
    }
    Ok(drained?)
}

/// The rooms count, and nobody looks.
fn unseen_metrics(kafka: Option<&Kafka>) -> Result<Arc<Metrics>, StartError> {
    let topics = kafka.map(Topics::of);
    let name = |destination| match &topics {
        Some(topics) => topics.name(destination).to_owned(),
        None => destination.to_string(),
    };
    Metrics::new(name).map(Arc::new).map_err(|error| StartError::Metrics(error.to_string()))
}
