//! Why a topic cannot be read.

use std::time::Duration;

use rdkafka::error::KafkaError;
use thiserror::Error;

use super::{error, value_reader::UnknownSchema};
use crate::domain::PublishFailure;

/// How long one request may take, and how long reading may make no progress.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the topic cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TopicReadError {
    /// The topic does not exist.
    #[error("topic {topic} does not exist; start the service, which creates it, or create it yourself")]
    NoTopic {
        /// The name of the missing topic.
        topic: String,
    },
    /// Kafka does not answer, or rejects a request.
    #[error("cannot read topic {topic}: {}", code_or_text(.reason))]
    Kafka {
        /// The name of the topic.
        topic: String,
        /// The error of the client.
        #[source]
        reason: KafkaError,
    },
    /// The permission is missing.
    #[error("the Kafka user is not authorized to READ on topic {topic}; grant the permission with kafka-acls")]
    NotAllowed {
        /// The name of the topic.
        topic: String,
    },
    /// No record arrived for a while, before the end of the topic.
    #[error("cannot read topic {topic} to its end: no record arrived for {} s", REQUEST_TIMEOUT.as_secs())]
    Stalled {
        /// The name of the topic.
        topic: String,
    },
    /// A record is Avro, and its schema is not known.
    #[error("cannot read topic {topic}: {reason}")]
    Schema {
        /// The name of the topic.
        topic: String,
        /// The record, and why its schema is not known.
        #[source]
        reason: UnknownSchema,
    },
}

pub(super) fn kafka_error(topic: &str, reason: KafkaError) -> TopicReadError {
    let topic = topic.to_owned();
    match error::classify(&reason) {
        PublishFailure::Authorization => TopicReadError::NotAllowed { topic },
        _ => TopicReadError::Kafka { topic, reason },
    }
}

/// The error code, or the text of an error that has none.
fn code_or_text(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}
