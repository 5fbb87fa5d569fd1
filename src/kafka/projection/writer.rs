//! Writes states and offsets in one transaction.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig},
};

use super::{
    super::{
        client::{ClientSettings, KafkaClient},
        client_config,
        delivery_context::QuietContext,
        value_encoder::{EncodeError, EncodedRecord, ValueEncoder},
    },
    group::{NextOffset, ProjectionGroup},
    limits::{INIT_TIMEOUT, TRANSACTION_TIMEOUT},
    problem::{ProjectionError, ProjectionProblem},
};
use crate::config::KafkaConfig;

/// The time limit of a request. librdkafka requires it to be shorter than that of the transaction.
const REQUEST_MS: &str = "5000";
/// The pause before a request is repeated. Brokers refuse the first requests of a transaction for some milliseconds, until
/// they have marked the end of the previous one in all partitions (`CONCURRENT_TRANSACTIONS`). librdkafka's default of 100 ms
/// would limit the writer to ten transactions a second.
const RETRY_MS: &str = "5";
/// The pause between two polls for delivery reports.
const REPORT_INTERVAL: Duration = Duration::from_millis(1);

/// Notices refused records. Each record that is not delivered makes the commit of its transaction fail.
#[derive(Default)]
struct WriterContext {
    /// Whether a record of the present transaction is too large, or invalid for another reason.
    has_refused_record: AtomicBool,
}

impl ClientContext for WriterContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        QuietContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, detail: &str) {
        QuietContext.error(error, detail);
    }
}

impl ProducerContext for WriterContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _record)) = result
            && error.rdkafka_error_code().is_some_and(is_refusal)
        {
            self.has_refused_record.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether Kafka will refuse the same record again.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord)
}

/// A record of the state topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateRecord {
    /// The partition, which is that of the events.
    pub partition: i32,
    /// The SID of the profile.
    pub key: String,
    /// The headers, in order.
    pub headers: Vec<(&'static str, String)>,
    /// The state as JSON; `None` for a tombstone.
    pub value: Option<Vec<u8>>,
}

/// Why a transaction was not committed.
#[derive(Debug)]
pub(crate) enum TransactionError {
    /// It was aborted, and the writer can be used again.
    Aborted(ProjectionError),
    /// It was aborted, because Kafka refuses one of the records: usually it is too large for the topic.
    Refused(ProjectionError),
    /// Its end is unknown. The writer must be replaced, and the states be read again.
    Unknown(ProjectionError),
}

/// A transactional producer for the state topic.
pub(crate) struct StateWriter {
    producer: KafkaClient<BaseProducer<WriterContext>>,
    config: ClientSettings,
    topic: String,
    encoder: ValueEncoder,
}

/// Creates a client, and waits until Kafka has accepted it and aborted the transaction of the former one.
fn create(config: &ClientSettings, topic: &str) -> Result<KafkaClient<BaseProducer<WriterContext>>, ProjectionError> {
    let failed = |error: &KafkaError| {
        let request = format!("begin transactions on topic {topic}");
        let has_timed_out = error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut)
            || matches!(error, KafkaError::Transaction(error) if error.code() == RDKafkaErrorCode::OperationTimedOut);
        if has_timed_out {
            let seconds = INIT_TIMEOUT.as_secs();
            return ProjectionError::new(
                ProjectionProblem::Transactions,
                format!(
                    "cannot {request}: the transaction coordinator did not answer within {seconds} s; check the \
                         topic __transaction_state and transaction.state.log.replication.factor of the brokers"
                ),
            );
        }
        ProjectionError::of_request(&request, error)
    };
    let producer: KafkaClient<BaseProducer<_>> =
        config.create_with_context(WriterContext::default()).map_err(|error| failed(&error))?;
    producer.init_transactions(INIT_TIMEOUT).map_err(|error| failed(&error))?;
    Ok(producer)
}

impl StateWriter {
    /// Creates the producer, and waits until Kafka has accepted it. `id` distinguishes it from those of all other
    /// processes.
    ///
    /// # Errors
    /// [`ProjectionError`] if Kafka does not accept it in time.
    pub(crate) fn open(
        kafka: &KafkaConfig,
        topic: &str,
        id: &str,
        encoder: ValueEncoder,
    ) -> Result<Self, ProjectionError> {
        let mut config = client_config::producer(kafka);
        let timeout = TRANSACTION_TIMEOUT.as_millis().to_string();
        config
            .set("transactional.id", format!("trusthub-bridge-profiles.{topic}.{id}"))
            .set("transaction.timeout.ms", &timeout)
            .set("message.timeout.ms", &timeout)
            .set("request.timeout.ms", REQUEST_MS)
            .set("socket.timeout.ms", REQUEST_MS)
            .set("retry.backoff.ms", RETRY_MS);
        Ok(Self { producer: create(&config, topic)?, config, topic: topic.to_owned(), encoder })
    }

