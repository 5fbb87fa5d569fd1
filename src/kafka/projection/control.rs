//! Requests to build the states of profiles again, as records of the event topic.

use std::time::Duration;

use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::{
    super::{client_config, producer::QuietContext},
    problem::ProjectionError,
};
use crate::{config::KafkaConfig, domain::cloud_events};

/// The `type` of a record that requests to build the states of its partition again. Consumers skip it like any unknown type.
pub(crate) const REBUILD_TYPE: &str = "io.trusthub-bridge.profiles.rebuild-requested.v1";

const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);

/// Publishes a request to each of these partitions of the event topic. Blocks.
///
/// # Errors
/// [`ProjectionError`] if Kafka does not accept every request in time.
pub(crate) fn request_rebuild(
    kafka: &KafkaConfig,
    partitions: impl IntoIterator<Item = i32>,
    id: &str,
) -> Result<(), ProjectionError> {
    let topic = &kafka.topic;
    let request = format!("request a rebuild in topic {topic}");
    let mut config = client_config::producer(kafka);
    config.set("message.timeout.ms", PUBLISH_TIMEOUT.as_millis().to_string());
    let producer: BaseProducer<QuietContext> =
        config.create_with_context(QuietContext).map_err(|error| ProjectionError::of_request(&request, &error))?;
    for partition in partitions {
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
            payload: Some("{}"),
            key: None::<&str>,
            timestamp: None,
            headers: Some(headers),
            delivery_opaque: (),
        };
        producer.send(record).map_err(|(error, _record)| ProjectionError::of_request(&request, &error))?;
    }
    producer.flush(PUBLISH_TIMEOUT).map_err(|error| ProjectionError::of_request(&request, &error))
}
