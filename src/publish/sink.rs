//! The door to Kafka as the rest of the service sees it.

use std::{future::Future, pin::Pin};

use super::Record;
use crate::domain::PublishFailure;

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
}
