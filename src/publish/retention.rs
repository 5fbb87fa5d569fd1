//! What Kafka deletes from a topic, and when.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier},
    error::KafkaError,
};

use super::{client, producer::Context};
use crate::config::Kafka;

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
pub(super) async fn ask(kafka: &Kafka) -> Retention {
    settings(kafka).await.unwrap_or_else(|error| {
        tracing::debug!(%error, topic = kafka.topic, "the retention of the topic cannot be read");
        Retention::UNKNOWN
    })
}

async fn settings(kafka: &Kafka) -> Result<Retention, KafkaError> {
    let admin: AdminClient<Context> = client::common(kafka).create_with_context(Context::quiet())?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    let mut answers = admin.describe_configs([&ResourceSpecifier::Topic(&kafka.topic)], &options).await?;
    let settings = answers.pop().ok_or(KafkaError::Canceled)?.map_err(KafkaError::AdminOp)?;
    Ok(Retention::read(&settings))
}
