//! The producer behind the sink.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig},
};
use tokio::sync::watch;

use super::{
    Acknowledgement, Availability, KafkaHealth, Record, Sink, client,
    failure::{explained, failure},
};
use crate::{
    config::Kafka,
    domain::{Destination, FailureClass, Label as _, PublishFailure},
    telemetry::{Metrics, Right},
};

/// Receives what librdkafka has to say. Its callbacks run on its threads and must neither panic nor block.
#[derive(Default)]
pub(super) struct Context {
    health: Option<Arc<KafkaHealth>>,
    /// What went wrong with a broker last. That all of them are down is said next, and not why.
    cause: Mutex<Option<String>>,
}

impl Context {
    /// A context that only takes the log.
    pub(super) fn quiet() -> Self {
        Self::default()
    }

    fn reporting_to(health: Arc<KafkaHealth>) -> Self {
        Self { health: Some(health), ..Self::default() }
    }

    fn cause(&self) -> MutexGuard<'_, Option<String>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConsumerContext for Context {}

impl ClientContext for Context {
    /// librdkafka repeats itself during an outage; the health says it once.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, detail: &str) {
        tracing::debug!(%error, detail, "librdkafka");
        let Some(health) = &self.health else { return };
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                let cause = self.cause().take();
                health.failed(failure(&error), cause.as_deref().unwrap_or(detail));
            }
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::Fatal) => health.failed(failure(&error), detail),
            _ => *self.cause() = Some(explained(detail)),
        }
    }
}

type Producer = FutureProducer<Context>;

/// The idempotent producer with the names of the two topics.
pub struct KafkaSink {
    kafka: Kafka,
    /// Kept for as long as it works: another one could write what this one has written, behind what it wrote later.
    producer: RwLock<Arc<Producer>>,
    ledger: Arc<Ledger>,
}

/// Where the outcome of each record is entered; an acknowledgement may outlive the call that it belongs to.
struct Ledger {
    topics: Topics,
    health: Arc<KafkaHealth>,
    metrics: Arc<Metrics>,
}

/// The names of the two topics.
#[derive(Debug, Clone)]
pub struct Topics {
    events: String,
    dead_letters: String,
}

impl Topics {
    /// As configured.
    #[must_use]
    pub fn of(kafka: &Kafka) -> Self {
        Self { events: kafka.topic.clone(), dead_letters: kafka.dead_letter_topic.clone() }
    }

    /// The name of one of them.
    #[must_use]
    pub fn name(&self, destination: Destination) -> &str {
        match destination {
            Destination::Events => &self.events,
            Destination::DeadLetters => &self.dead_letters,
        }
    }
}

impl KafkaSink {
    /// Makes the producer. Connecting happens in the background.
    ///
    /// # Errors
    /// When librdkafka does not accept the configuration, for example a certificate that cannot be read.
    pub fn new(kafka: &Kafka, metrics: Arc<Metrics>) -> Result<Self, KafkaError> {
        let health = Arc::new(KafkaHealth::new(Arc::clone(&metrics)));
        let producer = RwLock::new(producer(kafka, &health)?);
        let ledger = Arc::new(Ledger { topics: Topics::of(kafka), health, metrics });
        Ok(Self { kafka: kafka.clone(), producer, ledger })
    }

    /// Whether Kafka can take records now.
    #[must_use]
    pub fn health(&self) -> &Arc<KafkaHealth> {
        &self.ledger.health
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.ledger.metrics
    }

    pub(super) fn topics(&self) -> &Topics {
        &self.ledger.topics
    }

    /// The producer in use. Nothing that holds the lock can panic.
    pub(super) fn producer(&self) -> Arc<Producer> {
        Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until every record is acknowledged or given up, at most `patience`; after that nothing is reported any
    /// more. Blocks: not for async threads.
    pub fn close(&self, patience: Duration) {
        if let Err(error) = self.producer().flush(patience) {
            tracing::warn!(%error, "records were left in the producer's queue");
        }
        self.ledger.health.close();
    }
}

fn producer(kafka: &Kafka, health: &Arc<KafkaHealth>) -> Result<Arc<Producer>, KafkaError> {
    client::producer(kafka).create_with_context(Context::reporting_to(Arc::clone(health))).map(Arc::new)
}

impl Ledger {
    /// Counts what became of a record, and draws the conclusions for those that follow.
    fn report(&self, destination: Destination, result: Result<(), PublishFailure>) {
        let Err(reason) = result else {
            self.metrics.published.of(destination).inc();
            self.metrics.topic_right_missing.of(destination, Right::Write).set(0);
            self.health.record_succeeded();
            return;
        };
        self.metrics.publish_failures.of(reason).inc();
        match reason.class() {
            FailureClass::Record => {}
            FailureClass::Outage | FailureClass::Fatal => self.health.record_failed(reason, Instant::now()),
        }
        let lacks_right = self.metrics.topic_right_missing.of(destination, Right::Write);
        if reason == PublishFailure::Authorization && lacks_right.get() == 0 {
            lacks_right.set(1);
            tracing::error!("{}", right_missing(self.topics.name(destination), Right::Write));
        }
    }
}

/// What an operator has to do about a right that is missing.
pub(super) fn right_missing(topic: &str, right: Right) -> String {
    let operation = right.as_str().to_uppercase();
    format!("the Kafka user lacks the right {operation} on topic {topic}; grant it with kafka-acls")
}

impl Sink for KafkaSink {
    fn enqueue(&self, record: &Record) -> Result<Acknowledgement, PublishFailure> {
        let headers =
            record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |all, header| {
                all.insert(Header { key: &header.0, value: Some(&*header.1) })
            });
        let message = FutureRecord {
            topic: self.ledger.topics.name(record.destination),
            partition: None,
            payload: Some(record.payload.get()),
            key: record.key.as_ref(),
            // A broker refuses a record that is ahead of its clock, as after our own clock was set back.
            timestamp: Some(record.timestamp.min(SystemTime::now().into()).unix_millis()),
            headers: Some(headers),
        };
        let (ledger, destination) = (Arc::clone(&self.ledger), record.destination);
        let delivery = self.producer().send_result(message).map_err(|(error, _record)| {
            let reason = failure(&error);
            ledger.report(destination, Err(reason));
            reason
        })?;
        let timer = ledger.metrics.publish_seconds.start_timer();
        Ok(Box::pin(async move {
            let result = match delivery.await {
                Ok(Ok(_delivery)) => Ok(()),
                Ok(Err((error, _message))) => Err(failure(&error)),
                // The producer was dropped before it said anything.
                Err(_canceled) => Err(PublishFailure::Other),
            };
            if result.is_ok() {
                timer.observe_duration();
            } else {
                timer.stop_and_discard();
            }
            ledger.report(destination, result);
            result
        }))
    }

    fn purge(&self) {
        self.producer().purge(PurgeConfig::default().queue().inflight());
    }

    fn renew(&self) {
        let fresh = match producer(&self.kafka, &self.ledger.health) {
            Ok(fresh) => fresh,
            Err(error) => return tracing::error!(%error, "the producer failed and no other can be made"),
        };
        let failed = std::mem::replace(&mut *self.producer.write().unwrap_or_else(PoisonError::into_inner), fresh);
        tracing::warn!("the producer failed; another goes on");
        // Dropping a producer waits for its threads.
        std::thread::spawn(move || drop(failed));
    }

    fn availability(&self) -> watch::Receiver<Availability> {
        self.ledger.health.subscribe()
    }
}
