//! What to do when Kafka does not create a topic.
//!
//! The broker sends a sentence of its own with its refusal, such as what a policy demands. rdkafka drops it and passes on
//! the error code only, so what can be said is what was asked for, the code, and what cures it; the broker's sentence is in
//! the broker's log.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode as Code;

/// What a topic was to be created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) partitions: i32,
    /// `None` leaves it to the broker.
    pub(super) replication: Option<i32>,
    /// Brokers in the cluster, as far as it told.
    pub(super) brokers: usize,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} partitions and ", self.partitions)?;
        match self.replication {
            Some(replication) => write!(f, "a replication of {replication}"),
            None => f.write_str("the replication that is the broker's default"),
        }
    }
}

/// Why a topic could not be created, and what to do about it.
pub(super) fn refusal(topic: &str, wanted: Wanted, code: Code) -> String {
    format!("topic {topic} could not be created with {wanted}: {code}; {}", advice(wanted, code))
}

fn advice(wanted: Wanted, code: Code) -> String {
    match code {
        Code::PolicyViolation => {
            "a policy of the cluster refuses it (create.topic.policy.class.name), and the log of the \
                                  broker says what it demands: set KAFKA_TOPIC_PARTITIONS and KAFKA_TOPIC_REPLICATION \
                                  accordingly, or create the topic yourself"
                .to_owned()
        }
        Code::InvalidReplicationFactor => {
            let brokers = wanted.brokers;
            format!("the cluster has {brokers} brokers: set KAFKA_TOPIC_REPLICATION to a number up to that")
        }
        Code::InvalidPartitions => "set KAFKA_TOPIC_PARTITIONS to a number that the cluster takes".to_owned(),
        Code::InvalidTopic => "set KAFKA_TOPIC and KAFKA_DEAD_LETTER_TOPIC to names that the cluster takes".to_owned(),
        Code::UnsupportedVersion | Code::UnsupportedFeature if wanted.replication.is_none() => {
            "a broker before Kafka 2.4 has no default for this: set KAFKA_TOPIC_REPLICATION".to_owned()
        }
        Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::NotController
        | Code::BrokerTransportFailure
        | Code::NetworkException
        | Code::ThrottlingQuotaExceeded => "it is tried again every second".to_owned(),
        _ => "create the topic yourself, with the tools of the cluster".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted { partitions: 6, replication: Some(3), brokers: 1 };

    #[test]
    fn refusal_says_what_was_asked_for_and_what_to_set() {
        let said = refusal("events", WANTED, Code::InvalidReplicationFactor);
        assert!(
            said.contains("topic events could not be created with 6 partitions and a replication of 3: "),
            "{said}"
        );
        assert!(said.contains("InvalidReplicationFactor") && said.contains("has 1 brokers"), "{said}");
        let said = refusal("events", Wanted { replication: None, ..WANTED }, Code::PolicyViolation);
        assert!(
            said.contains("the broker's default: PolicyViolation") && said.contains("create.topic.policy"),
            "{said}"
        );
    }

    #[test]
    fn old_broker_without_a_default_is_named_only_when_the_default_was_asked_for() {
        let advice = |replication| advice(Wanted { replication, ..WANTED }, Code::UnsupportedVersion);
        assert!(advice(None).contains("Kafka 2.4") && advice(Some(3)).contains("create the topic yourself"));
    }
}
