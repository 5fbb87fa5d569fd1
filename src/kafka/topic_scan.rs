//! Reads a topic from beginning to end, and then the records written since.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the consumer, fetch the partitions and their first offsets | `kafka-history` | none | [`REQUEST_TIMEOUT`] in total |
//! | fetch the end offsets, assign the partitions | `kafka-ends` | none | [`REQUEST_TIMEOUT`] in total |
//! | find the offsets of a time | `kafka-times` | none | [`REQUEST_TIMEOUT`] in total |
//! | take the next record | the caller's | none | does not wait |
//! | close the consumer | see [`temporary`](super::temporary) | none | [`CLOSE_TIMEOUT`] |
//!
//! One call at a time. Dropping a scan, as at shutdown, does not wait.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message as _},
};
use tokio::{runtime::Handle, time::timeout};

use super::{
    client_config, error,
    producer::QuietContext,
    record_content::RecordContent,
    temporary::TemporaryClient,
    topic_history::PartitionProgress,
    topic_read_error::{REQUEST_TIMEOUT, TopicReadError, kafka_error},
    value_reader::{UnknownSchema, ValueReader},
};
use crate::{
    blocking,
    config::KafkaConfig,
    domain::{PublishFailure, RecordPosition, Timestamp},
    telemetry::{Operation, Operations},
};

/// How many queued errors of a consumer are logged after a request failed. Usually there are three.
const MAX_CAUSES: usize = 100;

/// How long [`TopicScan::close`] waits for the consumer to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

type TopicConsumer = TemporaryClient<StreamConsumer<QuietContext>>;

/// Reads one topic and tracks the read position.
pub(super) struct TopicScan {
    consumer: Arc<TopicConsumer>,
    operations: Arc<Operations>,
    topic: String,
    partitions: BTreeMap<i32, PartitionProgress>,
    /// Whether the end was reached once. Until then, the last records of a partition may have been compacted away.
    is_complete: bool,
    values: ValueReader,
    /// The record at which reading ended. The records behind it must not be taken for all that there are.
    unreadable: Option<UnknownSchema>,
}

impl TopicScan {
    /// Opens the topic and reads no record yet. `operations` counts slow calls.
    ///
    /// # Errors
    /// [`TopicReadError`].
    pub(super) async fn open(
        kafka: &KafkaConfig,
        topic: &str,
        operations: &Arc<Operations>,
    ) -> Result<Self, TopicReadError> {
        let (config, name, counted, runtime) =
            (kafka.clone(), topic.to_owned(), Arc::clone(operations), Handle::current());
        let opened = blocking::run("kafka-history", move || {
            // Creating the consumer spawns a task on the runtime.
            let _runtime = runtime.enter();
            open(&config, &name, &counted)
        });
        let (consumer, starts) =
            opened.await.unwrap_or(Err(KafkaError::Canceled)).map_err(|error| kafka_error(topic, error))?;
        if starts.is_empty() {
            return Err(TopicReadError::NoTopic { topic: topic.to_owned() });
        }
        let partitions =
            starts.into_iter().map(|(id, start)| (id, PartitionProgress { start, next: start, first: None })).collect();
        Ok(Self {
            consumer: Arc::new(consumer),
            operations: Arc::clone(operations),
            topic: topic.to_owned(),
            partitions,
            is_complete: false,
            values: ValueReader::new(kafka),
            unreadable: None,
        })
    }

