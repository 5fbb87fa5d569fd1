//! The producer behind the sink.
//!
//! | Call into librdkafka | Thread | Bound |
//! |---|---|---|
//! | `rd_kafka_producev` | that of the callback, or the failover task; under the dispatcher's lock | only queues; a full queue is an error |
//! | `rd_kafka_purge` | its own, `kafka-purge` | none: it waits for each connection, also for its name look-up. Its callers wait for half a second at most before they do without Kafka |
//! | `rd_kafka_new` and `rd_kafka_destroy` of a failed producer | its own, `kafka-renew` | none; the next replacement waits for the end of the one before |
//! | `rd_kafka_flush` and `rd_kafka_destroy` at the stop | its own, `kafka-close` | what is left of `SHUTDOWN_TIMEOUT_SECS`; then the process ends without them |
//! | delivery reports, log and error callbacks | librdkafka's polling thread | they take the dispatcher's lock or a short one of their own, and never wait |

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant, SystemTime},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer},
};
use tokio::sync::{oneshot, watch};

use super::{
    Availability, Completion, KafkaHealth, Record, Running, Sink, client_config,
    error::{explained, failure},
};
use crate::{
    blocking::{self, BlockingError},
    config::KafkaConfig,
    domain::{Destination, FailureClass, Label as _, PublishFailure},
    telemetry::{Metrics, Operation, Right},
};

/// Takes the log of a client whose callers get all errors as results.
#[derive(Default)]
pub(super) struct Context;

impl Context {
    pub(super) fn quiet() -> Self {
        Self
    }
}

impl ConsumerContext for Context {}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        tracing::debug!(%error, detail, "librdkafka");
    }
}

/// librdkafka repeats itself during an outage; the health says it once.
fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    tracing::debug!(?level, facility, message, "librdkafka");
}

/// Receives what the producer has to say, on threads of librdkafka: it must neither panic nor block.
pub(super) struct ProducerReports {
    reporter: Arc<DeliveryReporter>,
    /// What went wrong with a broker last. That all of them are down is said next, and not why.
    cause: Mutex<Option<String>>,
}

impl ProducerReports {
    fn cause(&self) -> MutexGuard<'_, Option<String>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for ProducerReports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        tracing::debug!(%error, detail, "librdkafka");
        let health = &self.reporter.health;
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

/// A record that the producer has, as librdkafka carries it to its delivery report.
pub(super) struct InFlight {
    destination: Destination,
    handed_over: Instant,
    completion: Completion,
}

impl ProducerContext for ProducerReports {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, report: &DeliveryResult<'_>, record: Box<InFlight>) {
        let InFlight { destination, handed_over, completion } = *record;
        let result = report.as_ref().map(drop).map_err(|(error, _message)| error);
        if result.is_ok() {
            self.reporter.metrics.publish_seconds.observe(handed_over.elapsed().as_secs_f64());
        }
        completion.complete(self.reporter.report(destination, result));
    }
}

type Producer = ThreadedProducer<ProducerReports>;

/// The idempotent producer with the names of the two topics.
pub struct KafkaSink {
    shared: Arc<Shared>,
}

/// What calls on threads of their own need.
struct Shared {
    kafka: KafkaConfig,
    /// Kept for as long as it works: another one could write what this one has written, behind what it wrote later.
    producer: RwLock<Arc<Producer>>,
    /// Held while a producer is replaced, until the former one is destroyed: so there are two of them at most.
    renewal: Mutex<()>,
    reporter: Arc<DeliveryReporter>,
}

