//! The consumers of [`TopicScan`](super::topic_scan::TopicScan), and the requests that it makes with them. Everything here blocks.

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
};

use super::{
    client::KafkaClient, client_config, delivery_context::QuietContext, error, temporary::TemporaryClient,
    topic_history::PartitionProgress, topic_read_error::REQUEST_TIMEOUT,
};
use crate::{
    config::KafkaConfig,
    domain::{PublishFailure, Timestamp},
    telemetry::{Operation, Operations},
};

/// How many queued errors of a consumer are logged after a request failed. Usually there are three.
const MAX_CAUSES: usize = 100;

pub(super) type TopicConsumer = TemporaryClient<KafkaClient<StreamConsumer<QuietContext>>>;

/// The time until the deadline, at least 1 ms, because librdkafka does not send a request with a timeout of zero.
pub(super) fn time_left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Creates a consumer without partitions. Must be called within a runtime, because it spawns a task. Blocks while it reads files.
fn create(kafka: &KafkaConfig, operations: &Arc<Operations>) -> Result<TopicConsumer, KafkaError> {
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
    TemporaryClient::create(Some(operations), || config.create_with_context(QuietContext))
}

/// Creates a consumer, and fetches the oldest offset of each partition; no partitions if the topic does not exist. Must be called
/// within a runtime. Blocks.
pub(super) fn open(
    kafka: &KafkaConfig,
    name: &str,
    operations: &Arc<Operations>,
) -> Result<(TopicConsumer, BTreeMap<i32, i64>), KafkaError> {
    let _operation = operations.begin(Operation::KafkaMetadata);
    let deadline = Instant::now() + REQUEST_TIMEOUT;
    let consumer = create(kafka, operations)?;
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

/// Assigns the partitions, which starts the consumption.
fn assign(
    consumer: &TopicConsumer,
    topic: &str,
    partitions: &BTreeMap<i32, PartitionProgress>,
) -> Result<(), KafkaError> {
    let mut all = TopicPartitionList::new();
    for (id, partition) in partitions {
        all.add_partition_offset(topic, *id, Offset::Offset(partition.next))?;
    }
    consumer.assign(&all)
}

/// A consumer that reads from the positions of `partitions`: this one, or one of its own in place of one that was assigned
/// before. librdkafka 2.12 aborts the process (`Assertion rktp->rktp_started` in rdkafka_assignment.c) when a partition is
/// removed again while the stop of its previous assignment is in progress, as when an assigned consumer is assigned again and
/// closed at once.
pub(super) fn assign_once(
    consumer: Arc<TopicConsumer>,
    is_assigned: bool,
    kafka: &KafkaConfig,
    operations: &Arc<Operations>,
    (topic, partitions): (&str, &BTreeMap<i32, PartitionProgress>),
) -> Result<Arc<TopicConsumer>, KafkaError> {
    let consumer = if is_assigned { Arc::new(create(kafka, operations)?) } else { consumer };
    assign(&consumer, topic, partitions)?;
    Ok(consumer)
}

/// The offset in each partition at which the first record of this time or later is, or its end if there is none. A partition is
/// missing if Kafka finds no offset for the earliest time either, although it has records. Blocks.
pub(super) fn offsets_at(
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
