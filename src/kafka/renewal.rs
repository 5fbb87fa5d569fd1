//! Renews the credentials of Kafka clients when their files change, without a restart.
//!
//! librdkafka uses the credentials with which a client was created. So new credentials need new clients: a producer is created
//! with them and has to reach Kafka first. Only then do they become the current ones, and every client that lives longer than a
//! request is replaced: the producer by the failover controller while no record is in flight, the others at their next step.
//!
//! The files are polled twice a second, and read when they have not changed between two polls. If they cannot be used, nothing
//! changes. They are tried again when they change, and from time to time as long as they differ from what is in use: a password
//! can be in the file before the brokers know it.
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | look at the files and read them | `kafka-files`, one for each poll | that of the renewer, which only polls take | none: only the next poll waits for it |
//! | create a producer, fetch metadata with it | the same | the same | [`PROOF_TIMEOUT`] for the metadata |
//! | destroy a producer that was not used | the same | the same | none |

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rdkafka::{error::RDKafkaErrorCode, metadata::Metadata, producer::Producer as _};
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    KafkaSink,
    delivery_reporter::not_authorized,
    metrics::{AclOperation, ExpiringCredential, KafkaMetrics, ReloadResult},
    producer::Producer,
};
use crate::{
    blocking,
    config::{CertificateExpiry, CredentialFiles, KafkaConfig, Problems, Security},
    domain::{Destination, Timestamp},
    telemetry::Operation,
};

/// The time between two polls. A change is noticed after one to two of them.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a new client may take to reach Kafka.
const PROOF_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one request for metadata takes at most. librdkafka does not end it when the login fails.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
/// The pause between requests that failed at once.
const REQUEST_PAUSE: Duration = Duration::from_millis(50);
/// The pause before the first attempt that follows a failed one. It doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause while the credentials in use work.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest pause while Kafka is not available, perhaps because the credentials in use are not valid any more.
const LONGEST_PAUSE_IN_OUTAGE: Duration = Duration::from_secs(5);
/// How long files may not fit together before that is reported: a certificate and its key can be written one after the other.
const SETTLING_TIME: Duration = Duration::from_secs(3);

/// Why changed files cannot be used.
#[derive(Debug, Error)]
enum RenewalError {
    /// They are not valid by themselves.
    #[error(transparent)]
    Files(#[from] Problems),
    /// librdkafka cannot use them.
    #[error("librdkafka cannot use them: {0}{hint}", hint = hint(.0))]
    Client(String),
    /// The brokers do not accept them, or they do not accept the brokers.
    #[error("Kafka cannot be used with them: {0}")]
    Refused(String),
    /// No broker answered.
    #[error("no broker answered in time: {0}")]
    Unreachable(String),
}

fn hint(detail: &str) -> &'static str {
    if detail.contains("mismatch") {
        "; write the key that belongs to the certificate into KAFKA_SSL_KEY_LOCATION"
    } else {
        ""
    }
}

/// Renews the credentials until `stop`. Never fails: results go to metrics and logs.
pub(crate) async fn renew_credentials(sink: Arc<KafkaSink>, kafka: KafkaConfig, stop: CancellationToken) {
    let in_use = kafka.credentials.security();
    show_expiry(sink.metrics(), in_use.expiry());
    let seen = in_use.files();
    if seen.is_empty() {
        return;
    }
    let renewer = Renewer { sink, kafka, tried: None, seen, retry: None, reported: None };
    let renewer = Arc::new(Mutex::new(renewer));
    let mut polls = interval(POLL_INTERVAL);
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(polls.tick()).await.is_some() {
        let renewer = Arc::clone(&renewer);
        // A poll that panicked has offered a producer or not.
        let polled = blocking::run("kafka-files", move || renewer.lock().poll(Instant::now()));
        match stop.run_until_cancelled(polled).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::error!(%error, "the files of Kafka credentials could not be checked"),
            None => return,
        }
    }
}

struct Renewer {
    sink: Arc<KafkaSink>,
    kafka: KafkaConfig,
    /// The state of the files at the last attempt to use them.
    tried: Option<CredentialFiles>,
    /// The state of the files at the last poll.
    seen: CredentialFiles,
    /// `None` while the files have what is in use.
    retry: Option<Retry>,
    /// A state of the files, and what was reported about it.
    reported: Option<(Option<CredentialFiles>, String)>,
}

/// The next attempt to use files that could not be used.
struct Retry {
    since: Instant,
    at: Instant,
    pause: Duration,
}

impl Renewer {
    fn poll(&mut self, now: Instant) {
        let current = self.seen.current();
        let is_at_rest = current == self.seen;
        self.seen = current;
        let is_changed = self.tried.as_ref() != Some(&self.seen);
        let is_due = self.retry.as_ref().is_some_and(|retry| retry.at <= now);
        if !is_at_rest || !(is_changed || is_due) {
            return;
        }
        if is_changed {
            self.retry = None;
        }
        let _operation = self.sink.metrics().operations.begin(Operation::KeyFiles);
        let loaded = self.kafka.credentials.security().reload();
        let after = self.seen.current();
        // The files changed while they were being read, so one may have been read half-written.
        if after != self.seen {
            self.seen = after;
            return;
        }
        self.tried = Some(after);
        let renewed = loaded.map_err(RenewalError::from).and_then(|loaded| self.renew(loaded));
        match renewed {
            Ok(is_renewed) => self.succeed(is_renewed),
            // The attempt can take longer than a pause.
            Err(error) => self.fail(&error, Instant::now()),
        }
    }

