//! Reads a topic from beginning to end, and then the records written since.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the consumer, fetch the partitions and their first offsets | `kafka-history` | none | [`REQUEST_TIMEOUT`] in total |
//! | fetch the end offsets, assign the partitions, to another consumer if they were assigned before | `kafka-ends` | none | [`REQUEST_TIMEOUT`] in total |
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

use rdkafka::{
    consumer::Consumer as _,
    error::KafkaError,
    message::{BorrowedMessage, Message as _},
};
use tokio::{runtime::Handle, time::timeout};

use super::{
    error,
    scan_consumer::{TopicConsumer, assign_once, offsets_at, open, time_left},
    topic_history::PartitionProgress,
    topic_read_error::{REQUEST_TIMEOUT, TopicReadError, kafka_error},
    value_reader::{UnknownSchema, ValueReader},
};
use crate::{
    blocking,
    config::KafkaConfig,
    domain::{PublishFailure, RecordPosition, Timestamp, content::EventContent},
    telemetry::{Operation, Operations},
};

/// How long [`TopicScan::close`] waits for the consumer to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads one topic and tracks the read position.
pub(super) struct TopicScan {
    kafka: KafkaConfig,
    consumer: Arc<TopicConsumer>,
    operations: Arc<Operations>,
    topic: String,
    partitions: BTreeMap<i32, PartitionProgress>,
    /// Whether the consumer has partitions.
    is_assigned: bool,
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
            kafka: kafka.clone(),
            consumer: Arc::new(consumer),
            operations: Arc::clone(operations),
            topic: topic.to_owned(),
            partitions,
            is_assigned: false,
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
        let ends = self.fetch_ends().await?;
        let consumer = Arc::clone(&self.consumer);
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
        mut each: impl FnMut(&EventContent<'_>, RecordPosition),
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), TopicReadError> {
        self.check_readable()?;
        let ends = self.fetch_ends().await?;
        let consumer = Arc::clone(&self.consumer);
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

    /// Fetches the end offset of each partition. Until the first read is complete, it also assigns the partitions.
    async fn fetch_ends(&mut self) -> Result<BTreeMap<i32, i64>, TopicReadError> {
        let (consumer, kafka, topic, operations, runtime) = (
            Arc::clone(&self.consumer),
            self.kafka.clone(),
            self.topic.clone(),
            Arc::clone(&self.operations),
            Handle::current(),
        );
        let (partitions, is_assigned, is_complete) = (self.partitions.clone(), self.is_assigned, self.is_complete);
        let fetched = blocking::run("kafka-ends", move || {
            let _operation = operations.begin(Operation::KafkaMetadata);
            // Creating a consumer spawns a task on the runtime.
            let _runtime = runtime.enter();
            let deadline = Instant::now() + REQUEST_TIMEOUT;
            let end = |id: &i32| consumer.fetch_watermarks(&topic, *id, time_left(deadline)).map(|(_, end)| (*id, end));
            let ends = partitions.keys().map(end).collect::<Result<_, _>>()?;
            if is_complete {
                return Ok((consumer, ends));
            }
            // Assigned only now, because an end-of-partition notice from before these ends were fetched would be stale.
            let consumer = assign_once(consumer, is_assigned, &kafka, &operations, (&topic, &partitions))?;
            Ok((consumer, ends))
        });
        let fetched = fetched.await.unwrap_or(Err(KafkaError::Canceled));
        let (consumer, ends) = fetched.map_err(|error| kafka_error(&self.topic, error))?;
        self.is_assigned = true;
        self.consumer = consumer;
        Ok(ends)
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

fn position_of(message: &BorrowedMessage<'_>) -> RecordPosition {
    RecordPosition { partition: message.partition(), offset: message.offset() }
}

fn record_position(partitions: &mut BTreeMap<i32, PartitionProgress>, message: &BorrowedMessage<'_>) {
    if let Some(partition) = partitions.get_mut(&message.partition()) {
        partition.next = message.offset().saturating_add(1);
        partition.first = partition.first.or_else(|| message.timestamp().to_millis());
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

    use super::*;
    use crate::{config, telemetry::Metrics};

    /// Enough that librdkafka aborts the process if one consumer is assigned twice.
    const SCANS: usize = 30;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn scan_that_begins_at_known_offsets_can_be_closed_at_once() {
        let cluster: MockCluster<'static, DefaultProducerContext> = MockCluster::new(1).unwrap();
        cluster.create_topic("events", 3, 1).unwrap();
        let kafka =
            config::load_kafka([("KAFKA_BOOTSTRAP_SERVERS".into(), cluster.bootstrap_servers().into())]).unwrap();
        let metrics = Metrics::new(|_| "events".to_owned()).unwrap();
        for _ in 0..SCANS {
            let mut scan = TopicScan::open(&kafka, "events", &metrics.operations).await.unwrap();
            assert!(scan.begin_at(&(0..3).map(|id| (id, 0)).collect()).await.unwrap());
            scan.read_to_end(|_| panic!("the topic is empty"), |_, _| {}).await.unwrap();
            scan.close().await;
        }
    }
}
