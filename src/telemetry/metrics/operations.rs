//! Tracks calls out of the process, and reports the slow ones while they are still running.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use super::super::{family::Counters, rounded::seconds};
use crate::domain::{Label as _, closed_set};

/// A call that takes longer than this is counted and logged.
const SLOW_AFTER: Duration = Duration::from_secs(1);

closed_set! {
    /// A call whose duration depends on something outside the process.
    pub enum Operation {
        /// Purge of unacknowledged records. It waits for every connection, including its name lookup.
        KafkaPurge => "kafka_purge",
        /// Wait for the last acknowledgements at shutdown.
        KafkaFlush => "kafka_flush",
        /// Metadata request to Kafka.
        KafkaMetadata => "kafka_metadata",
        /// Admin request to Kafka: creation of topics, or their settings.
        KafkaAdmin => "kafka_admin",
        /// Close of a Kafka client.
        KafkaClose => "kafka_close",
        /// Write to the spool, with its sync.
        SpoolWrite => "spool_write",
        /// Read from the spool.
        SpoolRead => "spool_read",
        /// Read of the credential files.
        KeyFiles => "key_files",
        /// Diagnosis of a signature that does not match.
        Diagnosis => "diagnosis",
        /// Write of the time of the last event to disk.
        EventTime => "event_time",
    }
}

/// Tracks the duration of calls. A call that hangs is reported after a second, not when it ends.
#[derive(Debug)]
pub struct Operations {
    slow: Counters<Operation>,
    ongoing: Mutex<OngoingCalls>,
}

#[derive(Debug, Default)]
struct OngoingCalls {
    next: u64,
    calls: BTreeMap<u64, OngoingCall>,
}

#[derive(Debug)]
struct OngoingCall {
    operation: Operation,
    began: Instant,
    is_reported: bool,
}

impl Operations {
    pub(super) fn new(slow: Counters<Operation>) -> Self {
        Self { slow, ongoing: Mutex::default() }
    }

    /// Starts to track a call. The call ends when the guard is dropped.
    pub fn begin(self: &Arc<Self>, operation: Operation) -> OperationGuard {
        let mut ongoing = self.ongoing();
        let number = ongoing.next;
        ongoing.next += 1;
        ongoing.calls.insert(number, OngoingCall { operation, began: Instant::now(), is_reported: false });
        OperationGuard { operations: Arc::clone(self), number }
    }

    /// Counts and logs the calls that have become slow. Must be called every second.
    pub fn report(&self, now: Instant) {
        let mut slow = Vec::new();
        for call in self.ongoing().calls.values_mut().filter(|call| !call.is_reported) {
            let elapsed = now.saturating_duration_since(call.began);
            if elapsed >= SLOW_AFTER {
                call.is_reported = true;
                slow.push((call.operation, elapsed));
            }
        }
        for (operation, elapsed) in slow {
            self.slow.of(operation).inc();
            tracing::warn!(operation = operation.as_str(), seconds = seconds(elapsed), "an operation is slow");
        }
    }

    fn end(&self, number: u64) {
        let Some(call) = self.ongoing().calls.remove(&number) else { return };
        let elapsed = call.began.elapsed();
        if elapsed < SLOW_AFTER {
            return;
        }
        if !call.is_reported {
            self.slow.of(call.operation).inc();
        }
        tracing::warn!(operation = call.operation.as_str(), seconds = seconds(elapsed), "a slow operation has ended");
    }

    fn ongoing(&self) -> MutexGuard<'_, OngoingCalls> {
        // No code that holds the lock can panic.
        self.ongoing.lock()
    }
}

/// Marks one call as ongoing.
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
        let began = operations.ongoing().calls.values().next().unwrap().began;
        operations.report(began);
        assert_eq!(operations.slow.of(Operation::KafkaPurge).get(), 0);
        operations.report(began + SLOW_AFTER);
        operations.report(began + SLOW_AFTER * 2);
        assert_eq!(operations.slow.of(Operation::KafkaPurge).get(), 1);
        drop(purge);
        assert!(operations.ongoing().calls.is_empty());
        assert_eq!(operations.slow.of(Operation::KafkaPurge).get(), 1);
    }

    #[test]
    fn slow_call_that_ends_between_two_reports_is_counted() {
        let operations = operations();
        let guard = operations.begin(Operation::SpoolWrite);
        operations.ongoing().calls.values_mut().for_each(|call| call.began -= SLOW_AFTER);
        drop(guard);
        assert_eq!(operations.slow.of(Operation::SpoolWrite).get(), 1);
    }
}
