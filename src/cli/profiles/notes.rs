//! Why there are no states, and what they may lack.

use crate::{
    cli::{output::Failure, text::grouped},
    config::KafkaConfig,
    profiles::{Completeness, StatesError},
};

/// A command that needs states that are turned off has the wrong configuration.
pub(super) fn states_failure(error: StatesError) -> Failure {
    match error {
        StatesError::TurnedOff(error) => Failure::usage(error),
        error => Failure::failed(error),
    }
}

/// Says how many events the states do not take into account; `None` if they are complete.
pub(super) fn note(completeness: &Completeness, kafka: &KafkaConfig) -> Option<String> {
    let topic = &kafka.topic;
    match completeness {
        Ok(0) => None,
        Ok(events) => {
            let events = grouped(usize::try_from(*events).unwrap_or(usize::MAX));
            Some(format!(
                "events of topic {topic} not applied yet: {events}; the service applies them while it is running"
            ))
        }
        Err(error) => Some(format!("it is not known whether all events of topic {topic} are applied: {error}")),
    }
}
