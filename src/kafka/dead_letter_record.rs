//! Reads the dead-letter topic.

use std::sync::Arc;

use rdkafka::message::{BorrowedMessage, Message as _};

use super::{record_content::header, topic_read_error::TopicReadError, topic_scan::TopicScan};
use crate::{
    config::KafkaConfig,
    domain::{
        Construction, ConstructionLabel, DeadLetter, Label as _, RecordPosition, Timestamp, cloud_events,
        dead_letter_headers::{CONSTRUCTION_HEADER, REASON_HEADER},
    },
    telemetry::Operations,
};

/// A dead letter as it is in its topic. Nothing in it is trusted.
#[derive(Debug)]
pub(crate) struct DeadLetterRecord {
    /// Where it is.
    pub position: RecordPosition,
    /// The SID of the profile, if it could be read when the callback arrived.
    pub profile: Option<String>,
    /// The label of the reason.
    pub reason: String,
    /// The CloudEvents `id` of the event that it would have been.
    pub event_id: String,
    /// The CloudEvents `time` of that event.
    pub time: Timestamp,
    /// How the signed message was built; `None` if no signature matched.
    pub construction: Option<Construction>,
    /// The request.
    pub request: DeadLetter<'static>,
    /// The size of the value in bytes.
    pub bytes: usize,
}

impl DeadLetterRecord {
    /// Reads a record; `None` if it is no dead letter of this service.
    pub(super) fn read(message: &BorrowedMessage<'_>) -> Option<Self> {
        let position = RecordPosition { partition: message.partition(), offset: message.offset() };
        let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
        Self::parse(position, key, |name| header(message, name), message.payload()?)
    }

    fn parse<'r>(
        position: RecordPosition,
        key: Option<&str>,
        header: impl Fn(&str) -> Option<&'r str>,
        value: &[u8],
    ) -> Option<Self> {
        Some(Self {
            position,
            profile: key.map(str::to_owned),
            reason: header(REASON_HEADER)?.to_owned(),
            event_id: header(cloud_events::ID_HEADER)?.to_owned(),
            time: header(cloud_events::TIME_HEADER)?.parse().ok()?,
            construction: header(CONSTRUCTION_HEADER).and_then(ConstructionLabel::named).map(|label| label.0),
            request: serde_json::from_slice(value).ok()?,
            bytes: value.len(),
        })
    }

    /// The dead letter that this record is, for tests.
    #[cfg(test)]
    pub(crate) fn of(record: &super::Record, position: RecordPosition) -> Option<Self> {
        Self::parse(position, record.key.as_deref(), |name| record.header(name), record.payload.get().as_bytes())
    }
}

/// Reads the dead-letter topic to its present end. Passes each dead letter to `each`, in the order of its partition, and the
/// number of records read and their total to `progress`. Returns how many records are no dead letters of this service.
///
/// # Errors
/// [`TopicReadError`].
pub(crate) async fn read_dead_letters(
    kafka: &KafkaConfig,
    operations: &Arc<Operations>,
    mut each: impl FnMut(DeadLetterRecord),
    progress: impl FnMut(u64, u64),
) -> Result<u64, TopicReadError> {
    let mut scan = TopicScan::open(kafka, &kafka.dead_letter_topic, operations).await?;
    let mut others = 0_u64;
    let read = scan.read_to_end(
        |message| match DeadLetterRecord::read(message) {
            Some(letter) => each(letter),
            None => others = others.saturating_add(1),
        },
        progress,
    );
    let result = read.await;
    scan.close().await;
    result.map(|()| others)
}