    /// The read position in each partition.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &PartitionProgress> + Clone {
        self.partitions.values()
    }

    /// Reads to the current end of the topic. Passes every record to `each`, in the order of its partition, and the number
    /// of records read and their total to `progress`.
    ///
    /// # Errors
    /// [`TopicReadError`]. The records read until then have been passed to `each`.
    pub(super) async fn read_to_end(
        &mut self,
        mut each: impl FnMut(&BorrowedMessage<'_>),
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), TopicReadError> {
        let (consumer, ends) = (Arc::clone(&self.consumer), self.fetch_ends().await?);
        let total = self.remaining(&ends);
        let mut remaining = total;
        while remaining > 0 {
            if let Some(message) = self.receive(&consumer, &ends).await? {
                each(&message);
            }
            remaining = self.remaining(&ends);
            progress(total.saturating_sub(remaining), total);
        }
        self.is_complete = true;
        Ok(())
    }

    /// The same with the content of each record, whatever its format. After [`TopicReadError::Schema`], every further call
    /// returns that error.
    ///
    /// # Errors
    /// [`TopicReadError`]. The records read until then have been passed to `each`.
    pub(super) async fn read_contents_to_end(
        &mut self,
        mut each: impl FnMut(&RecordContent<'_>, RecordPosition),
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), TopicReadError> {
        self.check_readable()?;
        let (consumer, ends) = (Arc::clone(&self.consumer), self.fetch_ends().await?);
        let total = self.remaining(&ends);
        let mut remaining = total;
        while remaining > 0 {
            if let Some(message) = self.receive(&consumer, &ends).await? {
                match self.values.read(&message).await {
                    Ok(content) => each(&content, position_of(&message)),
                    Err(reason) => self.unreadable = Some(reason),
                }
                self.check_readable()?;
            }
            remaining = self.remaining(&ends);
            progress(total.saturating_sub(remaining), total);
        }
        self.is_complete = true;
        Ok(())
    }

    fn check_readable(&self) -> Result<(), TopicReadError> {
        match self.unreadable.clone() {
            Some(reason) => Err(TopicReadError::Schema { topic: self.topic.clone(), reason }),
            None => Ok(()),
        }
    }

    /// Makes the first read begin at these offsets, because what the records before them say is known. Reads only the first
    /// record of each partition, which tells when the history of the topic begins. Returns whether the topic has all of these
    /// offsets: it does not if it was created again.
    ///
    /// # Errors
    /// [`TopicReadError`].
    pub(super) async fn begin_at(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<bool, TopicReadError> {
        let ends = self.fetch_ends().await?;
        let is_known = |(id, end): (&i32, &i64)| offsets.get(id).is_some_and(|offset| offset <= end);
        if !ends.iter().all(is_known) {
            return Ok(false);
        }
        let is_first_unread = |(id, partition): (&i32, &PartitionProgress)| {
            partition.first.is_none() && ends.get(id).is_some_and(|end| partition.next < *end)
        };
        let consumer = Arc::clone(&self.consumer);
        while self.partitions.iter().any(is_first_unread) {
            self.receive(&consumer, &ends).await?;
        }
        for (id, partition) in &mut self.partitions {
            partition.next = partition.start.max(offsets.get(id).copied().unwrap_or_default());
        }
        Ok(true)
    }

    /// Makes the first read skip records before the first one of this time or later, by the timestamps of the records. Skips
    /// none if Kafka does not find offsets by time, as the embedded Kafka of `dev` does not.
    pub(super) async fn skip_before(&mut self, time: Timestamp) {
        let (consumer, topic, operations) =
            (Arc::clone(&self.consumer), self.topic.clone(), Arc::clone(&self.operations));
        let starts: BTreeMap<_, _> = self.partitions.iter().map(|(id, partition)| (*id, partition.start)).collect();
        let found = blocking::run("kafka-times", move || {
            let _operation = operations.begin(Operation::KafkaMetadata);
            offsets_at(&consumer, &topic, &starts, time)
        });
        match found.await.unwrap_or(Err(KafkaError::Canceled)) {
            Ok(offsets) => {
                for (id, partition) in &mut self.partitions {
                    partition.next = offsets.get(id).map_or(partition.next, |offset| partition.next.max(*offset));
                }
            }
            Err(error) => tracing::debug!(%error, "cannot find the offsets of a time"),
        }
    }

    /// Waits for the next record. `None` at the end of a partition, or after an error that may pass.
    async fn receive<'c>(
        &mut self,
        consumer: &'c TopicConsumer,
        ends: &BTreeMap<i32, i64>,
    ) -> Result<Option<BorrowedMessage<'c>>, TopicReadError> {
        let received = timeout(REQUEST_TIMEOUT, consumer.recv()).await;
        match received.map_err(|_| TopicReadError::Stalled { topic: self.topic.clone() })? {
            Ok(message) => {
                record_position(&mut self.partitions, &message);
                return Ok(Some(message));
            }
            Err(KafkaError::PartitionEOF(id)) => {
                // The first read skips to the end of a partition whose last offsets have no records, because those were
                // compacted away. On later reads the last offsets are new and do have records, which a stale notice of the
                // end must not skip.
                if let (false, Some(partition), Some(end)) =
                    (self.is_complete, self.partitions.get_mut(&id), ends.get(&id))
                {
                    partition.next = partition.next.max(*end);
                }
            }
            Err(error) if error::classify(&error) == PublishFailure::Authorization => {
                return Err(TopicReadError::NotAllowed { topic: self.topic.clone() });
            }
            // The error is transient, or the read stalls and times out.
            Err(error) => tracing::debug!(%error, "librdkafka"),
        }
        Ok(None)
    }

    /// Closes the consumer, and waits for at most five seconds.
    pub(super) async fn close(self) {
        // Otherwise a request is in progress whose caller has stopped waiting. The consumer closes when that request
        // ends.
        if let Some(consumer) = Arc::into_inner(self.consumer) {
            consumer.close(CLOSE_TIMEOUT).await;
        }
    }

    /// Fetches the end offset of each partition. On the first read it also assigns the partitions, which starts the
    /// consumption.
    async fn fetch_ends(&self) -> Result<BTreeMap<i32, i64>, TopicReadError> {
        let (consumer, topic, operations) =
            (Arc::clone(&self.consumer), self.topic.clone(), Arc::clone(&self.operations));
        let (partitions, is_assigned) = (self.partitions.clone(), self.is_complete);
        let fetched = blocking::run("kafka-ends", move || {
            let _operation = operations.begin(Operation::KafkaMetadata);
            let deadline = Instant::now() + REQUEST_TIMEOUT;
            let end = |id: &i32| consumer.fetch_watermarks(&topic, *id, time_left(deadline)).map(|(_, end)| (*id, end));
            let ends = partitions.keys().map(end).collect::<Result<_, _>>()?;
            if !is_assigned {
                // Assigned only now, because an end-of-partition notice from before these ends were fetched would be
                // stale.
                assign(&consumer, &topic, &partitions)?;
            }
            Ok(ends)
        });
        fetched.await.unwrap_or(Err(KafkaError::Canceled)).map_err(|error| kafka_error(&self.topic, error))
    }

    /// The number of offsets that are still to be read.
    fn remaining(&self, ends: &BTreeMap<i32, i64>) -> u64 {
        let remaining = |(id, partition): (&i32, &PartitionProgress)| {
            let end = ends.get(id).copied().unwrap_or_default();
            u64::try_from(end.saturating_sub(partition.next)).unwrap_or_default()
        };
        self.partitions.iter().map(remaining).sum()
    }
}

