//! The names of the topics to which the service publishes.

use std::sync::Arc;

use crate::{config::KafkaConfig, domain::Destination};

/// The names of both topics.
#[derive(Debug, Clone)]
pub(crate) struct Topics {
    events: Arc<str>,
    dead_letters: Arc<str>,
}

impl Topics {
    /// The configured names.
    #[must_use]
    pub(crate) fn of(kafka: &KafkaConfig) -> Self {
        Self { events: kafka.topic.as_str().into(), dead_letters: kafka.dead_letter_topic.as_str().into() }
    }

    /// The name of the topic for a destination.
    #[must_use]
    pub(crate) fn name(&self, destination: Destination) -> &str {
        self.shared_name(destination)
    }

    pub(super) fn shared_name(&self, destination: Destination) -> &Arc<str> {
        match destination {
            Destination::Events => &self.events,
            Destination::DeadLetters => &self.dead_letters,
        }
    }
}