/// Counts what became of each record, and draws the conclusions for those that follow.
struct DeliveryReporter {
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
    pub fn of(kafka: &KafkaConfig) -> Self {
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
    /// Makes the producer. Connecting happens in the background. Reads the certificates, and so blocks: at the start only.
    ///
    /// # Errors
    /// When librdkafka does not accept the configuration, for example a certificate that cannot be read.
    pub fn new(kafka: &KafkaConfig, metrics: Arc<Metrics>) -> Result<Self, KafkaError> {
        let health = Arc::new(KafkaHealth::new(Arc::clone(&metrics)));
        let reporter = Arc::new(DeliveryReporter { topics: Topics::of(kafka), health, metrics });
        let producer = RwLock::new(producer(kafka, &reporter)?);
        let shared = Shared { kafka: kafka.clone(), producer, renewal: Mutex::default(), reporter };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether Kafka can take records now.
    #[must_use]
    pub fn health(&self) -> &Arc<KafkaHealth> {
        &self.shared.reporter.health
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.shared.reporter.metrics
    }

    pub(super) fn topics(&self) -> &Topics {
        &self.shared.reporter.topics
    }

    /// The producer in use. For threads that may block: the last one that drops a producer destroys it.
    pub(super) fn producer(&self) -> Arc<Producer> {
        Arc::clone(&self.shared.producer())
    }

    /// Waits until every record is acknowledged or given up, and destroys the producer; both at most until `deadline`.
    /// After that nothing is reported any more.
    ///
    /// A producer that does not come to its end is left to the end of the process. Destroying it would purge it, and wait
    /// for all its connections, also for the one that is looking up a name.
    pub async fn close(self: Arc<Self>, deadline: Instant) {
        let health = Arc::clone(self.health());
        let patience = deadline.saturating_duration_since(Instant::now());
        let closed = blocking::run("kafka-close", move || {
            let _operation = self.metrics().operations.begin(Operation::KafkaFlush);
            let flushed = self.producer().flush(patience);
            self.health().close();
            match &flushed {
                Ok(()) => drop(self),
                Err(_left) => std::mem::forget(self),
            }
            flushed
        });
        match tokio::time::timeout_at(deadline.into(), closed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "records were left in the producer's queue"),
            Ok(Err(error)) => tracing::error!(%error, "the producer could not be closed"),
            Err(_late) => tracing::warn!("the producer could not be closed in time; it ends with the process"),
        }
        health.close();
    }
}

fn producer(kafka: &KafkaConfig, reporter: &Arc<DeliveryReporter>) -> Result<Arc<Producer>, KafkaError> {
    let reports = ProducerReports { reporter: Arc::clone(reporter), cause: Mutex::default() };
    client_config::producer(kafka).create_with_context(reports).map(Arc::new)
}

impl Shared {
    /// Nothing that holds the lock can panic, and nothing waits under it.
    fn producer(&self) -> RwLockReadGuard<'_, Arc<Producer>> {
        self.producer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn purge(&self) {
        let _operation = self.reporter.metrics.operations.begin(Operation::KafkaPurge);
        let producer = Arc::clone(&self.producer());
        producer.purge(PurgeConfig::default().queue().inflight());
    }

