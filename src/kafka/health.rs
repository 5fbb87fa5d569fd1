//! Tracks whether Kafka accepts records now: one state for probes, metrics and logs.

use std::{
    fmt::Display,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::{metrics::KafkaMetrics, sink::Availability, token_failure};
use crate::domain::PublishFailure;

/// How long successful probes are ignored after a failed produce. A cluster can answer metadata requests and accept no
/// records.
const PROBE_HOLDOFF: Duration = Duration::from_secs(5);

/// Whether Kafka accepts records now. Reading is cheap, and subscribers are notified of every change.
#[derive(Debug)]
pub(crate) struct KafkaHealth {
    availability: watch::Sender<Availability>,
    state: Mutex<HealthState>,
    metrics: Arc<KafkaMetrics>,
}

#[derive(Debug, Default)]
struct HealthState {
    /// When the last record failed, unless one succeeded since.
    last_failure: Option<Instant>,
    is_closed: bool,
}

impl KafkaHealth {
    /// Creates a health that is unknown until the first probe or record.
    #[must_use]
    pub(crate) fn new(metrics: Arc<KafkaMetrics>) -> Self {
        Self { availability: watch::Sender::new(Availability::Unknown), state: Mutex::default(), metrics }
    }

    /// Whether Kafka accepts records now.
    #[must_use]
    pub(crate) fn is_up(&self) -> bool {
        *self.availability.borrow() == Availability::Up
    }

    /// Whether Kafka accepts records now, and otherwise why not.
    #[must_use]
    pub(crate) fn availability(&self) -> Availability {
        self.availability.borrow().clone()
    }

    /// Subscribes to the current availability and every change of it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Availability> {
        self.availability.subscribe()
    }

    /// Records that Kafka answered a probe and has what the service needs.
    pub(super) fn probe_succeeded(&self, now: Instant) {
        let state = self.state();
        let is_held_off = state.last_failure.is_some_and(|failed| now.duration_since(failed) < PROBE_HOLDOFF);
        if !is_held_off {
            self.update(&state, Availability::Up);
        }
    }

    /// Records that Kafka acknowledged a record.
    pub(super) fn record_succeeded(&self) {
        if !self.is_up() {
            let mut state = self.state();
            state.last_failure = None;
            self.update(&state, Availability::Up);
        }
    }

    /// Records that a client with other credentials takes the place of one that may have failed. What other credentials
    /// cannot change, such as a missing topic, is over when a probe or a record says so.
    pub(super) fn credentials_proven(&self) {
        let mut state = self.state();
        state.last_failure = None;
        let is_over = match &*self.availability.borrow() {
            Availability::Down { reason, .. } => is_possibly_of_credentials(*reason),
            Availability::Up | Availability::Unknown => true,
        };
        if is_over {
            self.update(&state, Availability::Up);
        }
    }

    /// Records that Kafka rejected a record for a reason that affects the next record, too.
    pub(super) fn record_failed(&self, reason: PublishFailure, error: &impl Display, now: Instant) {
        self.state().last_failure = Some(now);
        // Thousands of records may fail at once, and only the first failure explains the others.
        if !matches!(*self.availability.borrow(), Availability::Down { .. }) {
            self.mark_down(reason, &format!("Kafka did not accept a record: {error}"));
        }
    }

    /// Records that Kafka did not answer, or lacks what the service needs.
    pub(super) fn mark_down(&self, reason: PublishFailure, detail: &str) {
        self.update(&self.state(), Availability::Down { reason, detail: detail.into() });
    }

    /// Stops reporting: from now on connections close because the service stops.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
    }

    fn update(&self, state: &HealthState, availability: Availability) {
        if state.is_closed {
            return;
        }
        self.metrics.kafka_up.set(i64::from(availability == Availability::Up));
        if availability == Availability::Up {
            token_failure::end();
        }
        self.availability.send_if_modified(|known| {
            // The first reason explains the later ones.
            let is_changed = std::mem::discriminant(known) != std::mem::discriminant(&availability);
            if is_changed {
                *known = availability;
            }
            is_changed
        });
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.state.lock()
    }
}

/// Whether credentials that are not valid any more can be the cause. A broker may reject them by closing the connection.
fn is_possibly_of_credentials(reason: PublishFailure) -> bool {
    use PublishFailure::{Authentication, Authorization, Fatal, Other, TimedOut, Unreachable};
    matches!(reason, Authentication | Authorization | Fatal | Other | TimedOut | Unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn health() -> KafkaHealth {
        KafkaHealth::new(KafkaMetrics::register(&Metrics::new(|destination| destination.to_string()).unwrap()).unwrap())
    }

    #[test]
    fn kafka_is_not_up_before_the_first_probe() {
        let health = health();
        assert!(!health.is_up());
        health.probe_succeeded(Instant::now());
        assert_eq!((health.is_up(), health.metrics.kafka_up.get()), (true, 1));
        health.mark_down(PublishFailure::Unreachable, "test");
        assert_eq!((health.is_up(), health.metrics.kafka_up.get()), (false, 0));
    }

    #[test]
    fn cluster_that_only_answers_probes_stays_down_for_the_holdoff() {
        let (health, now) = (health(), Instant::now());
        health.probe_succeeded(now);
        health.record_failed(PublishFailure::Authorization, &"test", now);
        health.probe_succeeded(now);
        assert!(!health.is_up(), "the probe only requests metadata");
        health.probe_succeeded(now + PROBE_HOLDOFF);
        assert!(health.is_up(), "otherwise no record would ever detect the recovery");
        health.record_failed(PublishFailure::Authorization, &"test", now);
        health.record_succeeded();
        assert!(health.is_up());
    }

    #[test]
    fn new_credentials_end_only_an_outage_that_they_can_have_caused() {
        for (reason, is_over) in [
            (PublishFailure::Authentication, true),
            (PublishFailure::Unreachable, true),
            (PublishFailure::UnknownTopic, false),
            (PublishFailure::NotAvailable, false),
        ] {
            let (health, now) = (health(), Instant::now());
            health.record_failed(reason, &"test", now);
            health.credentials_proven();
            assert_eq!(health.is_up(), is_over, "{reason:?}");
            health.probe_succeeded(now);
            assert!(health.is_up(), "the next probe need not wait for the holdoff");
        }
    }
}
