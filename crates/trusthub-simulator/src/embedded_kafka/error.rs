//! Why the embedded Kafka does not start.

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
