//! The outcome of a callback, and the closed sets of reasons for it.

use super::{TopicPosition, closed_set};

closed_set! {
    /// Why a callback was rejected. Metrics and logs show the reason; the caller sees only a status code.
    pub enum RejectReason {
        /// The request has no `X-Twilio-Signature`.
        MissingSignature => "missing_signature",
        /// The signature is not canonical base64 of the length that its algorithm gives, or there are several that differ.
        MalformedSignature => "malformed_signature",
        /// The header that names the SharedKey names no single one, or there are several that differ.
        MalformedSignatureSettings => "malformed_signature_settings",
        /// The algorithm that the request names is not known.
        UnknownAlgorithm => "unknown_algorithm",
        /// The SharedKey that the request names is not configured for its account.
        UnknownSharedKey => "unknown_shared_key",
        /// The SharedKey that the request names is bound to another algorithm.
        AlgorithmNotAllowed => "algorithm_not_allowed",
        /// No construction, URL spelling and key produces this signature.
        SignatureMismatch => "signature_mismatch",
        /// A diagnosis found that the signature is valid for a URL that is not configured.
        UrlMismatch => "url_mismatch",
        /// The account is not configured.
        UnknownAccount => "unknown_account",
        /// The signature of the URL is valid, but `bodySHA256` is not the hash of the received body.
        BodyHashMismatch => "body_hash_mismatch",
        /// The body or the query exceeds the limit.
        TooLarge => "too_large",
        /// The body is neither a form nor JSON, or it is compressed.
        UnsupportedMediaType => "unsupported_media_type",
        /// The request cannot be read as a callback, such as one with a broken body or a `GET` with a body.
        Malformed => "malformed",
        /// The request was not complete in time.
        TimedOut => "timed_out",
        /// The caller closed the connection before the request was complete.
        Incomplete => "incomplete",
        /// The method is neither `GET` nor `POST`.
        MethodNotAllowed => "method_not_allowed",
    }
}

impl RejectReason {
    /// Whether the request can be read as a callback, but nothing proves who sent it.
    #[must_use]
    pub fn is_unauthenticated(self) -> bool {
        match self {
            Self::MissingSignature
            | Self::MalformedSignature
            | Self::MalformedSignatureSettings
            | Self::UnknownAlgorithm
            | Self::UnknownSharedKey
            | Self::AlgorithmNotAllowed
            | Self::SignatureMismatch
            | Self::UrlMismatch
            | Self::UnknownAccount
            | Self::BodyHashMismatch => true,
            Self::TooLarge
            | Self::UnsupportedMediaType
            | Self::Malformed
            | Self::TimedOut
            | Self::Incomplete
            | Self::MethodNotAllowed => false,
        }
    }
}

closed_set! {
    /// The limit because of which report-only mode does not keep an unverified callback.
    pub enum ReportOnlyLimit {
        /// The callback is far larger than Twilio's.
        Size => "size",
        /// Too many unverified callbacks arrived in a short time.
        Rate => "rate",
        /// Too many unverified callbacks are not durable yet.
        InProgress => "in_progress",
        /// The spool holds more than the share that unverified callbacks may use.
        Spool => "spool",
    }
}

closed_set! {
    /// Why a callback became a dead letter and not an event.
    pub enum DeadLetterReason {
        /// The content type is JSON, but the body is not a JSON object.
        InvalidJson => "invalid_json",
        /// The callback has no account SID.
        MissingAccountSid => "missing_account_sid",
        /// The account SID is not valid.
        InvalidAccountSid => "invalid_account_sid",
        /// The account SIDs contradict each other.
        ConflictingAccountSid => "conflicting_account_sid",
        /// The callback has no profile SID under any of its names.
        MissingProfileSid => "missing_profile_sid",
        /// The profile SID is not valid.
        InvalidProfileSid => "invalid_profile_sid",
        /// The profile SIDs contradict each other.
        ConflictingProfileSid => "conflicting_profile_sid",
        /// The callback has no status.
        MissingStatus => "missing_status",
        /// The statuses contradict each other.
        ConflictingStatus => "conflicting_status",
        /// What was signed also reads as another status, because forms are signed without delimiters.
        AmbiguousForm => "ambiguous_form",
        /// Trust Hub says that the profile belongs to another account.
        AccountConflict => "account_conflict",
        /// The signature does not match, and `SIGNATURE_MODE` is `report-only`. The sender is therefore not proven.
        SignatureFailed => "signature_failed",
        /// The topic rejects the event as too large or as invalid.
        RefusedByTopic => "refused_by_topic",
    }
}

