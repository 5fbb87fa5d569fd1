//! Classifies the errors of the Kafka client by what they mean for the affected record.
//!
//! [`TABLE`] lists every code that librdkafka and a broker can return, so an upgrade cannot introduce an unclassified
//! one. [`FailureClass`](crate::domain::FailureClass) says for each class whether waiting can help, for how long the
//! service waits, and what happens then.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::domain::PublishFailure::{self, *};

/// Maps the client's error codes to [`PublishFailure`]. The codes and their meanings come from librdkafka's `rdkafka.h`
/// and Kafka's protocol guide.
///
/// [`Other`] holds the codes for consumers, groups, transactions or administration, which never concern a record, and the
/// codes that do not name a cause. They count as an outage: no event is discarded because of an unforeseen error.
const TABLE: &[(PublishFailure, &[Code])] = &[
    (TooLarge, &[Code::MessageSizeTooLarge, Code::MessageBatchTooLarge, Code::InvalidMessageSize]),
    (
        InvalidRecord,
        &[
            Code::InvalidMessage,
            Code::InvalidRecord,
            // Another record in the batch is invalid. Published in a batch of its own, this record is accepted.
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
    // The record was not handed to the client.
    (NoSchemaId, &[]),
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
            // librdkafka cannot parse the broker's response. The record may be valid.
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

/// Classifies an error of the client. An error without a code is [`Other`].
pub(super) fn classify(error: &KafkaError) -> PublishFailure {
    error.rdkafka_error_code().map_or(Other, classify_code)
}

pub(super) fn classify_code(code: Code) -> PublishFailure {
    TABLE.iter().find(|(_, codes)| codes.contains(&code)).map_or(Other, |(failure, _)| *failure)
}

/// Adds a hint to the client's message about a failed connection, where that message does not name the cause.
///
/// The messages come from librdkafka's `rdkafka_ssl.c`, which does not say why a certificate is not valid.
///
/// With the login of Amazon MSK, "Access denied" is its answer. Elsewhere, the words can have another reason.
pub(super) fn explain(detail: &str, is_msk_iam: bool) -> String {
    let hint = if detail.contains("certificate verify failed") {
        "; the broker's certificate is not valid: check its expiry, that it names the host in KAFKA_BOOTSTRAP_SERVERS, and \
         that KAFKA_SSL_CA_LOCATION contains its certificate authority"
    } else if ["certificate required", "unexpected message", "bad certificate"].iter().any(|text| detail.contains(text))
    {
        "; the broker requires a client certificate: set KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION"
    } else if detail.contains("invalid_token") {
        "; the broker does not accept the token: check which issuer and audience it requires, and KAFKA_OAUTH_SCOPE"
    } else if is_msk_iam && detail.contains("Access denied") {
        "; Amazon MSK does not accept the AWS credentials: check AWS_REGION, and that the policy of their role allows \
         kafka-cluster:Connect"
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
    fn each_code_has_its_failure_and_class() {
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
            // Reported for a record when the client cannot parse the broker's *response*.
            (Code::BadMessage, Other, Outage),
        ] {
            assert_eq!((classify_code(code), classify_code(code).class()), (failure, class), "{code:?}");
        }
        assert_eq!(classify(&KafkaError::Canceled), Other);
    }

    #[test]
    fn words_of_msk_are_explained_only_for_its_login() {
        let detail = "SASL authentication error: [id]: Access denied";
        assert!(explain(detail, true).contains("; Amazon MSK does not accept the AWS credentials: check AWS_REGION"));
        assert_eq!(explain(detail, false), detail);
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

    /// Reads the names of the codes from the locked version of the crate with librdkafka's bindings.
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
