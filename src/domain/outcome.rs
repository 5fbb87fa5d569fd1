//! What became of a callback: one outcome each, and the closed sets of its reasons.

use super::label::closed_set;

closed_set! {
    /// Why a callback was refused. The caller learns nothing of it; metrics and logs do.
    pub enum RejectReason {
        /// No `X-Twilio-Signature`.
        MissingSignature => "missing_signature",
        /// A signature that is not canonical base64 of the right length, or several that differ.
        MalformedSignature => "malformed_signature",
        /// No construction, URL spelling and key gives this signature.
        SignatureMismatch => "signature_mismatch",
        /// The signature is one for another URL than those configured, as a diagnosis found.
        UrlMismatch => "url_mismatch",
        /// The account is none of those configured.
        UnknownAccount => "unknown_account",
        /// The URL's signature is right, but `bodySHA256` is not the hash of the body received.
        BodyHashMismatch => "body_hash_mismatch",
        /// Body or query above the limit.
        TooLarge => "too_large",
        /// Neither a form nor JSON, or compressed.
        UnsupportedMediaType => "unsupported_media_type",
        /// Not HTTP that can be read as a callback, such as a broken body or a `GET` with one.
        Malformed => "malformed",
        /// The request did not arrive completely within its time.
        TimedOut => "timed_out",
        /// The caller went away before the request was complete.
        Incomplete => "incomplete",
        /// A verb other than `GET` and `POST`.
        MethodNotAllowed => "method_not_allowed",
    }
}

impl RejectReason {
    /// Whether the request is a callback, but nothing proves who sent it.
    #[must_use]
    pub fn is_of_sender(self) -> bool {
        match self {
            Self::MissingSignature
            | Self::MalformedSignature
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
    /// Why an unverified callback is not kept although the mode is report-only.
    pub enum ReportOnlyLimit {
        /// It is larger than any of Twilio's.
        Size => "size",
        /// Too many came in a short time.
        Rate => "rate",
        /// Too many are not durable yet.
        InProgress => "in_progress",
        /// The spool holds more than the share of it that is for such callbacks.
        Spool => "spool",
    }
}

closed_set! {
    /// Why a callback became a dead letter and not an event.
    pub enum DeadLetterReason {
        /// The body says JSON and is not a JSON object.
        InvalidJson => "invalid_json",
        /// No account SID.
        MissingAccountSid => "missing_account_sid",
        /// The account SID is not one.
        InvalidAccountSid => "invalid_account_sid",
        /// Account SIDs that contradict each other.
        ConflictingAccountSid => "conflicting_account_sid",
        /// No profile SID under any of its names.
        MissingProfileSid => "missing_profile_sid",
        /// The profile SID is not one.
        InvalidProfileSid => "invalid_profile_sid",
        /// Profile SIDs that contradict each other.
        ConflictingProfileSid => "conflicting_profile_sid",
        /// No status.
        MissingStatus => "missing_status",
        /// Statuses that contradict each other.
        ConflictingStatus => "conflicting_status",
        /// The signature does not match, and `SIGNATURE_MODE` is `report-only`.
        SignatureFailed => "signature_failed",
        /// The event is larger than the topic takes, or the broker calls it invalid.
        RefusedByTopic => "refused_by_topic",
    }
}

closed_set! {
    /// Why Kafka did not take a record.
    pub enum PublishFailure {
        /// The broker or the client calls the record too large.
        TooLarge => "too_large",
        /// The broker or the client calls the record invalid.
        InvalidRecord => "invalid_record",
        /// The broker does not accept the record's time: it is too old for the topic, or a clock is wrong.
        InvalidTimestamp => "invalid_timestamp",
        /// Not acknowledged within `KAFKA_ACK_TIMEOUT_MS`.
        TimedOut => "timed_out",
        /// No broker can be reached.
        Unreachable => "unreachable",
        /// The partition has no leader, or too few replicas are in sync.
        NotAvailable => "not_available",
        /// Login failed, or the user may not use the cluster.
        Authentication => "authentication",
        /// The user may not use the topic.
        Authorization => "authorization",
        /// The topic does not exist.
        UnknownTopic => "unknown_topic",
        /// The cluster or the topic is set up in a way that excludes what the service sends.
        Unsupported => "unsupported",
        /// The producer's queue is full.
        QueueFull => "queue_full",
        /// The producer cannot continue.
        Fatal => "fatal",
        /// Anything else.
        Other => "other",
    }
}

/// What makes Kafka take a record that it did not take. It decides what happens until then.
///
/// | Class | What cures it | How long | Then |
/// |---|---|---|---|
/// | [`Record`](Self::Record) | nothing: Kafka will never take this record in this form | – | it is published alone, as the dead letter of its request, then as a cut one; what no topic takes in any form is answered 503, or parked when it was spooled |
/// | [`Time`](Self::Time) | the present time in place of the time of receipt, unless a clock is wrong | one more try | refused again, it is an outage until the clock is corrected; an event is never parked for it |
/// | [`Topic`](Self::Topic) | an operator creates the topic or grants the permission | without limit | events wait in the spool; a dead letter is parked and tried again every minute, since events must not wait for its topic |
/// | [`Outage`](Self::Outage) | time, or an operator | without limit | records wait in the spool |
/// | [`Fatal`](Self::Fatal) | another producer | at once | it is replaced, and the records go through the spool |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The record is at fault. Other records are not affected.
    Record,
    /// The time of the record is at fault, or a clock.
    Time,
    /// One topic takes no records. The other topic may take them.
    Topic,
    /// Kafka cannot take records now; this one is good.
    Outage,
    /// The producer is of no use any more.
    Fatal,
}

impl PublishFailure {
    /// What this failure calls for. A missing permission is never the fault of an event: it will be granted.
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
            | Self::Other => FailureClass::Outage,
            Self::Fatal => FailureClass::Fatal,
        }
    }

    /// Whether publishing the records one at a time, in another form if need be, may succeed without any waiting.
    #[must_use]
    pub fn is_cured_by_another_form(self) -> bool {
        matches!(self.class(), FailureClass::Record | FailureClass::Time)
    }
}

