//! Waits for one record to come out of a topic, for a command that has just caused it.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the consumer, fetch the partitions and their ends | the caller's, which blocks | none | [`REQUEST_TIMEOUT`] in total |
//! | take the next record | the caller's, which blocks | none | the time limit of the search |
//! | close the consumer | see [`temporary`](super::temporary) | none | the caller does not wait |

use std::{
    borrow::Cow,
    collections::BTreeMap,
    thread,
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
    delivery_context::QuietContext,
    error::{classify, classify_code},
    record_content::event_id,
    temporary::TemporaryClient,
    topic_read_error::TopicReadError,
};
use crate::{
    config::KafkaConfig,
    domain::{PublishFailure, RecordPosition, TopicPosition},
};

/// How long the requests that start a search may take together.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause between two looks at a topic that does not exist yet.
const PAUSE: Duration = Duration::from_millis(200);

/// The record that a search has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundRecord {
    /// The CloudEvents `id`, if the record has one.
    pub event_id: Option<String>,
    /// Where the record is.
    pub written: TopicPosition,
}

/// Finds a record of one topic that was written after the search was started.
pub(crate) struct RecordSearch {
    consumer: TemporaryClient<KafkaClient<BaseConsumer<QuietContext>>>,
    topic: String,
    /// The end of each partition at the start of the search; empty if the topic did not exist.
    ends: BTreeMap<i32, i64>,
}

impl RecordSearch {
    /// Starts a search at the present end of this topic. Blocks.
    ///
    /// # Errors
    /// [`TopicReadError`] when Kafka is unreachable or rejects a request.
    pub(crate) fn start(kafka: &KafkaConfig, topic: &str) -> Result<Self, TopicReadError> {
        let mut config = client_config::common(kafka);
        config
            // The consumer joins no group, but librdkafka requires a group id.
            .set("group.id", "trusthub-bridge-probe")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("fetch.wait.max.ms", "20");
        let topic = topic.to_owned();
        let created = TemporaryClient::create(None, || config.create_with_context(QuietContext));
        let mut search = match created {
            Ok(consumer) => Self { consumer, topic, ends: BTreeMap::new() },
            Err(reason) => return Err(TopicReadError::Kafka { topic, reason }),
        };
        search.ends = search.fetch_ends().map_err(|error| search.error(error))?;
        Ok(search)
    }

    /// Waits for a record whose value contains this text; `None` if none arrives within `limit`. Blocks.
    ///
    /// # Errors
    /// [`TopicReadError`] when Kafka rejects a request.
    pub(crate) fn find(self, text: &str, limit: Duration) -> Result<Option<FoundRecord>, TopicReadError> {
        let deadline = Instant::now() + limit;
        if !self.assign(deadline).map_err(|error| self.error(error))? {
            return Ok(None);
        }
        while Instant::now() < deadline {
            match self.consumer.poll(deadline.saturating_duration_since(Instant::now())) {
                Some(Ok(message)) if contains(&message, text) => return Ok(Some(FoundRecord::at(&message))),
                Some(Err(error)) if classify(&error) == PublishFailure::Authorization => return Err(self.error(error)),
                // A record of another callback, or an error after which the client tries again.
                Some(_) | None => {}
            }
        }
        Ok(None)
    }

    /// Assigns all partitions from where they ended at the start. Returns whether the topic exists before the deadline.
    fn assign(&self, deadline: Instant) -> Result<bool, KafkaError> {
        loop {
            let partitions = self.partitions(REQUEST_TIMEOUT)?;
            if !partitions.is_empty() {
                let mut all = TopicPartitionList::new();
                for id in partitions {
                    let offset = self.ends.get(&id).map_or(Offset::Beginning, |end| Offset::Offset(*end));
                    all.add_partition_offset(&self.topic, id, offset)?;
                }
                self.consumer.assign(&all)?;
                return Ok(true);
            }
            if Instant::now() + PAUSE >= deadline {
                return Ok(false);
            }
            thread::sleep(PAUSE);
        }
    }

    fn fetch_ends(&self) -> Result<BTreeMap<i32, i64>, KafkaError> {
        let deadline = Instant::now() + REQUEST_TIMEOUT;
        let partitions = self.partitions(time_left(deadline))?;
        partitions.into_iter().map(|id| Ok((id, self.fetch_end(id, deadline)?))).collect()
    }

    /// Fetches the end of a partition, as soon as it has a leader: for a moment, the brokers do not agree about those of a
    /// topic that was just created.
    fn fetch_end(&self, id: i32, deadline: Instant) -> Result<i64, KafkaError> {
        loop {
            match self.consumer.fetch_watermarks(&self.topic, id, time_left(deadline)) {
                Ok((_, end)) => return Ok(end),
                Err(error) if classify(&error) != PublishFailure::NotAvailable => return Err(error),
                Err(error) if Instant::now() + PAUSE >= deadline => return Err(error),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// The partitions of the topic; none if it does not exist.
    fn partitions(&self, limit: Duration) -> Result<Vec<i32>, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.topic), limit)?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == self.topic) else {
            return Ok(Vec::new());
        };
        match topic.error().map(RDKafkaErrorCode::from) {
            Some(code) if classify_code(code) != PublishFailure::UnknownTopic => Err(KafkaError::MetadataFetch(code)),
            _ => Ok(topic.partitions().iter().map(|partition| partition.id()).collect()),
        }
    }

    fn error(&self, reason: KafkaError) -> TopicReadError {
        let topic = self.topic.clone();
        match classify(&reason) {
            PublishFailure::Authorization => TopicReadError::NotAllowed { topic },
            _ => TopicReadError::Kafka { topic, reason },
        }
    }
}

/// The time until the deadline. librdkafka takes zero for a time without a limit.
fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

impl FoundRecord {
    fn at(message: &BorrowedMessage<'_>) -> Self {
        let id = event_id(message).map(Cow::into_owned);
        let position = RecordPosition { partition: message.partition(), offset: message.offset() };
        Self { event_id: id, written: TopicPosition { topic: message.topic().into(), position } }
    }
}

/// Whether the value contains the text. It is not parsed, so that its format does not matter: texts are the same bytes in all.
fn contains(message: &BorrowedMessage<'_>, text: &str) -> bool {
    let payload = message.payload().unwrap_or_default();
    !text.is_empty() && payload.windows(text.len()).any(|part| part == text.as_bytes())
}
