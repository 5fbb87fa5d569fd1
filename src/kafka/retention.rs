//! The retention of a topic: which records Kafka deletes, and when.
//!
//! The topic's settings are read on a thread of their own (`kafka-settings`), under no lock, for at most
//! [`REQUEST_TIMEOUT`]; see [`admin`](super::admin).

use std::{sync::Arc, time::Duration};

use rdkafka::{
    admin::{ConfigResource, ResourceSpecifier},
    error::KafkaError,
};
use tokio::runtime::Handle;

use super::admin::AdminRequester;
use crate::{blocking, config::KafkaConfig, telemetry::Operations};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// When Kafka deletes records of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retention {
    /// Whether Kafka deletes old records at all, and does not only compact the topic.
    pub(super) deletes: bool,
    /// The age in milliseconds after which records are deleted; `None` for never, and when it is not known.
    pub(super) millis: Option<i64>,
    /// Whether the size of a partition is limited, too. Also true when that is not known.
    pub(super) has_size: bool,
}

impl Retention {
    /// Nothing is known, because the permission is missing or Kafka did not respond.
    pub(super) const UNKNOWN: Self = Self { deletes: true, millis: None, has_size: true };

    fn from_settings(settings: &ConfigResource) -> Self {
        let value = |name: &str| settings.get(name).and_then(|entry| entry.value.as_deref());
        let number = |name: &str| value(name).and_then(|text| text.parse::<i64>().ok());
        Self {
            deletes: value("cleanup.policy").is_none_or(|policy| policy.contains("delete")),
            millis: number("retention.ms").filter(|millis| *millis >= 0),
            has_size: number("retention.bytes").is_none_or(|bytes| bytes >= 0),
        }
    }

    /// The time before which records may have been deleted because of their age, in milliseconds since the Unix epoch.
    pub(super) fn expiry(self, now: i64) -> Option<i64> {
        self.millis.filter(|_| self.deletes).map(|millis| now.saturating_sub(millis))
    }

    /// Whether no record younger than [`expiry`](Self::expiry) is deleted.
    pub(super) fn is_time_only(self) -> bool {
        self.deletes && self.millis.is_some() && !self.has_size
    }
}

/// Reads the retention from Kafka. Without `DESCRIBE_CONFIGS` the retention is unknown, so the topic's history is
/// assumed to be shorter. That is safe.
pub(super) async fn fetch(kafka: &KafkaConfig, operations: &Arc<Operations>) -> Retention {
    let (kafka, operations) = (kafka.clone(), Arc::clone(operations));
    let requester = AdminRequester { kafka, operations, runtime: Handle::current(), timeout: REQUEST_TIMEOUT };
    let fetched = blocking::run("kafka-settings", move || fetch_blocking(&requester));
    fetched.await.unwrap_or(Err(KafkaError::Canceled)).unwrap_or_else(|error| {
        tracing::debug!(%error, "cannot read the retention of the topic");
        Retention::UNKNOWN
    })
}

fn fetch_blocking(requester: &AdminRequester) -> Result<Retention, KafkaError> {
    let topic = ResourceSpecifier::Topic(&requester.kafka.topic);
    let mut answers = requester.send(async |admin, options| admin.describe_configs([&topic], options).await)?;
    let settings = answers.pop().ok_or(KafkaError::Canceled)?.map_err(KafkaError::AdminOp)?;
    Ok(Retention::from_settings(&settings))
}
