//! Reports each problem once, and its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::metrics::ProjectorMetrics;
use crate::kafka::{ProjectionError, ProjectionProblem};

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// An unforeseen problem is reported from this attempt on. Rebalances and restarts of brokers cause errors that do not
/// recur.
const ATTEMPTS_BEFORE_REPORT: u32 = 3;

/// How long Kafka may not answer before that is reported. Restarts of brokers take less time. The service reports only an
/// outage of its own topics.
const REPORT_OUTAGE: Duration = Duration::from_secs(30);

/// The present problem of the projection.
#[derive(Debug)]
pub(super) struct ProblemReporter {
    metrics: Arc<ProjectorMetrics>,
    topic: String,
    /// The failed attempts since the last success.
    attempts: u32,
    reported: Option<String>,
    has_started: bool,
    /// Whether a transaction failed, and none has been committed since.
    has_failed_write: bool,
    /// Since when Kafka has not answered.
    silent_since: Option<Instant>,
}

impl ProblemReporter {
    pub(super) fn new(metrics: Arc<ProjectorMetrics>, topic: &str) -> Self {
        Self {
            metrics,
            topic: topic.to_owned(),
            attempts: 0,
            reported: None,
            has_started: false,
            has_failed_write: false,
            silent_since: None,
        }
    }

    /// Kafka has committed states.
    pub(super) fn wrote(&mut self) {
        self.has_failed_write = false;
    }

    /// Kafka answers. After a transaction that failed, this is a success only if another one was committed, or if no
    /// records are left to apply.
    pub(super) fn succeeded(&mut self, is_up_to_date: bool) {
        if self.has_failed_write && !is_up_to_date {
            return;
        }
        self.has_failed_write = false;
        self.silent_since = None;
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
    pub(super) fn interrupted(&mut self, error: &ProjectionError) {
        self.metrics.set_problem(Some(error.problem));
        tracing::debug!(%error, "the states of profiles are not updated");
        self.report_outage(error, Instant::now());
    }

    /// Reports an outage once, when it has lasted for a while.
    fn report_outage(&mut self, error: &ProjectionError, now: Instant) {
        let since = *self.silent_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= REPORT_OUTAGE && self.reported.is_none() {
            let message = format!("the states of profiles are not updated, because Kafka does not answer: {error}");
            tracing::error!("{message}");
            self.reported = Some(message);
        }
    }

    /// An attempt to project failed. Returns the pause before the next one.
    pub(super) fn failed(&mut self, error: &ProjectionError) -> Duration {
        self.attempts = self.attempts.saturating_add(1);
        self.has_failed_write |= error.is_of_write;
        if error.problem == ProjectionProblem::Unreachable {
            self.interrupted(error);
            return pause(self.attempts);
        }
        let is_reported = match error.problem {
            ProjectionProblem::Other => self.attempts >= ATTEMPTS_BEFORE_REPORT,
            _ => true,
        };
        if is_reported {
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
        reporter.succeeded(false);
        assert_eq!((problems(&reporter), &reporter.reported), (vec![], &None));
        assert_eq!(reporter.failed(&ProjectionError::outdated("a rebalance")), SHORTEST_PAUSE);
    }

    #[test]
    fn failed_write_is_a_problem_until_one_succeeds() {
        let mut reporter = reporter();
        let error = || ProjectionError::outdated("cannot write to topic profiles").of_write();
        let pauses: Vec<_> = (0..4)
            .map(|_| {
                let pause = reporter.failed(&error());
                reporter.succeeded(false);
                pause.as_secs()
            })
            .collect();
        assert_eq!((pauses, problems(&reporter)), (vec![1, 2, 4, 8], vec![ProjectionProblem::Other]));
        assert_eq!(reporter.reported.as_deref(), Some("cannot write to topic profiles"));
        reporter.wrote();
        reporter.succeeded(false);
        assert_eq!((problems(&reporter), &reporter.reported), (vec![], &None));
    }

    #[test]
    fn failed_write_is_no_problem_when_nothing_is_left_to_write() {
        let mut reporter = reporter();
        for _ in 0..ATTEMPTS_BEFORE_REPORT {
            reporter.failed(&ProjectionError::outdated("its end is not known").of_write());
        }
        reporter.succeeded(true);
        assert_eq!((problems(&reporter), &reporter.reported), (vec![], &None));
    }

    #[test]
    fn outage_is_reported_once_when_it_lasts() {
        let mut reporter = reporter();
        let error = ProjectionError::new(ProjectionProblem::Unreachable, "no broker");
        let began = Instant::now();
        reporter.report_outage(&error, began);
        reporter.report_outage(&error, began + REPORT_OUTAGE / 2);
        assert_eq!(reporter.reported, None);
        reporter.report_outage(&error, began + REPORT_OUTAGE);
        let reported = reporter.reported.clone();
        assert!(
            reported.as_ref().is_some_and(|line| line.ends_with("Kafka does not answer: no broker")),
            "{reported:?}"
        );
        let other = ProjectionError::new(ProjectionProblem::Unreachable, "another broker");
        reporter.report_outage(&other, began + REPORT_OUTAGE * 2);
        assert_eq!(reporter.reported, reported, "one line is enough");
        reporter.succeeded(false);
        reporter.report_outage(&error, began + REPORT_OUTAGE * 3);
        assert_eq!(reporter.reported, None, "a new outage");
    }
}
