//! The catalogue of metrics: each is named, described and registered here and nowhere else.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::family::{Counters, Gauges, PairedCounters, PairedGauges, family, paired, register};
use crate::domain::{
    Construction, Destination, KeyAge, Label, OutcomeKind, PublishFailure, ReconcileResult, Refusal, Resource, Status,
    Timestamp, closed_set, error_code::CodeLabel,
};

closed_set! {
    /// A right on a topic that the service needs, as Kafka's ACLs name the operation.
    pub enum Right {
        /// To create the topic, when it is missing.
        Create => "create",
        /// To see the topic.
        Describe => "describe",
        /// To read its replication settings.
        DescribeConfigs => "describe_configs",
        /// To publish to it.
        Write => "write",
    }
}

/// Seconds from 1 ms to Twilio's limit of 15 s.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0];

/// All metrics of the service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests to a callback path, whatever became of them.
    pub received: Counters<Resource>,
    /// Refused requests to a callback path.
    pub rejected: Counters<Refusal>,
    /// Those refused because Kafka could not take the event; a series of the same metric as `rejected`.
    pub rejected_unavailable: IntCounter,
    /// What became of each request to a callback path.
    pub outcome: Counters<OutcomeKind>,
    /// Accepted signatures.
    pub signatures: PairedCounters<Construction, KeyAge>,
    /// Whether the files of tokens and accounts could not be read when they changed last.
    pub accounts_reload_failed: IntGauge,
    /// Durable status changes.
    pub status_changes: PairedCounters<Resource, Status>,
    /// Durable rejections, once under each of their codes.
    pub rejections: PairedCounters<Resource, CodeLabel>,
    /// Records acknowledged by Kafka.
    pub published: Counters<Destination>,
    /// Receipt to answer.
    pub callback_seconds: Histogram,
    /// Hand-over to the producer until the acknowledgement.
    pub publish_seconds: Histogram,
    /// Whether Kafka answers and has both topics.
    pub kafka_up: IntGauge,
    /// Records that Kafka did not take.
    pub publish_failures: Counters<PublishFailure>,
    /// Whether both topics survive the loss of a broker.
    pub topic_durable: IntGauge,
    /// Rights that the service was found to lack.
    pub topic_right_missing: PairedGauges<Destination, Right>,
    /// Whether a topic was seen in the cluster.
    pub topic_present: Gauges<Destination>,
    /// When the last callback with a right signature arrived.
    pub last_callback: IntGauge,
    /// What waits in the spool.
    pub spool: SpoolMetrics,
    /// What was found by asking Trust Hub.
    pub reconcile: ReconcileMetrics,
}

/// Of the comparison of Trust Hub with the topic.
#[derive(Debug)]
pub struct ReconcileMetrics {
    /// Comparisons by how they ended.
    pub runs: Counters<ReconcileResult>,
    /// Changes that no callback had made known, counted once they are durable.
    pub missed: Counters<Resource>,
    /// When a comparison last succeeded.
    pub last_success: IntGauge,
    /// How often this process compares.
    pub interval: IntGauge,
}

/// Of the durable queue on disk.
#[derive(Debug)]
pub struct SpoolMetrics {
    /// Records that wait for Kafka.
    pub events: IntGauge,
    /// Their size.
    pub bytes: IntGauge,
    /// What they may grow to, as things are.
    pub capacity: IntGauge,
    /// When the oldest of them was stored.
    pub oldest: Since,
    /// Whether there is no room for another.
    pub full: IntGauge,
    /// Records that were set aside because neither topic takes them or because they are damaged.
    pub parked: IntGauge,
    /// Damage that was found.
    pub damaged: IntCounter,
    /// One group of records written and synced.
    pub sync_seconds: Histogram,
    /// Why records went to the spool: once for each change from Kafka to the spool.
    pub failovers: Counters<PublishFailure>,
    /// Records that went from the spool to Kafka.
    pub drained: IntCounter,
}

