//! Reads the events of the event topic from beginning to end, and then those written since.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use super::{
    projection::{KnownStates, StatesUnused, read_known_states},
    published_event::PublishedEvent,
    retention::{self, Retention},
    topic_history::history_start,
    topic_read_error::TopicReadError,
    topic_scan::TopicScan,
};
use crate::{
    config::KafkaConfig,
    domain::{ProfileSid, Timestamp, content::EventContent, state::ProfileState},
    telemetry::Operations,
};

/// Reads the event topic and knows since when it has every event.
pub(crate) struct TopicReader {
    scan: TopicScan,
    retention: Retention,
}

impl TopicReader {
    /// Opens the topic and reads no record yet. `operations` counts slow calls.
    ///
    /// # Errors
    /// [`TopicReadError`].
    pub(crate) async fn open(kafka: &KafkaConfig, operations: &Arc<Operations>) -> Result<Self, TopicReadError> {
        let scan = TopicScan::open(kafka, &kafka.topic, operations).await?;
        // It matters only for a topic from which Kafka has deleted records. The embedded Kafka of `dev` does not answer.
        let is_truncated = scan.partitions().any(|partition| partition.start > 0);
        let retention = if is_truncated { retention::fetch(kafka, operations).await } else { Retention::UNKNOWN };
        Ok(Self { scan, retention })
    }

    /// Reads to the current end of the topic. Passes every event to `each`, in the order of its partition, and the number
    /// of records read and their total to `progress`.
    ///
    /// # Errors
    /// [`TopicReadError`]. The events read until then have been passed to `each`.
    pub(crate) async fn read_to_end(
        &mut self,
        mut each: impl FnMut(PublishedEvent),
        progress: impl FnMut(u64, u64),
    ) -> Result<(), TopicReadError> {
        let each = |content: &EventContent<'_>, position| {
            PublishedEvent::read(content, position).into_iter().for_each(&mut each);
        };
        self.scan.read_contents_to_end(each, progress).await
    }

    /// Reads the states of all profiles, passes each to `each` as [`read_known_states`] does, and makes the first read begin with
    /// the events that the states may not take into account. If the states cannot be used, logs why and returns `None`; the first
    /// read then begins with the first event of the topic.
    ///
    /// # Errors
    /// [`TopicReadError`] if the event topic cannot be read.
    pub(crate) async fn begin_after_states<S: Send + 'static>(
        &mut self,
        (kafka, operations): (&KafkaConfig, &Arc<Operations>),
        states: S,
        each: impl FnMut(&mut S, ProfileSid, Option<ProfileState>) + Send + 'static,
    ) -> Result<Option<KnownStates<S>>, TopicReadError> {
        let reason = match read_known_states(kafka, operations, states, each).await {
            Ok(known) => {
                if self.begin_at(&known.next).await? {
                    return Ok(Some(known));
                }
                StatesUnused::TopicReplaced
            }
            Err(reason) => reason,
        };
        if reason.is_expected() {
            tracing::info!(%reason, "reading the whole event topic, without the states of profiles");
        } else {
            tracing::warn!(%reason, "reading the whole event topic, without the states of profiles");
        }
        Ok(None)
    }

    /// Makes the first read begin at these offsets, because what the records before them say is known. Reads only the first
    /// record of each partition, which tells when the history of the topic begins. Returns whether the topic has all of these
    /// offsets: it does not if it was created again.
    async fn begin_at(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<bool, TopicReadError> {
        self.scan.begin_at(offsets).await
    }

    /// The time since which the topic contains every published event; `None` if the topic never had a record.
    #[must_use]
    pub(crate) fn history_start(&self) -> Option<Timestamp> {
        let now = Timestamp::from(SystemTime::now()).unix_millis();
        history_start(self.scan.partitions(), self.retention, now).and_then(Timestamp::from_unix_millis)
    }

    /// Closes the consumer, and waits for at most five seconds.
    pub(crate) async fn close(self) {
        self.scan.close().await;
    }
}
