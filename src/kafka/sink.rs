//! The interface between Kafka and the rest of the service.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use tokio::sync::watch;

use super::Record;
use crate::domain::{DataSchema, PublishFailure, TopicPosition};

/// Whether Kafka accepts events, as far as the service knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Availability {
    /// Not known yet.
    Unknown,
    /// Kafka answers, has the event topic, and accepted the last event.
    Up,
    /// Kafka does not answer, lacks the topic or a permission, or did not accept an event.
    Down {
        /// The class of the failure.
        reason: PublishFailure,
        /// The message of the client.
        detail: Arc<str>,
    },
}

/// Receives the results of the records that it handed to a [`Sink`].
pub(crate) trait OnCompleted: Send + Sync {
    /// Called with the position of the record when all in-sync replicas have it, or when this attempt has certainly failed.
    ///
    /// Runs on a thread of the Kafka client, in no particular order. It must neither block nor panic.
    fn on_completed(&self, number: u64, result: Result<TopicPosition, PublishFailure>);
}

/// The receiver of one record's result. It is called once, or never if the client is destroyed first.
pub(crate) struct Completion {
    number: u64,
    receiver: Arc<dyn OnCompleted>,
}

impl Completion {
    /// Reports the result to `receiver` under this number.
    #[must_use]
    pub(crate) fn new(number: u64, receiver: Arc<dyn OnCompleted>) -> Self {
        Self { number, receiver }
    }

    /// Reports the result of the record.
    pub(crate) fn complete(self, result: Result<TopicPosition, PublishFailure>) {
        self.receiver.on_completed(self.number, result);
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Completion").field(&self.number).finish()
    }
}

/// A call that has started and runs to completion whether or not it is awaited.
pub(crate) type BackgroundCall = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Accepts records in order and reports the result of each.
pub(crate) trait Sink: Send + Sync {
    /// Hands a record over without waiting. Records with the same key reach Kafka in the order of these calls. The
    /// completion is called on another thread, so the caller may hold a lock.
    ///
    /// # Errors
    /// The [`PublishFailure`] when the record could not be queued; the completion is not called then.
    fn enqueue(&self, record: &Record, completion: Completion) -> Result<(), PublishFailure>;

    /// Whether records with this schema can be encoded now: in Avro, whether the schema registry has said which id the schema
    /// has.
    fn can_encode(&self, schema: DataSchema) -> bool;

    /// Whether the schema registry has answered that it rejects this schema, so that waiting does not help. A registry that has
    /// not answered rejects nothing.
    fn is_schema_rejected(&self, schema: DataSchema) -> bool;

    /// Discards every record that is not acknowledged yet. Starts immediately, on a thread of its own; if there is no such
    /// record, it has returned already.
    ///
    /// The client waits for all its connections, including one that is looking up a name, so the call can take as long
    /// as a name server does not answer. Most records still complete immediately. After the call has returned, all records
    /// have completed or complete within milliseconds, and no record that was handed over before can be written later.
    /// A record that is handed over *during* the call may be purged or overtaken, so wait for the end of the call
    /// first.
    ///
    /// The broker may nevertheless have written a record that was already on its way.
    fn purge(&self) -> BackgroundCall;

    /// Replaces the producer after a fatal error, or because its credentials were renewed. Every record must have completed or
    /// have been purged before, and no record may be handed over until the call has returned.
    fn renew(&self) -> BackgroundCall;

    /// Subscribes to whether the producer is to be replaced because there is one with newer credentials.
    fn renewal_due(&self) -> watch::Receiver<bool>;

    /// Whether the brokers have rejected the credentials of the producer since they last acknowledged one of its records.
    fn are_credentials_rejected(&self) -> bool;

    /// Reports that Kafka did not acknowledge records before the caller's deadline.
    fn timed_out(&self);

    /// Subscribes to whether Kafka accepts events.
    fn availability(&self) -> watch::Receiver<Availability>;
}
