//! Why the states of profiles cannot be projected.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use thiserror::Error;

use super::super::{error::classify_code, value_reader::UnknownSchema};
use crate::domain::{PublishFailure, closed_set};

closed_set! {
    /// Why the states of profiles are not projected.
    pub enum ProjectionProblem {
        /// The state topic does not exist and cannot be created.
        TopicMissing => "topic_missing",
        /// The state topic deletes records because of their age.
        NotCompacted => "not_compacted",
        /// The state topic does not have as many partitions as the event topic.
        PartitionCount => "partition_count",
        /// The Kafka user is not authorized.
        Permission => "permission",
        /// The brokers support no transactions, or their coordinator does not answer.
        Transactions => "transactions",
        /// A record is Avro, and the schema registry has not said which schema it has, or which id a schema has.
        Schema => "schema",
        /// Kafka does not answer.
        Unreachable => "unreachable",
        /// Another error.
        Other => "other",
    }
}

/// Why the states of profiles cannot be projected now, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct ProjectionError {
    /// The kind of problem.
    pub problem: ProjectionProblem,
    /// The problem and the cure.
    message: String,
    /// Whether a transaction with states failed.
    pub is_of_write: bool,
}

impl ProjectionError {
    pub(crate) fn new(problem: ProjectionProblem, message: impl Into<String>) -> Self {
        Self { problem, message: message.into(), is_of_write: false }
    }

    /// The same error, of a transaction with states.
    pub(crate) fn of_write(self) -> Self {
        Self { is_of_write: true, ..self }
    }

    /// The session has to start over, for this reason, although nothing is wrong.
    pub(crate) fn outdated(reason: impl Into<String>) -> Self {
        Self::new(ProjectionProblem::Other, reason)
    }

    /// The error of a request. `request` completes the sentence "cannot …".
    pub(super) fn of_request(request: &str, error: &KafkaError) -> Self {
        match error.rdkafka_error_code().or(transaction_code(error)) {
            Some(code) => Self::of_code(request, code),
            None => Self::new(ProjectionProblem::Other, format!("cannot {request}: {error}")),
        }
    }

    /// A record of this topic cannot be read now.
    pub(super) fn of_schema(topic: &str, error: &UnknownSchema) -> Self {
        Self::new(ProjectionProblem::Schema, format!("cannot read topic {topic}: {error}"))
    }

    pub(super) fn of_code(request: &str, code: Code) -> Self {
        let problem = problem(code);
        let cure = match problem {
            ProjectionProblem::Permission => {
                "; grant the permissions for the states of profiles that docs/operations.md lists with kafka-acls"
            }
            ProjectionProblem::Transactions => {
                "; use brokers of Kafka 2.5 or later, or turn the states of profiles off with an empty KAFKA_PROFILES_TOPIC"
            }
            _ => "",
        };
        Self::new(problem, format!("cannot {request}: {code}{cure}"))
    }
}

fn transaction_code(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        _ => None,
    }
}

fn problem(code: Code) -> ProjectionProblem {
    match code {
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => ProjectionProblem::Permission,
        Code::UnsupportedVersion | Code::UnsupportedFeature | Code::InvalidTransactionTimeout => {
            ProjectionProblem::Transactions
        }
        // A former owner's transaction has not ended yet.
        Code::UnstableOffsetCommit => ProjectionProblem::Unreachable,
        _ => match classify_code(code) {
            PublishFailure::UnknownTopic => ProjectionProblem::TopicMissing,
            PublishFailure::Unreachable
            | PublishFailure::NotAvailable
            | PublishFailure::TimedOut
            | PublishFailure::Authentication => ProjectionProblem::Unreachable,
            _ => ProjectionProblem::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_a_permission_names_the_request_and_the_cure() {
        let error = KafkaError::Global(Code::GroupAuthorizationFailed);
        let error = ProjectionError::of_request("join consumer group profiles", &error);
        assert_eq!(error.problem, ProjectionProblem::Permission);
        assert!(error.to_string().starts_with("cannot join consumer group profiles: "), "{error}");
        assert!(error.to_string().contains("with kafka-acls"), "{error}");
    }

    #[test]
    fn error_has_the_problem_that_its_code_tells() {
        for (code, expected) in [
            (Code::TransactionalIdAuthorizationFailed, ProjectionProblem::Permission),
            (Code::UnsupportedFeature, ProjectionProblem::Transactions),
            (Code::UnknownTopicOrPartition, ProjectionProblem::TopicMissing),
            (Code::AllBrokersDown, ProjectionProblem::Unreachable),
            (Code::OperationTimedOut, ProjectionProblem::Unreachable),
            (Code::IllegalGeneration, ProjectionProblem::Other),
        ] {
            assert_eq!(problem(code), expected, "{code}");
        }
    }
}
