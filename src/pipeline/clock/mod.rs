//! The time of events, which never goes back: not while the process runs, and not across restarts on one volume.
//!
//! Consumers skip an event that is older than the last one they applied. So when the system's clock is set back, the time
//! of events stays where it is until the clock has caught up ([`EventClock`]), and the latest time is kept in the folder
//! of the spool for the next process (`file`). It is written beside the path of a callback (`writer`): a disk that
//! hangs delays no callback, it only makes the kept time older.
//!
//! A kept time that is more than [`LONGEST_WAIT`] ahead of the clock is dropped, because one of the two clocks was wrong.
//! To wait for it would make consumers skip the events of all other replicas for as long.

mod file;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, UNIX_EPOCH},
};

use tokio::sync::Notify;

pub use self::writer::EventTimeWriter;
use self::{
    file::{EventTimeFile, Kept},
    writer::INTERVAL,
};
use crate::{domain::Timestamp, telemetry::Metrics};

/// The furthest that the kept time may be ahead of the clock.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How much later than the kept time events may be of a process that did not end in good order: it wrote the time at most
/// [`INTERVAL`] ago, and a write that takes more than a second is reported as slow. Not more, because in the meantime this
/// replica's events would be ahead of those of other replicas.
const MARGIN: Duration = INTERVAL.saturating_add(Duration::from_secs(1));

/// The time of events: the system's clock, except that it never goes back.
#[derive(Debug)]
pub struct EventClock {
    latest: Timestamp,
    is_ahead: bool,
    issued: Arc<Issued>,
}

impl Default for EventClock {
    /// A clock that knows of no events before, and whose time is not kept.
    fn default() -> Self {
        Self { latest: UNIX_EPOCH.into(), is_ahead: false, issued: Arc::default() }
    }
}

impl EventClock {
    /// The clock that continues where the last process in `folder` ended, and the writer that keeps its time there. `now`
    /// is what the system's clock says. Blocks while it reads a small file: for the start, before anything is served.
    pub fn open(folder: &Path, now: Timestamp, metrics: Arc<Metrics>) -> (Self, EventTimeWriter) {
        let file = EventTimeFile::in_folder(folder);
        let kept = file.read().unwrap_or_else(|error| {
            let file = file.path().display().to_string();
            tracing::warn!(file, %error, "the kept time of events cannot be read and is not used");
            None
        });
        let clock = match kept {
            Some(kept) if now.until(kept.time) > LONGEST_WAIT => {
                metrics.event_time_reset.set(1);
                let (system, kept) = (now.to_string(), kept.time.to_string());
                tracing::error!(
                    system,
                    kept,
                    "the events of the last process are more than an hour ahead of the clock, so one of the two clocks was \
                     wrong; new events have the time of the clock, and consumers may skip them as older"
                );
                Self::default()
            }
            Some(kept) => Self { latest: first_time(kept), ..Self::default() },
            None => Self::default(),
        };
        let writer = EventTimeWriter::new(file, Arc::clone(&clock.issued), metrics);
        (clock, writer)
    }

    /// The time of the next event, when the system says that it is `now`.
    pub(super) fn time(&mut self, now: Timestamp) -> Timestamp {
        let is_ahead = now < self.latest;
        if is_ahead && !self.is_ahead {
            let (system, events) = (now.to_string(), self.latest.to_string());
            tracing::warn!(system, events, "the clock was set back; the time of events waits for it");
        }
        self.is_ahead = is_ahead;
        self.latest = self.latest.max(now);
        self.issued.raise(self.latest);
        self.latest
    }
}

/// The earliest time of the next event.
fn first_time(kept: Kept) -> Timestamp {
    if kept.is_final { kept.time } else { kept.time.after(MARGIN) }
}

/// The latest time that was given to an event, for the writer to see.
#[derive(Debug)]
struct Issued {
    /// Milliseconds since the Unix epoch.
    latest: AtomicI64,
    raised: Notify,
}

impl Default for Issued {
    fn default() -> Self {
        Self { latest: AtomicI64::new(i64::MIN), raised: Notify::new() }
    }
}

impl Issued {
    /// Costs no more than two atomic operations unless the writer waits, which it does only when nothing happened for
    /// [`INTERVAL`]. Only one thread at a time calls it.
    fn raise(&self, time: Timestamp) {
        let millis = time.unix_millis();
        if self.latest.swap(millis, Relaxed) != millis {
            self.raised.notify_one();
        }
    }

    /// `None` before the first event.
    fn latest(&self) -> Option<Timestamp> {
        let millis = self.latest.load(Relaxed);
        if millis == i64::MIN { None } else { Timestamp::from_unix_millis(millis) }
    }
}

#[cfg(test)]
mod tests;
