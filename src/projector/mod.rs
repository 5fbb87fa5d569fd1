//! Projects the events to the present state of each profile: a record of the state topic.
//!
//! The instances of the service share the partitions of the event topic as one consumer group. The owner of a partition
//! applies the rules of [`ProfileState`](crate::domain::state::ProfileState) to its records, and writes the states and the
//! offsets in one transaction. It reads nothing but the two topics, and nothing of the path of callbacks depends on it.
//!
//! ```text
//! mod ─► session ─┬─► owned_partitions ─► partition ─► partition_states ─► status_index
//!  (thread)       ├─► metrics    (shows the status indexes in profile_gauges)
//!                 ├─► loader     (reads the states of a new partition) ─► rebuild (what differs from the events)
//!                 │                                                            └─► moved_events
//!                 ├─► batch      (what the records of a transaction change)
//!                 ├─► requested_rebuilds (partitions that lack events)
//!                 ├─► refused    (writes states that are too large with less content)
//!                 └─► problems   (what keeps the states from being updated)
//! ```
//!
//! [`RebuildRequest`] is a record of the event topic that makes the owners build the states again.
//!
//! All calls that block are made on the thread `profiles`, with the bounds that `kafka::projection` lists.

mod batch;
#[cfg(test)]
mod fixtures;
mod loader;
mod metrics;
mod moved_events;
mod owned_partitions;
mod partition;
mod partition_states;
mod problems;
mod profile_gauges;
mod random_id;
mod rebuild;
mod refused;
mod request;
mod requested_rebuilds;
mod session;
mod status_index;
mod wait;

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    blocking,
    config::KafkaConfig,
    kafka::{ProjectionError, ValueEncoder},
};
pub(crate) use metrics::ProjectorMetrics;
use problems::ProblemReporter;
use random_id::random_id;
pub(crate) use request::{RebuildProgress, RebuildRequest};
use requested_rebuilds::RequestedRebuilds;
use session::Session;
use wait::wait;

/// The pause after the thread could not start or has panicked.
const RESTART_PAUSE: Duration = Duration::from_secs(30);

/// Projects the events to the states of profiles.
#[derive(Debug, Clone)]
pub(crate) struct Projector {
    kafka: KafkaConfig,
    topic: String,
    encoder: ValueEncoder,
    metrics: Arc<ProjectorMetrics>,
}

impl Projector {
    /// `None` if the configuration turns the states of profiles off.
    #[must_use]
    pub(crate) fn new(kafka: &KafkaConfig, encoder: &ValueEncoder, metrics: &Arc<ProjectorMetrics>) -> Option<Self> {
        let topic = kafka.profiles_topic.clone()?;
        Some(Self { kafka: kafka.clone(), topic, encoder: encoder.clone(), metrics: Arc::clone(metrics) })
    }

    /// Projects until `stop`. Never fails: problems go to metrics and logs. Needs a Tokio runtime.
    pub(crate) async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (projector, stopping, runtime) = (self.clone(), stop.clone(), Handle::current());
            let ended = blocking::run("profiles", move || projector.project(&stopping, &runtime)).await;
            let Err(error) = ended else { return };
            tracing::error!(%error, "the states of profiles are not updated; trying again after half a minute");
            stop.run_until_cancelled(sleep(RESTART_PAUSE)).await;
        }
    }

    fn project(&self, stop: &CancellationToken, runtime: &Handle) {
        let mut problems = ProblemReporter::new(Arc::clone(&self.metrics), &self.topic);
        // Brokers remember each id for a week, so all sessions have the same one.
        let writer_id = random_id();
        let mut requested = RequestedRebuilds::default();
        while !stop.is_cancelled() {
            // All clients of a session have the same credentials.
            let session = self.kafka.credentials.session(stop, runtime);
            let ended = self.run_session(&session, (runtime, &writer_id), (&mut problems, &mut requested));
            self.metrics.disown();
            // After the end of the session, an error says only which request was given up.
            if let Err(error) = ended
                && !session.is_cancelled()
            {
                wait(problems.failed(&error), stop);
            }
        }
        self.metrics.lag.set(0);
    }

    fn run_session(
        &self,
        stop: &CancellationToken,
        (runtime, writer_id): (&Handle, &str),
        (problems, requested): (&mut ProblemReporter, &mut RequestedRebuilds),
    ) -> Result<(), ProjectionError> {
        let names = (self.topic.as_str(), writer_id);
        let began =
            Session::begin((&self.kafka, &self.encoder), names, &self.metrics, (stop, runtime), (problems, requested))?;
        let Some(mut session) = began else { return Ok(()) };
        while !stop.is_cancelled() {
            session.step(problems)?;
        }
        Ok(())
    }
}
