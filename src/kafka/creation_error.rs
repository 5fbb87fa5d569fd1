//! The log message for a topic that Kafka did not create.
//!
//! The broker explains a rejection in a message of its own, such as what a policy requires. rdkafka drops that message
//! and returns only the error code. So the log message names what was requested, the code and the cure; the broker's
//! message is in the broker's log.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode as Code;

/// The requested settings of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TopicSpec {
    pub(super) partitions: i32,
    /// `None` for the broker's default.
    pub(super) replication: Option<i32>,
    /// The number of brokers in the cluster when its metadata was last read.
    pub(super) brokers: usize,
    /// Which topic it is.
    pub(super) purpose: TopicPurpose,
}

/// What a topic is for. It decides which variables have its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicPurpose {
    /// It has events or dead letters.
    Callbacks,
    /// It has the states of profiles, in as many partitions as the event topic has.
    States,
}

impl fmt::Display for TopicSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} partitions and ", self.partitions)?;
        match self.replication {
            Some(replication) => write!(f, "replication factor {replication}"),
            None => f.write_str("the broker's default replication factor"),
        }
    }
}

/// Says why a topic could not be created, and what to do about it.
pub(super) fn creation_error(topic: &str, spec: TopicSpec, code: Code) -> String {
    format!("cannot create topic {topic} with {spec}: {code}; {}", advice(spec, code))
}

fn advice(spec: TopicSpec, code: Code) -> String {
    if spec.purpose == TopicPurpose::States
        && let Some(advice) = advice_for_states(spec, code)
    {
        return advice;
    }
    match code {
        Code::PolicyViolation => {
            "a cluster policy (create.topic.policy.class.name) rejected the topic, and the broker's log says what the \
             policy requires: set KAFKA_TOPIC_PARTITIONS and KAFKA_TOPIC_REPLICATION accordingly, or create the topic \
             yourself"
                .to_owned()
        }
        Code::InvalidReplicationFactor => {
            let brokers = spec.brokers;
            format!("the number of brokers is {brokers}: set KAFKA_TOPIC_REPLICATION to at most that number")
        }
        Code::InvalidPartitions => "set KAFKA_TOPIC_PARTITIONS to a number that the cluster accepts".to_owned(),
        Code::InvalidTopic => {
            "set KAFKA_TOPIC and KAFKA_DEAD_LETTER_TOPIC to names that the cluster accepts".to_owned()
        }
        Code::UnsupportedVersion | Code::UnsupportedFeature if spec.replication.is_none() => {
            "brokers before Kafka 2.4 have no default replication factor for this request: set KAFKA_TOPIC_REPLICATION"
                .to_owned()
        }
        Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::NotController
        | Code::BrokerTransportFailure
        | Code::NetworkException
        | Code::ThrottlingQuotaExceeded => "the service retries every second".to_owned(),
        _ => "create the topic yourself with the cluster's tools".to_owned(),
    }
}

/// The advice that is different for the state topic.
fn advice_for_states(spec: TopicSpec, code: Code) -> Option<String> {
    let by_hand = format!("create the topic yourself with {} partitions and cleanup.policy=compact", spec.partitions);
    match code {
        Code::PolicyViolation => Some(format!(
            "a cluster policy (create.topic.policy.class.name) rejected the topic, and the broker's log says what the \
             policy requires: set KAFKA_TOPIC_REPLICATION accordingly, or {by_hand}"
        )),
        Code::InvalidTopic => Some("set KAFKA_PROFILES_TOPIC to a name that the cluster accepts".to_owned()),
        Code::InvalidReplicationFactor | Code::UnsupportedVersion | Code::UnsupportedFeature => None,
        Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::NotController
        | Code::BrokerTransportFailure
        | Code::NetworkException
        | Code::ThrottlingQuotaExceeded => Some("the service tries again".to_owned()),
        _ => Some(by_hand),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: TopicSpec =
        TopicSpec { partitions: 6, replication: Some(3), brokers: 1, purpose: TopicPurpose::Callbacks };

    #[test]
    fn advice_about_the_state_topic_names_its_own_variable() {
        let spec = TopicSpec { brokers: 2, purpose: TopicPurpose::States, ..SPEC };
        assert!(advice(spec, Code::InvalidReplicationFactor).contains("the number of brokers is 2"));
        assert!(advice(spec, Code::InvalidTopic).contains("set KAFKA_PROFILES_TOPIC"));
        assert!(advice(SPEC, Code::InvalidTopic).contains("set KAFKA_TOPIC and"));
        for code in [Code::InvalidPartitions, Code::PolicyViolation, Code::InvalidConfig] {
            let advice = advice(spec, code);
            assert!(advice.contains("with 6 partitions and cleanup.policy=compact"), "{advice}");
            assert!(!advice.contains("KAFKA_TOPIC_PARTITIONS"), "{advice}");
        }
    }

    #[test]
    fn message_names_the_requested_settings_and_the_variable_to_set() {
        let message = creation_error("events", SPEC, Code::InvalidReplicationFactor);
        assert!(
            message.contains("cannot create topic events with 6 partitions and replication factor 3: "),
            "{message}"
        );
        assert!(
            message.contains("InvalidReplicationFactor") && message.contains("number of brokers is 1"),
            "{message}"
        );
        let message = creation_error("events", TopicSpec { replication: None, ..SPEC }, Code::PolicyViolation);
        assert!(
            message.contains("the broker's default replication factor: PolicyViolation")
                && message.contains("create.topic.policy"),
            "{message}"
        );
    }

    #[test]
    fn old_broker_is_named_only_when_its_default_was_requested() {
        let advice = |replication| advice(TopicSpec { replication, ..SPEC }, Code::UnsupportedVersion);
        assert!(advice(None).contains("Kafka 2.4") && advice(Some(3)).contains("create the topic yourself"));
    }
}