    /// Serves the events of the client, which would otherwise accumulate during an outage.
    pub(crate) fn serve(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Writes the records and the offsets of the group, or nothing. Kafka rejects the transaction if the member no longer
    /// owns the partitions.
    ///
    /// # Errors
    /// [`TransactionError`], which says whether the transaction was aborted.
    pub(crate) fn commit(
        &mut self,
        group: &ProjectionGroup,
        records: &[StateRecord],
        offsets: &[NextOffset],
    ) -> Result<(), TransactionError> {
        self.serve();
        self.producer.context().has_refused_record.store(false, Ordering::Relaxed);
        let encoded = records.iter().map(|record| self.encode(record)).collect::<Result<Vec<_>, _>>();
        let encoded = encoded.map_err(TransactionError::Aborted)?;
        let prepared = self.prepare(group, records.iter().zip(&encoded), offsets);
        // Whether a commit that failed took effect is not known, unless the client demands to abort.
        let (result, is_known) = match prepared {
            Ok(()) => (self.producer.commit_transaction(TRANSACTION_TIMEOUT), false),
            Err(error) => (Err(error), true),
        };
        result.map_err(|error| {
            tracing::debug!(%error, "a transaction failed");
            let reported = ProjectionError::of_request(&format!("write to topic {}", self.topic), &error).of_write();
            let is_refused = self.is_refused(&error);
            let is_abortable =
                is_known || !matches!(&error, KafkaError::Transaction(error) if !error.txn_requires_abort());
            if is_abortable && self.abort().is_ok() {
                if is_refused { self.replace_after(reported) } else { TransactionError::Aborted(reported) }
            } else {
                TransactionError::Unknown(reported)
            }
        })
    }

    /// librdkafka waits until the result of every record was taken, which only this thread does. Records that were not sent
    /// have one after the purge.
    fn abort(&self) -> Result<(), KafkaError> {
        self.producer.purge(PurgeConfig::default().queue());
        self.producer.flush(TRANSACTION_TIMEOUT)?;
        self.producer.abort_transaction(TRANSACTION_TIMEOUT)
    }

    /// After a refused record, the client waits forever for a producer id.
    fn replace_after(&mut self, refused: ProjectionError) -> TransactionError {
        match create(&self.config, &self.topic) {
            Ok(producer) => {
                self.producer = producer;
                TransactionError::Refused(refused)
            }
            Err(error) => TransactionError::Unknown(error.of_write()),
        }
    }

    fn is_refused(&self, error: &KafkaError) -> bool {
        self.serve();
        let code = matches!(error, KafkaError::Transaction(error) if is_refusal(error.code()));
        code || self.producer.context().has_refused_record.load(Ordering::Relaxed)
    }

    /// `None` for a tombstone.
    fn encode<'r>(&self, record: &'r StateRecord) -> Result<Option<EncodedRecord<'r>>, ProjectionError> {
        let headers = record.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let encoded = record.value.as_deref().map(|value| self.encoder.encode(headers, value)).transpose();
        encoded.map_err(|error| {
            let topic = &self.topic;
            match error {
                EncodeError::NoSchemaId(schema) => ProjectionError::new(
                    ProjectionProblem::Schema,
                    format!(
                        "cannot write to topic {topic}: the schema registry has not said which id schema {schema} has"
                    ),
                ),
                EncodeError::Invalid => ProjectionError::new(
                    ProjectionProblem::Other,
                    format!("cannot write to topic {topic}: a state does not have the types of its schema"),
                ),
            }
            .of_write()
        })
    }

    fn prepare<'r>(
        &self,
        group: &ProjectionGroup,
        records: impl Iterator<Item = (&'r StateRecord, &'r Option<EncodedRecord<'r>>)>,
        offsets: &[NextOffset],
    ) -> Result<(), KafkaError> {
        self.producer.begin_transaction()?;
        for (record, encoded) in records {
            self.producer.send(self.message(record, encoded.as_ref())).map_err(|(error, _record)| error)?;
        }
        let membership = group.membership().ok_or(KafkaError::Canceled)?;
        let offsets = group.offsets(offsets)?;
        self.producer.send_offsets_to_transaction(&offsets, &membership, TRANSACTION_TIMEOUT)?;
        self.take_reports();
        Ok(())
    }

    /// Waits for the delivery reports, which the commit would do as well. But rdkafka 0.39 would take 100 ms for that, since
    /// each poll of its `flush` lasts that long even if the last report has arrived. A poll with a short timeout instead
    /// would not sleep, because rdkafka rounds the rest of a timeout down to whole milliseconds.
    fn take_reports(&self) {
        let deadline = Instant::now() + TRANSACTION_TIMEOUT;
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.serve();
            thread::sleep(REPORT_INTERVAL);
        }
    }

    fn message<'r>(
        &'r self,
        record: &'r StateRecord,
        encoded: Option<&'r EncodedRecord<'r>>,
    ) -> BaseRecord<'r, str, [u8]> {
        let headers = encoded.map_or_else(OwnedHeaders::new, EncodedRecord::kafka_headers);
        BaseRecord {
            topic: &self.topic,
            partition: Some(record.partition),
            payload: encoded.map(|encoded| &*encoded.payload),
            key: Some(record.key.as_str()),
            timestamp: None,
            headers: Some(headers),
            delivery_opaque: (),
        }
    }
}
