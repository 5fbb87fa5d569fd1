//! Reads the topic of events from its beginning to its end, and after that what was written since.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the consumer, ask for partitions and their first offsets | `kafka-history` | none | [`PATIENCE`] for all of it |
//! | ask where the partitions end, assign them | `kafka-ends` | none | [`PATIENCE`] for all of it |
//! | take the next record | that of the caller | none | does not wait |
//! | close the consumer | see [`temporary`](super::temporary) | none | [`TO_CLOSE`] |
//!
//! One call at a time. A reader that is dropped, as at the stop, waits for nothing.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message as _},
};
use thiserror::Error;
use tokio::{runtime::Handle, time::timeout};

use super::{
    client_config, error,
    producer::Context,
    published_event::PublishedEvent,
    retention::{self, Retention},
    temporary::Temporary,
};
use crate::{
    blocking,
    config::KafkaConfig,
    domain::{PublishFailure, Timestamp},
    telemetry::{Operation, Operations},
};

/// The longest that one question may take, and that the topic may stand still while it is read.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest that the end of a run waits for the consumer to be closed.
const TO_CLOSE: Duration = Duration::from_secs(5);

/// What the client reads ahead, so that memory does not grow with the topic.
const READ_AHEAD_KBYTES: &str = "4096";
const FETCH_BYTES: &str = "1048576";

/// Why the topic cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HistoryError {
    /// There is no such topic.
    #[error("there is no topic {topic}; start the service, which makes it, or create it")]
    NoTopic {
        /// The missing one.
        topic: String,
    },
    /// Kafka does not answer, or refuses.
    #[error("topic {topic} cannot be read: {reason}")]
    Kafka {
        /// Which.
        topic: String,
        /// In the client's words.
        reason: String,
    },
    /// The right is missing.
    #[error("the Kafka user lacks the right READ on topic {topic}; grant it with kafka-acls")]
    NotAllowed {
        /// Which topic.
        topic: String,
    },
    /// Nothing came for a while, although there is more.
    #[error("topic {topic} cannot be read to its end: nothing came for {} s", PATIENCE.as_secs())]
    Stalled {
        /// Which.
        topic: String,
    },
}

type Consumer = Temporary<StreamConsumer<Context>>;

/// The topic of events, as far as it was read.
pub struct TopicReader {
    consumer: Arc<Consumer>,
    operations: Arc<Operations>,
    topic: String,
    retention: Retention,
    partitions: BTreeMap<i32, Partition>,
    /// Whether its end was reached once. Before that the last records of a partition may have been compacted away.
    is_complete: bool,
}

/// One partition, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Partition {
    /// The oldest offset that it kept when the reading began.
    start: i64,
    /// The offset to read next.
    next: i64,
    /// The time of the first record that was read, in milliseconds since the Unix epoch.
    first: Option<i64>,
}

