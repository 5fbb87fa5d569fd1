//! All metrics of the service. Each module defines its own; this one registers them together.

use std::sync::Arc;

use crate::{
    domain::Destination,
    kafka::KafkaMetrics,
    pipeline::PipelineMetrics,
    projector::ProjectorMetrics,
    reconcile::ReconcileMetrics,
    telemetry::{IntGauge, Metrics, MetricsError},
    traces::TraceMetrics,
};

/// All metrics of the service.
#[derive(Debug)]
pub(super) struct ServiceMetrics {
    pub(super) shared: Arc<Metrics>,
    pub(super) pipeline: Arc<PipelineMetrics>,
    pub(super) kafka: Arc<KafkaMetrics>,
    pub(super) reconcile: Arc<ReconcileMetrics>,
    pub(super) projector: Arc<ProjectorMetrics>,
    pub(super) traces: Arc<TraceMetrics>,
    /// 1 when the last change of a credential file could not be loaded.
    pub(super) accounts_reload_failed: IntGauge,
}

impl ServiceMetrics {
    /// Registers every metric, with each series at 0. `topic` returns the topic name of a destination.
    ///
    /// # Errors
    /// When two metrics share a name, which a test excludes.
    pub(super) fn new(topic: impl Fn(Destination) -> String) -> Result<Self, MetricsError> {
        let shared = Arc::new(Metrics::new(topic)?);
        Ok(Self {
            pipeline: PipelineMetrics::register(&shared)?,
            kafka: KafkaMetrics::register(&shared)?,
            reconcile: ReconcileMetrics::register(&shared)?,
            projector: ProjectorMetrics::register(&shared)?,
            traces: TraceMetrics::register(&shared)?,
            accounts_reload_failed: shared.catalogue().gauge(
                "trusthub_accounts_reload_failed",
                "1 when a changed credential file is not valid, so that the previous keys stay in use.",
            )?,
            shared,
        })
    }
}

/// The metrics page of a process that has just started, with the destinations as names of the topics.
///
/// # Errors
/// When a metric cannot be registered or encoded.
pub fn initial_metrics_page() -> Result<String, MetricsError> {
    ServiceMetrics::new(|destination| destination.to_string())?.shared.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Label as _, Resource, Status};

    fn rendered() -> String {
        ServiceMetrics::new(|destination| format!("topic-of-{destination}")).unwrap().shared.render().unwrap()
    }

    #[test]
    fn every_series_exists_from_the_start() {
        let text = rendered();
        for series in [
            r#"trusthub_callbacks_received_total{resource="customer-profile"} 0"#,
            r#"trusthub_callbacks_rejected_total{reason="signature_mismatch"} 0"#,
            r#"trusthub_callbacks_rejected_total{reason="unavailable"} 0"#,
            r#"trusthub_callbacks_outcome_total{outcome="published"} 0"#,
            r#"trusthub_signatures_verified_total{algorithm="hmac_sha256",construction="form",key="shared"} 0"#,
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
            r#"trusthub_profiles_events_total{outcome="older"} 0"#,
            r#"trusthub_profiles_problem{problem="partition_count"} 0"#,
            r#"trusthub_profiles_transactions_total{result="committed"} 0"#,
            r#"trusthub_profiles{resource="trust-product",status="in-review"} 0"#,
            r#"trusthub_profiles_oldest_seconds{resource="customer-profile",status="unknown"} 0"#,
            r#"trusthub_profiles_expiring{resource="customer-profile",within="7d"} 0"#,
            r#"trusthub_profiles_without_callback{resource="regulatory-bundle"} 0"#,
            "trusthub_profiles_lag 0",
            "trusthub_profiles_owned 0",
            "trusthub_profiles_partitions 0",
        ] {
            assert!(text.contains(series), "{series} is missing in\n{text}");
        }
    }

    /// docs/metrics.md states the size and the limit.
    #[test]
    fn scrape_is_smaller_than_one_hundred_kilobytes() {
        let page = rendered();
        let of_rejections = page.lines().filter(|line| line.starts_with("trusthub_profile_rejections_total{"));
        let rejections: usize = of_rejections.map(|line| line.len() + 1).sum();
        assert!(page.len() < 100_000, "{} bytes, of which {rejections} are rejections", page.len());
    }

    #[test]
    fn each_label_counts_in_its_own_series() {
        let metrics = ServiceMetrics::new(|destination| destination.to_string()).unwrap();
        for resource in Resource::ALL {
            for status in Status::ALL {
                metrics.pipeline.status_changes.of(*resource, *status).inc();
            }
        }
        let text = metrics.shared.render().unwrap();
        let series: Vec<&str> = text.lines().filter(|line| line.starts_with("trusthub_profile_status")).collect();
        assert_eq!(series.len(), Resource::ALL.len() * Status::ALL.len());
        assert!(series.iter().all(|line| line.ends_with(" 1")), "{series:#?}");
    }
}
