//! Proves credentials with a client that was created with them: it has to reach Kafka, and its user has to have the permissions
//! without which callbacks would go to the spool.
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | fetch metadata, ask for permissions | the caller's, which may block | none | [`TIMEOUT`] for both together, and [`REQUEST_TIMEOUT`] for the last request |

use std::{
    thread,
    time::{Duration, Instant},
};

use kafka_token::{WriteAccess, write_access};
use rdkafka::{error::RDKafkaErrorCode, metadata::Metadata, producer::Producer as _};
use thiserror::Error;

use super::{
    delivery_reporter::not_authorized, error::classify, metrics::AclOperation, producer::Producer, topics::Topics,
};
use crate::domain::{Destination, Label as _, PublishFailure};

/// How long a new client may take to reach Kafka. Nothing waits for it, and on a busy machine a few connections with TLS take seconds.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long one request takes at most. librdkafka does not end it when the login fails.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause between requests that failed at once.
const REQUEST_PAUSE: Duration = Duration::from_millis(50);

/// Why credentials are not proven.
#[derive(Debug, Error)]
pub(super) enum ProofError {
    /// The brokers do not accept them, or they do not accept the brokers.
    #[error("Kafka cannot be used with them: {0}")]
    Rejected(String),
    /// The user lacks a permission.
    #[error("Kafka cannot be used with them: {0}")]
    NotAuthorized(String),
    /// No broker answered.
    #[error("no broker answered in time: {0}")]
    Unreachable(String),
}

/// Waits until the producer has reached Kafka, and returns the topics to which its user may not write. Blocks.
///
/// Brokers that do not report permissions are believed to grant them.
pub(super) fn prove(candidate: &Producer, topics: &Topics) -> Result<Vec<Destination>, ProofError> {
    let deadline = Instant::now() + TIMEOUT;
    let broker = reach(candidate, topics.name(Destination::Events), deadline)?;
    let denied = match broker {
        Some(broker) => denied_topics(candidate, broker, topics, deadline)?,
        None => Vec::new(),
    };
    // A user without permissions also gets no id for an idempotent producer, which says less.
    if denied.is_empty() {
        check_client(candidate)?;
    }
    Ok(denied)
}

/// Waits until the producer has the metadata of the topic. Returns a broker that leads a part of it, or another one if there is no
/// leader now.
fn reach(candidate: &Producer, topic: &str, deadline: Instant) -> Result<Option<i32>, ProofError> {
    loop {
        let error = match candidate.client().fetch_metadata(Some(topic), REQUEST_TIMEOUT) {
            Ok(metadata) => return check_topic(&metadata, topic).map(|()| broker_of(&metadata, topic)),
            Err(error) => error,
        };
        match candidate.context().last_error() {
            Some((RDKafkaErrorCode::Authentication, detail)) if !is_about_producer_id(&detail) => {
                return Err(ProofError::Rejected(detail));
            }
            Some((RDKafkaErrorCode::SSL, detail)) if Instant::now() >= deadline => {
                return Err(ProofError::Rejected(detail));
            }
            other if Instant::now() >= deadline => {
                let detail = other.map_or_else(|| error.to_string(), |(_, detail)| detail);
                return Err(ProofError::Unreachable(detail));
            }
            _ => thread::sleep(REQUEST_PAUSE),
        }
    }
}

/// Whether the login was accepted, and only the id for an idempotent producer was refused. The words are those of librdkafka's
/// `rdkafka_idempotence.c`. A missing permission is the cause, and the permissions say which.
fn is_about_producer_id(detail: &str) -> bool {
    detail.contains("idempotence PID")
}

/// A certificate can belong to another user than the former one.
fn check_topic(metadata: &Metadata, topic: &str) -> Result<(), ProofError> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.and_then(|found| found.error()).map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            Err(ProofError::NotAuthorized(not_authorized(topic, AclOperation::Describe)))
        }
        _ => Ok(()),
    }
}

fn broker_of(metadata: &Metadata, topic: &str) -> Option<i32> {
    let partitions =
        metadata.topics().iter().filter(|found| found.name() == topic).flat_map(|found| found.partitions());
    let leader = partitions.map(|partition| partition.leader()).find(|leader| *leader >= 0);
    leader.or_else(|| metadata.brokers().first().map(|broker| broker.id()))
}

/// The topics to which the broker says that the user may not write.
fn denied_topics(
    candidate: &Producer,
    broker: i32,
    topics: &Topics,
    deadline: Instant,
) -> Result<Vec<Destination>, ProofError> {
    let names: Vec<_> = Destination::ALL.iter().map(|destination| topics.name(*destination)).collect();
    let timeout = deadline.saturating_duration_since(Instant::now()).max(REQUEST_TIMEOUT);
    let access = match write_access(candidate.client(), broker, &names, timeout) {
        Ok(access) => access,
        Err(error) => match classify(&error) {
            PublishFailure::TimedOut | PublishFailure::Unreachable => {
                return Err(ProofError::Unreachable(error.to_string()));
            }
            _ => {
                tracing::debug!(%error, "the brokers do not report permissions");
                return Ok(Vec::new());
            }
        },
    };
    let denied = Destination::ALL.iter().zip(access).filter(|(_, access)| *access == WriteAccess::Denied);
    Ok(denied.map(|(destination, _)| *destination).collect())
}

/// An idempotent producer asks for an id when it is created. Users who may not write to any topic get none, which is fatal.
fn check_client(candidate: &Producer) -> Result<(), ProofError> {
    match (candidate.client().fatal_error(), candidate.context().last_error()) {
        (Some((_, detail)), _) => Err(ProofError::Rejected(detail)),
        (None, Some((RDKafkaErrorCode::Authentication, detail))) => Err(ProofError::Rejected(detail)),
        (None, _) => Ok(()),
    }
}