/// The time until the deadline, at least 1 ms, because librdkafka does not send a request with a timeout of zero.
fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Creates a consumer, and fetches the oldest offset of each partition; no partitions if the topic does not exist.
/// Blocks.
fn open(
    kafka: &KafkaConfig,
    name: &str,
    operations: &Arc<Operations>,
) -> Result<(TopicConsumer, BTreeMap<i32, i64>), KafkaError> {
    let _operation = operations.begin(Operation::KafkaMetadata);
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let mut config = client_config::common(kafka);
    client_config::limit_read_ahead(&mut config)
        // The consumer joins no group, but librdkafka requires a group id.
        .set("group.id", "trusthub-bridge-history")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        // Records that expire during the read are skipped.
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "20");
    let consumer: TopicConsumer =
        TemporaryClient::create(Some(operations), || config.create_with_context(QuietContext))?;
    let metadata = consumer.fetch_metadata(Some(name), time_left(deadline)).inspect_err(|_| log_causes(&consumer))?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    if let Some(code) = topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from)
        && error::classify_code(code) != PublishFailure::UnknownTopic
    {
        return Err(KafkaError::MetadataFetch(code));
    }
    let mut starts = BTreeMap::new();
    for partition in topic.iter().flat_map(|topic| topic.partitions()) {
        let (start, _) = consumer.fetch_watermarks(name, partition.id(), time_left(deadline))?;
        starts.insert(partition.id(), start);
    }
    Ok((consumer, starts))
}

/// Lets the context log the errors that librdkafka has queued for the consumer's first poll, such as a token that it cannot
/// get. The error of a request does not name its cause.
fn log_causes(consumer: &StreamConsumer<QuietContext>) {
    for _ in 0..MAX_CAUSES {
        if !matches!(consumer.recv().now_or_never(), Some(Err(_))) {
            return;
        }
    }
}

fn assign(
    consumer: &StreamConsumer<QuietContext>,
    topic: &str,
    partitions: &BTreeMap<i32, PartitionProgress>,
) -> Result<(), KafkaError> {
    let mut all = TopicPartitionList::new();
    for (id, partition) in partitions {
        all.add_partition_offset(topic, *id, Offset::Offset(partition.next))?;
    }
    consumer.assign(&all)
}

/// The offset in each partition at which the first record of this time or later is, or its end if there is none. A partition is
/// missing if Kafka finds no offset for the earliest time either, although it has records. Blocks.
fn offsets_at(
    consumer: &TopicConsumer,
    topic: &str,
    starts: &BTreeMap<i32, i64>,
    time: Timestamp,
) -> Result<BTreeMap<i32, i64>, KafkaError> {
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let at = |millis: i64| {
        let mut times = TopicPartitionList::new();
        for id in starts.keys() {
            times.add_partition_offset(topic, *id, Offset::Offset(millis))?;
        }
        consumer.offsets_for_times(times, time_left(deadline))
    };
    // Before the search, so that a record that is written meanwhile is not skipped.
    let end = |id: &i32| consumer.fetch_watermarks(topic, *id, time_left(deadline)).map(|(_, end)| (*id, end));
    let ends = starts.keys().map(end).collect::<Result<BTreeMap<_, _>, _>>()?;
    let (earliest, found) = (at(0)?, at(time.unix_millis().max(0))?);
    let offset = |list: &TopicPartitionList, id: i32| match list.find_partition(topic, id)?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    let searchable = ends.into_iter().filter(|(id, _)| offset(&earliest, *id).is_some());
    Ok(searchable.map(|(id, end)| (id, offset(&found, id).unwrap_or(end))).collect())
}

fn position_of(message: &BorrowedMessage<'_>) -> RecordPosition {
    RecordPosition { partition: message.partition(), offset: message.offset() }
}

fn record_position(partitions: &mut BTreeMap<i32, PartitionProgress>, message: &BorrowedMessage<'_>) {
    if let Some(partition) = partitions.get_mut(&message.partition()) {
        partition.next = message.offset().saturating_add(1);
        partition.first = partition.first.or_else(|| message.timestamp().to_millis());
    }
}
