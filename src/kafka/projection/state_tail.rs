//! The state topic, for a reader that follows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use super::{
    super::{
        client::KafkaClient,
        client_config,
        delivery_context::QuietContext,
        value_reader::{UnknownSchema, ValueReader},
    },
    event_record::EventRecord,
    group::group_name,
    limits::REQUEST_TIMEOUT,
    partitions::partitions_of,
    problem::{ProjectionError, ProjectionProblem},
};
use crate::{config::KafkaConfig, domain::RecordPosition};

/// How often the reader checks that the topic is still the one that it reads, and that Kafka answers.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// How long one poll takes, and so how soon a stop is noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// What [`StateTail::next`] returned.
#[derive(Debug)]
pub(crate) enum Tailed {
    /// The next record of a partition.
    Record(EventRecord),
    /// Nothing arrived, but Kafka answers.
    Answered,
    /// Nothing arrived.
    Nothing,
    /// Kafka does not answer. The client continues when it does.
    Interrupted(ProjectionError),
    /// The registry does not have the schema of the next record, or does not answer. The next call reads the record again.
    Unreadable(ProjectionError),
}

/// A consumer without a group that reads every partition of the state topic from its beginning, and then what is written. Skips
/// records of transactions that were aborted. All calls block.
pub(crate) struct StateTail {
    consumer: KafkaClient<BaseConsumer<QuietContext>>,
    topic: String,
    partitions: i32,
    /// The next offset of each partition that has been read.
    next: BTreeMap<i32, i64>,
    /// The partitions whose end has not been reached yet.
    unfinished: BTreeSet<i32>,
    checked: Instant,
    values: ValueReader,
}

impl StateTail {
    /// Starts to read the topic; `None` if it does not exist.
    ///
    /// # Errors
    /// [`ProjectionError`] if Kafka does not answer, or rejects a request.
    pub(crate) fn open(kafka: &KafkaConfig, topic: &str) -> Result<Option<Self>, ProjectionError> {
        let mut config = client_config::common(kafka);
        client_config::limit_read_ahead(&mut config)
            // The consumer joins no group, but librdkafka requires a group id.
            .set("group.id", group_name(topic))
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            // Brokers answer at once when there are records, but not when a transaction ends. A person is waiting.
            .set("fetch.wait.max.ms", "200");
        let consumer: KafkaClient<BaseConsumer<_>> = config
            .create_with_context(QuietContext)
            .map_err(|error| ProjectionError::of_request("create a Kafka client for the states of profiles", &error))?;
        let Some(partitions) = partitions_of(&*consumer, topic)? else { return Ok(None) };
        let mut assignment = TopicPartitionList::new();
        let added = (0..partitions)
            .try_for_each(|partition| assignment.add_partition_offset(topic, partition, Offset::Beginning));
        added.and_then(|()| consumer.assign(&assignment)).map_err(|error| failed(topic, &error))?;
        Ok(Some(Self {
            consumer,
            topic: topic.to_owned(),
            partitions,
            next: BTreeMap::new(),
            unfinished: (0..partitions).collect(),
            checked: Instant::now(),
            values: ValueReader::new(kafka),
        }))
    }

    /// The number of partitions, at least 1.
    pub(crate) fn partitions(&self) -> i32 {
        self.partitions
    }

    /// Whether the end of each partition was reached once.
    pub(crate) fn is_complete(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// Waits for the next record, for at most 100 ms. Checks the topic every 5 s, which takes longer if Kafka does not answer. The
    /// first record of an Avro schema waits for the registry as well.
    ///
    /// # Errors
    /// [`ProjectionError`] if the topic has to be read again from its beginning, or cannot be read.
    pub(crate) fn next(&mut self) -> Result<Tailed, ProjectionError> {
        let tailed = match self.consumer.poll(POLL_TIMEOUT) {
            Some(Ok(message)) => {
                let record = EventRecord::read(&message, &self.values);
                drop(message);
                return match record {
                    Ok(record) => self.advanced(record).map(Tailed::Record),
                    Err(error) => self.read_again(&error),
                };
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                self.unfinished.remove(&partition);
                Tailed::Answered
            }
            Some(Err(error)) => interrupted(failed(&self.topic, &error))?,
            None => Tailed::Nothing,
        };
        if self.checked.elapsed() < CHECK_INTERVAL {
            return Ok(tailed);
        }
        let checked = self.check();
        self.checked = Instant::now();
        match checked {
            Ok(()) => Ok(Tailed::Answered),
            Err(error) => interrupted(error),
        }
    }

    /// Returns to a record that cannot be read now.
    fn read_again(&self, error: &UnknownSchema) -> Result<Tailed, ProjectionError> {
        let (RecordPosition { partition, offset }, topic) = (error.position, &self.topic);
        let sought = self.consumer.seek(topic, partition, Offset::Offset(offset), REQUEST_TIMEOUT);
        sought.map_err(|error| failed(topic, &error))?;
        Ok(Tailed::Unreadable(ProjectionError::of_schema(topic, error)))
    }

    /// Remembers how far a partition was read.
    fn advanced(&mut self, record: EventRecord) -> Result<EventRecord, ProjectionError> {
        let (partition, offset) = (record.position.partition, record.position.offset);
        let next = self.next.insert(partition, offset.saturating_add(1));
        if next.is_some_and(|next| offset < next) { Err(created_again()) } else { Ok(record) }
    }

    /// Whether the topic is still the one that is read, with as many partitions.
    fn check(&self) -> Result<(), ProjectionError> {
        let topic = &self.topic;
        if partitions_of(&*self.consumer, topic)? != Some(self.partitions) {
            return Err(ProjectionError::outdated("the number of partitions changed"));
        }
        for (partition, next) in &self.next {
            let extent = self.consumer.fetch_watermarks(topic, *partition, REQUEST_TIMEOUT);
            let (_, end) = extent.map_err(|error| failed(topic, &error))?;
            if end < *next {
                return Err(created_again());
            }
        }
        Ok(())
    }
}

fn created_again() -> ProjectionError {
    ProjectionError::outdated("the state topic was created again")
}

/// A client recovers from this error by itself, and from no other.
fn interrupted(error: ProjectionError) -> Result<Tailed, ProjectionError> {
    if error.problem == ProjectionProblem::Unreachable { Ok(Tailed::Interrupted(error)) } else { Err(error) }
}

fn failed(topic: &str, error: &KafkaError) -> ProjectionError {
    ProjectionError::of_request(&format!("read topic {topic}"), error)
}