/// A gauge of seconds since a moment: computed when it is read, so that it grows by itself.
#[derive(Debug)]
pub struct Since {
    /// Milliseconds since the Unix epoch; 0 for never.
    moment: AtomicI64,
    gauge: Gauge,
}

impl Since {
    /// The moment to count from; `None` shows as 0.
    pub fn set(&self, moment: Option<Timestamp>) {
        self.moment.store(moment.map_or(0, Timestamp::unix_millis), Ordering::Relaxed);
    }

    fn refresh(&self, now: Timestamp) {
        let moment = self.moment.load(Ordering::Relaxed);
        let millis = if moment == 0 { 0 } else { now.unix_millis().saturating_sub(moment).max(0) };
        self.gauge.set(Duration::from_millis(millis.unsigned_abs()).as_secs_f64());
    }
}

impl Metrics {
    /// Registers every metric, each series at 0. `topic` names the topic of each destination.
    ///
    /// # Errors
    /// Only when two metrics share a name, which a test excludes.
    pub fn new(topic: impl Fn(Destination) -> String) -> prometheus::Result<Self> {
        let registry = Registry::new();
        register_process(&registry)?;
        let (rejected, rejected_unavailable) = rejections_by_reason(&registry)?;
        let catalogue = Catalogue(&registry);
        Ok(Self {
            received: catalogue.counters(
                "trusthub_callbacks_received_total",
                "Requests to a callback path, whatever became of them.",
                "resource",
            )?,
            rejected,
            rejected_unavailable,
            outcome: catalogue.counters(
                "trusthub_callbacks_outcome_total",
                "What became of each request to a callback path; exactly one outcome each.",
                "outcome",
            )?,
            signatures: catalogue.paired_counters(
                "trusthub_signatures_verified_total",
                "Accepted signatures by the construction and the age of the key that matched.",
                ["construction", "key"],
            )?,
            accounts_reload_failed: catalogue.gauge(
                "trusthub_accounts_reload_failed",
                "1 when a file of tokens or accounts changed and is not valid, so that the keys before it are used.",
            )?,
            status_changes: catalogue.paired_counters(
                "trusthub_profile_status_changes_total",
                "Status changes, counted once they are durable.",
                ["resource", "status"],
            )?,
            rejections: catalogue.paired_counters(
                "trusthub_profile_rejections_total",
                "Rejected profiles, counted once they are durable, under each of their error codes.",
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
                .gauge("trusthub_kafka_up", "1 when Kafka answers and has both topics, probed also when idle.")?,
            publish_failures: catalogue.counters(
                "trusthub_kafka_publish_failures_total",
                "Records that Kafka did not take.",
                "reason",
            )?,
            topic_durable: catalogue.gauge(
                "trusthub_topic_durable",
                "1 when both topics were seen with replication and min.insync.replicas above 1.",
            )?,
            topic_right_missing: paired::<_, _, IntGaugeVec>(
                &registry,
                "trusthub_topic_right_missing",
                "1 for a right on a topic that the service was refused.",
                ["topic", "right"],
                &topic,
            )?,
            topic_present: family::<_, IntGaugeVec>(
                &registry,
                "trusthub_topic_present",
                "1 when the topic was seen in the cluster.",
                "topic",
                &topic,
            )?,
            last_callback: catalogue.gauge(
                "trusthub_last_callback_timestamp_seconds",
                "When the last callback with a right signature arrived, in seconds since the Unix epoch; 0 for never.",
            )?,
            spool: catalogue.spool()?,
            reconcile: catalogue.reconcile()?,
            registry,
        })
    }

    /// All metrics in the Prometheus text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn render(&self) -> prometheus::Result<String> {
        self.spool.oldest.refresh(SystemTime::now().into());
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register_process(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
    let opts = Opts::new("trusthub_build_info", "Always 1; tells the version.")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let build = IntGauge::with_opts(opts)?;
    build.set(1);
    registry.register(Box::new(build))
}

/// One metric for two kinds of reasons: refusals, and `unavailable`.
fn rejections_by_reason(registry: &Registry) -> prometheus::Result<(Counters<Refusal>, IntCounter)> {
    let vector: IntCounterVec = register(
        registry,
        "trusthub_callbacks_rejected_total",
        "Requests to a callback path that were not accepted, by reason.",
        &["reason"],
    )?;
    let unavailable = vector.with_label_values(&[OutcomeKind::Unavailable.as_str()]);
    Ok((Counters::from_vector(&vector, |refusal: Refusal| refusal.as_str().to_owned()), unavailable))
}

/// Shortens the catalogue's entries.
struct Catalogue<'a>(&'a Registry);

impl Catalogue<'_> {
    fn counters<L: Label>(&self, name: &str, help: &str, label: &str) -> prometheus::Result<Counters<L>> {
        family::<_, IntCounterVec>(self.0, name, help, label, |value: L| value.as_str().to_owned())
    }

