//! The number of partitions of a topic.

use rdkafka::{
    consumer::{Consumer, ConsumerContext},
    error::RDKafkaErrorCode,
};

use super::{super::error::classify_code, limits::REQUEST_TIMEOUT, problem::ProjectionError};
use crate::domain::PublishFailure;

/// The number of partitions of a topic, at least 1; `None` if it does not exist.
///
/// # Errors
/// [`ProjectionError`] of the request.
pub(super) fn partitions_of<C: ConsumerContext>(
    consumer: &impl Consumer<C>,
    topic: &str,
) -> Result<Option<i32>, ProjectionError> {
    let request = format!("read the partitions of topic {topic}");
    let metadata = consumer.fetch_metadata(Some(topic), REQUEST_TIMEOUT);
    let metadata = metadata.map_err(|error| ProjectionError::of_request(&request, &error))?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(i32::try_from(found.partitions().len()).ok().filter(|count| *count > 0)),
        Some(code) if classify_code(code) == PublishFailure::UnknownTopic => Ok(None),
        Some(code) => Err(ProjectionError::of_code(&request, code)),
    }
}