closed_set! {
    /// Why a callback could not be made durable.
    pub enum DeliveryError {
        /// Kafka does not take it and the spool has no room.
        SpoolFull => "spool_full",
        /// Kafka does not take it and the spool cannot be written.
        SpoolFailed => "spool_failed",
        /// Neither topic takes it in any form.
        RefusedByTopics => "refused_by_topics",
        /// More callbacks were being worked on, or more connections held, than there is room for.
        Overloaded => "overloaded",
        /// The service stopped before it was durable.
        Abandoned => "abandoned",
    }
}

/// How a record became durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// All in-sync replicas of Kafka have it, in its topic.
    Published,
    /// It is in the spool, synced to disk.
    Spooled,
    /// Its topic does not take it: all in-sync replicas have the request as a dead letter instead.
    DeadLettered,
}

/// What became of one callback. Decides the answer, the metrics and the log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Kafka acknowledged the event with all in-sync replicas.
    Published,
    /// The event, or the dead letter, is in the spool, synced to disk.
    Spooled,
    /// The same callback was made durable before, or a moment ago.
    Duplicate,
    /// Kafka acknowledged the dead letter with all in-sync replicas.
    DeadLettered(DeadLetterReason),
    /// Refused; nothing was kept.
    Rejected(RejectReason),
    /// Could not be made durable.
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

    /// The reason as text; what is durable as an event has none.
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
        /// Every account was compared, and what was missing is published.
        Success => "success",
        /// Something could not be compared or published.
        Failure => "failure",
        /// Another process was at it.
        Elsewhere => "elsewhere",
    }
}
