//! Requests to build the states of profiles again, as records of the event topic.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Message as _,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
};

use super::{
    super::{client::KafkaClient, client_config, delivery_context::QuietContext},
    problem::ProjectionError,
};
use crate::{
    config::{KafkaConfig, ValueFormat},
    domain::cloud_events,
};

/// The `type` of a record that requests to build the states of its partition again. Consumers skip it like any unknown type.
pub(crate) const REBUILD_TYPE: &str = "io.trusthub-bridge.profiles.rebuild-requested.v1";

const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// The key of the requests. A compacted topic refuses records without one, and keeps the last request.
const KEY: &str = "profiles-rebuild";

/// Collects what became of each request.
#[derive(Default)]
struct RebuildContext {
    /// The offset, or why there is none, by partition.
    results: Mutex<BTreeMap<i32, Result<i64, KafkaError>>>,
}

impl ClientContext for RebuildContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        QuietContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        QuietContext.error(error, detail);
    }
}

impl ProducerContext for RebuildContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let (partition, result) = match result {
            Ok(record) => (record.partition(), Ok(record.offset())),
            Err((error, record)) => (record.partition(), Err(error.clone())),
        };
        self.results.lock().insert(partition, result);
    }
}

/// Publishes a request to each of these partitions of the event topic, and returns its offset there. Blocks.
///
/// # Errors
/// [`ProjectionError`] if Kafka does not accept every request in time.
pub(crate) fn request_rebuild(
    kafka: &KafkaConfig,
    partitions: impl IntoIterator<Item = i32>,
    id: &str,
) -> Result<BTreeMap<i32, i64>, ProjectionError> {
    let topic = &kafka.topic;
    let request = format!("request a rebuild in topic {topic}");
    let mut config = client_config::producer(kafka);
    config.set("message.timeout.ms", PUBLISH_TIMEOUT.as_millis().to_string());
    let failed = |error: &KafkaError| ProjectionError::of_request(&request, error);
    let producer: KafkaClient<BaseProducer<RebuildContext>> =
        config.create_with_context(RebuildContext::default()).map_err(|error| failed(&error))?;
    let mut requested = Vec::new();
    for partition in partitions {
        requested.push(partition);
        let headers = [
            (cloud_events::SPEC_VERSION_HEADER, cloud_events::SPEC_VERSION),
            (cloud_events::ID_HEADER, id),
            (cloud_events::SOURCE_HEADER, "//trusthub-bridge/profiles"),
            (cloud_events::TYPE_HEADER, REBUILD_TYPE),
        ];
        let headers = headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
            all.insert(Header { key, value: Some(*value) })
        });
        let record = BaseRecord {
            topic,
            partition: Some(partition),
            // A client that expects Avro fails on any other value, and takes none for a deleted record.
            payload: (kafka.values.format == ValueFormat::Json).then_some("{}"),
            key: Some(KEY),
            timestamp: None,
            headers: Some(headers),
            delivery_opaque: (),
        };
        producer.send(record).map_err(|(error, _record)| failed(&error))?;
    }
    producer.flush(PUBLISH_TIMEOUT).map_err(|error| failed(&error))?;
    let mut results = std::mem::take(&mut *producer.context().results.lock());
    let not_reported = KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);
    let offset = |partition| {
        let result = results.remove(&partition).unwrap_or(Err(not_reported.clone()));
        result.map(|offset| (partition, offset)).map_err(|error| failed(&error))
    };
    requested.into_iter().map(offset).collect()
}
