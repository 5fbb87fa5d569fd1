//! The commands that show and replay dead letters.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use thiserror::Error;
use twilio_signature::Verifier;

use super::{
    parts::{keyring, learn_schema_ids, metrics, open_sink},
    spool_commands::CLOSE_TIMEOUT,
    start_error::StartError,
};
use crate::{
    config::DeadLettersConfig,
    deliver::OrderedPublisher,
    domain::DataSchema,
    kafka::{Sink, TopicReadError},
    replay::{LetterClassifier, LetterFilter, LetterObserver, LetterSurvey, ReplayError, replay},
};

/// How long Kafka has at least to acknowledge an event: Twilio does not wait for the answer, so there is more time than the
/// service has.
const MIN_ACK_TIMEOUT: Duration = Duration::from_secs(15);

/// Why dead letters could not be shown or replayed.
#[derive(Debug, Error)]
pub(crate) enum DeadLettersError {
    /// A part cannot be created.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A topic cannot be read.
    #[error(transparent)]
    Read(#[from] TopicReadError),
    /// The replay ended early.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl DeadLettersError {
    /// Whether Kafka did not answer, which its address or the network can explain.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Read(TopicReadError::Kafka { .. } | TopicReadError::Stalled { .. })
                | Self::Replay(ReplayError::Read(TopicReadError::Kafka { .. } | TopicReadError::Stalled { .. }))
        )
    }
}

/// Creates what decides about dead letters with the keys and URLs of this configuration.
///
/// # Errors
/// [`StartError::Key`].
pub(crate) fn letter_classifier(config: &DeadLettersConfig) -> Result<LetterClassifier, StartError> {
    let verifier = Verifier::new(config.public_urls.clone(), keyring(&config.twilio)?);
    Ok(LetterClassifier::new(&config.public_urls, verifier, config.trusts_context))
}

/// Passes the selected dead letters to the observer, with what a replay would make of each. Publishes nothing. Returns how many
/// records of the topic are no dead letters.
///
/// # Errors
/// [`DeadLettersError`].
pub(crate) async fn survey_dead_letters(
    config: &DeadLettersConfig,
    classifier: &LetterClassifier,
    filter: &LetterFilter,
    observer: &mut dyn LetterObserver,
) -> Result<u64, DeadLettersError> {
    // The Kafka clients require metrics, but this command does not expose them.
    let operations = Arc::clone(&metrics(&config.kafka)?.shared.operations);
    let survey = LetterSurvey { kafka: &config.kafka, operations: &operations, classifier, filter };
    Ok(survey.run(observer).await?)
}

/// Publishes the events of the selected dead letters that can become one, and passes each letter to the observer. Returns how
/// many records of the topic are no dead letters.
///
/// # Errors
/// [`DeadLettersError`]. Events that were published before are durable.
pub(crate) async fn replay_dead_letters(
    config: &DeadLettersConfig,
    classifier: &LetterClassifier,
    filter: &LetterFilter,
    observer: &mut dyn LetterObserver,
) -> Result<u64, DeadLettersError> {
    // The Kafka clients require metrics, but this command does not expose them.
    let metrics = metrics(&config.kafka)?;
    let operations = Arc::clone(&metrics.shared.operations);
    let sink = open_sink(&config.kafka, &metrics.kafka)?;
    learn_schema_ids(sink.encoder(), &[DataSchema::ProfileStatusChanged]).await?;
    let ack_timeout = config.kafka.ack_timeout.max(MIN_ACK_TIMEOUT);
    let mut publisher = OrderedPublisher::new(Arc::clone(&sink) as Arc<dyn Sink>, ack_timeout);
    let survey = LetterSurvey { kafka: &config.kafka, operations: &operations, classifier, filter };
    let result = replay(&survey, &mut publisher, observer).await;
    drop(publisher);
    sink.close(Instant::now() + CLOSE_TIMEOUT).await;
    Ok(result?)
}
