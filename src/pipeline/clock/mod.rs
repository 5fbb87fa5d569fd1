//! The time of events, which never goes back: neither while the process runs nor across restarts on the same volume.
//!
//! Consumers skip an event that is older than the last one they applied. When the system clock is set back, the time of
//! events therefore stays the same until the clock has caught up ([`EventClock`]). The latest time is saved in the folder of
//! the spool for the next process (`file`). A background task writes it (`writer`), so a disk that hangs delays no callback.
//! It only makes the saved time older.
//!
//! A saved time that is more than [`MAX_LEAD`] ahead of the system clock is ignored, because one of the two clocks was wrong.
//! If the service used it, consumers would skip the events of all other replicas for that long.

mod file;
mod latest;
mod writer;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

pub(crate) use self::writer::EventTimeWriter;
use self::{
    file::{EventTimeFile, SavedTime},
    latest::LatestTime,
    writer::INTERVAL,
};
use super::metrics::PipelineMetrics;
use crate::domain::Timestamp;

/// How far the saved time may be ahead of the system clock.
const MAX_LEAD: Duration = Duration::from_secs(3600);

/// How much later than the saved time the last event of a process may be that did not stop cleanly. Such a process saved the
/// time at most [`INTERVAL`] before, plus the duration of a write, which is reported as slow after a second. The margin is no
/// longer than that, because this replica's events are ahead of those of other replicas by it.
const MARGIN: Duration = INTERVAL.saturating_add(Duration::from_secs(1));

/// The time of events: the system clock, except that it never goes back.
#[derive(Debug)]
pub(crate) struct EventClock {
    latest: Timestamp,
    is_ahead: bool,
    latest_issued: Arc<LatestTime>,
}

impl Default for EventClock {
    /// A clock without earlier events, whose time is not saved.
    fn default() -> Self {
        Self { latest: UNIX_EPOCH.into(), is_ahead: false, latest_issued: Arc::default() }
    }
}

impl EventClock {
    /// Creates a clock that continues where the previous process in `folder` stopped, and the writer that saves its time
    /// there. `now` is the time of the system clock. Blocks while it reads a small file, so it is to be called at start, before
    /// anything is served.
    pub(crate) fn open(folder: &Path, now: Timestamp, metrics: Arc<PipelineMetrics>) -> (Self, EventTimeWriter) {
        let file = EventTimeFile::in_folder(folder);
        let saved = file.read().unwrap_or_else(|error| {
            let file = file.path().display().to_string();
            tracing::warn!(file, %error, "the saved event time cannot be read and is ignored");
            None
        });
        let clock = match saved {
            Some(saved) if now.until(saved.time) > MAX_LEAD => {
                metrics.event_time_reset.set(1);
                let (system, kept) = (now.to_string(), saved.time.to_string());
                tracing::error!(
                    system,
                    kept,
                    "the events of the previous process are more than an hour ahead of the system clock, so one of the two \
                     clocks was wrong; new events have the time of the system clock, and consumers may skip them as older"
                );
                Self::default()
            }
            Some(saved) => Self { latest: first_time(saved), ..Self::default() },
            None => Self::default(),
        };
        let writer = EventTimeWriter::new(file, Arc::clone(&clock.latest_issued), metrics);
        (clock, writer)
    }

    /// Returns the time of the next event: `now`, the time of the system clock, or the latest event time if that is later.
    pub(super) fn next_time(&mut self, now: Timestamp) -> Timestamp {
        let is_ahead = now < self.latest;
        if is_ahead && !self.is_ahead {
            let (system, events) = (now.to_string(), self.latest.to_string());
            tracing::warn!(
                system,
                events,
                "the system clock went back; event times stay the same until it has caught up"
            );
        }
        self.is_ahead = is_ahead;
        self.latest = self.latest.max(now);
        self.latest_issued.raise(self.latest);
        self.latest
    }
}

/// The earliest time of the next event.
fn first_time(saved: SavedTime) -> Timestamp {
    if saved.is_final { saved.time } else { saved.time.after(MARGIN) }
}

#[cfg(test)]
mod tests;
