//! What Kafka deletes from a topic, and when.
//!
//! The settings of the topic are asked for on a thread of their own (`kafka-settings`), under no lock, for at most
//! [`PATIENCE`]; see [`admin`](super::admin).

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::{ConfigResource, ResourceSpecifier},
    error::KafkaError,
};
use tokio::runtime::Handle;

use super::admin::Questioner;
use crate::{blocking, config::KafkaConfig, telemetry::Operations};

const PATIENCE: Duration = Duration::from_secs(10);

/// When Kafka deletes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retention {
    /// Whether it deletes old records at all, and does not only compact.
    pub(super) deletes: bool,
    /// After how many milliseconds; `None` for never, and when that is not known.
    pub(super) millis: Option<i64>,
    /// Whether the size of a partition matters, too; also when that is not known.
    pub(super) has_size: bool,
}

impl Retention {
    /// Nothing is known, for want of a right or of an answer.
    const UNKNOWN: Self = Self { deletes: true, millis: None, has_size: true };

    fn read(settings: &ConfigResource) -> Self {
        let value = |name: &str| settings.get(name).and_then(|entry| entry.value.as_deref());
        let number = |name: &str| value(name).and_then(|text| text.parse::<i64>().ok());
        Self {
            deletes: value("cleanup.policy").is_none_or(|policy| policy.contains("delete")),
            millis: number("retention.ms").filter(|millis| *millis >= 0),
            has_size: number("retention.bytes").is_none_or(|bytes| bytes >= 0),
        }
    }

    /// The moment before which records may have been deleted for their age, in milliseconds since the Unix epoch.
    pub(super) fn expiry(self, now: i64) -> Option<i64> {
        self.millis.filter(|_| self.deletes).map(|millis| now.saturating_sub(millis))
    }

    /// Whether nothing younger than [`expiry`](Self::expiry) is deleted.
    pub(super) fn is_by_time_alone(self) -> bool {
        self.deletes && self.millis.is_some() && !self.has_size
    }
}

/// Asks Kafka. The right to ask may be missing; then less is known of the topic's history, and no harm done.
pub(super) async fn ask(kafka: &KafkaConfig, operations: &Arc<Operations>) -> Retention {
    let (kafka, operations) = (kafka.clone(), Arc::clone(operations));
    let questioner = Questioner { kafka, operations, runtime: Handle::current(), patience: PATIENCE };
    let asked = blocking::run("kafka-settings", move || settings(&questioner));
    asked.await.unwrap_or(Err(KafkaError::Canceled)).unwrap_or_else(|error| {
        tracing::debug!(%error, "the retention of the topic cannot be read");
        Retention::UNKNOWN
    })
}

fn settings(questioner: &Questioner) -> Result<Retention, KafkaError> {
    let topic = ResourceSpecifier::Topic(&questioner.kafka.topic);
    let mut answers = questioner.ask(async |admin, options| admin.describe_configs([&topic], options).await)?;
    let settings = answers.pop().ok_or(KafkaError::Canceled)?.map_err(KafkaError::AdminOp)?;
    Ok(Retention::read(&settings))
}
