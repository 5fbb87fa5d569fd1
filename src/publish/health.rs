//! Whether Kafka can take records now, as one fact for probes, metrics and logs.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::{
    domain::{Label as _, PublishFailure},
    telemetry::Metrics,
};

/// Whether Kafka can take records now. Cheap to read; every change is logged once.
#[derive(Debug)]
pub struct KafkaHealth {
    up: AtomicBool,
    closed: AtomicBool,
    down_since: Mutex<Option<Instant>>,
    metrics: Arc<Metrics>,
}

impl KafkaHealth {
    /// Down until the first probe says otherwise.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { up: AtomicBool::new(false), closed: AtomicBool::new(false), down_since: Mutex::new(None), metrics }
    }

    /// Whether Kafka can take records now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// From now on nothing is reported: the connections go down because the service does.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Kafka answered and has what the service needs.
    pub(super) fn recovered(&self) {
        let mut down_since = self.down_since.lock().unwrap_or_else(PoisonError::into_inner);
        if self.up.swap(true, Ordering::Relaxed) {
            return;
        }
        self.metrics.kafka_up.set(1);
        match down_since.take() {
            Some(since) => tracing::info!(down_seconds = since.elapsed().as_secs(), "Kafka is available again"),
            None => tracing::info!("Kafka is available"),
        }
    }

    /// Kafka did not answer, or lacks what the service needs.
    pub(super) fn failed(&self, reason: PublishFailure, detail: &str) {
        if self.closed.load(Ordering::Relaxed) {
            return;
        }
        let mut down_since = self.down_since.lock().unwrap_or_else(PoisonError::into_inner);
        self.up.store(false, Ordering::Relaxed);
        self.metrics.kafka_up.set(0);
        if down_since.is_none() {
            *down_since = Some(Instant::now());
            tracing::error!(reason = reason.as_str(), detail, "Kafka is not available; callbacks are answered 503");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_is_down_until_it_was_seen() {
        let metrics = Arc::new(Metrics::new(|destination| destination.to_string()).unwrap());
        let health = KafkaHealth::new(Arc::clone(&metrics));
        assert!(!health.is_up());
        health.recovered();
        assert_eq!((health.is_up(), metrics.kafka_up.get()), (true, 1));
        health.failed(PublishFailure::Unreachable, "test");
        assert_eq!((health.is_up(), metrics.kafka_up.get()), (false, 0));
    }
}
