//! The contexts of clients, which librdkafka calls back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use parking_lot::{Mutex, MutexGuard};
use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Message as _},
    producer::ProducerContext,
};

use super::{
    Completion,
    delivery_reporter::DeliveryReporter,
    error::{classify, explain},
    token_failure,
};
use crate::domain::{Destination, RecordPosition, TopicPosition};

/// The context of a client whose callers receive all errors as results. It logs at debug level only.
#[derive(Default)]
pub(super) struct QuietContext;

impl ConsumerContext for QuietContext {}

impl ClientContext for QuietContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        tracing::debug!(%error, detail, "librdkafka");
        token_failure::report(detail);
    }
}

/// The facility of librdkafka's messages about requests for tokens.
const TOKEN_FACILITY: &str = "OIDC";

/// Logs at debug level: librdkafka repeats its messages during an outage, and [`KafkaHealth`](super::KafkaHealth) reports the
/// outage once. The messages about requests for tokens name the URL, which can be that of the process's own endpoint and thus a
/// secret; the errors say the same.
fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    if facility == TOKEN_FACILITY {
        return;
    }
    tracing::debug!(?level, facility, message, "librdkafka");
}

/// Receives the producer's callbacks on threads of librdkafka. They must neither panic nor block.
pub(super) struct DeliveryContext {
    pub(super) reporter: Arc<DeliveryReporter>,
    /// The last error of a broker. librdkafka next reports that all brokers are down, but not why.
    pub(super) cause: Mutex<Option<(RDKafkaErrorCode, String)>>,
    /// Whether the producer publishes the records. One that is not used yet, or not any more, says nothing about the health of
    /// Kafka.
    pub(super) is_in_use: AtomicBool,
    /// Whether the brokers have rejected the credentials since they last acknowledged a record.
    pub(super) is_rejected: AtomicBool,
    /// The number of records that were handed over and whose results were not reported. librdkafka's own number also includes
    /// errors that wait to be polled, and records whose results are being reported.
    pub(super) records: AtomicUsize,
    /// Whether the login is that of Amazon MSK.
    pub(super) is_msk_iam: bool,
}

impl DeliveryContext {
    fn explain(&self, detail: &str) -> String {
        explain(detail, self.is_msk_iam)
    }

    fn cause(&self) -> MutexGuard<'_, Option<(RDKafkaErrorCode, String)>> {
        self.cause.lock()
    }

    /// The last error, with its explanation.
    pub(super) fn last_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.cause().clone()
    }
}

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        tracing::debug!(%error, detail, "librdkafka");
        let health = &self.reporter.health;
        if is_about_credentials(error.rdkafka_error_code(), detail) {
            self.is_rejected.store(true, Relaxed);
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) if !self.is_in_use.load(Relaxed) => {}
            code if !self.is_in_use.load(Relaxed) => *self.cause() = code.zip(Some(self.explain(detail))),
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                let cause = self.cause().take();
                health.mark_down(classify(&error), cause.as_ref().map_or(detail, |(_, text)| text));
            }
            Some(RDKafkaErrorCode::Authentication) => match token_failure::report(detail) {
                // The client keeps its token until it expires.
                Some(_) if health.is_up() => {}
                Some(reason) => health.mark_down(classify(&error), &format!("cannot get an OAuth token: {reason}")),
                None => health.mark_down(classify(&error), &self.explain(detail)),
            },
            Some(RDKafkaErrorCode::Fatal) => health.mark_down(classify(&error), detail),
            code => *self.cause() = code.zip(Some(self.explain(detail))),
        }
    }
}

/// Whether an error says that the brokers do not accept the credentials, or that the credentials do not accept the brokers.
///
/// With TLS 1.3, a broker rejects a client certificate after the handshake, which librdkafka reports as a failed transport with
/// the alert of TLS. A failed request for a token is not the answer of a broker.
fn is_about_credentials(code: Option<RDKafkaErrorCode>, detail: &str) -> bool {
    match code {
        Some(RDKafkaErrorCode::Authentication) => token_failure::reason(detail).is_none(),
        Some(RDKafkaErrorCode::SSL) => true,
        _ => detail.contains("SSL alert number"),
    }
}

/// Data that librdkafka carries from the hand-over of a record to its delivery report.
pub(super) struct InFlight {
    pub(super) destination: Destination,
    pub(super) handed_over: Instant,
    pub(super) completion: Completion,
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, report: &DeliveryResult<'_>, record: Box<InFlight>) {
        let InFlight { destination, handed_over, completion } = *record;
        let result = match report {
            Ok(message) => {
                self.is_rejected.store(false, Relaxed);
                self.reporter.metrics.publish_seconds.observe(handed_over.elapsed().as_secs_f64());
                self.reporter.report_success(destination);
                let position = RecordPosition { partition: message.partition(), offset: message.offset() };
                Ok(TopicPosition { topic: Arc::clone(self.reporter.topics.shared_name(destination)), position })
            }
            Err((error, _message)) => Err(self.reporter.report_failure(destination, error)),
        };
        // Before the completion: a failed record leads to a purge, which this record no longer needs.
        self.records.fetch_sub(1, Relaxed);
        completion.complete(result);
    }
}
