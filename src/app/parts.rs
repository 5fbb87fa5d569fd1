//! Creates and closes the parts that the service and the commands have in common.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use durable_spool::{Spool, SpoolLimits};
use twilio_signature::{AccountKeys, EmptyKey, Keyring};

use super::{metrics::ServiceMetrics, start_error::StartError};
use crate::{
    blocking,
    config::{Config, KafkaConfig, ListedAccount, SpoolConfig, TwilioConfig},
    deliver::{Deliver, FailoverController},
    domain::{AccountSid, DataSchema},
    kafka::{KafkaMetrics, KafkaSink, Sink, Topics, ValueEncoder},
    receive::status_code_of,
    spool::{APPEND_TIMEOUT, SpoolReporter},
    telemetry::Metrics,
    traces::{SpanExporter, TraceMetrics, Tracer, TracerParts},
};

pub(super) fn metrics(kafka: &KafkaConfig) -> Result<ServiceMetrics, StartError> {
    let topics = Topics::of(kafka);
    Ok(ServiceMetrics::new(|destination| topics.name(destination).to_owned())?)
}

pub(super) fn open_sink(kafka: &KafkaConfig, metrics: &Arc<KafkaMetrics>) -> Result<Arc<KafkaSink>, StartError> {
    let encoder = ValueEncoder::new(kafka, metrics)?;
    let sink = KafkaSink::new(kafka, encoder, Arc::clone(metrics));
    sink.map(Arc::new).map_err(StartError::Kafka)
}

/// Learns the ids of these schemas, for a command that publishes such records next. A schema that it does not need may be
/// missing: the registry may reject one subject only.
///
/// # Errors
/// [`StartError::Registry`] if nothing can be published without the ids. Values in JSON are published without them.
pub(super) async fn learn_schema_ids(encoder: &ValueEncoder, schemas: &[DataSchema]) -> Result<(), StartError> {
    match encoder.refresh(schemas).await {
        Err(error) if encoder.requires_registry() => Err(StartError::Registry(error)),
        Err(error) => {
            tracing::warn!("{error}; values carry no schema id");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Learns the ids of the schemas of all events, for a command that needs only that of status changes.
///
/// # Errors
/// [`StartError::Registry`] if no status change can be published.
pub(super) async fn learn_event_schema_ids(encoder: &ValueEncoder) -> Result<(), StartError> {
    learn_schema_ids(encoder, &[DataSchema::ProfileStatusChanged]).await?;
    match encoder.refresh(&[DataSchema::ProfileDescribed, DataSchema::ProfileDeleted]).await {
        Err(error) if encoder.requires_registry() => tracing::warn!("{error}; notices about profiles wait"),
        Err(error) => tracing::warn!("{error}; values carry no schema id"),
        Ok(()) => {}
    }
    Ok(())
}

/// Closes the producer and the spool at the same time, within `timeout`.
pub(super) async fn close(sink: Arc<KafkaSink>, spool: Spool, timeout: Duration) {
    let deadline = Instant::now() + timeout;
    let spool_closed = blocking::run("spool-close", move || spool.close_within(timeout));
    sink.close(deadline).await;
    match tokio::time::timeout_at(deadline.into(), spool_closed).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the spool could not be closed"),
        Err(_late) => tracing::warn!("the spool could not be closed in time; the next start checks it"),
    }
}

/// Opens the spool to drain it. Parked records are put back into the queue, so that they are tried once more.
pub(super) fn open_spool(spool: &SpoolConfig, metrics: &Arc<Metrics>) -> Result<Spool, StartError> {
    Ok(Spool::open_and_unpark(&spool.folder, limits(spool), SpoolReporter::new(Arc::clone(metrics)))?)
}

pub(super) fn limits(spool: &SpoolConfig) -> SpoolLimits {
    SpoolLimits { max_bytes: spool.max_bytes, min_free_bytes: spool.min_free_bytes, append_timeout: APPEND_TIMEOUT }
}

/// The tracer of callbacks and of the drain, and the exporter of its spans; none if traces are off.
///
/// # Errors
/// [`StartError::Traces`] when the receiver of the spans cannot be used.
pub(super) fn tracer(
    config: &Config,
    metrics: &Arc<TraceMetrics>,
) -> Result<(Tracer, Option<SpanExporter>), StartError> {
    let topics = Topics::of(&config.kafka);
    let topic = |destination| topics.name(destination).to_owned();
    let parts = TracerParts { urls: &config.public_urls, topic: &topic, status_of: status_code_of };
    let tracer = Tracer::new(&config.traces, &parts, metrics);
    let exporter = SpanExporter::new(&config.traces, &tracer)?;
    Ok((tracer, exporter))
}

pub(super) fn deliver(
    sink: &Arc<KafkaSink>,
    spool: &Spool,
    metrics: &Arc<Metrics>,
    (kafka, tracer): (&KafkaConfig, Tracer),
) -> (Deliver, FailoverController) {
    let sink = Arc::clone(sink) as Arc<dyn Sink>;
    Deliver::new(sink, spool.clone(), Arc::clone(metrics), tracer, kafka.ack_timeout)
}

/// The configured keys: those of the listed accounts, or else those of one account or of any account.
pub(crate) fn keyring(twilio: &TwilioConfig) -> Result<Keyring, EmptyKey> {
    let Some(accounts) = twilio.listed_accounts() else {
        let keys = AccountKeys::new(&twilio.auth_tokens, twilio.shared_keys.clone())?;
        return Ok(Keyring::of_keys(twilio.account_sid.as_ref().map(AccountSid::as_str), keys));
    };
    let accounts = accounts.map(|ListedAccount { sid, tokens, shared_keys }| {
        Ok((sid.as_str(), AccountKeys::new(tokens, shared_keys.to_vec())?))
    });
    Keyring::of_accounts(accounts.collect::<Result<Vec<_>, EmptyKey>>()?)
}
