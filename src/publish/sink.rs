//! The door to Kafka as the rest of the service sees it.

use std::{future::Future, pin::Pin, sync::Arc};

use tokio::sync::watch;

use super::Record;
use crate::domain::PublishFailure;

/// Whether Kafka can take records, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Nobody has asked it yet.
    Unknown,
    /// It answers and has both topics, and took the last record.
    Up,
    /// It does not answer, lacks a topic or a right, or did not take a record.
    Down {
        /// Why.
        reason: PublishFailure,
        /// The same in the client's words.
        detail: Arc<str>,
    },
}

/// Resolves when all in-sync replicas have the record, or when it is certain that this try failed.
pub type Acknowledgement = Pin<Box<dyn Future<Output = Result<(), PublishFailure>> + Send>>;

/// Takes records in order and says what became of each.
pub trait Sink: Send + Sync {
    /// Hands a record over without waiting. Records of one key reach Kafka in the order of these calls.
    ///
    /// # Errors
    /// The [`PublishFailure`] when the record could not even be queued.
    fn enqueue(&self, record: &Record) -> Result<Acknowledgement, PublishFailure>;

    /// Gives up every record that is not acknowledged yet: their acknowledgements fail promptly.
    ///
    /// One that was on its way to the broker may still have been written.
    fn purge(&self);

    /// Goes on with another producer, because this one cannot. Every record was given up before.
    fn renew(&self);

    /// Whether Kafka can take records, and every change of that.
    fn availability(&self) -> watch::Receiver<Availability>;
}
