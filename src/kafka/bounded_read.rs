//! Reads few records of a topic: one by its position, or the last ones. What is read does not depend on the size of the topic.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the consumer (reads key and certificate files) | the caller's, which blocks | none | none |
//! | fetch the partitions and their offsets, take the next record | the caller's, which blocks | none | [`TIME_LIMIT`] in total |
//! | ask the registry for the schema of a record in Avro | the caller's, which blocks | none | ten seconds, see [`registry`](crate::registry) |
//! | close the consumer | the caller's, which blocks | none | none |

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message as _},
};

use super::{
    client::KafkaClient,
    client_config,
    dead_letter_record::DeadLetterRecord,
    delivery_context::QuietContext,
    error::{classify, classify_code},
    topic_read_error::TopicReadError,
    topic_tail::ConsumedRecord,
    value_reader::ValueReader,
};
use crate::{
    config::KafkaConfig,
    domain::{PublishFailure, RecordPosition},
};

/// How long a read may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The longest wait for one record.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Whether all records in question were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadExtent {
    /// They were.
    Complete,
    /// The time was over.
    OutOfTime,
}

/// Reads the event of a profile at this position of the event topic; `None` if there is none. Blocks.
///
/// A topic that was created again, or another topic, has events of other profiles there. The key tells them apart; the id does
/// not, because a state does not remember that of a description or of an event that came late.
///
/// # Errors
/// [`TopicReadError`].
pub(crate) fn read_event_at(
    kafka: &KafkaConfig,
    position: RecordPosition,
    profile: &str,
) -> Result<Option<ConsumedRecord>, TopicReadError> {
    let values = ValueReader::new(kafka);
    let reader = BoundedReader::open(kafka, &kafka.topic)?;
    let read = reader.read_at(position, |message| {
        let is_of_profile = message.key() == Some(profile.as_bytes());
        is_of_profile.then(|| ConsumedRecord::from_any_format(message, &values))
    })?;
    read.flatten().transpose().map_err(|reason| TopicReadError::Schema { topic: kafka.topic.clone(), reason })
}

/// Reads the dead letter at this position; `None` if its topic does not have it, or if the record is no dead letter. Blocks.
///
/// # Errors
/// [`TopicReadError`].
pub(crate) fn read_dead_letter_at(
    kafka: &KafkaConfig,
    position: RecordPosition,
) -> Result<Option<DeadLetterRecord>, TopicReadError> {
    let read = BoundedReader::open(kafka, &kafka.dead_letter_topic)?.read_at(position, DeadLetterRecord::read);
    read.map(Option::flatten)
}

/// Passes the dead letters among the last `count` records of each partition to `each`. Blocks.
///
/// # Errors
/// [`TopicReadError`]. The letters read until then have been passed to `each`.
pub(crate) fn read_last_dead_letters(
    kafka: &KafkaConfig,
    count: i64,
    mut each: impl FnMut(DeadLetterRecord),
) -> Result<ReadExtent, TopicReadError> {
    BoundedReader::open(kafka, &kafka.dead_letter_topic)?.read_last(count, |message| {
        DeadLetterRecord::read(message).into_iter().for_each(&mut each);
    })
}

struct BoundedReader {
    consumer: KafkaClient<BaseConsumer<QuietContext>>,
    topic: String,
    deadline: Instant,
}

impl BoundedReader {
    fn open(kafka: &KafkaConfig, topic: &str) -> Result<Self, TopicReadError> {
        let mut config = client_config::common(kafka);
        client_config::limit_read_ahead(&mut config)
            // The consumer joins no group, but librdkafka requires a group id.
            .set("group.id", "trusthub-bridge-console")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("fetch.wait.max.ms", "20");
        let topic = topic.to_owned();
        match config.create_with_context(QuietContext) {
            Ok(consumer) => Ok(Self { consumer, topic, deadline: Instant::now() + TIME_LIMIT }),
            Err(reason) => Err(TopicReadError::Kafka { topic, reason }),
        }
    }