impl TopicReader {
    /// Looks at the topic, and reads nothing yet. `operations` count what is slow.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub async fn open(kafka: &KafkaConfig, operations: &Arc<Operations>) -> Result<Self, HistoryError> {
        let (asked, counted, runtime) = (kafka.clone(), Arc::clone(operations), Handle::current());
        let opened = blocking::run("kafka-history", move || {
            // The consumer has a task on it.
            let _runtime = runtime.enter();
            open(&asked, &counted)
        });
        let (consumer, starts) =
            opened.await.unwrap_or(Err(KafkaError::Canceled)).map_err(|error| kafka_error(&kafka.topic, &error))?;
        if starts.is_empty() {
            return Err(HistoryError::NoTopic { topic: kafka.topic.clone() });
        }
        let retention = retention::ask(kafka, operations).await;
        let partitions =
            starts.into_iter().map(|(id, start)| (id, Partition { start, next: start, first: None })).collect();
        Ok(Self {
            consumer: Arc::new(consumer),
            operations: Arc::clone(operations),
            topic: kafka.topic.clone(),
            retention,
            partitions,
            is_complete: false,
        })
    }

    /// Reads to where the topic ends now. Every event is given to `each` in the order of its partition, and `progress`
    /// hears how many of how many records were read.
    ///
    /// # Errors
    /// [`HistoryError`]; what was read until then was given away.
    pub async fn read_on(
        &mut self,
        mut each: impl FnMut(PublishedEvent),
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), HistoryError> {
        let ends = self.ends().await?;
        let all = self.left(&ends);
        let mut left = all;
        while left > 0 {
            let received = timeout(PATIENCE, self.consumer.recv()).await;
            match received.map_err(|_| HistoryError::Stalled { topic: self.topic.clone() })? {
                Ok(message) => {
                    note(&mut self.partitions, &message);
                    if let Some(published) = PublishedEvent::read(&message) {
                        each(published);
                    }
                }
                Err(KafkaError::PartitionEOF(id)) => self.reached_end(id, &ends),
                Err(error) if error::failure(&error) == PublishFailure::Authorization => {
                    return Err(HistoryError::NotAllowed { topic: self.topic.clone() });
                }
                // Passes, or nothing comes for too long.
                Err(error) => tracing::debug!(%error, "librdkafka"),
            }
            left = self.left(&ends);
            progress(all.saturating_sub(left), all);
        }
        self.is_complete = true;
        Ok(())
    }

    /// Since when the topic has everything that was published; `None` when it has nothing and never had.
    #[must_use]
    pub fn begins(&self) -> Option<Timestamp> {
        let now = Timestamp::from(SystemTime::now()).unix_millis();
        begin(self.partitions.values(), self.retention, now).and_then(Timestamp::from_unix_millis)
    }

    /// Closes the consumer. Waits for that, but not for long.
    pub async fn close(self) {
        // Otherwise a question is under way whose caller has stopped waiting, and the consumer is closed after it.
        if let Some(consumer) = Arc::into_inner(self.consumer) {
            consumer.close(TO_CLOSE).await;
        }
    }

    /// The offset behind the last record of each partition. From then on they are read.
    async fn ends(&self) -> Result<BTreeMap<i32, i64>, HistoryError> {
        let (consumer, topic, operations) =
            (Arc::clone(&self.consumer), self.topic.clone(), Arc::clone(&self.operations));
        let (partitions, is_assigned) = (self.partitions.clone(), self.is_complete);
        let asked = blocking::run("kafka-ends", move || {
            let _operation = operations.begin(Operation::KafkaMetadata);
            let deadline = Instant::now() + PATIENCE;
            let end = |id: &i32| consumer.fetch_watermarks(&topic, *id, left(deadline)).map(|(_, end)| (*id, end));
            let ends = partitions.keys().map(end).collect::<Result<_, _>>()?;
            if !is_assigned {
                // Only now: news of an end that is older than these ends would say nothing about them.
                assign(&consumer, &topic, &partitions)?;
            }
            Ok(ends)
        });
        asked.await.unwrap_or(Err(KafkaError::Canceled)).map_err(|error| kafka_error(&self.topic, &error))
    }

    /// How many offsets are still to be read.
    fn left(&self, ends: &BTreeMap<i32, i64>) -> u64 {
        let left = |(id, partition): (&i32, &Partition)| {
            let end = ends.get(id).copied().unwrap_or_default();
            u64::try_from(end.saturating_sub(partition.next)).unwrap_or_default()
        };
        self.partitions.iter().map(left).sum()
    }

    /// The last offsets of a partition need not hold records: they may have been compacted away. Later on they are fresh
    /// and do, and an old news of an end must not hide them.
    fn reached_end(&mut self, id: i32, ends: &BTreeMap<i32, i64>) {
        if let (false, Some(partition), Some(end)) = (self.is_complete, self.partitions.get_mut(&id), ends.get(&id)) {
            partition.next = partition.next.max(*end);
        }
    }
}

/// What is left of the time until then. librdkafka takes no time at all for a question that is not to be asked.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// A consumer, and the oldest offset that each partition keeps; none when there is no topic. Blocks.
fn open(kafka: &KafkaConfig, operations: &Arc<Operations>) -> Result<(Consumer, BTreeMap<i32, i64>), KafkaError> {
    let _operation = operations.begin(Operation::KafkaMetadata);
    let deadline = Instant::now() + PATIENCE;
    let mut config = client_config::common(kafka);
    config
        // It joins no group: librdkafka asks for a name all the same.
        .set("group.id", "trusthub-bridge-history")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        // What expires while it is read is skipped.
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("queued.max.messages.kbytes", READ_AHEAD_KBYTES)
        .set("fetch.message.max.bytes", FETCH_BYTES)
        .set("fetch.wait.max.ms", "20");
    let consumer: Consumer = Temporary::create(Some(operations), || config.create_with_context(Context::quiet()))?;
    let metadata = consumer.fetch_metadata(Some(&kafka.topic), left(deadline))?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == kafka.topic);
    if let Some(code) = topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from)
        && error::of_code(code) != PublishFailure::UnknownTopic
    {
        return Err(KafkaError::MetadataFetch(code));
    }
    let mut starts = BTreeMap::new();
    for partition in topic.iter().flat_map(|topic| topic.partitions()) {
        let (start, _) = consumer.fetch_watermarks(&kafka.topic, partition.id(), left(deadline))?;
        starts.insert(partition.id(), start);
    }
    Ok((consumer, starts))
}

