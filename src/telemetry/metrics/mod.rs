//! All metrics of the service. Only this module names, describes and registers metrics.

mod catalogue;
mod log;
mod operations;
mod reconcile;
mod spool;

use std::sync::Arc;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use self::catalogue::Catalogue;
pub(super) use self::log::dropped_log_lines;
pub use self::{
    operations::{Operation, OperationGuard, Operations},
    reconcile::ReconcileMetrics,
    spool::{AgeGauge, SpoolMetrics},
};
use super::family::{Counters, Gauges, PairedCounters, PairedGauges, family, paired, register};
use crate::domain::{
    ConstructionLabel, Destination, KeyAgeLabel, Label as _, OutcomeKind, PublishFailure, RejectReason, Resource,
    Status, closed_set, error_code::CodeLabel,
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

/// All metrics of the service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests to a callback path, whatever their outcome.
    pub received: Counters<Resource>,
    /// Rejected requests to a callback path, by reason.
    pub rejected: Counters<RejectReason>,
    /// Requests answered 503, because the event could not be made durable. A series of the same metric as `rejected`.
    pub rejected_unavailable: IntCounter,
    /// The outcome of each request to a callback path.
    pub outcome: Counters<OutcomeKind>,
    /// Accepted signatures, by construction and key.
    pub signatures: PairedCounters<ConstructionLabel, KeyAgeLabel>,
    /// 1 when the last change of a credential file could not be loaded.
    pub accounts_reload_failed: IntGauge,
    /// Durable status changes.
    pub status_changes: PairedCounters<Resource, Status>,
    /// Durable rejections of profiles, counted once for each of their codes.
    pub rejections: PairedCounters<Resource, CodeLabel>,
    /// Records acknowledged by Kafka.
    pub published: Counters<Destination>,
    /// The time from the receipt of a callback to its answer.
    pub callback_seconds: Histogram,
    /// The time from the hand-over of a record to the producer to its acknowledgement.
    pub publish_seconds: Histogram,
    /// 1 when Kafka answers and has the event topic.
    pub kafka_up: IntGauge,
    /// Records that Kafka did not accept, by reason.
    pub publish_failures: Counters<PublishFailure>,
    /// 1 when acknowledged records in both topics survive the loss of a broker.
    pub topic_durable: IntGauge,
    /// 1 when `topic_durable` is known.
    pub topic_durability_known: IntGauge,
    /// Rights that the service was found to lack.
    pub topic_permission_missing: PairedGauges<Destination, AclOperation>,
    /// 1 when the topic exists in the cluster.
    pub topic_present: Gauges<Destination>,
    /// The time of the last callback with a valid signature, in seconds since the Unix epoch.
    pub last_callback: IntGauge,
    /// 1 when the last events before startup were far ahead of the current clock.
    pub event_time_reset: IntGauge,
    /// Metrics of the spool.
    pub spool: SpoolMetrics,
    /// Metrics of reconciliation.
    pub reconcile: ReconcileMetrics,
    /// Tracks the calls out of the process, and counts the slow ones.
    pub operations: Arc<Operations>,
    /// Log lines that the process dropped.
    pub log_lines_dropped: IntCounter,
}

impl Metrics {
    /// Registers every metric, with each series at 0. `topic` returns the topic name of a destination.
    ///
    /// # Errors
    /// When two metrics share a name, which a test excludes.
    pub fn new(topic: impl Fn(Destination) -> String) -> prometheus::Result<Self> {
        let registry = Registry::new();
        register_process(&registry)?;
        let (rejected, rejected_unavailable) = rejections_by_reason(&registry)?;
        let catalogue = Catalogue(&registry);
        Ok(Self {
            received: catalogue.counters(
                "trusthub_callbacks_received_total",
                "Requests to a callback path, whatever their outcome.",
                "resource",
            )?,
            rejected,
            rejected_unavailable,
            outcome: catalogue.counters(
                "trusthub_callbacks_outcome_total",
                "Requests to a callback path by outcome; each request has exactly one.",
                "outcome",
            )?,
            signatures: catalogue.paired_counters(
                "trusthub_signatures_verified_total",
                "Accepted signatures by construction and age of the matching key.",
                ["construction", "key"],
            )?,
            accounts_reload_failed: catalogue.gauge(
                "trusthub_accounts_reload_failed",
                "1 when a changed credential file is not valid, so that the previous keys stay in use.",
            )?,
            status_changes: catalogue.paired_counters(
                "trusthub_profile_status_changes_total",
                "Status changes, counted once they are durable.",
                ["resource", "status"],
            )?,
            rejections: catalogue.paired_counters(
                "trusthub_profile_rejections_total",
                "Rejections of profiles, counted once they are durable, once for each error code.",
                ["resource", "code"],
            )?,
            published: family::<_, IntCounterVec>(
                &registry,
                "trusthub_events_published_total",
                "Records acknowledged by all in-sync replicas.",
                "topic",
                &topic,
            )?,
            callback_seconds: catalogue.histogram(
                "trusthub_callback_duration_seconds",
                "Time from the receipt of a callback's head to its answer.",
            )?,
            publish_seconds: catalogue.histogram(
                "trusthub_kafka_publish_duration_seconds",
                "Time from handing a record to the producer to Kafka's acknowledgement.",
            )?,
            kafka_up: catalogue
                .gauge("trusthub_kafka_up", "1 when Kafka answers and has the event topic; probed even when idle.")?,
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
            topic_permission_missing: paired::<_, _, IntGaugeVec>(
                &registry,
                "trusthub_topic_permission_missing",
                "1 when the Kafka user is not authorized for this operation on the topic.",
                ["topic", "operation"],
                &topic,
            )?,
            topic_present: family::<_, IntGaugeVec>(
                &registry,
                "trusthub_topic_present",
                "1 when the topic exists in the cluster.",
                "topic",
                &topic,
            )?,
            last_callback: catalogue.gauge(
                "trusthub_last_callback_timestamp_seconds",
                "Time of the last callback with a valid signature, in seconds since the Unix epoch; 0 for never.",
            )?,
            event_time_reset: catalogue.gauge(
                "trusthub_event_time_reset",
                "1 when the last events before startup were more than an hour ahead of the clock, so that new events are older.",
            )?,
            spool: SpoolMetrics::new(&catalogue)?,
            reconcile: ReconcileMetrics::new(&catalogue)?,
            operations: Arc::new(Operations::new(catalogue.counters(
                "trusthub_slow_operations_total",
                "Calls to Kafka, the disk or another part of the machine that took longer than a second.",
                "operation",
            )?)),
            log_lines_dropped: catalogue.register_counter(dropped_log_lines()?)?,
            registry,
        })
    }

