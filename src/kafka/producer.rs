//! The producer that implements [`Sink`].
//!
//! | Call into librdkafka | Thread | Bound |
//! |---|---|---|
//! | `rd_kafka_producev` | the callback's or the failover task's; under the dispatcher's lock | does not wait: it queues the record, and a full queue is an error |
//! | `rd_kafka_purge` | its own, `kafka-purge` | none: it waits for every connection, including its name lookup. [`Sink::purge`] does not call it while the client holds no records. Callers wait at most half a second before they proceed without Kafka |
//! | `rd_kafka_new`, and `rd_kafka_purge` and `rd_kafka_destroy` of a replaced producer | its own, `kafka-renew` | none; a replacement waits until the previous one has ended |
//! | `rd_kafka_new` with new credentials | see [`renewal`](super::renewal) | none |
//! | `rd_kafka_flush`, `rd_kafka_purge` and `rd_kafka_destroy` at shutdown | its own, `kafka-close` | the rest of `SHUTDOWN_TIMEOUT_SECS`; after that the process exits without them |
//! | delivery reports, log and error callbacks | librdkafka's polling thread | they take the dispatcher's lock or a short lock of their own, and never wait |

use std::{
    future::ready,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use rdkafka::{
    error::KafkaError,
    producer::{BaseRecord, Producer as _, PurgeConfig, ThreadedProducer},
};
use tokio::sync::{Notify, watch};

use super::{
    Availability, BackgroundCall, Completion, KafkaHealth, Record, Sink,
    background::start_with_retries,
    client::KafkaClient,
    client_config,
    delivery_context::{DeliveryContext, InFlight},
    delivery_reporter::DeliveryReporter,
    metrics::KafkaMetrics,
    topics::Topics,
    value_encoder::ValueEncoder,
};
use crate::{
    blocking,
    config::{KafkaConfig, SaslLogin, Security},
    domain::{DataSchema, Destination, PublishFailure},
    telemetry::Operation,
};

pub(super) type Producer = KafkaClient<ThreadedProducer<DeliveryContext>>;

/// How long a producer that was replaced may take to publish the dead letters that are retried through it. They are safe in the
/// spool.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// An idempotent producer for both topics.
pub(crate) struct KafkaSink {
    shared: Arc<SharedProducer>,
}

/// The state that calls on their own threads share.
struct SharedProducer {
    kafka: KafkaConfig,
    /// Kept as long as it works. A request of it that was purged without an answer can still reach the log after the records of
    /// another producer, so the failover controller decides when it may be replaced.
    producer: RwLock<Arc<Producer>>,
    /// Held during a replacement, until the former producer is destroyed, so that at most three producers exist. A prepared
    /// producer is offered only after that, so that no replacement by it has to wait.
    renewal: Mutex<()>,
    /// A proven producer with the current credentials, which is to take the place of `producer`.
    prepared: Mutex<Option<Arc<Producer>>>,
    /// Whether there is one. Changes under the lock of `prepared`.
    is_renewal_due: watch::Sender<bool>,
    reporter: Arc<DeliveryReporter>,
    encoder: ValueEncoder,
}

impl KafkaSink {
    /// Creates the producer, which connects in the background. Blocks while it reads certificates, so call it at
    /// startup only.
    ///
    /// # Errors
    /// When librdkafka rejects the configuration, for example because a certificate cannot be read.
    pub(crate) fn new(
        kafka: &KafkaConfig,
        encoder: ValueEncoder,
        metrics: Arc<KafkaMetrics>,
    ) -> Result<Self, KafkaError> {
        let health = Arc::new(KafkaHealth::new(Arc::clone(&metrics)));
        let reporter = Arc::new(DeliveryReporter { topics: Topics::of(kafka), health, metrics });
        let producer = create_producer(kafka, &kafka.credentials.security(), &reporter)?;
        producer.context().is_in_use.store(true, Relaxed);
        let shared = SharedProducer {
            kafka: kafka.clone(),
            producer: RwLock::new(producer),
            renewal: Mutex::default(),
            prepared: Mutex::default(),
            is_renewal_due: watch::Sender::new(false),
            reporter,
            encoder,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The health of Kafka.
    #[must_use]
    pub(crate) fn health(&self) -> &Arc<KafkaHealth> {
        &self.shared.reporter.health
    }

    /// What gives records their format.
    #[must_use]
    pub(crate) fn encoder(&self) -> &ValueEncoder {
        &self.shared.encoder
    }

    /// Creates a producer with these credentials, which connects in the background. Only for threads that may block.
    pub(super) fn create_candidate(&self, security: &Security) -> Result<Arc<Producer>, KafkaError> {
        create_producer(&self.shared.kafka, security, &self.shared.reporter)
    }

    /// Offers a producer that has reached Kafka with the current credentials. It takes the place of the present one at the next
    /// [`Sink::renew`]. Only for threads that may block.
    pub(super) fn offer(&self, proven: Arc<Producer>) {
        let outdated = {
            let _former_has_ended = self.shared.renewal.lock();
            let mut prepared = self.shared.prepared.lock();
            self.shared.is_renewal_due.send_replace(true);
            prepared.replace(proven)
        };
        drop(outdated);
    }

    /// Reports that the user of new credentials may not write to the topic.
    pub(super) fn report_write_denied(&self, destination: Destination) {
        self.shared.reporter.report_write_denied(destination);
    }

    pub(super) fn metrics(&self) -> &KafkaMetrics {
        &self.shared.reporter.metrics
    }

    pub(super) fn topics(&self) -> &Topics {
        &self.shared.reporter.topics
    }

    /// The current producer. Only for threads that may block, because dropping the last reference destroys the producer.
    pub(super) fn producer(&self) -> Arc<Producer> {
        Arc::clone(&self.shared.producer())
    }

    /// Waits until every record is acknowledged or has failed, and destroys the producer; both at most until `deadline`.
    /// After that nothing is reported any more.
    ///
    /// A producer that does not finish in time is leaked until the process exits. Destroying it would purge it and wait
    /// for all its connections, including one that is looking up a name.
    pub(crate) async fn close(self: Arc<Self>, deadline: Instant) {
        let health = Arc::clone(self.health());
        let remaining = deadline.saturating_duration_since(Instant::now());
        let closed = blocking::run("kafka-close", move || {
            let _operation = self.metrics().operations.begin(Operation::KafkaFlush);
            let flushed = self.producer().flush(remaining);
            self.health().close();
            match &flushed {
                Ok(()) => drop(self),
                Err(_left) => std::mem::forget(self),
            }
            flushed
        });
        match tokio::time::timeout_at(deadline.into(), closed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the producer's queue still held records at shutdown"),
            Ok(Err(error)) => tracing::error!(%error, "cannot close the producer"),
            Err(_late) => tracing::warn!("the producer did not close in time; it stays open until the process exits"),
        }
        health.close();
    }
}

fn create_producer(
    kafka: &KafkaConfig,
    security: &Security,
    reporter: &Arc<DeliveryReporter>,
) -> Result<Arc<Producer>, KafkaError> {
    let context = DeliveryContext {
        reporter: Arc::clone(reporter),
        cause: Mutex::default(),
        is_in_use: AtomicBool::new(false),
        is_rejected: AtomicBool::new(false),
        records: AtomicUsize::new(0),
        is_msk_iam: matches!(security, Security::Sasl { login: SaslLogin::MskIam(_), .. }),
    };
    client_config::producer_with(kafka, security).create_with_context(context).map(Arc::new)
}

impl SharedProducer {
    /// No code that holds the lock can panic or wait.
    fn producer(&self) -> RwLockReadGuard<'_, Arc<Producer>> {
        self.producer.read()
    }

    fn purge(&self) {
        let _operation = self.reporter.metrics.operations.begin(Operation::KafkaPurge);
        let producer = Arc::clone(&self.producer());
        producer.purge(PurgeConfig::default().queue().inflight());
    }

    /// Replaces the producer, calls `replaced`, and destroys the former producer, which waits for its threads.
    fn renew(&self, replaced: impl FnOnce()) {
        let _serialized = self.renewal.lock();
        let _operation = self.reporter.metrics.operations.begin(Operation::KafkaClose);
        let prepared = self.take_prepared();
        let is_prepared = prepared.is_some();
        let create = || create_producer(&self.kafka, &self.kafka.credentials.security(), &self.reporter);
        let fresh = match prepared.map_or_else(create, Ok) {
            Ok(fresh) => fresh,
            Err(error) => {
                tracing::error!(%error, "cannot create a new producer after a fatal error");
                return replaced();
            }
        };
        fresh.context().is_rejected.store(false, Relaxed);
        fresh.context().is_in_use.store(true, Relaxed);
        let former = mem::replace(&mut *self.producer.write(), fresh);
        former.context().is_in_use.store(false, Relaxed);
        if is_prepared {
            self.reporter.health.credentials_proven();
            tracing::info!("replaced the producer, because the Kafka credentials were renewed");
        } else {
            tracing::warn!("replaced the producer after a fatal error");
        }
        replaced();
        if is_prepared {
            let _ = former.flush(LAST_FLUSH);
        }
        drop(former);
    }

    fn take_prepared(&self) -> Option<Arc<Producer>> {
        let mut prepared = self.prepared.lock();
        self.is_renewal_due.send_replace(false);
        prepared.take()
    }
}

impl Sink for KafkaSink {
    fn enqueue(&self, record: &Record, completion: Completion) -> Result<(), PublishFailure> {
        let reporter = &self.shared.reporter;
        let headers = record.headers.iter().map(|(name, value)| (&**name, &**value));
        let encoded = self.shared.encoder.encode(headers, record.payload.get().as_bytes());
        let encoded = encoded.map_err(|error| reporter.report_not_encoded(error))?;
        let destination = record.destination;
        let message = BaseRecord {
            topic: reporter.topics.name(destination),
            partition: None,
            payload: Some(&*encoded.payload),
            key: record.key.as_ref(),
            // A broker rejects a record from the future, which can occur after this machine's clock was set back.
            timestamp: Some(record.timestamp.min(SystemTime::now().into()).unix_millis()),
            headers: Some(encoded.kafka_headers()),
            delivery_opaque: Box::new(InFlight { destination, handed_over: Instant::now(), completion }),
        };
        // Sent under the lock: a cloned reference could become the last one, and dropping it would destroy the producer
        // here.
        let sent = {
            let producer = self.shared.producer();
            let records = &producer.context().records;
            records.fetch_add(1, Relaxed);
            producer.send(message).inspect_err(|_| _ = records.fetch_sub(1, Relaxed))
        };
        sent.map_err(|(error, _record)| reporter.report_failure(destination, &error))
    }

    fn can_encode(&self, schema: DataSchema) -> bool {
        self.shared.encoder.can_encode(schema)
    }

    fn is_schema_rejected(&self, schema: DataSchema) -> bool {
        self.shared.encoder.is_schema_rejected(schema)
    }

    fn purge(&self) -> BackgroundCall {
        // Otherwise, after an outage without callbacks, the next ones would be spooled until a hanging name lookup ends.
        if self.shared.producer().context().records.load(Relaxed) == 0 {
            return Box::pin(ready(()));
        }
        let shared = Arc::clone(&self.shared);
        start_with_retries("kafka-purge", move || {
            let shared = Arc::clone(&shared);
            move || shared.purge()
        })
    }

    fn renew(&self) -> BackgroundCall {
        let (shared, replaced) = (Arc::clone(&self.shared), Arc::new(Notify::new()));
        let is_replaced = Arc::clone(&replaced);
        let renewal = start_with_retries("kafka-renew", move || {
            let (shared, replaced) = (Arc::clone(&shared), Arc::clone(&replaced));
            move || shared.renew(|| replaced.notify_one())
        });
        Box::pin(async move {
            tokio::select! {
                () = is_replaced.notified() => {}
                () = renewal => {}
            }
        })
    }

    fn renewal_due(&self) -> watch::Receiver<bool> {
        self.shared.is_renewal_due.subscribe()
    }

    fn are_credentials_rejected(&self) -> bool {
        self.shared.producer().context().is_rejected.load(Relaxed)
    }

    fn timed_out(&self) {
        self.health().record_failed(PublishFailure::TimedOut, &"not acknowledged in time", Instant::now());
    }

    fn availability(&self) -> watch::Receiver<Availability> {
        self.shared.reporter.health.subscribe()
    }
}
