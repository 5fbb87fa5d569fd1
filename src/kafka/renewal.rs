//! Renews the credentials of Kafka clients when their files change, without a restart.
//!
//! librdkafka uses the credentials with which a client was created. So new credentials need new clients: a producer is created
//! with them, has to reach Kafka first, and its user needs the permission to write. Only then do they become the current ones,
//! and every client that lives longer than a request is replaced: the producer by the failover controller while no record is in
//! flight, the others at their next step.
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
//! | create a producer, prove the credentials with it | the same | the same | see [`credential_proof`](super::credential_proof) |
//! | destroy a producer that was not used | the same | the same | none |

use std::{
    collections::BTreeSet,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    KafkaSink,
    credential_proof::{ProofError, prove},
    delivery_reporter::not_authorized,
    metrics::{AclOperation, ExpiringCredential, KafkaMetrics, ReloadResult},
};
use crate::{
    blocking,
    config::{CertificateExpiry, CredentialFiles, KafkaConfig, Problems, Security},
    domain::{Destination, Timestamp},
    telemetry::Operation,
};

/// The time between two polls. A change is noticed after one to two of them.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
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
    /// They are not valid on their own.
    #[error(transparent)]
    Files(#[from] Problems),
    /// librdkafka cannot use them.
    #[error("librdkafka cannot use them: {0}{hint}", hint = hint(.0))]
    Client(String),
    /// A client that has them cannot use Kafka.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl RenewalError {
    /// The same for two reports of one problem. The words of librdkafka also contain durations, counts and addresses.
    fn problem(&self) -> String {
        match self {
            Self::Proof(ProofError::Rejected(_)) => "rejected".to_owned(),
            Self::Proof(ProofError::Unreachable(_)) => "unreachable".to_owned(),
            Self::Proof(ProofError::NotAuthorized(_)) | Self::Files(_) | Self::Client(_) => self.to_string(),
        }
    }
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
    let renewer = Renewer { sink, kafka, tried: None, seen, retry: None, reported: Reported::default() };
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
    reported: Reported,
}

/// What was reported about one state of the files.
#[derive(Default)]
struct Reported {
    files: Option<CredentialFiles>,
    problems: BTreeSet<String>,
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
        let (loaded, after) = self.read();
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

    /// Reads the files, and looks at them once more.
    fn read(&self) -> (Result<Security, Problems>, CredentialFiles) {
        let _operation = self.sink.metrics().operations.begin(Operation::KeyFiles);
        (self.kafka.credentials.security().reload(), self.seen.current())
    }

    /// Returns whether the credentials are not those in use already.
    fn renew(&self, loaded: Security) -> Result<bool, RenewalError> {
        if loaded.has_contents_of(&self.kafka.credentials.security()) {
            return Ok(false);
        }
        let candidate = self.sink.create_candidate(&loaded);
        let candidate = candidate.map_err(|error| RenewalError::Client(error.to_string()))?;
        let proof = prove(&candidate, self.sink.topics()).and_then(|denied| self.weigh(&denied));
        if let Err(error) = proof {
            let _operation = self.sink.metrics().operations.begin(Operation::KafkaClose);
            drop(candidate);
            return Err(error.into());
        }
        self.kafka.credentials.replace(loaded);
        self.sink.offer(candidate);
        Ok(true)
    }

    /// Whether the credentials can be used although their user may not write to these topics.
    ///
    /// Without the event topic, every callback would be spooled. Without the dead-letter topic, only dead letters would be, which
    /// is less than what is spooled while Kafka is not available, perhaps because the credentials in use are not valid any more.
    fn weigh(&self, denied: &[Destination]) -> Result<(), ProofError> {
        let is_needed = |destination: Destination| destination == Destination::Events || self.sink.health().is_up();
        if let Some(needed) = denied.iter().find(|destination| is_needed(**destination)) {
            let topic = self.sink.topics().name(*needed);
            return Err(ProofError::NotAuthorized(not_authorized(topic, AclOperation::Write)));
        }
        denied.iter().for_each(|destination| self.sink.report_write_denied(*destination));
        Ok(())
    }

    fn succeed(&mut self, is_renewed: bool) {
        let metrics = self.sink.metrics();
        metrics.credentials_reload_failed.set(0);
        self.retry = None;
        let was_reported = !mem::take(&mut self.reported).problems.is_empty();
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
            RenewalError::Proof(ProofError::Rejected(_) | ProofError::NotAuthorized(_)) => true,
            // The outage itself is reported elsewhere.
            RenewalError::Proof(ProofError::Unreachable(_)) => health.is_up(),
        };
        if is_certain {
            self.report(error);
        }
    }

    /// Logs each problem once for each state of the files.
    fn report(&mut self, error: &RenewalError) {
        let metrics = self.sink.metrics();
        metrics.credentials_reloads.of(ReloadResult::Failure).inc();
        metrics.credentials_reload_failed.set(1);
        if self.reported.files != self.tried {
            self.reported = Reported { files: self.tried.clone(), problems: BTreeSet::new() };
        }
        if self.reported.problems.insert(error.problem()) {
            tracing::error!(%error, "the Kafka credentials are not renewed; the previous ones stay in use");
        }
    }
}

fn show_expiry(metrics: &KafkaMetrics, expiry: CertificateExpiry) {
    let seconds = |time: Option<Timestamp>| time.map_or(0, Timestamp::unix_seconds);
    metrics.credentials_expire.of(ExpiringCredential::Certificate).set(seconds(expiry.certificate));
    metrics.credentials_expire.of(ExpiringCredential::Authority).set(seconds(expiry.authority));
}
