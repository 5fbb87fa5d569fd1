//! Creates and checks the state topic.

use std::{
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{NewTopic, ResourceSpecifier, TopicReplication},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        admin::AdminRequester,
        creation_error::{TopicPurpose, TopicSpec, creation_error},
    },
    group::ProjectionGroup,
    limits::REQUEST_TIMEOUT,
    problem::{ProjectionError, ProjectionProblem},
};
use crate::{config::KafkaConfig, telemetry::Operations};

/// The setting that says whether Kafka deletes records because of their age.
const CLEANUP_POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";

/// How long a broker may take to learn of a created topic.
const PROPAGATION_TIMEOUT: Duration = Duration::from_secs(5);
const PROPAGATION_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Creates and checks the state topic.
pub(crate) struct ProjectionTopics {
    requester: AdminRequester,
    states: String,
    stop: CancellationToken,
}

impl ProjectionTopics {
    /// `states` is the state topic. `runtime` polls the responses to admin requests, and `stop` ends the wait for them.
    pub(crate) fn new(
        kafka: &KafkaConfig,
        states: &str,
        operations: &std::sync::Arc<Operations>,
        (runtime, stop): (Handle, CancellationToken),
    ) -> Self {
        let (kafka, operations) = (kafka.clone(), std::sync::Arc::clone(operations));
        let requester = AdminRequester { kafka, operations, runtime, timeout: REQUEST_TIMEOUT };
        Self { requester, states: states.to_owned(), stop }
    }

    /// The number of partitions, which is the same in both topics; `None` while the event topic does not exist. Creates the
    /// state topic if the configuration permits it.
    ///
    /// # Errors
    /// [`ProjectionError`] if the state topic cannot be used.
    pub(crate) fn check(&self, group: &ProjectionGroup) -> Result<Option<i32>, ProjectionError> {
        let Some(events) = group.partitions_of(&self.requester.kafka.topic)? else { return Ok(None) };
        let states = match group.partitions_of(&self.states)? {
            Some(states) => states,
            None => self.create(group, events)?,
        };
        if states != events {
            return Err(self.different_counts(events, states));
        }
        Ok(Some(events))
    }

    /// Checks that Kafka keeps the last record of each key. Without the permission `DESCRIBE_CONFIGS` this is not known.
    ///
    /// # Errors
    /// [`ProjectionError`] if Kafka deletes records because of their age.
    pub(crate) fn check_compaction(&self) -> Result<(), ProjectionError> {
        let topic = ResourceSpecifier::Topic(&self.states);
        let answer = self
            .requester
            .send(async |admin, options| until_stopped(&self.stop, admin.describe_configs([&topic], options)).await);
        let settings = answer.ok().and_then(|mut answers| answers.pop()).and_then(Result::ok);
        let policy = settings.and_then(|settings| settings.get(CLEANUP_POLICY).and_then(|entry| entry.value.clone()));
        match policy.as_deref() {
            None | Some(COMPACT) => Ok(()),
            Some(policy) => Err(self.not_compacted(policy)),
        }
    }

    fn create(&self, group: &ProjectionGroup, partitions: i32) -> Result<i32, ProjectionError> {
        let (topic, kafka) = (&self.states, &self.requester.kafka);
        if !kafka.create_topics {
            return Err(ProjectionError::new(
                ProjectionProblem::TopicMissing,
                format!(
                    "topic {topic} for the states of profiles does not exist; create it with {partitions} partitions and \
                     cleanup.policy=compact, or set KAFKA_CREATE_TOPICS=true and grant CREATE on it, or turn the states \
                     of profiles off with an empty KAFKA_PROFILES_TOPIC"
                ),
            ));
        }
        // -1 requests the broker's default (KIP-464).
        let replication = TopicReplication::Fixed(kafka.topic_replication.unwrap_or(-1));
        let new = NewTopic::new(topic, partitions, replication).set(CLEANUP_POLICY, COMPACT);
        let answer = self
            .requester
            .send(async |admin, options| until_stopped(&self.stop, admin.create_topics([&new], options)).await);
        let result = match answer {
            Ok(results) => results.into_iter().next().unwrap_or(Ok(String::new())).map_err(|(_topic, code)| code),
            Err(error) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        match result {
            Ok(_) => tracing::info!(topic, partitions, "created the topic"),
            Err(RDKafkaErrorCode::TopicAlreadyExists) => {}
            Err(code) => return Err(self.not_created((partitions, group.brokers()), code)),
        }
        self.wait_for_created_topic(group)
    }

    fn not_created(&self, (partitions, brokers): (i32, usize), code: RDKafkaErrorCode) -> ProjectionError {
        let error = ProjectionError::of_request(&format!("create topic {}", self.states), &KafkaError::Global(code));
        match error.problem {
            ProjectionProblem::Permission | ProjectionProblem::Unreachable => error,
            _ => {
                let replication = self.requester.kafka.topic_replication;
                let spec = TopicSpec { partitions, replication, brokers, purpose: TopicPurpose::States };
                ProjectionError::new(ProjectionProblem::TopicMissing, creation_error(&self.states, spec, code))
            }
        }
    }

    /// Some brokers learn of a topic later than others.
    fn wait_for_created_topic(&self, group: &ProjectionGroup) -> Result<i32, ProjectionError> {
        let deadline = Instant::now() + PROPAGATION_TIMEOUT;
        loop {
            if let Some(partitions) = group.partitions_of(&self.states)? {
                return Ok(partitions);
            }
            if Instant::now() >= deadline || self.stop.is_cancelled() {
                let message = format!("topic {} was created, but the brokers do not know it yet", self.states);
                return Err(ProjectionError::new(ProjectionProblem::Other, message));
            }
            thread::sleep(PROPAGATION_POLL_INTERVAL);
        }
    }

    fn different_counts(&self, events: i32, states: i32) -> ProjectionError {
        let (topic, event_topic) = (&self.states, &self.requester.kafka.topic);
        let difference = format!(
            "topic {topic} has a different number of partitions ({states}) than topic {event_topic} ({events}), so the \
             states of profiles are not updated"
        );
        let cure = if states < events {
            format!("run kafka-topics.sh --alter --topic {topic} --partitions {events}")
        } else {
            format!("delete topic {topic}; it is created again from the events")
        };
        ProjectionError::new(ProjectionProblem::PartitionCount, format!("{difference}; {cure}"))
    }

    fn not_compacted(&self, policy: &str) -> ProjectionError {
        let topic = &self.states;
        ProjectionError::new(
            ProjectionProblem::NotCompacted,
            format!(
                "topic {topic} for the states of profiles has {CLEANUP_POLICY}={policy}, with which Kafka deletes states; \
                 run kafka-configs.sh --alter --topic {topic} --add-config {CLEANUP_POLICY}={COMPACT}"
            ),
        )
    }
}

/// Waits for the response, and no longer than until the service stops: Kafka that does not answer must not delay that.
async fn until_stopped<T>(stop: &CancellationToken, response: impl Future<Output = KafkaResult<T>>) -> KafkaResult<T> {
    stop.run_until_cancelled(response).await.unwrap_or(Err(KafkaError::Canceled))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn stop_ends_the_wait_for_a_response_that_never_arrives() {
        let stop = CancellationToken::new();
        assert_eq!(until_stopped(&stop, ready(Ok(7))).await, Ok(7));
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { until_stopped::<()>(&stop, pending()).await }
        });
        stop.cancel();
        let result = timeout(Duration::from_secs(60), waiting).await.expect("it ends").unwrap();
        assert_eq!(result, Err(KafkaError::Canceled));
    }
}
