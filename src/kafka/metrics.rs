//! The metrics of Kafka.

use std::sync::Arc;

use crate::{
    domain::{Destination, PublishFailure, closed_set},
    telemetry::{Counters, Gauges, Histogram, IntGauge, Metrics, MetricsError, Operations, PairedGauges},
};

closed_set! {
    /// An operation on a topic for which Kafka's ACLs must authorize the service.
    pub enum AclOperation {
        /// Create the topic when it does not exist.
        Create => "create",
        /// Read the metadata of the topic.
        Describe => "describe",
        /// Read the topic's replication settings.
        DescribeConfigs => "describe_configs",
        /// Publish to the topic.
        Write => "write",
    }
}

closed_set! {
    /// Whether changed credential files could be used.
    pub enum ReloadResult {
        /// New credentials are in use.
        Success => "success",
        /// The former credentials stay in use.
        Failure => "failure",
    }
}

closed_set! {
    /// Certificates that expire.
    pub enum ExpiringCredential {
        /// The client certificate, with those of intermediate authorities.
        Certificate => "certificate",
        /// The trusted authorities.
        Authority => "ca",
    }
}

/// The metrics of Kafka.
#[derive(Debug)]
pub(crate) struct KafkaMetrics {
    /// Tracks the calls out of the process.
    pub(super) operations: Arc<Operations>,
    /// Records acknowledged by Kafka.
    pub(crate) published: Counters<Destination>,
    /// The time from the hand-over of a record to the producer to its acknowledgement.
    pub(crate) publish_seconds: Histogram,
    /// 1 when Kafka answers and has the event topic.
    pub(crate) kafka_up: IntGauge,
    /// 1 when no schema registry is configured, or when it answers and the ids of all schemas are known.
    pub(crate) schema_registry_up: IntGauge,
    /// Records that Kafka did not accept, by reason.
    pub(crate) publish_failures: Counters<PublishFailure>,
    /// 1 when acknowledged records in both topics survive the loss of a broker.
    pub(crate) topic_durable: IntGauge,
    /// 1 when `topic_durable` is known.
    pub(crate) topic_durability_known: IntGauge,
    /// Operations for which the service is not authorized.
    pub(crate) topic_permission_missing: PairedGauges<Destination, AclOperation>,
    /// 1 when the topic exists in the cluster.
    pub(crate) topic_present: Gauges<Destination>,
    /// Attempts to use changed credential files.
    pub(super) credentials_reloads: Counters<ReloadResult>,
    /// 1 when the credential files differ from what is in use.
    pub(super) credentials_reload_failed: IntGauge,
    /// When certificates expire, in seconds since the Unix epoch; 0 without such a certificate.
    pub(super) credentials_expire: Gauges<ExpiringCredential>,
}

impl KafkaMetrics {
    /// Registers the metrics, with each series at 0.
    ///
    /// # Errors
    /// When they are registered already.
    pub(crate) fn register(shared: &Metrics) -> Result<Arc<Self>, MetricsError> {
        let catalogue = shared.catalogue();
        Ok(Arc::new(Self {
            operations: Arc::clone(&shared.operations),
            published: catalogue
                .topic_counters("trusthub_events_published_total", "Records acknowledged by all in-sync replicas.")?,
            publish_seconds: catalogue.histogram(
                "trusthub_kafka_publish_duration_seconds",
                "Time from handing a record to the producer to Kafka's acknowledgement.",
            )?,
            kafka_up: catalogue
                .gauge("trusthub_kafka_up", "1 when Kafka answers and has the event topic; probed even when idle.")?,
            schema_registry_up: catalogue.gauge(
                "trusthub_schema_registry_up",
                "1 when no schema registry is configured, or when it answers and has the schemas.",
            )?,
            publish_failures: catalogue.counters(
                "trusthub_kafka_publish_failures_total",
                "Records that Kafka did not accept, by reason.",
                "reason",
            )?,
            topic_durable: catalogue.gauge(
                "trusthub_topic_durable",
                "1 when both topics have a replication factor and min.insync.replicas above 1.",
            )?,
            topic_durability_known: catalogue.gauge(
                "trusthub_topic_durability_known",
                "1 when Kafka reports enough to determine trusthub_topic_durable.",
            )?,
            topic_permission_missing: catalogue.paired_topic_gauges(
                "trusthub_topic_permission_missing",
                "1 when the Kafka user is not authorized for this operation on the topic.",
                "operation",
            )?,
            topic_present: catalogue
                .topic_gauges("trusthub_topic_present", "1 when the topic exists in the cluster.")?,
            credentials_reloads: catalogue.counters(
                "trusthub_kafka_credentials_reloads_total",
                "Attempts to use changed files of Kafka credentials, by result.",
                "result",
            )?,
            credentials_reload_failed: catalogue.gauge(
                "trusthub_kafka_credentials_reload_failed",
                "1 when changed files of Kafka credentials cannot be used, so that the previous ones stay in use.",
            )?,
            credentials_expire: catalogue.gauges(
                "trusthub_kafka_credentials_expire_timestamp_seconds",
                "When a certificate for Kafka expires, in seconds since the Unix epoch; 0 without one.",
                "credential",
            )?,
        }))
    }
}
