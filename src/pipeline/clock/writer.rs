//! Keeps the time of the last event on the disk, beside the path of a callback.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | write, sync and rename the file | `event-time`, one for each write | that of the file, which only these threads take | none while the service runs: the next write waits; [`LONGEST_END`] at the stop |

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Issued,
    file::{EventTimeFile, Kept},
};
use crate::{
    blocking,
    telemetry::{Metrics, Operation},
};

/// From the end of one write to the next.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// The longest that the end waits for the last write.
const LONGEST_END: Duration = Duration::from_secs(1);

/// Writes the time of the last event to the disk while the service runs, and at its end.
#[must_use = "without it no time is kept"]
pub struct EventTimeWriter {
    file: Arc<Mutex<EventTimeFile>>,
    issued: Arc<Issued>,
    metrics: Arc<Metrics>,
    /// Whether the last write failed, so that a disk that fails is one line in the log.
    is_failing: AtomicBool,
}

impl EventTimeWriter {
    pub(super) fn new(file: EventTimeFile, issued: Arc<Issued>, metrics: Arc<Metrics>) -> Self {
        Self { file: Arc::new(Mutex::new(file)), issued, metrics, is_failing: AtomicBool::new(false) }
    }

    /// Writes after the first event, and then at most once a second while there are more. After `stop`, when there
    /// must be no more events, it writes once more. Ends within a second of `stop` whatever the disk does.
    pub async fn run(self, stop: CancellationToken) {
        // A write that is under way comes to its end on its own thread, and the last one waits for it there.
        stop.run_until_cancelled(self.follow()).await;
        if timeout(LONGEST_END, self.write(true)).await.is_err() {
            tracing::warn!("the time of the last event was not written before the end: the disk does not answer");
        }
    }

    async fn follow(&self) {
        loop {
            self.issued.raised.notified().await;
            while !self.write(false).await {
                sleep(INTERVAL).await;
            }
            sleep(INTERVAL).await;
        }
    }

    /// Whether there is nothing left to write.
    async fn write(&self, is_final: bool) -> bool {
        let Some(time) = self.issued.latest() else { return true };
        let file = Arc::clone(&self.file);
        let operation = self.metrics.operations.begin(Operation::EventTime);
        let written = blocking::run("event-time", move || {
            let _operation = operation;
            // Nothing that holds the lock can panic.
            file.lock().unwrap_or_else(PoisonError::into_inner).write(Kept { time, is_final })
        });
        let written = written.await.map_err(io::Error::other).flatten();
        self.report(&written);
        written.is_ok()
    }

    fn report(&self, written: &io::Result<()>) {
        let is_news = self.is_failing.swap(written.is_err(), Relaxed) != written.is_err();
        match written {
            Err(error) if is_news => {
                tracing::warn!(%error, "the time of the last event cannot be written; it is tried again every second");
            }
            Err(error) => tracing::debug!(%error, "the time of the last event cannot be written"),
            Ok(()) if is_news => tracing::info!("the time of the last event is written again"),
            Ok(()) => {}
        }
    }
}
