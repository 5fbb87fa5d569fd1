//! Kafka as the rest of the service sees it.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use tokio::sync::watch;

use super::Record;
use crate::domain::PublishFailure;

/// Whether Kafka can take events, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Not known yet.
    Unknown,
    /// It answers, has the topic of events, and took the last event.
    Up,
    /// It does not answer, lacks the topic or a permission, or did not take an event.
    Down {
        /// Why.
        reason: PublishFailure,
        /// The same in the client's words.
        detail: Arc<str>,
    },
}

/// Learns what became of the records that it handed to a [`Sink`].
pub trait OnCompleted: Send + Sync {
    /// All in-sync replicas have the record, or it is certain that this try failed.
    ///
    /// Called on a thread of the Kafka client, in no particular order: it must neither block nor panic.
    fn on_completed(&self, number: u64, result: Result<(), PublishFailure>);
}

/// Who learns what became of one record. It is told once, or never when the client is destroyed first.
pub struct Completion {
    number: u64,
    receiver: Arc<dyn OnCompleted>,
}

impl Completion {
    /// `receiver` learns it under this number.
    #[must_use]
    pub fn new(number: u64, receiver: Arc<dyn OnCompleted>) -> Self {
        Self { number, receiver }
    }

    /// Says what became of the record.
    pub fn complete(self, result: Result<(), PublishFailure>) {
        self.receiver.on_completed(self.number, result);
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Completion").field(&self.number).finish()
    }
}

/// A call that has begun and comes to its end whether or not it is awaited.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes records in order and says what became of each.
pub trait Sink: Send + Sync {
    /// Hands a record over without waiting. Records of one key reach Kafka in the order of these calls. The completion
    /// is used on another thread, so that a caller may hold a lock.
    ///
    /// # Errors
    /// The [`PublishFailure`] when the record could not even be queued; the completion is not used then.
    fn enqueue(&self, record: &Record, completion: Completion) -> Result<(), PublishFailure>;

    /// Gives up every record that is not acknowledged yet. Begins at once, on a thread of its own.
    ///
    /// The client waits for all its connections, also for the one that is looking up a name, so this can take as long as
    /// a name server does not answer. Most records still complete at once. Once it has returned, all of them have
    /// completed or do so within milliseconds, and nothing that was handed over before can be written later. What is
    /// handed over *while* it runs may be purged or overtaken: wait for its end first.
    ///
    /// A record that was on its way to the broker may still have been written.
    fn purge(&self) -> Running;

    /// Replaces the producer, because it cannot continue. Every record must have been purged before.
    fn renew(&self) -> Running;

    /// Kafka did not acknowledge records within the time that the caller had for them.
    fn timed_out(&self);

    /// Whether Kafka can take events, and every change of that.
    fn availability(&self) -> watch::Receiver<Availability>;
}