    /// Puts another producer in place, says so through `replaced`, and destroys the former one, which waits for its threads.
    fn renew(&self, replaced: impl FnOnce()) {
        let _one_at_a_time = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let _operation = self.reporter.metrics.operations.begin(Operation::KafkaClose);
        let fresh = match producer(&self.kafka, &self.reporter) {
            Ok(fresh) => fresh,
            Err(error) => {
                tracing::error!(%error, "the producer failed, and no other can be made");
                return replaced();
            }
        };
        let failed = std::mem::replace(&mut *self.producer.write().unwrap_or_else(PoisonError::into_inner), fresh);
        tracing::warn!("replaced the producer after a fatal error");
        replaced();
        drop(failed);
    }
}

impl DeliveryReporter {
    /// Counts what became of a record, and draws the conclusions for those that follow.
    fn report(&self, destination: Destination, result: Result<(), &KafkaError>) -> Result<(), PublishFailure> {
        let Err(error) = result else {
            self.metrics.published.of(destination).inc();
            self.metrics.topic_right_missing.of(destination, Right::Write).set(0);
            if destination == Destination::Events {
                self.health.record_succeeded();
            }
            return Ok(());
        };
        let reason = failure(error);
        self.metrics.publish_failures.of(reason).inc();
        match reason.class() {
            FailureClass::Record | FailureClass::Time => {}
            // Taken back by the service itself, which may have had to do it for another record's sake.
            _ if is_purged(error) => {}
            // The other topic does not decide whether Kafka takes events.
            FailureClass::Topic | FailureClass::Outage if destination != Destination::Events => {}
            FailureClass::Topic | FailureClass::Outage | FailureClass::Fatal => {
                self.health.record_failed(reason, error, Instant::now());
            }
        }
        let lacks_right = self.metrics.topic_right_missing.of(destination, Right::Write);
        if reason == PublishFailure::Authorization && lacks_right.get() == 0 {
            lacks_right.set(1);
            tracing::error!("{}", right_missing(self.topics.name(destination), Right::Write));
        }
        Err(reason)
    }
}

fn is_purged(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
}

/// What an operator has to do about a right that is missing.
pub(super) fn right_missing(topic: &str, right: Right) -> String {
    let operation = right.as_str().to_uppercase();
    format!("the Kafka user lacks the right {operation} on topic {topic}; grant it with kafka-acls")
}

impl Sink for KafkaSink {
    fn enqueue(&self, record: &Record, completion: Completion) -> Result<(), PublishFailure> {
        let reporter = &self.shared.reporter;
        let headers =
            record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |all, header| {
                all.insert(Header { key: &header.0, value: Some(&*header.1) })
            });
        let destination = record.destination;
        let message = BaseRecord {
            topic: reporter.topics.name(destination),
            partition: None,
            payload: Some(record.payload.get()),
            key: record.key.as_ref(),
            // A broker refuses a record that is ahead of its clock, as after our own clock was set back.
            timestamp: Some(record.timestamp.min(SystemTime::now().into()).unix_millis()),
            headers: Some(headers),
            delivery_opaque: Box::new(InFlight { destination, handed_over: Instant::now(), completion }),
        };
        // Sent under the lock: a copy of the producer could be its last, and be destroyed here.
        let sent = self.shared.producer().send(message);
        sent.or_else(|(error, _record)| reporter.report(destination, Err(&error)))
    }

    fn purge(&self) -> Running {
        let shared = Arc::clone(&self.shared);
        returns("kafka-purge", move || {
            let shared = Arc::clone(&shared);
            move || shared.purge()
        })
    }

    fn renew(&self) -> Running {
        let shared = Arc::clone(&self.shared);
        let (replaced, is_replaced) = oneshot::channel();
        let renewal = blocking::run("kafka-renew", move || {
            shared.renew(|| {
                // The failover may have stopped.
                let _ = replaced.send(());
            });
        });
        Box::pin(async move {
            tokio::select! {
                Ok(()) = is_replaced => {}
                result = renewal => if let Err(error) = result {
                    tracing::error!(%error, "the producer failed, and no other can be made");
                }
            }
        })
    }

    fn timed_out(&self) {
        self.health().record_failed(PublishFailure::TimedOut, &"not acknowledged in time", Instant::now());
    }

    fn availability(&self) -> watch::Receiver<Availability> {
        self.shared.reporter.health.subscribe()
    }
}

/// Begins the call now, and comes to an end when it has returned. Where the system gives no thread, it tries again.
fn returns<W: FnOnce() + Send + 'static>(name: &'static str, mut call: impl FnMut() -> W + Send + 'static) -> Running {
    const PAUSE: Duration = Duration::from_secs(1);
    let first = blocking::run(name, call());
    Box::pin(async move {
        let mut result = first.await;
        while let Err(error @ BlockingError::NoThread(_)) = result {
            tracing::error!(%error, "{name} cannot be called");
            tokio::time::sleep(PAUSE).await;
            result = blocking::run(name, call()).await;
        }
    })
}
