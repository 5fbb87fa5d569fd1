//! The spool → Kafka, in its order, and then the way back to Kafka without it.

use std::{
    future::pending,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    conductor::Conductor,
    desk::Mode,
    parcel::Parcel,
    shipping::{Shipped, publish, ship},
};
use crate::{
    domain::{FailureClass, PublishFailure},
    publish::Availability,
    spool::{Batch, Entry, Unreadable},
};

/// Records that are read and published at once: enough that one sync of the disk for each batch does not matter, few
/// enough that a request can wait for the last of them.
const MOST_ENTRIES: usize = 1_000;
/// Their size.
const MOST_BYTES: usize = 1 << 20;

const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// No callback waits for the drain, so a Kafka that is slow is given more time than callbacks can give it. Otherwise
/// each record would be taken back just before its acknowledgement, and be repeated for ever.
const LONGEST_PATIENCE: Duration = Duration::from_secs(30);

/// How the drain goes.
pub(super) struct Drain {
    /// Entries that are tried at once: one after a failure, then more with each success.
    window: usize,
    /// How long to wait after the next failure.
    pause: Duration,
    /// How long Kafka may take for an acknowledgement: longer after each failure, until the spool is empty.
    patience: Duration,
}

impl Drain {
    /// At first Kafka may take as long as it may for callbacks.
    pub(super) fn new(patience: Duration) -> Self {
        Self { window: 1, pause: SHORTEST_PAUSE, patience }
    }

    fn after(&self, step: &Step, at_first: Duration) -> Self {
        let Self { window, pause, patience } = *self;
        match step {
            Step::Moved(_) => Self { window: (window * 2).min(MOST_ENTRIES), pause: SHORTEST_PAUSE, patience },
            Step::Failed(_) => Self { window: 1, pause, patience: (patience * 2).min(LONGEST_PATIENCE).max(patience) },
            Step::Empty => Self { window: 1, pause, patience: at_first },
            Step::Divide | Step::Stuck => Self { window: 1, pause, patience },
        }
    }
}

/// What one step came to.
enum Step {
    /// So many records left the spool.
    Moved(usize),
    /// The first record is the trouble, unless it is better off alone.
    Divide,
    /// Nothing is in the spool.
    Empty,
    /// Kafka does not take the first record now.
    Failed(PublishFailure),
    /// Nothing can be read or removed now.
    Stuck,
}

impl From<Unreadable> for Step {
    fn from(_: Unreadable) -> Self {
        Self::Stuck
    }
}

/// The spool could not be emptied.
#[derive(Debug, Error)]
#[error("{left} records are left in the spool: {}", .reason.map_or_else(|| "it cannot be read".to_owned(), |reason| format!("Kafka does not take them ({reason})")))]
pub struct DrainFailed {
    /// Records that are still in the spool.
    pub left: u64,
    /// Why Kafka does not take the next of them; `None` when the spool is what cannot be read.
    pub reason: Option<PublishFailure>,
}

impl Conductor {
    /// Empties the spool of a service that does not run. Gives up when nothing moves for as long as `patience`;
    /// `progress` hears how many records are left.
    ///
    /// # Errors
    /// [`DrainFailed`]; what is left stays in the spool.
    pub async fn drain_all(mut self, patience: Duration, mut progress: impl FnMut(u64)) -> Result<u64, DrainFailed> {
        let (stop, mut moved_last, mut drained) = (CancellationToken::new(), Instant::now(), 0);
        loop {
            let reason = match self.step(&stop).await {
                Step::Empty => return Ok(drained),
                Step::Moved(records) => {
                    drained += records as u64;
                    moved_last = Instant::now();
                    progress(self.desk.spool.events());
                    continue;
                }
                Step::Divide => continue,
                Step::Failed(reason) => Some(reason),
                Step::Stuck => None,
            };
            if moved_last.elapsed() >= patience {
                return Err(DrainFailed { left: self.desk.spool.events(), reason });
            }
            self.pause(&stop).await;
        }
    }

    /// One step of the drain, and what follows from it.
    pub(super) async fn drain_on(&mut self, stop: &CancellationToken) {
        let step = self.step(stop).await;
        if stop.is_cancelled() {
            // What was interrupted is no sign of anything.
            return;
        }
        match step {
            Step::Divide => {}
            Step::Moved(records) => {
                if let Some(outage) = &mut self.outage {
                    outage.drained += records as u64;
                }
                // What is left fits into the next step, so nobody waits for long.
                if self.desk.spool.events() <= self.drain.window as u64 {
                    self.hold_what_comes();
                }
                self.hold_no_longer_than_promised().await;
            }
            Step::Empty => self.finish(stop).await,
            Step::Failed(reason) => {
                self.begin_outage(reason);
                self.give_up_for_now(stop).await;
            }
            Step::Stuck => self.give_up_for_now(stop).await,
        }
    }

