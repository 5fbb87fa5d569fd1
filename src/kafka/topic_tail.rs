//! Reads topics from their beginning, as a consumer outside would.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | create the consumer, ask for partitions, assign them | `kafka-follow` | none | [`PATIENCE`] for each topic |
//! | take the next record | that of the caller | none | does not wait |
//! | close the consumer | see [`temporary`](super::temporary) | none | [`TO_CLOSE`] |

use std::time::Duration;

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _, Message as _},
};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::runtime::Handle;

use super::{client_config, producer::Context, temporary::Temporary};
use crate::{blocking, config::KafkaConfig};

const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that the end waits for the consumer to be closed.
const TO_CLOSE: Duration = Duration::from_secs(5);

/// A record as it came out of Kafka.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Consumed {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset within the partition.
    pub offset: i64,
    /// The key.
    pub key: Option<String>,
    /// The headers; of repeated ones the last.
    pub headers: Map<String, Value>,
    /// The JSON value; `null` when it is none.
    pub value: Value,
}

impl Consumed {
    fn of(message: &BorrowedMessage<'_>) -> Self {
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
}

/// A consumer without a group: it leaves no trace in the cluster and sees every record.
pub struct TopicTail {
    consumer: Temporary<StreamConsumer<Context>>,
}

impl TopicTail {
    /// Follows all partitions of these topics from their beginning.
    ///
    /// # Errors
    /// When Kafka cannot be asked.
    pub async fn open(kafka: &KafkaConfig, topics: &[&str]) -> Result<Self, KafkaError> {
        let (kafka, runtime) = (kafka.clone(), Handle::current());
        let topics: Vec<_> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let opened = blocking::run("kafka-follow", move || {
            // The consumer has a task on it.
            let _runtime = runtime.enter();
            follow(&kafka, &topics)
        });
        opened.await.unwrap_or(Err(KafkaError::Canceled)).map(|consumer| Self { consumer })
    }

    /// The next record of any partition.
    ///
    /// # Errors
    /// When Kafka reports one; the next call may succeed.
    pub async fn next(&self) -> Result<Consumed, KafkaError> {
        self.consumer.recv().await.map(|message| Consumed::of(&message))
    }

    /// Closes the consumer. Waits for that, but not for long.
    pub async fn close(self) {
        self.consumer.close(TO_CLOSE).await;
    }
}

/// A consumer to which all partitions of the topics are assigned. Blocks.
fn follow(kafka: &KafkaConfig, topics: &[String]) -> Result<Temporary<StreamConsumer<Context>>, KafkaError> {
    let mut config: ClientConfig = client_config::common(kafka);
    config
        .set("group.id", "trusthub-bridge-follower")
        .set("enable.auto.commit", "false")
        // A person is watching: a record is shown when it comes, not when a fetch is worth it.
        .set("fetch.wait.max.ms", "20")
        .set("fetch.error.backoff.ms", "20");
    let consumer: Temporary<StreamConsumer<_>> =
        Temporary::create(None, || config.create_with_context(Context::quiet()))?;
    let mut all = TopicPartitionList::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        for partition in partitions {
            all.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
    }
    consumer.assign(&all)?;
    Ok(consumer)
}
