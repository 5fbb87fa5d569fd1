//! What each error of the Kafka client means for the record it befell.
//!
//! [`TABLE`] has every code that librdkafka and a broker can give, so that an upgrade cannot bring one that was not thought
//! about. [`FailureClass`](crate::domain::FailureClass) says of each result what waiting can cure, for how long it is
//! waited, and what happens then.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::domain::PublishFailure::{self, *};

/// The one table from the client's errors to [`PublishFailure`]. Source of the codes and their meanings: librdkafka's
/// `rdkafka.h` and Kafka's protocol guide.
///
/// [`Other`] are those that concern consumers, groups, transactions or administration, and so never a record, and those
/// that say nothing of their cause. They are an outage: no event is given up for an error that was not foreseen.
const TABLE: &[(PublishFailure, &[Code])] = &[
    (TooLarge, &[Code::MessageSizeTooLarge, Code::MessageBatchTooLarge, Code::InvalidMessageSize]),
    (
        InvalidRecord,
        &[
            Code::InvalidMessage,
            Code::InvalidRecord,
            // Another record of the batch is invalid: published alone, this one is accepted.
            Code::InvalidDifferentRecord,
            Code::KeySerialization,
            Code::ValueSerialization,
        ],
    ),
    (InvalidTimestamp, &[Code::InvalidTimestamp]),
    (
        TimedOut,
        &[
            Code::MessageTimedOut,
            Code::RequestTimedOut,
            Code::OperationTimedOut,
            Code::TimedOutQueue,
            Code::PurgeQueue,
            Code::PurgeInflight,
            Code::ThrottlingQuotaExceeded,
        ],
    ),
    (
        Unreachable,
        &[
            Code::AllBrokersDown,
            Code::BrokerTransportFailure,
            Code::Resolve,
            Code::NetworkException,
            Code::SSL,
            Code::UnknownBroker,
            Code::RebootstrapRequired,
        ],
    ),
    (
        NotAvailable,
        &[
            Code::NotLeaderForPartition,
            Code::LeaderNotAvailable,
            Code::BrokerNotAvailable,
            Code::ReplicaNotAvailable,
            Code::ISRInsufficient,
            Code::NotEnoughReplicas,
            Code::NotEnoughReplicasAfterAppend,
            Code::KafkaStorageError,
            Code::LogDirNotFound,
            Code::FencedLeaderEpoch,
            Code::UnknownLeaderEpoch,
            Code::StaleBrokerEpoch,
            Code::StaleControllerEpoch,
            Code::NotController,
            Code::PreferredLeaderNotAvailable,
            Code::EligibleLeadersNotAvailable,
            Code::ListenerNotFound,
            Code::CoordinatorLoadInProgress,
            Code::CoordinatorNotAvailable,
            Code::NotCoordinator,
            Code::WaitingForCoordinator,
        ],
    ),
    (
        Authentication,
        &[
            Code::Authentication,
            Code::SaslAuthenticationFailed,
            Code::UnsupportedSASLMechanism,
            Code::IllegalSASLState,
            Code::SecurityDisabled,
            Code::ClusterAuthorizationFailed,
            Code::TransactionalIdAuthorizationFailed,
            Code::DelegationTokenAuthDisabled,
            Code::DelegationTokenNotFound,
            Code::DelegationTokenOwnerMismatch,
            Code::DelegationTokenRequestNotAllowed,
            Code::DelegationTokenAuthorizationFailed,
            Code::DelegationTokenExpired,
            Code::PrincipalDeserializationFailure,
            Code::UnacceptableCredential,
        ],
    ),
    (Authorization, &[Code::TopicAuthorizationFailed]),
    (
        UnknownTopic,
        &[
            Code::UnknownTopic,
            Code::UnknownPartition,
            Code::UnknownTopicOrPartition,
            Code::UnknownTopicId,
            Code::InvalidTopic,
        ],
    ),
    (
        Unsupported,
        &[
            Code::UnsupportedVersion,
            Code::UnsupportedFeature,
            Code::UnsupportedForMessageFormat,
            Code::UnsupportedCompressionType,
            Code::UnknownProtocol,
            Code::NotImplemented,
            Code::InvalidRequiredAcks,
            Code::InvalidRequest,
            Code::InvalidConfig,
            Code::InvalidArgument,
            Code::PolicyViolation,
            Code::NotConfigured,
            Code::BadCompression,
        ],
    ),
    (QueueFull, &[Code::QueueFull]),
    (
        Fatal,
        &[
            Code::Fatal,
            Code::Fenced,
            Code::ProducerFenced,
            Code::InvalidProducerEpoch,
            Code::OutOfOrderSequenceNumber,
            Code::UnknownProducerId,
            Code::InvalidProducerIdMapping,
            Code::GaplessGuarantee,
            Code::Inconsistent,
            Code::State,
            Code::CriticalSystemResource,
        ],
    ),
    (
        Other,
        &[
            Code::AssignPartitions,
            Code::AssignmentLost,
            Code::Application,
            Code::AutoOffsetReset,
            // librdkafka cannot read the broker's answer: the record may be good.
            Code::BadMessage,
            Code::BrokerDestroy,
            Code::ConcurrentTransactions,
            Code::Conflict,
            Code::DestroyBroker,
            Code::DuplicateResource,
            Code::DuplicateSequenceNumber,
            Code::ElectionNotNeeded,
            Code::ExistingSubscription,
            Code::Fail,
            Code::FeatureUpdateFailed,
            Code::FencedInstanceId,
            Code::FencedMemberEpoch,
            Code::FetchSessionIdNotFound,
            Code::FileSystem,
            Code::GroupAuthorizationFailed,
            Code::GroupIdNotFound,
            Code::GroupMaxSizeReached,
            Code::GroupSubscribedToTopic,
            Code::IllegalGeneration,
            Code::InProgress,
            Code::InconsistentGroupProtocol,
            Code::InconsistentVoterSet,
            Code::Interrupted,
            Code::InvalidCommitOffsetSize,
            Code::InvalidFetchSessionEpoch,
            Code::InvalidGroupId,
            Code::InvalidPartitions,
            Code::InvalidPrincipalType,
            Code::InvalidReplicaAssignment,
            Code::InvalidReplicationFactor,
            Code::InvalidSessionTimeout,
            Code::InvalidTransactionTimeout,
            Code::InvalidTransactionalState,
            Code::InvalidType,
            Code::InvalidUpdateVersion,
            Code::KeyDeserialization,
            Code::LogTruncation,
            Code::MemberIdRequired,
            Code::NoEnt,
            Code::NoOffset,
            Code::NoReassignmentInProgress,
            Code::NodeUpdate,
            Code::NonEmptyGroup,
            Code::Noop,
            Code::OffsetMetadataTooLarge,
            Code::OffsetNotAvailable,
            Code::OffsetOutOfRange,
            Code::OperationNotAttempted,
            Code::Outdated,
            Code::Partial,
            Code::PartitionEOF,
            Code::PollExceeded,
            Code::PreviousInProgress,
            Code::ReadOnly,
            Code::ReassignmentInProgress,
            Code::RebalanceInProgress,
            Code::ResourceNotFound,
            Code::Retry,
            Code::RevokePartitions,
            Code::StaleMemberEpoch,
            Code::TelemetryTooLarge,
            Code::TopicAlreadyExists,
            Code::TopicDeletionDisabled,
            Code::TransactionCoordinatorFenced,
            Code::Underflow,
            Code::Unknown,
            Code::UnknownGroup,
            Code::UnknownMemberId,
            Code::UnknownSubscriptionId,
            Code::UnreleasedInstanceId,
            Code::UnstableOffsetCommit,
            Code::UnsupportedAssignor,
            Code::ValueDeserialization,
            Code::WaitCache,
        ],
    ),
];

