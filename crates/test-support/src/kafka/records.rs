//! Reads topics back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const POLL: Duration = Duration::from_millis(50);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// A record as a consumer receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The headers, in the order in which they were written.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The value; `None` for a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The timestamp, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

impl Record {
    /// The value of a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        std::str::from_utf8(value).ok()
    }
}

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect(),
            payload: message.payload().map(<[u8]>::to_vec),
            timestamp_ms: message.timestamp().to_millis().expect("a record has a timestamp"),
        }
    }
}

/// A consumer that reports the end of a partition and stores nothing on the broker.
pub(super) fn consumer(mut client: ClientConfig) -> BaseConsumer {
    client.set("group.id", "tests").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    client.create().expect("the client's settings are valid")
}

/// The partitions of the topic, once it exists and each of them has a leader.
pub(super) fn partitions(consumer: &BaseConsumer, topic: &str, deadline: Instant) -> BTreeSet<i32> {
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT);
        let partitions = metadata.as_ref().map_or(&[][..], |metadata| metadata.topics()[0].partitions());
        if !partitions.is_empty() && partitions.iter().all(|partition| partition.error().is_none()) {
            return partitions.iter().map(|partition| partition.id()).collect();
        }
        assert!(Instant::now() < deadline, "topic {topic} does not appear");
        // Nothing is assigned yet: this only delays the next request.
        consumer.poll(POLL);
    }
}

/// The progress in one partition.
struct Reading {
    next: i64,
    /// The end offset when the reading began, as reported by the partition's leader. The end that a fetch reports is
    /// not sufficient: a new leader learns a moment later how many of its records are committed.
    end: i64,
    at_end: bool,
}

impl Reading {
    fn began(consumer: &BaseConsumer, topic: &str, partition: i32, deadline: Instant) -> Self {
        loop {
            match consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT) {
                Ok((next, end)) => return Self { next, end, at_end: false },
                Err(error) => assert!(Instant::now() < deadline, "the end offset of {topic} is unknown: {error}"),
            }
            // Nothing is assigned yet: this only delays the next request.
            consumer.poll(POLL);
        }
    }

    fn is_done(&self) -> bool {
        self.at_end && self.next >= self.end
    }
}

/// Reads from the beginning until there are at least this many records and every partition is at its end. Records of
/// one partition are read in order.
pub(super) fn gather<C: Extend<Record> + Debug>(
    consumer: &BaseConsumer,
    topic: &str,
    at_least: usize,
    deadline: Instant,
    mut into: C,
) -> C {
    let partitions = partitions(consumer, topic, deadline);
    let begun = |partition| (partition, Reading::began(consumer, topic, partition, deadline));
    let mut readings: BTreeMap<_, _> = partitions.iter().copied().map(begun).collect();
    assign_from_beginning(consumer, topic, &partitions);
    let mut count = 0;
    let mut last_error = None;
    while count < at_least || !readings.values().all(Reading::is_done) {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let reading = readings.get_mut(&message.partition()).expect("nothing else is assigned");
                (reading.next, reading.at_end) = (message.offset() + 1, false);
                into.extend([Record::from(&message)]);
                count += 1;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                readings.get_mut(&partition).expect("nothing else is assigned").at_end = true;
            }
            // Temporary: it ends when the broker is reachable again.
            Some(Err(error)) => last_error = Some(error),
            None => {}
        }
        assert!(Instant::now() < deadline, "{count} of {at_least} records, {last_error:?}: {into:#?}");
    }
    into
}

fn assign_from_beginning(consumer: &BaseConsumer, topic: &str, partitions: &BTreeSet<i32>) {
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        assignment
            .add_partition_offset(topic, *partition, Offset::Beginning)
            .expect("the beginning is an offset that can be assigned");
    }
    consumer.assign(&assignment).expect("the partitions exist");
}

/// Passes on every record of the topic now, those of a partition in order. The end of a partition may have no records,
/// because those of transactions are followed by markers.
pub(super) fn read_to_end<C: Extend<Record>>(
    consumer: &BaseConsumer,
    topic: &str,
    deadline: Instant,
    mut into: C,
) -> C {
    let mut left = partitions(consumer, topic, deadline);
    assign_from_beginning(consumer, topic, &left);
    while !left.is_empty() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => into.extend([Record::from(&message)]),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                left.remove(&partition);
            }
            // Temporary: it ends when the broker is reachable again.
            Some(Err(_)) | None => {}
        }
        assert!(Instant::now() < deadline, "topic {topic} cannot be read to its end: {left:?}");
    }
    into
}
