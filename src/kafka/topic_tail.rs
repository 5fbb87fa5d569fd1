//! Follows topics from their beginning, as an external consumer would.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the consumer, fetch the partitions, assign them | `kafka-tail` | none | [`REQUEST_TIMEOUT`] per topic |
//! | take the next record | the caller's | none | does not wait |
//! | close the consumer | see [`temporary`](super::temporary) | none | [`CLOSE_TIMEOUT`] |

use std::time::Duration;

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _, Message as _},
};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::runtime::Handle;

use super::{
    client::KafkaClient,
    client_config,
    delivery_context::QuietContext,
    temporary::TemporaryClient,
    value_reader::{UnknownSchema, ValueReader},
};
use crate::{blocking, config::KafkaConfig};

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long [`TopicTail::close`] waits for the consumer to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A record as consumed from Kafka.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ConsumedRecord {
    /// The name of the topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
    /// The key, decoded as UTF-8.
    pub key: Option<String>,
    /// The headers. Of several with the same name, the last one counts.
    pub headers: Map<String, Value>,
    /// The value as JSON; `null` if it is not JSON.
    pub value: Value,
}

impl ConsumedRecord {
    pub(super) fn from_message(message: &BorrowedMessage<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(text),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.map_or(Value::Null, |value| text(value).into())))
                .collect(),
            value: message.payload().and_then(|value| serde_json::from_slice(value).ok()).unwrap_or_default(),
        }
    }

    /// The same, with the data of a value in Avro as JSON. Blocks while the registry is asked for its schema.
    pub(super) fn from_any_format(message: &BorrowedMessage<'_>, values: &ValueReader) -> Result<Self, UnknownSchema> {
        let mut record = Self::from_message(message);
        if record.value.is_null() {
            let data = values.read_blocking(message)?.data;
            record.value = data.and_then(|data| serde_json::from_slice(&data).ok()).unwrap_or_default();
        }
        Ok(record)
    }
}

/// A consumer without a group: it receives every record and leaves no state in the cluster.
pub(crate) struct TopicTail {
    consumer: TemporaryClient<KafkaClient<StreamConsumer<QuietContext>>>,
}

impl TopicTail {
    /// Starts to follow all partitions of these topics from their beginning.
    ///
    /// # Errors
    /// When Kafka is unreachable or rejects a request.
    pub(crate) async fn open(kafka: &KafkaConfig, topics: &[&str]) -> Result<Self, KafkaError> {
        let (kafka, runtime) = (kafka.clone(), Handle::current());
        let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let opened = blocking::run("kafka-tail", move || {
            // Creating the consumer spawns a task on the runtime.
            let _runtime = runtime.enter();
            open(&kafka, &topics)
        });
        opened.await.unwrap_or(Err(KafkaError::Canceled)).map(|consumer| Self { consumer })
    }

    /// Waits for the next record of any partition.
    ///
    /// # Errors
    /// When Kafka reports an error. The next call may succeed.
    pub(crate) async fn next(&self) -> Result<ConsumedRecord, KafkaError> {
        self.consumer.recv().await.map(|message| ConsumedRecord::from_message(&message))
    }

    /// Closes the consumer, and waits for at most five seconds.
    pub(crate) async fn close(self) {
        self.consumer.close(CLOSE_TIMEOUT).await;
    }
}

/// Creates a consumer with all partitions of the topics assigned. Blocks.
fn open(
    kafka: &KafkaConfig,
    topics: &[String],
) -> Result<TemporaryClient<KafkaClient<StreamConsumer<QuietContext>>>, KafkaError> {
    let mut config = client_config::common(kafka);
    config
        .set("group.id", "trusthub-bridge-follower")
        .set("enable.auto.commit", "false")
        // Each record is delivered as soon as it arrives, because a person is watching. Larger fetches would delay it.
        .set("fetch.wait.max.ms", "20")
        .set("fetch.error.backoff.ms", "20");
    let consumer: TemporaryClient<KafkaClient<StreamConsumer<_>>> =
        TemporaryClient::create(None, || config.create_with_context(QuietContext))?;
    let mut all = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        for partition in partitions {
            all.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
    }
    consumer.assign(&all)?;
    Ok(consumer)
}
