//! Calls out of the process that are being made now, and those that took long.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::super::family::Counters;
use crate::domain::{Label as _, closed_set};

/// A call that takes longer is counted and logged.
const SLOW: Duration = Duration::from_secs(1);

closed_set! {
    /// A call whose time depends on something outside of the process.
    pub enum Operation {
        /// Taking back what Kafka has not acknowledged; waits for every connection, also for its name look-up.
        KafkaPurge => "kafka_purge",
        /// Waiting for the last acknowledgements at the stop.
        KafkaFlush => "kafka_flush",
        /// Asking Kafka for the state of the topics.
        KafkaMetadata => "kafka_metadata",
        /// Asking Kafka to create topics, or for their settings.
        KafkaAdmin => "kafka_admin",
        /// Closing a client of Kafka.
        KafkaClose => "kafka_close",
        /// Writing to the spool and syncing it.
        SpoolWrite => "spool_write",
        /// Reading from the spool.
        SpoolRead => "spool_read",
        /// Reading the files of tokens and accounts.
        KeyFiles => "key_files",
        /// Searching why a signature does not match.
        Diagnosis => "diagnosis",
        /// Writing the time of the last event to the disk.
        EventTime => "event_time",
    }
}

/// Watches how long calls take, while they take it: one that hangs is reported after a second, not at its end.
#[derive(Debug)]
pub struct Operations {
    slow: Counters<Operation>,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    calls: BTreeMap<u64, Call>,
}

#[derive(Debug)]
struct Call {
    operation: Operation,
    began: Instant,
    reported: bool,
}

impl Operations {
    pub(super) fn new(slow: Counters<Operation>) -> Self {
        Self { slow, running: Mutex::default() }
    }

    /// A call begins. It ends when the guard is dropped.
    pub fn begin(self: &Arc<Self>, operation: Operation) -> OperationGuard {
        let mut running = self.running();
        let number = running.next;
        running.next += 1;
        running.calls.insert(number, Call { operation, began: Instant::now(), reported: false });
        OperationGuard { operations: Arc::clone(self), number }
    }

    /// Counts and logs the calls that have become slow. To be called every second.
    pub fn report(&self, now: Instant) {
        let mut slow = Vec::new();
        for call in self.running().calls.values_mut().filter(|call| !call.reported) {
            let elapsed = now.saturating_duration_since(call.began);
            if elapsed >= SLOW {
                call.reported = true;
                slow.push((call.operation, elapsed));
            }
        }
        for (operation, elapsed) in slow {
            self.slow.of(operation).inc();
            tracing::warn!(operation = operation.as_str(), seconds = seconds(elapsed), "an operation is taking long");
        }
    }

    fn end(&self, number: u64) {
        let Some(call) = self.running().calls.remove(&number) else { return };
        let elapsed = call.began.elapsed();
        if elapsed < SLOW {
            return;
        }
        if !call.reported {
            self.slow.of(call.operation).inc();
        }
        tracing::warn!(operation = call.operation.as_str(), seconds = seconds(elapsed), "a slow operation has ended");
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // Nothing that holds the lock can panic.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With one decimal, which is enough for what took longer than a second.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

/// A call that is being made.
#[derive(Debug)]
#[must_use = "the call ends when this is dropped"]
pub struct OperationGuard {
    operations: Arc<Operations>,
    number: u64,
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        self.operations.end(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    fn operations() -> Arc<Operations> {
        Arc::clone(&Metrics::new(|destination| destination.to_string()).unwrap().operations)
    }

    #[test]
    fn slow_call_is_counted_once_while_it_runs() {
        let operations = operations();
        let purge = operations.begin(Operation::KafkaPurge);
        operations.report(Instant::now());
        assert_eq!(operations.slow.of(Operation::KafkaPurge).get(), 0);
        operations.report(Instant::now() + SLOW);
        operations.report(Instant::now() + SLOW * 2);
        assert_eq!(operations.slow.of(Operation::KafkaPurge).get(), 1);
        drop(purge);
        assert!(operations.running().calls.is_empty());
        assert_eq!(operations.slow.of(Operation::KafkaPurge).get(), 1);
    }

    #[test]
    fn slow_call_that_ends_between_two_reports_is_counted() {
        let operations = operations();
        let guard = operations.begin(Operation::SpoolWrite);
        operations.running().calls.values_mut().for_each(|call| call.began -= SLOW);
        drop(guard);
        assert_eq!(operations.slow.of(Operation::SpoolWrite).get(), 1);
    }
}
