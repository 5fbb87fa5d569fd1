//! Reports each problem once, and its end.

use std::{sync::Arc, time::Duration};

use super::metrics::ProjectorMetrics;
use crate::kafka::{ProjectionError, ProjectionProblem};

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// An unforeseen problem is reported from this attempt on. Rebalances and restarts of brokers cause errors that do not
/// recur.
const ATTEMPTS_BEFORE_REPORT: u32 = 3;

/// The present problem of the projection.
#[derive(Debug)]
pub(super) struct ProblemReporter {
    metrics: Arc<ProjectorMetrics>,
    topic: String,
    /// The failed attempts since the last success.
    attempts: u32,
    reported: Option<String>,
    has_started: bool,
}

impl ProblemReporter {
    pub(super) fn new(metrics: Arc<ProjectorMetrics>, topic: &str) -> Self {
        Self { metrics, topic: topic.to_owned(), attempts: 0, reported: None, has_started: false }
    }

    /// The states are being projected.
    pub(super) fn succeeded(&mut self) {
        self.attempts = 0;
        self.metrics.set_problem(None);
        let topic = &self.topic;
        if !std::mem::replace(&mut self.has_started, true) {
            tracing::info!(topic, "projecting the states of profiles");
        } else if self.reported.is_some() {
            tracing::info!(topic, "the states of profiles are projected again");
        }
        self.reported = None;
    }

    /// Kafka does not answer. The client continues by itself.
    pub(super) fn interrupted(&self, error: &ProjectionError) {
        self.metrics.set_problem(Some(error.problem));
        tracing::debug!(%error, "the states of profiles are not updated");
    }

    /// An attempt to project failed. Returns the pause before the next one.
    pub(super) fn failed(&mut self, error: &ProjectionError) -> Duration {
        self.attempts = self.attempts.saturating_add(1);
        let is_reported = match error.problem {
            // The service reports an outage once, for all its clients.
            ProjectionProblem::Unreachable => false,
            ProjectionProblem::Other => self.attempts >= ATTEMPTS_BEFORE_REPORT,
            _ => true,
        };
        if is_reported || error.problem == ProjectionProblem::Unreachable {
            self.metrics.set_problem(Some(error.problem));
        }
        let message = error.to_string();
        if is_reported && self.reported.as_ref() != Some(&message) {
            tracing::error!("{message}");
            self.reported = Some(message);
        } else {
            tracing::debug!(%error, "the states of profiles are not updated");
        }
        pause(self.attempts)
    }
}

/// The pause after this many failed attempts.
fn pause(attempts: u32) -> Duration {
    let doubled = attempts.saturating_sub(1).min(16);
    SHORTEST_PAUSE.saturating_mul(1 << doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::Label as _, telemetry::Metrics};

    fn reporter() -> ProblemReporter {
        let metrics = Metrics::new(|destination| destination.to_string()).unwrap();
        ProblemReporter::new(ProjectorMetrics::register(&metrics).unwrap(), "profiles")
    }

    fn problems(reporter: &ProblemReporter) -> Vec<ProjectionProblem> {
        let all = ProjectionProblem::ALL.iter().copied();
        all.filter(|problem| reporter.metrics.problem.of(*problem).get() == 1).collect()
    }

    #[test]
    fn pause_doubles_up_to_half_a_minute() {
        let pauses: Vec<_> = (1..=7).map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(u32::MAX).as_secs(), 30);
    }

    #[test]
    fn error_that_does_not_recur_is_no_problem() {
        let mut reporter = reporter();
        reporter.failed(&ProjectionError::outdated("a rebalance"));
        assert_eq!((problems(&reporter), &reporter.reported), (vec![], &None));
        reporter.failed(&ProjectionError::outdated("a rebalance"));
        reporter.failed(&ProjectionError::outdated("a rebalance"));
        assert_eq!(problems(&reporter), [ProjectionProblem::Other]);
        assert_eq!(reporter.reported.as_deref(), Some("a rebalance"));
    }

    #[test]
    fn success_ends_the_problem() {
        let mut reporter = reporter();
        for _ in 0..ATTEMPTS_BEFORE_REPORT {
            reporter.failed(&ProjectionError::outdated("a rebalance"));
        }
        reporter.succeeded();
        assert_eq!((problems(&reporter), &reporter.reported), (vec![], &None));
        assert_eq!(reporter.failed(&ProjectionError::outdated("a rebalance")), SHORTEST_PAUSE);
    }
}