closed_set! {
    /// Why Kafka did not accept a record.
    pub enum PublishFailure {
        /// The broker or the client rejects the record as too large.
        TooLarge => "too_large",
        /// The broker or the client rejects the record as invalid.
        InvalidRecord => "invalid_record",
        /// The broker rejects the record's time: it is too old for the topic, or a clock is wrong.
        InvalidTimestamp => "invalid_timestamp",
        /// Kafka did not acknowledge the record before the service's own deadline.
        TimedOut => "timed_out",
        /// No broker can be reached.
        Unreachable => "unreachable",
        /// The partition has no leader, or too few replicas are in sync.
        NotAvailable => "not_available",
        /// The login failed, or the user is not authorized to use the cluster.
        Authentication => "authentication",
        /// The user is not authorized to use the topic.
        Authorization => "authorization",
        /// The topic does not exist.
        UnknownTopic => "unknown_topic",
        /// The configuration of the cluster or the topic excludes what the service sends.
        Unsupported => "unsupported",
        /// The producer's queue is full.
        QueueFull => "queue_full",
        /// The record is Avro, and the schema registry has not said which id its schema has.
        NoSchemaId => "no_schema_id",
        /// The producer cannot continue.
        Fatal => "fatal",
        /// Any other failure. It is treated as an outage.
        Other => "other",
    }
}

/// What has to change before Kafka accepts a record that it did not accept. It decides how the service handles the record.
///
/// | Class | What has to change | How long the service waits for it | How the record is handled |
/// |---|---|---|---|
/// | [`Record`](Self::Record) | the record: Kafka never accepts it in this form | not at all | it is published alone: first as the dead letter of its request, then as a cut one. A record that no topic accepts in any form is answered 503, or parked if it was spooled |
/// | [`Time`](Self::Time) | the time of the record, or a clock | for one more attempt | it is published with the current time instead of the time of receipt. If that is rejected as well, it is an outage until the clock is corrected; an event is never parked because of its time |
/// | [`Topic`](Self::Topic) | an operator creates the topic or grants the permission | without limit | an event waits in the spool. A dead letter is parked and retried every minute, because events must not wait for its topic |
/// | [`Outage`](Self::Outage) | Kafka recovers, with or without the help of an operator | without limit | it waits in the spool |
/// | [`Fatal`](Self::Fatal) | the producer is replaced | not at all | the producer is replaced immediately, and the record goes through the spool |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The record is at fault. Other records are not affected.
    Record,
    /// The time of the record, or a clock, is at fault.
    Time,
    /// One topic accepts no records. The other topic may accept them.
    Topic,
    /// Kafka cannot accept records now. The record is not at fault.
    Outage,
    /// The producer cannot be used any more.
    Fatal,
}

impl PublishFailure {
    /// The class of this failure. A missing permission is never the fault of an event: it may be granted later.
    #[must_use]
    pub fn class(self) -> FailureClass {
        match self {
            Self::TooLarge | Self::InvalidRecord => FailureClass::Record,
            Self::InvalidTimestamp => FailureClass::Time,
            Self::Authorization | Self::UnknownTopic => FailureClass::Topic,
            Self::TimedOut
            | Self::Unreachable
            | Self::NotAvailable
            | Self::Authentication
            | Self::Unsupported
            | Self::QueueFull
            | Self::NoSchemaId
            | Self::Other => FailureClass::Outage,
            Self::Fatal => FailureClass::Fatal,
        }
    }

