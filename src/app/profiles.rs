//! The command that builds the states of profiles again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{runtime::Handle, time::sleep};

use super::{
    parts::{learn_schema_ids, metrics},
    start_error::StartError,
    steps::project_profiles,
};
use crate::{
    blocking::{self, BlockingError},
    config::KafkaConfig,
    domain::DataSchema,
    kafka::{ProjectionError, ProjectionProblem, ValueEncoder},
    liveness::Liveness,
    profiles::StatesTurnedOff,
    projector::{Projector, RebuildProgress, RebuildRequest},
};

/// How long the command waits until the projection has left its group.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// Why the states were not built again.
#[derive(Debug, Error)]
pub(crate) enum RebuildError {
    /// The states of profiles are turned off.
    #[error(transparent)]
    TurnedOff(#[from] StatesTurnedOff),
    /// There are no events.
    #[error("topic {0} does not exist; start the service, which creates it, or create it yourself")]
    NoEvents(String),
    /// Kafka cannot be used.
    #[error(transparent)]
    Kafka(#[from] ProjectionError),
    /// Not all partitions were done in time.
    #[error(
        "{} of {} partitions were built again, and none in the last {} s; the owners of the others continue",
        .progress.done, .progress.total, .seconds
    )]
    Stalled {
        /// How many partitions were done.
        progress: RebuildProgress,
        /// The time limit in seconds.
        seconds: u64,
    },
    /// A part cannot be created.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A call could not be made.
    #[error(transparent)]
    Call(#[from] BlockingError),
}

/// Builds the states of all profiles again from the events, also when no service is running. Gives up when no partition is done
/// for `stall_timeout`. Calls `progress` with the number of partitions that are done.
///
/// # Errors
/// [`RebuildError`]. Owners of partitions that were not done continue.
pub(crate) async fn rebuild_profiles(
    kafka: &KafkaConfig,
    stall_timeout: Duration,
    mut progress: impl FnMut(RebuildProgress),
) -> Result<RebuildProgress, RebuildError> {
    // The projection requires metrics, but this command does not expose them.
    let metrics = metrics(kafka)?;
    let encoder = ValueEncoder::new(kafka, &metrics.kafka).map_err(StartError::from)?;
    let metrics = metrics.projector;
    let projector = Projector::new(kafka, &encoder, &metrics).ok_or(StatesTurnedOff)?;
    let topic = kafka.profiles_topic.clone().ok_or(StatesTurnedOff)?;
    learn_schema_ids(&encoder, &[DataSchema::ProfileState]).await?;
    let (published, runtime) = (kafka.clone(), Handle::current());
    let request =
        blocking::run("profiles-ask", move || RebuildRequest::publish(&published, &topic, &metrics, &runtime));
    let request = Arc::new(request.await??.ok_or_else(|| RebuildError::NoEvents(kafka.topic.clone()))?);
    let projection = project_profiles(&Liveness::default(), projector);
    let done = wait_until_done(&request, stall_timeout, &mut progress).await;
    projection.stop(STOP_TIMEOUT).await;
    done
}

async fn wait_until_done(
    request: &Arc<RebuildRequest>,
    stall_timeout: Duration,
    progress: &mut impl FnMut(RebuildProgress),
) -> Result<RebuildProgress, RebuildError> {
    let mut last = (0, Instant::now());
    loop {
        let asked = Arc::clone(request);
        let answer = blocking::run("profiles-ask", move || asked.progress()).await?;
        let Some(now) = known_progress(answer, last.1.elapsed() > stall_timeout)? else {
            sleep(PROGRESS_INTERVAL).await;
            continue;
        };
        progress(now);
        if now.done == now.total {
            return Ok(now);
        }
        if now.done > last.0 {
            last = (now.done, Instant::now());
        }
        if last.1.elapsed() > stall_timeout {
            return Err(RebuildError::Stalled { progress: now, seconds: stall_timeout.as_secs() });
        }
        sleep(PROGRESS_INTERVAL).await;
    }
}

/// `None` if Kafka does not answer now, which is an error only when there has been no progress for too long.
fn known_progress(
    answer: Result<RebuildProgress, ProjectionError>,
    has_stalled: bool,
) -> Result<Option<RebuildProgress>, ProjectionError> {
    match answer {
        Ok(progress) => Ok(Some(progress)),
        Err(error) if error.problem == ProjectionProblem::Unreachable && !has_stalled => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_kafka_ends_the_rebuild_only_when_it_lasts() {
        let silent = || Err(ProjectionError::new(ProjectionProblem::Unreachable, "no broker"));
        assert_eq!(known_progress(silent(), false), Ok(None));
        assert_eq!(known_progress(silent(), true), silent().map(Some));
        let denied = Err(ProjectionError::new(ProjectionProblem::Permission, "denied"));
        assert_eq!(known_progress(denied.clone(), false), denied.map(Some));
        let progress = RebuildProgress { done: 1, total: 3 };
        assert_eq!(known_progress(Ok(progress), true), Ok(Some(progress)));
    }
}