/// What an error of the client means; without a code it is [`Other`].
pub(super) fn failure(error: &KafkaError) -> PublishFailure {
    error.rdkafka_error_code().map_or(Other, of_code)
}

pub(super) fn of_code(code: Code) -> PublishFailure {
    TABLE.iter().find(|(_, codes)| codes.contains(&code)).map_or(Other, |(failure, _)| *failure)
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
    use std::{collections::HashSet, fs, path::Path, process::Command};

    use super::*;
    use crate::domain::{FailureClass, Label as _};

    #[test]
    fn each_failure_has_its_class() {
        use FailureClass::{Outage, Record, Time, Topic};
        for (code, failure, class) in [
            (Code::MessageSizeTooLarge, TooLarge, Record),
            (Code::InvalidRecord, InvalidRecord, Record),
            (Code::InvalidDifferentRecord, InvalidRecord, Record),
            (Code::InvalidTimestamp, InvalidTimestamp, Time),
            (Code::PurgeInflight, TimedOut, Outage),
            (Code::ThrottlingQuotaExceeded, TimedOut, Outage),
            (Code::AllBrokersDown, Unreachable, Outage),
            (Code::KafkaStorageError, NotAvailable, Outage),
            (Code::SaslAuthenticationFailed, Authentication, Outage),
            (Code::ClusterAuthorizationFailed, Authentication, Outage),
            (Code::TopicAuthorizationFailed, Authorization, Topic),
            (Code::UnknownTopicOrPartition, UnknownTopic, Topic),
            (Code::UnsupportedForMessageFormat, Unsupported, Outage),
            (Code::PolicyViolation, Unsupported, Outage),
            (Code::QueueFull, QueueFull, Outage),
            (Code::OutOfOrderSequenceNumber, Fatal, FailureClass::Fatal),
            (Code::Unknown, Other, Outage),
            // Given to a record when the client cannot read the broker's *answer*.
            (Code::BadMessage, Other, Outage),
        ] {
            assert_eq!((of_code(code), of_code(code).class()), (failure, class), "{code:?}");
        }
        assert_eq!(failure(&KafkaError::Canceled), Other);
    }

    #[test]
    fn table_has_each_failure_and_each_code_once() {
        let failures: Vec<_> = TABLE.iter().map(|(failure, _)| failure.as_str()).collect();
        assert_eq!(failures, PublishFailure::ALL.iter().map(|failure| failure.as_str()).collect::<Vec<_>>());
        let mut seen = HashSet::new();
        for code in TABLE.iter().flat_map(|(_, codes)| *codes) {
            assert!(seen.insert(format!("{code:?}")), "{code:?} is listed twice");
        }
    }

    /// The names of the codes as the crate of librdkafka's bindings declares them in the version that is locked.
    #[test]
    fn table_lists_every_code_of_the_client() {
        let source = client_source();
        let declared = source.split("pub enum RDKafkaErrorCode {").nth(1).unwrap().split('}').next().unwrap();
        let names = declared.lines().map(str::trim).filter(|line| line.starts_with(|first: char| first.is_uppercase()));
        let declared: HashSet<_> = names.map(|line| line.split([' ', ',']).next().unwrap().to_owned()).collect();
        let not_errors = ["Begin", "End", "EndAll", "NoError"].map(str::to_owned);
        let mut listed: HashSet<_> =
            TABLE.iter().flat_map(|(_, codes)| *codes).map(|code| format!("{code:?}")).collect();
        listed.extend(not_errors);
        assert_eq!(listed, declared);
    }

    fn client_source() -> String {
        let version = output(Command::new("rustc").arg("-vV"));
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
        let metadata = output(Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")));
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let bindings = packages.iter().find(|package| package["name"] == "rdkafka-sys").unwrap();
        let manifest = Path::new(bindings["manifest_path"].as_str().unwrap());
        fs::read_to_string(manifest.with_file_name("src").join("types.rs")).unwrap()
    }

    fn output(command: &mut Command) -> String {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
