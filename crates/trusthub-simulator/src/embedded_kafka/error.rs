//! Why the embedded Kafka does not start, or does not do what it was told.

use std::io;

use rdkafka::error::KafkaError;
use thiserror::Error;

/// Why the embedded Kafka could not be started.
#[derive(Debug, Error)]
pub enum EmbeddedKafkaError {
    /// librdkafka cannot start the cluster or create a topic.
    #[error("embedded Kafka: {0}")]
    Cluster(#[from] KafkaError),
    /// The system has no thread or no port for it.
    #[error("embedded Kafka: {0}")]
    System(#[from] io::Error),
}

/// Why the embedded Kafka was not stopped or started.
#[derive(Debug, Error)]
pub enum KafkaControlError {
    /// librdkafka refuses it.
    #[error(transparent)]
    Cluster(#[from] KafkaError),
    /// Another program has the port of the broker, so the broker stays stopped.
    #[error("cannot keep the port of the broker: {0}")]
    Port(#[from] io::Error),
    /// The cluster does not exist any more.
    #[error("the embedded Kafka has ended")]
    Ended,
}