    /// From here on the spool does not grow: what comes waits until the last of it is in Kafka.
    fn hold_what_comes(&self) {
        let mut book = self.desk.book();
        if book.mode == Mode::Outage {
            book.mode = Mode::Returning(Instant::now() + self.desk.patience);
        }
    }

    /// A Kafka that takes records, but slowly, keeps nobody waiting: the spool grows again.
    async fn hold_no_longer_than_promised(&self) {
        let mode = self.desk.book().mode;
        if matches!(mode, Mode::Returning(until) if until <= Instant::now()) {
            self.fall_back_to_spool().await;
        }
    }

    /// The spool is empty. While something may still be on its way into it that is no proof, so it is asked again.
    async fn finish(&mut self, stop: &CancellationToken) {
        let mode = self.desk.book().mode;
        match mode {
            Mode::Returning(_) => self.end_outage(),
            _ if self.is_kafka_away() => self.pause(stop).await,
            _ => self.hold_what_comes(),
        }
    }

    async fn give_up_for_now(&mut self, stop: &CancellationToken) {
        let mode = self.desk.book().mode;
        if matches!(mode, Mode::Returning(_)) {
            self.fall_back_to_spool().await;
        }
        self.pause(stop).await;
    }

    fn is_kafka_away(&self) -> bool {
        matches!(*self.availability.borrow(), Availability::Down { .. })
    }

    /// Waits longer each time, but not beyond the moment at which Kafka is seen again.
    async fn pause(&mut self, stop: &CancellationToken) {
        let pause = self.drain.pause;
        self.drain.pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = sleep(pause) => {}
            () = self.kafka_seen_again() => self.drain.pause = SHORTEST_PAUSE,
            () = stop.cancelled() => {}
        }
    }

    async fn kafka_seen_again(&mut self) {
        self.availability.mark_unchanged();
        while self.availability.changed().await.is_ok() {
            if *self.availability.borrow_and_update() == Availability::Up {
                return;
            }
        }
        // The sink is gone, and so is all news of it.
        pending().await
    }

    /// Publishes the next records of the spool, and forgets those that Kafka has acknowledged.
    async fn step(&mut self, stop: &CancellationToken) -> Step {
        let batch = Batch { entries: self.drain.window, bytes: MOST_BYTES };
        let entries = match self.desk.spool.read(None, batch).await {
            Ok(entries) => entries,
            Err(unreadable) => return unreadable.into(),
        };
        let step = match entries.as_slice() {
            [] => Step::Empty,
            [entry] => self.step_alone(entry, stop).await,
            _ => self.step_together(&entries, stop).await,
        };
        self.drain = self.drain.after(&step, self.desk.patience);
        step
    }

    async fn step_together(&self, entries: &[Entry], stop: &CancellationToken) -> Step {
        let parcels: Vec<_> = entries.iter().map_while(|entry| Parcel::decode(&entry.bytes).ok()).collect();
        let (acknowledged, failure) =
            publish(&self.desk, parcels.iter().map(|parcel| &parcel.record), self.drain.patience, stop).await;
        match (entries.get(acknowledged.wrapping_sub(1)), failure) {
            (Some(last), _) => match self.desk.spool.remove_through(last.position).await {
                Ok(()) => self.moved(acknowledged),
                Err(unreadable) => unreadable.into(),
            },
            (None, Some(reason)) if reason.class() != FailureClass::Record => Step::Failed(reason),
            // The first is refused, or cannot be decoded.
            (None, _) => Step::Divide,
        }
    }

    async fn step_alone(&self, entry: &Entry, stop: &CancellationToken) -> Step {
        let Ok(parcel) = Parcel::decode(&entry.bytes) else {
            return self.park(entry, "it cannot be decoded").await;
        };
        match ship(&self.desk, &parcel, self.drain.patience, stop).await {
            Shipped::Durable(_) => match self.desk.spool.remove_through(entry.position).await {
                Ok(()) => self.moved(1),
                Err(unreadable) => unreadable.into(),
            },
            Shipped::Refused => self.park(entry, "neither topic takes it").await,
            // Events behind it must not wait until somebody minds the other topic.
            Shipped::Outage(reason) if reason.is_of_topic() && parcel.is_dead_letter() => {
                self.park(entry, "the topic of dead letters does not take any").await
            }
            Shipped::Outage(reason) => Step::Failed(reason),
        }
    }

    /// A record that cannot be published does not block those behind it. It is kept for an operator.
    async fn park(&self, entry: &Entry, why: &str) -> Step {
        tracing::error!(
            position = ?entry.position,
            "a record of the spool is set aside because {why}; it is tried again after the next start, and \
             `trusthub-bridge spool export` shows it"
        );
        match self.desk.spool.park(entry.position).await {
            Ok(()) => Step::Moved(1),
            Err(unreadable) => unreadable.into(),
        }
    }

    fn moved(&self, records: usize) -> Step {
        self.desk.metrics.spool.drained.inc_by(records as u64);
        Step::Moved(records)
    }
}