fn assign(
    consumer: &StreamConsumer<Context>,
    topic: &str,
    partitions: &BTreeMap<i32, Partition>,
) -> Result<(), KafkaError> {
    let mut all = TopicPartitionList::new();
    for (id, partition) in partitions {
        all.add_partition_offset(topic, *id, Offset::Offset(partition.next))?;
    }
    consumer.assign(&all)
}

fn note(partitions: &mut BTreeMap<i32, Partition>, message: &BorrowedMessage<'_>) {
    if let Some(partition) = partitions.get_mut(&message.partition()) {
        partition.next = message.offset().saturating_add(1);
        partition.first = partition.first.or_else(|| message.timestamp().to_millis());
    }
}

fn kafka_error(topic: &str, error: &KafkaError) -> HistoryError {
    let reason = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    HistoryError::Kafka { topic: topic.to_owned(), reason }
}

/// Since when partitions hold everything that was ever written to them after that moment.
fn begin<'p>(partitions: impl Iterator<Item = &'p Partition> + Clone, retention: Retention, now: i64) -> Option<i64> {
    let mut shortened = partitions.clone().filter(|partition| partition.start > 0).peekable();
    if shortened.peek().is_none() {
        // Nothing was ever deleted, so the first record tells since when there was somebody to write.
        return partitions.filter_map(|partition| partition.first).min();
    }
    let expiry = retention.expiry(now);
    let begins = |partition: &Partition| match (partition.first, expiry) {
        (Some(first), Some(expiry)) if retention.is_by_time_alone() => Some(first.min(expiry)),
        (Some(first), _) => Some(first),
        // The last of its records has expired.
        (None, expiry) => expiry,
    };
    // Of those that have nothing left, and of which nobody knows since when, nothing can be said before now.
    shortened.map(|partition| begins(partition).unwrap_or(now)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: i64 = 100 * DAY;
    const A_WEEK: Retention = Retention { deletes: true, millis: Some(7 * DAY), has_size: false };
    const A_WEEK_OR_SIZE: Retention = Retention { has_size: true, ..A_WEEK };
    const UNKNOWN: Retention = Retention { deletes: true, millis: None, has_size: true };
    const COMPACTED: Retention = Retention { deletes: false, ..A_WEEK };

    /// The first offset, and the day of the first record.
    fn begins(partitions: &[(i64, Option<i64>)], retention: Retention) -> Option<i64> {
        let partition = |(start, day): &(i64, Option<i64>)| Partition {
            start: *start,
            next: *start,
            first: day.map(|day| day * DAY),
        };
        let partitions: Vec<_> = partitions.iter().map(partition).collect();
        begin(partitions.iter(), retention, NOW).map(|begin| begin / DAY)
    }

    #[test]
    fn a_topic_that_never_had_a_record_has_no_history() {
        assert_eq!(begins(&[(0, None), (0, None)], A_WEEK), None);
    }

    #[test]
    fn a_topic_of_which_nothing_was_deleted_begins_with_its_first_record_whatever_partition_has_it() {
        for retention in [A_WEEK, UNKNOWN, COMPACTED] {
            assert_eq!(begins(&[(0, Some(98)), (0, None), (0, Some(50))], retention), Some(50));
        }
    }

    #[test]
    fn what_expires_by_time_is_whole_since_its_retention_even_where_no_record_is_left() {
        assert_eq!(begins(&[(5, Some(99)), (0, None), (7, None)], A_WEEK), Some(93));
        assert_eq!(begins(&[(5, Some(90))], A_WEEK), Some(90), "a segment lives as long as its last record");
    }

    #[test]
    fn what_is_deleted_by_size_is_whole_since_its_first_record() {
        assert_eq!(begins(&[(5, Some(99)), (5, Some(98)), (0, Some(3))], A_WEEK_OR_SIZE), Some(99));
        assert_eq!(begins(&[(5, None)], A_WEEK_OR_SIZE), Some(93), "the newest went last, and went by time");
    }

    #[test]
    fn what_was_deleted_for_unknown_reasons_is_not_guessed() {
        for retention in [UNKNOWN, COMPACTED] {
            assert_eq!(begins(&[(5, Some(99)), (0, None)], retention), Some(99));
            assert_eq!(begins(&[(5, Some(99)), (5, None)], retention), Some(100));
        }
    }
}
