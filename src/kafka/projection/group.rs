//! The consumer group whose members share the partitions of the event topic.
//!
//! A partition that the group assigns to this member is paused until [`ProjectionGroup::start`]. Records of a partition
//! that is not started may still arrive, and are to be ignored.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, ConsumerGroupMetadata, Rebalance},
    error::{KafkaError, KafkaResult},
};

use super::{
    super::{
        client::{ClientSettings, KafkaClient},
        client_config,
        delivery_context::QuietContext,
        value_reader::ValueReader,
    },
    committed::PartitionCounts,
    event_record::EventRecord,
    limits::{REQUEST_TIMEOUT, START_TIMEOUT},
    partitions::partitions_of,
    problem::{ProjectionError, ProjectionProblem},
};
use crate::config::KafkaConfig;

/// The time without a heartbeat after which Kafka gives the partitions of a member to others. It is the shortest that
/// brokers allow by default.
const SESSION_TIMEOUT_MS: &str = "6000";
const HEARTBEAT_INTERVAL_MS: &str = "2000";

/// How long this member may read the states of a partition, or its events for a rebuild, before it polls the group again.
/// Kafka then gives its partitions to others, which would have to read for as long. A rebuild of 50 million events takes
/// less time.
const MAX_POLL_INTERVAL_MS: &str = "3600000";

/// A change of the partitions that this member owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AssignmentChange {
    /// The member owns these as well. They are paused.
    Assigned(Vec<i32>),
    /// The member no longer owns these.
    Revoked(Vec<i32>),
}

/// The offset at which the next owner of a partition continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NextOffset {
    /// The partition of the event topic.
    pub partition: i32,
    /// The offset.
    pub next: i64,
    /// What the next owner has to know.
    pub counts: PartitionCounts,
}

/// What a poll returned.
#[derive(Debug)]
pub(crate) enum Polled {
    /// A record of the event topic.
    Record(EventRecord),
    /// Nothing before the end of the wait.
    Nothing,
    /// An error, from which the client may recover by itself.
    Error(ProjectionError),
}

/// The offset up to which the group has processed a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The next offset to process.
    pub next: i64,
    /// The number of partitions of the event topic then; `None` if that is not known.
    pub counts: Option<PartitionCounts>,
}

/// Receives the rebalances of the group.
#[derive(Default)]
struct GroupContext {
    changes: Mutex<Vec<AssignmentChange>>,
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        QuietContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        QuietContext.error(error, detail);
    }
}

impl ConsumerContext for GroupContext {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            self.changes.lock().push(AssignmentChange::Revoked(numbers(partitions)));
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            if let Err(error) = consumer.pause(partitions) {
                tracing::debug!(%error, "cannot pause new partitions");
            }
            self.changes.lock().push(AssignmentChange::Assigned(numbers(partitions)));
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}

/// A member of the group.
pub(crate) struct ProjectionGroup {
    consumer: KafkaClient<BaseConsumer<GroupContext>>,
    name: String,
    events: String,
    values: ValueReader,
}

/// The name of the group that projects to this topic.
pub(super) fn group_name(states: &str) -> String {
    format!("trusthub-bridge-profiles.{states}")
}

fn config(kafka: &KafkaConfig, name: &str) -> ClientSettings {
    let mut config = client_config::common(kafka);
    client_config::limit_read_ahead(&mut config)
        .set("group.id", name)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS)
        .set("max.poll.interval.ms", MAX_POLL_INTERVAL_MS)
        .set("heartbeat.interval.ms", HEARTBEAT_INTERVAL_MS)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false");
    config
}

impl ProjectionGroup {
    /// Creates the client, which joins the group only with [`join`](Self::join). `states` is the state topic.
    ///
    /// # Errors
    /// [`ProjectionError`] if librdkafka rejects the configuration.
    pub(crate) fn create(kafka: &KafkaConfig, states: &str) -> Result<Self, ProjectionError> {
        let name = group_name(states);
        let consumer = config(kafka, &name)
            .create_with_context(GroupContext::default())
            .map_err(|error| ProjectionError::of_request("create a Kafka client for the states of profiles", &error))?;
        Ok(Self { consumer, name, events: kafka.topic.clone(), values: ValueReader::new(kafka) })
    }

    /// Joins the group, in the background.
    ///
    /// # Errors
    /// [`ProjectionError`] if librdkafka rejects the request.
    pub(crate) fn join(&self) -> Result<(), ProjectionError> {
        self.consumer.subscribe(&[&self.events]).map_err(|error| self.failed_to("join", &error))
    }

