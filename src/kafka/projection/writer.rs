//! Writes states and offsets in one transaction.

use std::time::Duration;

use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig},
};

use super::{
    super::{client_config, producer::QuietContext},
    group::{NextOffset, ProjectionGroup},
    limits::{INIT_TIMEOUT, TRANSACTION_TIMEOUT},
    problem::{ProjectionError, ProjectionProblem},
};
use crate::config::KafkaConfig;

/// The time limit of a request. librdkafka requires it to be shorter than that of the transaction.
const REQUEST_MS: &str = "5000";

impl ProducerContext for QuietContext {
    type DeliveryOpaque = ();

    /// A record that is not delivered makes the commit of its transaction fail.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
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
    /// Its end is unknown. The writer must be replaced, and the states be read again.
    Unknown(ProjectionError),
}

/// A transactional producer for the state topic.
pub(crate) struct StateWriter {
    producer: BaseProducer<QuietContext>,
    topic: String,
}

impl StateWriter {
    /// Creates the producer, and waits until Kafka has accepted it. `id` distinguishes it from those of all other
    /// processes.
    ///
    /// # Errors
    /// [`ProjectionError`] if Kafka does not accept it in time.
    pub(crate) fn open(kafka: &KafkaConfig, topic: &str, id: &str) -> Result<Self, ProjectionError> {
        let mut config = client_config::producer(kafka);
        let timeout = TRANSACTION_TIMEOUT.as_millis().to_string();
        config
            .set("transactional.id", format!("trusthub-bridge-profiles.{topic}.{id}"))
            .set("transaction.timeout.ms", &timeout)
            .set("message.timeout.ms", &timeout)
            .set("request.timeout.ms", REQUEST_MS)
            .set("socket.timeout.ms", REQUEST_MS);
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
        let producer: BaseProducer<_> = config.create_with_context(QuietContext).map_err(|error| failed(&error))?;
        producer.init_transactions(INIT_TIMEOUT).map_err(|error| failed(&error))?;
        Ok(Self { producer, topic: topic.to_owned() })
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
        &self,
        group: &ProjectionGroup,
        records: &[StateRecord],
        offsets: &[NextOffset],
    ) -> Result<(), TransactionError> {
        self.try_commit(group, records, offsets).map_err(|error| {
            let reported = ProjectionError::of_request(&format!("write to topic {}", self.topic), &error);
            // Whether a commit that failed in another way took effect is not known.
            let is_abortable = !matches!(&error, KafkaError::Transaction(error) if !error.txn_requires_abort());
            if is_abortable && self.abort().is_ok() {
                TransactionError::Aborted(reported)
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

    fn try_commit(
        &self,
        group: &ProjectionGroup,
        records: &[StateRecord],
        offsets: &[NextOffset],
    ) -> Result<(), KafkaError> {
        self.producer.begin_transaction()?;
        for record in records {
            self.producer.send(self.message(record)).map_err(|(error, _record)| error)?;
        }
        let membership = group.membership().ok_or(KafkaError::Canceled)?;
        let offsets = group.offsets(offsets)?;
        self.producer.send_offsets_to_transaction(&offsets, &membership, TRANSACTION_TIMEOUT)?;
        self.producer.commit_transaction(TRANSACTION_TIMEOUT)
    }

    fn message<'r>(&'r self, record: &'r StateRecord) -> BaseRecord<'r, str, [u8]> {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers =
            record.headers.iter().fold(headers, |all, (key, value)| all.insert(Header { key, value: Some(value) }));
        BaseRecord {
            topic: &self.topic,
            partition: Some(record.partition),
            payload: record.value.as_deref(),
            key: Some(record.key.as_str()),
            timestamp: None,
            headers: Some(headers),
            delivery_opaque: (),
        }
    }
}