    /// Whether records may be accepted immediately if they are published one at a time, in another form where necessary.
    #[must_use]
    pub fn is_resolved_by_another_form(self) -> bool {
        matches!(self.class(), FailureClass::Record | FailureClass::Time)
    }
}

closed_set! {
    /// Why a callback could not be made durable.
    pub enum DeliveryError {
        /// Kafka does not accept the record, and the spool is full.
        SpoolFull => "spool_full",
        /// Kafka does not accept the record, and the spool cannot be written.
        SpoolFailed => "spool_failed",
        /// Neither topic accepts the record in any form.
        RefusedByTopics => "refused_by_topics",
        /// The limit of requests in progress, of their bytes or of descriptors was reached.
        Overloaded => "overloaded",
        /// The work on the callback ended before its record was durable, such as when the service was killed.
        Abandoned => "abandoned",
    }
}

/// How a record became durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// All in-sync replicas of Kafka have the record.
    Published,
    /// The record is in the spool, synced to disk.
    Spooled,
    /// The topic of the record rejects it. All in-sync replicas have its dead letter instead.
    DeadLettered,
}

/// Proof that a record is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// How the record became durable.
    pub durability: Durability,
    /// Where Kafka has written the record, or the dead letter that was published instead; `None` if it was spooled.
    pub position: Option<TopicPosition>,
}

/// The outcome of one callback. It decides the response, the metrics and the log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Kafka acknowledged the event with all in-sync replicas.
    Published,
    /// The event, or the dead letter, is in the spool, synced to disk.
    Spooled,
    /// An identical callback is durable already.
    Duplicate,
    /// Kafka acknowledged the dead letter with all in-sync replicas.
    DeadLettered(DeadLetterReason),
    /// The callback was rejected, and nothing was stored.
    Rejected(RejectReason),
    /// The callback could not be made durable.
    Unavailable(DeliveryError),
}

closed_set! {
    /// The kind of an [`Outcome`], as a metric label.
    pub enum OutcomeKind {
        /// See [`Outcome::Published`].
        Published => "published",
        /// See [`Outcome::Spooled`].
        Spooled => "spooled",
        /// See [`Outcome::Duplicate`].
        Duplicate => "duplicate",
        /// See [`Outcome::DeadLettered`].
        DeadLettered => "dead_lettered",
        /// See [`Outcome::Rejected`].
        Rejected => "rejected",
        /// See [`Outcome::Unavailable`].
        Unavailable => "unavailable",
    }
}

impl Outcome {
    /// The kind without the reason.
    #[must_use]
    pub fn kind(self) -> OutcomeKind {
        match self {
            Self::Published => OutcomeKind::Published,
            Self::Spooled => OutcomeKind::Spooled,
            Self::Duplicate => OutcomeKind::Duplicate,
            Self::DeadLettered(_) => OutcomeKind::DeadLettered,
            Self::Rejected(_) => OutcomeKind::Rejected,
            Self::Unavailable(_) => OutcomeKind::Unavailable,
        }
    }

    /// The label of the reason; `None` for an outcome without one.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        use super::Label as _;
        match self {
            Self::Published | Self::Spooled | Self::Duplicate => None,
            Self::DeadLettered(reason) => Some(reason.as_str()),
            Self::Rejected(reason) => Some(reason.as_str()),
            Self::Unavailable(reason) => Some(reason.as_str()),
        }
    }
}

closed_set! {
    /// How a reconciliation ended.
    pub enum ReconcileResult {
        /// Every account was compared, and all missed changes were published.
        Success => "success",
        /// A profile or an account could not be compared, or an event could not be published.
        Failure => "failure",
        /// Another process was running a reconciliation.
        Elsewhere => "elsewhere",
    }
}