    fn read_at<T>(
        &self,
        position: RecordPosition,
        read: impl FnOnce(&BorrowedMessage<'_>) -> T,
    ) -> Result<Option<T>, TopicReadError> {
        let RecordPosition { partition, offset } = position;
        if !self.partitions()?.contains(&partition) {
            return Ok(None);
        }
        let (first, end) = self.extent(partition)?;
        if !(first..end).contains(&offset) {
            return Ok(None);
        }
        let (mut read, mut result) = (Some(read), None);
        let extent = self.read_ranges(BTreeMap::from([(partition, offset..offset.saturating_add(1))]), |message| {
            // If the record was compacted away, the next one arrives.
            if message.offset() == offset
                && let Some(read) = read.take()
            {
                result = Some(read(message));
            }
        })?;
        match extent {
            ReadExtent::Complete => Ok(result),
            ReadExtent::OutOfTime => {
                Err(self.failed(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)))
            }
        }
    }

    fn read_last(&self, count: i64, each: impl FnMut(&BorrowedMessage<'_>)) -> Result<ReadExtent, TopicReadError> {
        let mut ranges = BTreeMap::new();
        for partition in self.partitions()? {
            let (first, end) = self.extent(partition)?;
            let begin = first.max(end.saturating_sub(count));
            if begin < end {
                ranges.insert(partition, begin..end);
            }
        }
        self.read_ranges(ranges, each)
    }

    /// The numbers of the partitions, at least one.
    fn partitions(&self) -> Result<Vec<i32>, TopicReadError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), self.time_left());
        let metadata = metadata.map_err(|error| self.failed(error))?;
        let found = metadata.topics().iter().find(|found| found.name() == self.topic);
        let missing = || TopicReadError::NoTopic { topic: self.topic.clone() };
        let found = found.ok_or_else(missing)?;
        match found.error().map(RDKafkaErrorCode::from) {
            Some(code) if classify_code(code) == PublishFailure::UnknownTopic => Err(missing()),
            Some(code) => Err(self.failed(KafkaError::MetadataFetch(code))),
            None if found.partitions().is_empty() => Err(missing()),
            None => Ok(found.partitions().iter().map(|partition| partition.id()).collect()),
        }
    }

    /// The offset of the first record, and the one after the last.
    fn extent(&self, partition: i32) -> Result<(i64, i64), TopicReadError> {
        let extent = self.consumer.fetch_watermarks(&self.topic, partition, self.time_left());
        extent.map_err(|error| self.failed(error))
    }

    /// Passes the records of these offsets to `each`, in the order of their partition, and maybe one after each of them.
    fn read_ranges(
        &self,
        mut ranges: BTreeMap<i32, std::ops::Range<i64>>,
        mut each: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<ReadExtent, TopicReadError> {
        let mut assignment = TopicPartitionList::new();
        let added = ranges.iter().try_for_each(|(partition, range)| {
            assignment.add_partition_offset(&self.topic, *partition, Offset::Offset(range.start))
        });
        added.and_then(|()| self.consumer.assign(&assignment)).map_err(|error| self.failed(error))?;
        while !ranges.is_empty() {
            if Instant::now() >= self.deadline {
                return Ok(ReadExtent::OutOfTime);
            }
            match self.consumer.poll(POLL_TIMEOUT) {
                Some(Ok(message)) => {
                    let Some(range) = ranges.get(&message.partition()) else { continue };
                    if message.offset() < range.end {
                        each(&message);
                    }
                    if message.offset() >= range.end.saturating_sub(1) {
                        ranges.remove(&message.partition());
                    }
                }
                // The last offsets have no records that are visible to this reader.
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(ranges.remove(&partition)),
                Some(Err(error)) if classify(&error) == PublishFailure::Authorization => return Err(self.failed(error)),
                // The error is transient, or the time is over soon.
                Some(Err(error)) => tracing::debug!(%error, "librdkafka"),
                None => {}
            }
        }
        Ok(ReadExtent::Complete)
    }

    /// The time until the deadline, at least 1 ms, because librdkafka does not send a request with a timeout of zero.
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    fn failed(&self, reason: KafkaError) -> TopicReadError {
        let topic = self.topic.clone();
        match classify(&reason) {
            PublishFailure::Authorization => TopicReadError::NotAllowed { topic },
            PublishFailure::UnknownTopic => TopicReadError::NoTopic { topic },
            _ => TopicReadError::Kafka { topic, reason },
        }
    }
}
