//! The producer behind the sink.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    consumer::ConsumerContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer as _, PurgeConfig},
};

use super::{Acknowledgement, KafkaHealth, Record, Sink, client, failure::failure};
use crate::{
    config::Kafka,
    domain::{Destination, PublishFailure},
    telemetry::{Metrics, Right, Timer},
};

/// Receives what librdkafka has to say. Its callbacks run on its threads and must neither panic nor block.
pub(super) struct Context {
    health: Option<Arc<KafkaHealth>>,
}

impl Context {
    /// A context that only takes the log.
    pub(super) fn quiet() -> Self {
        Self { health: None }
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
        let grave = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::Authentication | RDKafkaErrorCode::Fatal)
        );
        if let Some(health) = self.health.as_ref().filter(|_| grave) {
            health.failed(failure(&error), detail);
        }
    }
}

/// The idempotent producer with the names of the two topics.
pub struct KafkaSink {
    producer: FutureProducer<Context>,
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
        let context = Context { health: Some(Arc::clone(&health)) };
        let producer = client::producer(kafka).create_with_context(context)?;
        Ok(Self { producer, topics: Topics::of(kafka), health, metrics })
    }

    /// Whether Kafka can take records now.
    #[must_use]
    pub fn health(&self) -> &Arc<KafkaHealth> {
        &self.health
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn topics(&self) -> &Topics {
        &self.topics
    }

    pub(super) fn client(&self) -> &rdkafka::client::Client<impl ClientContext + use<>> {
        self.producer.client()
    }

    /// Waits until every record is acknowledged or given up, at most `patience`; after that nothing is reported any
    /// more. Blocks: not for async threads.
    pub fn close(&self, patience: Duration) {
        if let Err(error) = self.producer.flush(patience) {
            tracing::warn!(%error, "records were left in the producer's queue");
        }
        self.health.close();
    }

    fn refused(&self, failure: PublishFailure) -> PublishFailure {
        self.metrics.publish_failures.of(failure).inc();
        failure
    }
}

impl Sink for KafkaSink {
    fn enqueue(&self, record: &Record) -> Result<Acknowledgement, PublishFailure> {
        let headers =
            record.headers.iter().fold(OwnedHeaders::new_with_capacity(record.headers.len()), |all, header| {
                all.insert(Header { key: header.0, value: Some(&header.1) })
            });
        let message = FutureRecord {
            topic: self.topics.name(record.destination),
            partition: None,
            payload: Some(&record.payload),
            key: record.key.as_ref(),
            timestamp: Some(record.timestamp.unix_millis()),
            headers: Some(headers),
        };
        let delivery = self.producer.send_result(message).map_err(|(error, _record)| self.refused(failure(&error)))?;
        let timer = self.metrics.publish_seconds.start_timer();
        let (metrics, destination) = (Arc::clone(&self.metrics), record.destination);
        Ok(Box::pin(async move {
            let result = match delivery.await {
                Ok(Ok(_delivery)) => Ok(()),
                Ok(Err((error, _message))) => Err(failure(&error)),
                // The producer was dropped before it said anything.
                Err(_canceled) => Err(PublishFailure::Other),
            };
            count(&metrics, destination, result, timer);
            result
        }))
    }

    fn purge(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }
}

fn count(metrics: &Metrics, destination: Destination, result: Result<(), PublishFailure>, timer: Timer) {
    match result {
        Ok(()) => {
            timer.observe_duration();
            metrics.published.of(destination).inc();
        }
        Err(reason) => {
            timer.stop_and_discard();
            metrics.publish_failures.of(reason).inc();
        }
    }
    let lacks_right = metrics.topic_right_missing.of(destination, Right::Write);
    lacks_right.set(i64::from(result == Err(PublishFailure::Authorization)));
}
