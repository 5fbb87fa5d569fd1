//! Whether Kafka can take records now, as one fact for probes, metrics and logs.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::Availability;
use crate::{domain::PublishFailure, telemetry::Metrics};

/// For so long a probe is not believed after a record failed: a cluster can answer questions and take nothing.
const DISTRUST: Duration = Duration::from_secs(5);

/// Whether Kafka can take records now. Cheap to read; every change can be waited for.
#[derive(Debug)]
pub struct KafkaHealth {
    availability: watch::Sender<Availability>,
    history: Mutex<History>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct History {
    record_failed: Option<Instant>,
    closed: bool,
}

impl KafkaHealth {
    /// Unknown until the first probe or record.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { availability: watch::Sender::new(Availability::Unknown), history: Mutex::default(), metrics }
    }

    /// Whether Kafka can take records now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.availability.borrow() == Availability::Up
    }

    /// What is known now, and every change of it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Availability> {
        self.availability.subscribe()
    }

    /// Kafka answered a probe and has what the service needs.
    pub(super) fn probe_succeeded(&self, now: Instant) {
        let history = self.history();
        let distrusted = history.record_failed.is_some_and(|failed| now.duration_since(failed) < DISTRUST);
        if !distrusted {
            self.become_known(&history, Availability::Up);
        }
    }

    /// Kafka acknowledged a record.
    pub(super) fn record_succeeded(&self) {
        if !self.is_up() {
            let mut history = self.history();
            history.record_failed = None;
            self.become_known(&history, Availability::Up);
        }
    }

    /// Kafka did not take a record for a reason that will befall the next one, too.
    pub(super) fn record_failed(&self, reason: PublishFailure, error: &impl Display, now: Instant) {
        self.history().record_failed = Some(now);
        // Thousands of records may fail at once, and only the first explains the others.
        if !matches!(*self.availability.borrow(), Availability::Down { .. }) {
            self.failed(reason, &format!("a record was not taken: {error}"));
        }
    }

    /// Kafka did not answer, or lacks what the service needs.
    pub(super) fn failed(&self, reason: PublishFailure, detail: &str) {
        self.become_known(&self.history(), Availability::Down { reason, detail: detail.into() });
    }

    /// From now on nothing is reported: the connections go down because the service does.
    pub(super) fn close(&self) {
        self.history().closed = true;
    }

    fn become_known(&self, history: &History, availability: Availability) {
        if history.closed {
            return;
        }
        self.metrics.kafka_up.set(i64::from(availability == Availability::Up));
        self.availability.send_if_modified(|known| {
            // The first reason is the one that explains the others.
            let is_news = std::mem::discriminant(known) != std::mem::discriminant(&availability);
            if is_news {
                *known = availability;
            }
            is_news
        });
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> KafkaHealth {
        KafkaHealth::new(Arc::new(Metrics::new(|destination| destination.to_string()).unwrap()))
    }

    #[test]
    fn kafka_is_down_until_it_was_seen() {
        let health = health();
        assert!(!health.is_up());
        health.probe_succeeded(Instant::now());
        assert_eq!((health.is_up(), health.metrics.kafka_up.get()), (true, 1));
        health.failed(PublishFailure::Unreachable, "test");
        assert_eq!((health.is_up(), health.metrics.kafka_up.get()), (false, 0));
    }

    #[test]
    fn a_cluster_that_answers_but_takes_nothing_is_down_until_a_record_may_try_again() {
        let (health, now) = (health(), Instant::now());
        health.probe_succeeded(now);
        health.record_failed(PublishFailure::Authorization, &"test", now);
        health.probe_succeeded(now);
        assert!(!health.is_up(), "the probe asks only for metadata");
        health.probe_succeeded(now + DISTRUST);
        assert!(health.is_up(), "otherwise no record would ever show that it is mended");
        health.record_failed(PublishFailure::Authorization, &"test", now);
        health.record_succeeded();
        assert!(health.is_up());
    }
}
