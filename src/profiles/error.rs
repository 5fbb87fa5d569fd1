//! Why there are no states, or why they cannot be read.

use thiserror::Error;

use crate::{blocking::BlockingError, kafka::ProjectionError};

/// The configuration turns the states off.
#[derive(Debug, Error)]
#[error("KAFKA_PROFILES_TOPIC is empty, so there are no states; write the name of the service's topic")]
pub(crate) struct StatesTurnedOff;

/// Why the states cannot be read.
#[derive(Debug, Error)]
pub(crate) enum StatesError {
    /// There are no states.
    #[error(transparent)]
    TurnedOff(#[from] StatesTurnedOff),
    /// The state topic does not exist.
    #[error("topic {0} does not exist; start the service, which creates it, or correct KAFKA_PROFILES_TOPIC")]
    NoTopic(String),
    /// Kafka cannot be used.
    #[error(transparent)]
    Kafka(#[from] ProjectionError),
    /// A call could not be made.
    #[error(transparent)]
    Call(#[from] BlockingError),
}