    /// Returns whether the credentials are not those in use already.
    fn renew(&self, loaded: Security) -> Result<bool, RenewalError> {
        if loaded.has_contents_of(&self.kafka.credentials.security()) {
            return Ok(false);
        }
        let candidate = self.sink.create_candidate(&loaded);
        let candidate = candidate.map_err(|error| RenewalError::Client(error.to_string()))?;
        prove(&candidate, self.sink.topics().name(Destination::Events))?;
        self.kafka.credentials.replace(loaded);
        self.sink.offer(candidate);
        Ok(true)
    }

    fn succeed(&mut self, is_renewed: bool) {
        let metrics = self.sink.metrics();
        metrics.credentials_reload_failed.set(0);
        self.retry = None;
        let was_reported = self.reported.take().is_some();
        if is_renewed {
            metrics.credentials_reloads.of(ReloadResult::Success).inc();
            let expiry = self.kafka.credentials.security().expiry();
            show_expiry(metrics, expiry);
            let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
            let (certificate_expires, ca_expires) = (text(expiry.certificate), text(expiry.authority));
            tracing::info!(certificate_expires, ca_expires, "renewed the Kafka credentials");
        } else if was_reported {
            tracing::info!("the files have the Kafka credentials that are in use");
        }
    }

    fn fail(&mut self, error: &RenewalError, now: Instant) {
        let health = self.sink.health();
        let longest = if health.is_up() { LONGEST_PAUSE } else { LONGEST_PAUSE_IN_OUTAGE };
        let (since, pause) = self.retry.as_ref().map_or((now, FIRST_PAUSE), |retry| (retry.since, retry.pause * 2));
        let pause = pause.min(longest);
        self.retry = Some(Retry { since, at: now + pause, pause });
        let is_certain = match error {
            RenewalError::Files(_) | RenewalError::Client(_) => now.duration_since(since) >= SETTLING_TIME,
            RenewalError::Refused(_) => true,
            // The outage itself is reported elsewhere.
            RenewalError::Unreachable(_) => health.is_up(),
        };
        if is_certain {
            self.report(error);
        }
    }

    /// Logs an error once for each state of the files.
    fn report(&mut self, error: &RenewalError) {
        let metrics = self.sink.metrics();
        metrics.credentials_reloads.of(ReloadResult::Failure).inc();
        metrics.credentials_reload_failed.set(1);
        // The messages of librdkafka contain durations.
        let text = error.to_string().replace(|c: char| c.is_ascii_digit(), "");
        let report = Some((self.tried.clone(), text));
        if self.reported != report {
            tracing::error!(%error, "the Kafka credentials are not renewed; the previous ones stay in use");
            self.reported = report;
        }
    }
}

/// Waits until the producer has the metadata of the topic. Blocks.
fn prove(candidate: &Producer, topic: &str) -> Result<(), RenewalError> {
    let deadline = Instant::now() + PROOF_TIMEOUT;
    loop {
        let error = match candidate.client().fetch_metadata(Some(topic), REQUEST_TIMEOUT) {
            Ok(metadata) => return check_topic(&metadata, topic).and_then(|()| check_client(candidate)),
            Err(error) => error,
        };
        match candidate.context().last_error() {
            Some((RDKafkaErrorCode::Authentication, detail)) => return Err(RenewalError::Refused(detail)),
            Some((RDKafkaErrorCode::SSL, detail)) if Instant::now() >= deadline => {
                return Err(RenewalError::Refused(detail));
            }
            other if Instant::now() >= deadline => {
                let detail = other.map_or_else(|| error.to_string(), |(_, detail)| detail);
                return Err(RenewalError::Unreachable(detail));
            }
            _ => thread::sleep(REQUEST_PAUSE),
        }
    }
}

/// An idempotent producer asks for an id when it is created. Users who may not write to any topic get none, which is fatal.
fn check_client(candidate: &Producer) -> Result<(), RenewalError> {
    match (candidate.client().fatal_error(), candidate.context().last_error()) {
        (Some((_, detail)), _) => Err(RenewalError::Refused(detail)),
        (None, Some((RDKafkaErrorCode::Authentication, detail))) => Err(RenewalError::Refused(detail)),
        (None, _) => Ok(()),
    }
}

/// A certificate can belong to another user than the former one.
fn check_topic(metadata: &Metadata, topic: &str) -> Result<(), RenewalError> {
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    match found.and_then(|found| found.error()).map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            Err(RenewalError::Refused(not_authorized(topic, AclOperation::Describe)))
        }
        _ => Ok(()),
    }
}

fn show_expiry(metrics: &KafkaMetrics, expiry: CertificateExpiry) {
    let seconds = |time: Option<Timestamp>| time.map_or(0, Timestamp::unix_seconds);
    metrics.credentials_expire.of(ExpiringCredential::Certificate).set(seconds(expiry.certificate));
    metrics.credentials_expire.of(ExpiringCredential::Authority).set(seconds(expiry.authority));
}
