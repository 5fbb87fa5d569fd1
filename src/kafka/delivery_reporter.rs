//! Counts the results of records, and updates the health of Kafka with them.

use std::{sync::Arc, time::Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{
    KafkaHealth,
    error::classify,
    metrics::{AclOperation, KafkaMetrics},
    topics::Topics,
    value_encoder::EncodeError,
};
use crate::domain::{Destination, FailureClass, Label as _, PublishFailure};

/// Counts the result of each record, and updates the health of Kafka.
pub(super) struct DeliveryReporter {
    pub(super) topics: Topics,
    pub(super) health: Arc<KafkaHealth>,
    pub(super) metrics: Arc<KafkaMetrics>,
}

impl DeliveryReporter {
    /// Counts an acknowledged record, and updates the health of Kafka.
    pub(super) fn report_success(&self, destination: Destination) {
        self.metrics.published.of(destination).inc();
        self.metrics.topic_permission_missing.of(destination, AclOperation::Write).set(0);
        if destination == Destination::Events {
            self.health.record_succeeded();
        }
    }

    /// Counts a record that was not handed over, because it has no format yet. That says nothing about Kafka.
    pub(super) fn report_not_encoded(&self, error: EncodeError) -> PublishFailure {
        let reason = match error {
            EncodeError::NoSchemaId(_) => PublishFailure::NoSchemaId,
            EncodeError::Invalid => PublishFailure::InvalidRecord,
        };
        self.metrics.publish_failures.of(reason).inc();
        reason
    }

    /// Counts a record that was not acknowledged, and updates the health of Kafka. Returns the class of the failure.
    pub(super) fn report_failure(&self, destination: Destination, error: &KafkaError) -> PublishFailure {
        let reason = classify(error);
        self.metrics.publish_failures.of(reason).inc();
        match reason.class() {
            FailureClass::Record | FailureClass::Time => {}
            // The service purged the record itself, possibly because of another record.
            _ if is_purged(error) => {}
            // The dead-letter topic does not decide whether Kafka accepts events.
            FailureClass::Topic | FailureClass::Outage if destination != Destination::Events => {}
            FailureClass::Topic | FailureClass::Outage | FailureClass::Fatal => {
                self.health.record_failed(reason, error, Instant::now());
            }
        }
        if reason == PublishFailure::Authorization {
            self.report_write_denied(destination);
        }
        reason
    }

    /// Reports that the user may not write to the topic, once until a record is acknowledged there.
    pub(super) fn report_write_denied(&self, destination: Destination) {
        let is_denied = self.metrics.topic_permission_missing.of(destination, AclOperation::Write);
        if is_denied.get() == 0 {
            is_denied.set(1);
            tracing::error!("{}", not_authorized(self.topics.name(destination), AclOperation::Write));
        }
    }
}

fn is_purged(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
}

/// The log line that tells an operator which permission to grant.
pub(super) fn not_authorized(topic: &str, operation: AclOperation) -> String {
    let operation = operation.as_str().to_uppercase();
    format!("the Kafka user is not authorized to {operation} on topic {topic}; grant the permission with kafka-acls")
}