    fn paired_counters<A: Label, B: Label>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; 2],
    ) -> prometheus::Result<PairedCounters<A, B>> {
        paired::<_, _, IntCounterVec>(self.0, name, help, labels, |value: A| value.as_str().to_owned())
    }

    fn spool(&self) -> prometheus::Result<SpoolMetrics> {
        let seconds = Gauge::new("trusthub_spool_oldest_seconds", "Age of the oldest record in the spool.")?;
        self.0.register(Box::new(seconds.clone()))?;
        Ok(SpoolMetrics {
            events: self.gauge("trusthub_spool_events", "Records in the spool that wait for Kafka.")?,
            bytes: self.gauge("trusthub_spool_bytes", "Size of the records in the spool that wait for Kafka.")?,
            capacity: self.gauge(
                "trusthub_spool_capacity_bytes",
                "Size that the records in the spool may grow to: SPOOL_MAX_BYTES, or less where the disk has less room.",
            )?,
            oldest: Since { moment: AtomicI64::new(0), gauge: seconds },
            full: self.gauge("trusthub_spool_full", "1 when the spool has no room for another record.")?,
            parked: self.gauge(
                "trusthub_spool_parked",
                "Records set aside in the spool: neither topic takes them, or they are damaged.",
            )?,
            damaged: self.counter("trusthub_spool_damaged_total", "Damage found in the spool.")?,
            sync_seconds: self.histogram(
                "trusthub_spool_sync_duration_seconds",
                "Time to write and sync the records that were waiting for it.",
            )?,
            failovers: self.counters(
                "trusthub_spool_failovers_total",
                "Changes from publishing directly to spooling, by what was wrong with Kafka.",
                "reason",
            )?,
            drained: self.counter("trusthub_spool_drained_total", "Records that went from the spool to Kafka.")?,
        })
    }

    fn reconcile(&self) -> prometheus::Result<ReconcileMetrics> {
        Ok(ReconcileMetrics {
            runs: self.counters(
                "trusthub_reconcile_runs_total",
                "Comparisons of Trust Hub with the topic, by how they ended; elsewhere: another process was at it.",
                "result",
            )?,
            missed: self.counters(
                "trusthub_reconcile_missed_total",
                "Changes that Trust Hub has and the topic had not, counted once they are durable.",
                "resource",
            )?,
            last_success: self.gauge(
                "trusthub_reconcile_last_success_timestamp_seconds",
                "When a comparison last succeeded, in seconds since the Unix epoch; 0 for never.",
            )?,
            interval: self.gauge(
                "trusthub_reconcile_interval_seconds",
                "Time from one comparison to the next; 0 when this process makes none.",
            )?,
        })
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let counter = IntCounter::new(name, help)?;
        self.0.register(Box::new(counter.clone()))?;
        Ok(counter)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(name, help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn histogram(&self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()))?;
        self.0.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }
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
            r#"trusthub_topic_right_missing{right="create",topic="topic-of-dead_letters"} 0"#,
            "trusthub_callback_duration_seconds_count 0",
            "trusthub_kafka_up 0",
            "trusthub_accounts_reload_failed 0",
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