    /// Waits for the next record, and meanwhile takes part in the group.
    pub(crate) fn poll(&self, timeout: Duration) -> Polled {
        match self.consumer.poll(timeout) {
            Some(Ok(message)) => match EventRecord::read(&message, &self.values) {
                Ok(record) => Polled::Record(record),
                Err(error) => Polled::Error(ProjectionError::of_schema(&self.events, &error)),
            },
            Some(Err(error)) => Polled::Error(self.failed_to("read", &error)),
            None => Polled::Nothing,
        }
    }

    /// The changes of the owned partitions since the last call, in order. They occur during [`poll`](Self::poll) only.
    pub(crate) fn take_changes(&self) -> Vec<AssignmentChange> {
        std::mem::take(&mut self.consumer.context().changes.lock())
    }

    /// What the group has committed, by partition. Offsets of a transaction that has not ended make it wait.
    ///
    /// # Errors
    /// [`ProjectionError`] of the request.
    pub(crate) fn committed(&self, partitions: i32) -> Result<BTreeMap<i32, Committed>, ProjectionError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.events, 0, partitions.saturating_sub(1));
        let answer = self.consumer.committed_offsets(list, REQUEST_TIMEOUT);
        let answer = answer.map_err(|error| self.failed_to("read the offsets", &error))?;
        let mut committed = BTreeMap::new();
        for element in answer.elements() {
            element.error().map_err(|error| self.failed_to("read the offsets", &error))?;
            if let Offset::Offset(next) = element.offset() {
                let counts = PartitionCounts::parse(element.metadata());
                committed.insert(element.partition(), Committed { next, counts });
            }
        }
        Ok(committed)
    }

    /// Lets a partition that this member owns deliver its records, from this offset on. The client may not be ready for
    /// that immediately after the assignment.
    ///
    /// # Errors
    /// [`ProjectionError`] of the request.
    pub(crate) fn start(&self, partition: i32, next: i64) -> Result<(), ProjectionError> {
        let started = self.consumer.seek(&self.events, partition, Offset::Offset(next), START_TIMEOUT);
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition(&self.events, partition);
        started.and_then(|()| self.consumer.resume(&partitions)).map_err(|error| self.failed_to("seek", &error))
    }

    /// Commits offsets outside a transaction, for records that change no state. Fails if this member no longer owns the
    /// partitions.
    ///
    /// # Errors
    /// [`ProjectionError`] of the request.
    pub(crate) fn commit(&self, offsets: &[NextOffset]) -> Result<(), ProjectionError> {
        let offsets = self.offsets(offsets);
        let committed = offsets.and_then(|offsets| self.consumer.commit(&offsets, CommitMode::Sync));
        committed.map_err(|error| self.failed_to("commit the offsets", &error))
    }

    /// The offsets in the form that a transaction needs.
    pub(super) fn offsets(&self, offsets: &[NextOffset]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for NextOffset { partition, next, counts } in offsets {
            let mut element = list.add_partition(&self.events, *partition);
            element.set_offset(Offset::Offset(*next))?;
            element.set_metadata(counts.to_string());
        }
        Ok(list)
    }

    /// The present membership, with which Kafka rejects the offsets of a former owner; `None` for a member that knows that it
    /// is one. A member that was excluded from the group begins a new membership without a generation, which Kafka does not
    /// check. It sets the sign of the loss first and removes it only during a later [`poll`](Self::poll).
    pub(super) fn membership(&self) -> Option<ConsumerGroupMetadata> {
        let membership = self.consumer.group_metadata();
        membership.filter(|_| !self.consumer.assignment_lost())
    }

    /// The number of partitions of a topic; `None` if it does not exist.
    ///
    /// # Errors
    /// [`ProjectionError`] of the request.
    pub(super) fn partitions_of(&self, topic: &str) -> Result<Option<i32>, ProjectionError> {
        partitions_of(&*self.consumer, topic)
    }

    /// The number of brokers in the cluster; 0 if it cannot be read.
    pub(super) fn brokers(&self) -> usize {
        let metadata = self.consumer.fetch_metadata(Some(&self.events), REQUEST_TIMEOUT);
        metadata.map_or(0, |metadata| metadata.brokers().len())
    }

    /// The offset after the last record of a partition whose transaction has ended.
    ///
    /// # Errors
    /// [`ProjectionError`] of the request.
    pub(crate) fn end_of(&self, topic: &str, partition: i32) -> Result<i64, ProjectionError> {
        let extent = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT);
        let (_, end) = extent.map_err(|error| ProjectionError::of_request(&format!("read topic {topic}"), &error))?;
        Ok(end)
    }

    fn failed_to(&self, action: &str, error: &KafkaError) -> ProjectionError {
        let name = &self.name;
        match error {
            KafkaError::MessageConsumptionFatal(code) => ProjectionError::new(
                ProjectionProblem::Other,
                format!("cannot {action} as a member of consumer group {name}: {code}"),
            ),
            _ => ProjectionError::of_request(&format!("{action} as a member of consumer group {name}"), error),
        }
    }
}
