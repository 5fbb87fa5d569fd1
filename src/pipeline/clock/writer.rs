//! Saves the time of the last event to the disk in a background task, so that callbacks do not wait for the disk.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | write, sync and rename the file | `event-time`, one for each write | that of the file, which only these threads take | none while the service runs: the next write waits; [`STOP_TIMEOUT`] at the stop |

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    file::{EventTimeFile, SavedTime},
    latest::LatestTime,
};
use crate::{blocking, pipeline::metrics::PipelineMetrics, telemetry::Operation};

/// The pause between the end of one write and the start of the next.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// How long a stop waits for the last write, unless the time for the stop ends first.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Writes the time of the last event to the disk while the service runs, and once more when it stops.
#[must_use = "the event time is saved only while the writer runs"]
pub(crate) struct EventTimeWriter {
    file: Arc<Mutex<EventTimeFile>>,
    latest_issued: Arc<LatestTime>,
    metrics: Arc<PipelineMetrics>,
    /// Whether the last write failed. A failing disk is logged once, when it starts to fail.
    is_failing: AtomicBool,
}

impl EventTimeWriter {
    pub(super) fn new(file: EventTimeFile, latest_issued: Arc<LatestTime>, metrics: Arc<PipelineMetrics>) -> Self {
        Self { file: Arc::new(Mutex::new(file)), latest_issued, metrics, is_failing: AtomicBool::new(false) }
    }

    /// Writes after the first event, and then at most once a second while there are more. After `stop`, when no more events
    /// may follow, it writes once more. Returns within three seconds of `stop`, whatever the disk does.
    pub(crate) async fn run(self, stop: CancellationToken) {
        // A running write finishes on its own thread, and the last write waits there for the lock of the file.
        stop.run_until_cancelled(self.write_changes()).await;
        if timeout(STOP_TIMEOUT, self.write(true)).await.is_err() {
            tracing::warn!("stopped before the event time was saved: the disk does not respond");
        }
    }

    async fn write_changes(&self) {
        loop {
            self.latest_issued.raised.notified().await;
            while !self.write(false).await {
                sleep(INTERVAL).await;
            }
            sleep(INTERVAL).await;
        }
    }

    /// Writes the latest time. Returns whether no write is pending any more.
    async fn write(&self, is_final: bool) -> bool {
        let Some(time) = self.latest_issued.latest() else { return true };
        let file = Arc::clone(&self.file);
        let operation = self.metrics.shared.operations.begin(Operation::EventTime);
        let written = blocking::run("event-time", move || {
            let _operation = operation;
            // No code that holds the lock can panic.
            file.lock().write(SavedTime { time, is_final })
        });
        let written = written.await.map_err(io::Error::other).flatten();
        self.report(&written);
        written.is_ok()
    }

    fn report(&self, written: &io::Result<()>) {
        let has_changed = self.is_failing.swap(written.is_err(), Relaxed) != written.is_err();
        match written {
            Err(error) if has_changed => {
                tracing::warn!(%error, "the event time cannot be saved; retrying every second");
            }
            Err(error) => tracing::debug!(%error, "the event time cannot be saved"),
            Ok(()) if has_changed => tracing::info!("the event time is saved again"),
            Ok(()) => {}
        }
    }
}
