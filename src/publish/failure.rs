//! What each error of the Kafka client means for the record it befell.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::domain::PublishFailure;

/// The one table from the client's errors to [`PublishFailure`].
///
/// What is not listed is [`PublishFailure::Other`], an outage: an event is never given up for an error that nobody
/// has met yet.
pub(super) fn failure(error: &KafkaError) -> PublishFailure {
    match error.rdkafka_error_code() {
        Some(code) => of_code(code),
        None => PublishFailure::Other,
    }
}

pub(super) fn of_code(code: Code) -> PublishFailure {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => PublishFailure::TooLarge,
        Code::InvalidMessage | Code::InvalidRecord => PublishFailure::InvalidRecord,
        Code::InvalidTimestamp => PublishFailure::InvalidTimestamp,
        Code::MessageTimedOut
        | Code::RequestTimedOut
        | Code::OperationTimedOut
        | Code::TimedOutQueue
        | Code::PurgeQueue
        | Code::PurgeInflight => PublishFailure::TimedOut,
        Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve | Code::NetworkException | Code::SSL => {
            PublishFailure::Unreachable
        }
        Code::NotLeaderForPartition
        | Code::LeaderNotAvailable
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::ISRInsufficient
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend => PublishFailure::NotAvailable,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => PublishFailure::Authorization,
        Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition | Code::InvalidTopic => {
            PublishFailure::UnknownTopic
        }
        Code::QueueFull => PublishFailure::QueueFull,
        Code::Fatal
        | Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::OutOfOrderSequenceNumber
        | Code::UnknownProducerId => PublishFailure::Fatal,
        _ => PublishFailure::Other,
    }
}

/// What the client says of a connection that failed, and what to look at where its words do not tell.
///
/// Source of the words: librdkafka's `rdkafka_ssl.c`, which does not say why a certificate is not good.
pub(super) fn explained(detail: &str) -> String {
    let hint = if detail.contains("certificate verify failed") {
        "; the broker's certificate is not good: has it expired, is it for the host in KAFKA_BOOTSTRAP_SERVERS, and is \
         its authority in KAFKA_SSL_CA_LOCATION?"
    } else if ["certificate required", "unexpected message", "bad certificate"].iter().any(|text| detail.contains(text))
    {
        "; the broker wants a client certificate: KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION"
    } else {
        ""
    };
    format!("{detail}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FailureClass;

    #[test]
    fn each_error_lands_in_its_class() {
        for (code, failure, class) in [
            (Code::MessageSizeTooLarge, PublishFailure::TooLarge, FailureClass::Record),
            (Code::InvalidRecord, PublishFailure::InvalidRecord, FailureClass::Record),
            (Code::InvalidTimestamp, PublishFailure::InvalidTimestamp, FailureClass::Outage),
            (Code::RequestTimedOut, PublishFailure::TimedOut, FailureClass::Outage),
            (Code::PurgeInflight, PublishFailure::TimedOut, FailureClass::Outage),
            (Code::AllBrokersDown, PublishFailure::Unreachable, FailureClass::Outage),
            (Code::NotLeaderForPartition, PublishFailure::NotAvailable, FailureClass::Outage),
            (Code::TopicAuthorizationFailed, PublishFailure::Authorization, FailureClass::Outage),
            (Code::UnknownTopicOrPartition, PublishFailure::UnknownTopic, FailureClass::Outage),
            (Code::QueueFull, PublishFailure::QueueFull, FailureClass::Outage),
            (Code::PolicyViolation, PublishFailure::Other, FailureClass::Outage),
            (Code::OutOfOrderSequenceNumber, PublishFailure::Fatal, FailureClass::Fatal),
        ] {
            assert_eq!((of_code(code), of_code(code).class()), (failure, class), "{code:?}");
        }
        assert_eq!(failure(&KafkaError::Canceled), PublishFailure::Other);
    }
}
