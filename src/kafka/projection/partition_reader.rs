//! Reads single partitions from their beginning, outside the consumer group.

use std::time::{Duration, Instant};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{client::KafkaClient, client_config, delivery_context::QuietContext, value_reader::ValueReader},
    event_record::EventRecord,
    group::group_name,
    limits::REQUEST_TIMEOUT,
    problem::{ProjectionError, ProjectionProblem},
};
use crate::config::KafkaConfig;

/// How long reading may make no progress.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one poll takes, and so how soon a stop is noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// Reads partitions of any topic. Records of transactions that were aborted are skipped.
pub(crate) struct PartitionReader {
    committed: KafkaClient<BaseConsumer<QuietContext>>,
    /// Sees the records of transactions that have not ended.
    uncommitted: KafkaClient<BaseConsumer<QuietContext>>,
    values: ValueReader,
}

/// The offsets of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartitionExtent {
    /// The first available offset.
    pub first: i64,
    /// The offset before which every transaction has ended.
    pub stable: i64,
    /// The offset after the last record.
    pub end: i64,
}

impl PartitionReader {
    /// Creates the clients. `states` is the state topic.
    ///
    /// # Errors
    /// [`ProjectionError`] if librdkafka rejects the configuration.
    pub(crate) fn create(kafka: &KafkaConfig, states: &str) -> Result<Self, ProjectionError> {
        let create = |isolation: &str| {
            let mut config = client_config::common(kafka);
            client_config::limit_read_ahead(&mut config)
                // The consumer joins no group, but librdkafka requires a group id.
                .set("group.id", group_name(states))
                .set("isolation.level", isolation)
                .set("enable.auto.commit", "false")
                .set("enable.partition.eof", "true")
                .set("auto.offset.reset", "earliest")
                .set("allow.auto.create.topics", "false")
                .set("fetch.wait.max.ms", "20");
            config.create_with_context(QuietContext).map_err(|error| {
                ProjectionError::of_request("create a Kafka client for the states of profiles", &error)
            })
        };
        let values = ValueReader::new(kafka);
        Ok(Self { committed: create("read_committed")?, uncommitted: create("read_uncommitted")?, values })
    }

    /// The offsets of a partition now. The end is not later than the stable offset was asked for.
    ///
    /// # Errors
    /// [`ProjectionError`] of the requests.
    pub(crate) fn extent(&self, topic: &str, partition: i32) -> Result<PartitionExtent, ProjectionError> {
        let ask = |consumer: &BaseConsumer<QuietContext>| {
            let extent = consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT);
            extent.map_err(|error| failed(topic, &error))
        };
        let (first, end) = ask(&self.uncommitted)?;
        let (_, stable) = ask(&self.committed)?;
        Ok(PartitionExtent { first, stable, end })
    }

    /// Passes the records of a partition before this offset to `each`, in order. Returns early when `stop` is cancelled.
    ///
    /// # Errors
    /// [`ProjectionError`] if the records cannot be read, or if none arrives for a while.
    pub(crate) fn read(
        &self,
        (topic, partition, end): (&str, i32, i64),
        stop: &CancellationToken,
        each: impl FnMut(EventRecord),
    ) -> Result<(), ProjectionError> {
        // A partition that is removed before its first record or its end has arrived must not be assigned again soon, see
        // `scan_consumer::assign_once`.
        if end == 0 || stop.is_cancelled() {
            return Ok(());
        }
        let mut assignment = TopicPartitionList::new();
        let assigned = assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .and_then(|()| self.committed.assign(&assignment));
        assigned.map_err(|error| failed(topic, &error))?;
        let read = self.read_assigned((topic, end), stop, each);
        let unassigned = self.committed.unassign().map_err(|error| failed(topic, &error));
        read.and(unassigned)
    }

    fn read_assigned(
        &self,
        (topic, end): (&str, i64),
        stop: &CancellationToken,
        mut each: impl FnMut(EventRecord),
    ) -> Result<(), ProjectionError> {
        let mut last_progress = Instant::now();
        let mut next = 0;
        while next < end && !stop.is_cancelled() {
            match self.committed.poll(POLL_TIMEOUT) {
                Some(Ok(message)) => {
                    let record = EventRecord::read(&message, &self.values);
                    let record = record.map_err(|error| ProjectionError::of_schema(topic, &error))?;
                    next = record.position.offset.saturating_add(1);
                    if next <= end {
                        each(record);
                    }
                    last_progress = Instant::now();
                }
                // The last offsets have no records that are visible to this reader.
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) => {
                    let error = failed(topic, &error);
                    if error.problem != ProjectionProblem::Unreachable {
                        return Err(error);
                    }
                }
                None => {}
            }
            if last_progress.elapsed() > STALL_TIMEOUT {
                let seconds = STALL_TIMEOUT.as_secs();
                let message = format!("cannot read topic {topic}: no record arrived for {seconds} s");
                return Err(ProjectionError::new(ProjectionProblem::Unreachable, message));
            }
        }
        Ok(())
    }
}

fn failed(topic: &str, error: &KafkaError) -> ProjectionError {
    ProjectionError::of_request(&format!("read topic {topic}"), error)
}
