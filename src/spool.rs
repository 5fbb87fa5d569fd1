//! The spool of the service: joins the crate [`durable_spool`] to the metrics, and to what users have to be told.

use std::{io, sync::Arc, time::Duration};

use durable_spool::{DiskOperation, SpoolObserver, SpoolState};
use parking_lot::Mutex;

use crate::{
    domain::Timestamp,
    telemetry::{Metrics, Operation, OperationGuard},
};

/// How long an append may take. Twilio waits 15 seconds; a slow disk should not fail a callback that it could still have
/// stored in that time.
pub const APPEND_TIMEOUT: Duration = Duration::from_secs(13);

/// Shows the state of the spool in the metrics, and logs what a user has to do.
#[derive(Debug)]
pub struct SpoolReporter {
    metrics: Arc<Metrics>,
    /// The call on the disk that has not ended.
    ongoing: Mutex<Option<OperationGuard>>,
}

impl SpoolReporter {
    /// Reports to these metrics.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { metrics, ongoing: Mutex::default() })
    }
}

impl SpoolObserver for SpoolReporter {
    fn state_changed(&self, state: &SpoolState) {
        let spool = &self.metrics.spool;
        // First: a reader who sees that the spool has drained also sees that it has space.
        spool.full.set(state.is_full.into());
        spool.events.set(to_gauge(state.queued));
        spool.bytes.set(to_gauge(state.queued_bytes));
        spool.capacity.set(to_gauge(state.capacity_bytes));
        spool.parked.set(to_gauge(state.parked));
        spool.parked_bytes.set(to_gauge(state.parked_bytes));
        spool.oldest.set(state.oldest.map(Timestamp::from));
    }

    fn group_synced(&self, duration: Duration) {
        self.metrics.spool.sync_seconds.observe(duration.as_secs_f64());
    }

    fn damage_found(&self, count: u64) {
        self.metrics.spool.damaged.inc_by(count);
    }

    fn records_salvaged(&self, count: u64) {
        self.metrics.spool.salvaged.inc_by(count);
    }

    fn records_lost(&self, salvaged: u64) {
        tracing::error!(
            records = salvaged,
            "salvaged only part of the damaged spool store; keep its file, and run `trusthub-bridge reconcile` to publish \
             what is missing"
        );
    }

    fn operation_began(&self, operation: DiskOperation) {
        let operation = match operation {
            DiskOperation::Read => Operation::SpoolRead,
            DiskOperation::Write => Operation::SpoolWrite,
        };
        *self.ongoing.lock() = Some(self.metrics.operations.begin(operation));
    }

    fn operation_ended(&self, _operation: DiskOperation) {
        *self.ongoing.lock() = None;
    }

    fn inspection_unavailable(&self, error: &io::Error) {
        tracing::warn!(%error, "cannot serve spool inspection: `trusthub-bridge spool ls` works only while this process is stopped");
    }
}

fn to_gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new(|destination| destination.to_string()).unwrap())
    }

    #[test]
    fn state_of_the_spool_is_shown_in_the_metrics() {
        let metrics = metrics();
        let reporter = SpoolReporter::new(Arc::clone(&metrics));
        reporter.state_changed(&SpoolState {
            queued: 1,
            queued_bytes: 2,
            capacity_bytes: u64::MAX,
            parked: 4,
            parked_bytes: 5,
            is_full: true,
            oldest: Some(SystemTime::now() - Duration::from_secs(60)),
        });
        reporter.damage_found(6);
        reporter.records_salvaged(7);
        reporter.group_synced(Duration::from_millis(8));
        let spool = &metrics.spool;
        assert_eq!((spool.events.get(), spool.bytes.get(), spool.capacity.get()), (1, 2, i64::MAX));
        assert_eq!((spool.parked.get(), spool.parked_bytes.get(), spool.full.get()), (4, 5, 1));
        assert_eq!((spool.damaged.get(), spool.salvaged.get(), spool.sync_seconds.get_sample_count()), (6, 7, 1));
        assert!(metrics.render().unwrap().contains("trusthub_spool_oldest_seconds 6"));
    }
}