    /// Renders all metrics in the Prometheus text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn render(&self) -> prometheus::Result<String> {
        self.spool.oldest.refresh();
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register_process(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
    let opts = Opts::new("trusthub_build_info", "Always 1; the label names the version.")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let build = IntGauge::with_opts(opts)?;
    build.set(1);
    registry.register(Box::new(build))
}

/// One metric for two kinds of reasons: rejections, and `unavailable`.
fn rejections_by_reason(registry: &Registry) -> prometheus::Result<(Counters<RejectReason>, IntCounter)> {
    let vector: IntCounterVec = register(
        registry,
        "trusthub_callbacks_rejected_total",
        "Requests to a callback path that were not accepted, by reason.",
        &["reason"],
    )?;
    let unavailable = vector.with_label_values(&[OutcomeKind::Unavailable.as_str()]);
    Ok((Counters::from_vector(&vector, |reason: RejectReason| reason.as_str().to_owned()), unavailable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered() -> String {
        Metrics::new(|destination| format!("topic-of-{destination}")).unwrap().render().unwrap()
    }

    #[test]
    fn every_series_exists_from_the_start() {
        let text = rendered();
        for series in [
            r#"trusthub_callbacks_received_total{resource="customer-profile"} 0"#,
            r#"trusthub_callbacks_rejected_total{reason="signature_mismatch"} 0"#,
            r#"trusthub_callbacks_rejected_total{reason="unavailable"} 0"#,
            r#"trusthub_callbacks_outcome_total{outcome="published"} 0"#,
            r#"trusthub_signatures_verified_total{construction="form",key="previous"} 0"#,
            r#"trusthub_profile_status_changes_total{resource="trust-product",status="twilio-rejected"} 0"#,
            r#"trusthub_profile_rejections_total{code="none",resource="regulatory-bundle"} 0"#,
            r#"trusthub_events_published_total{topic="topic-of-events"} 0"#,
            r#"trusthub_kafka_publish_failures_total{reason="authorization"} 0"#,
            r#"trusthub_topic_permission_missing{operation="create",topic="topic-of-dead_letters"} 0"#,
            "trusthub_callback_duration_seconds_count 0",
            "trusthub_kafka_up 0",
            "trusthub_accounts_reload_failed 0",
            "trusthub_log_lines_dropped_total 0",
            "trusthub_last_callback_timestamp_seconds 0",
            r#"trusthub_reconcile_runs_total{result="success"} 0"#,
            r#"trusthub_reconcile_missed_total{resource="trust-product"} 0"#,
            "trusthub_reconcile_last_success_timestamp_seconds 0",
        ] {
            assert!(text.contains(series), "{series} is missing in\n{text}");
        }
    }

    #[test]
    fn each_label_counts_in_its_own_series() {
        let metrics = Metrics::new(|destination| destination.to_string()).unwrap();
        for resource in Resource::ALL {
            for status in Status::ALL {
                metrics.status_changes.of(*resource, *status).inc();
            }
        }
        let text = metrics.render().unwrap();
        let series: Vec<&str> = text.lines().filter(|line| line.starts_with("trusthub_profile_status")).collect();
        assert_eq!(series.len(), Resource::ALL.len() * Status::ALL.len());
        assert!(series.iter().all(|line| line.ends_with(" 1")), "{series:#?}");
    }
}
