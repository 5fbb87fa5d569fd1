//! Finds events by their ids: the event topic is the only memory of what has been published.

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use rdkafka::message::Message as _;

use super::{
    record_content::{event_id, header},
    topic_read_error::TopicReadError,
    topic_scan::TopicScan,
};
use crate::{
    config::KafkaConfig,
    domain::{RecordPosition, Timestamp, cloud_events::CALLBACK_ID_HEADER},
    telemetry::Operations,
};

/// How much older than the time in question the timestamp of an event may be. Replicas that receive repeats of one callback
/// give it one id, and their clocks and the receipts of the repeats are far less apart.
const MARGIN: Duration = Duration::from_secs(86_400);

/// Finds the events with some ids, by their own or by the one that the repeats of their callback have in common. It remembers nothing of other events.
pub(crate) struct EventIdSearch {
    scan: TopicScan,
    /// The position of the first event with each id in question, once it is found.
    positions: HashMap<String, Option<RecordPosition>>,
}

impl EventIdSearch {
    /// Opens the event topic, and reads nothing yet. No event in question was received before `since`.
    ///
    /// # Errors
    /// [`TopicReadError`].
    pub(crate) async fn open(
        kafka: &KafkaConfig,
        operations: &Arc<Operations>,
        ids: impl IntoIterator<Item = String>,
        since: Timestamp,
    ) -> Result<Self, TopicReadError> {
        let mut scan = TopicScan::open(kafka, &kafka.topic, operations).await?;
        let begin = since.unix_millis().saturating_sub(i64::try_from(MARGIN.as_millis()).unwrap_or(i64::MAX));
        if let Some(begin) = Timestamp::from_unix_millis(begin.max(0)) {
            scan.skip_before(begin).await;
        }
        Ok(Self { scan, positions: ids.into_iter().map(|id| (id, None)).collect() })
    }

    /// Reads the events that were written since the last call, or since the beginning, up to the present end. Passes the
    /// number of records read and their total to `progress`.
    ///
    /// # Errors
    /// [`TopicReadError`].
    pub(crate) async fn refresh(&mut self, progress: impl FnMut(u64, u64)) -> Result<(), TopicReadError> {
        let positions = &mut self.positions;
        let read = self.scan.read_to_end(
            |message| {
                let callback = header(message, CALLBACK_ID_HEADER).map(Cow::Borrowed);
                for id in event_id(message).into_iter().chain(callback) {
                    if let Some(position) = positions.get_mut(&*id) {
                        let offset = message.offset();
                        position.get_or_insert(RecordPosition { partition: message.partition(), offset });
                    }
                }
            },
            progress,
        );
        read.await
    }

    /// Where the first event with this id is, as far as the topic has been read.
    pub(crate) fn position(&self, id: &str) -> Option<RecordPosition> {
        self.positions.get(id).copied().flatten()
    }

    /// Closes the consumer, and waits for at most five seconds.
    pub(crate) async fn close(self) {
        self.scan.close().await;
    }
}
