//! Which process made the last reconciliation. Kafka keeps the id of that run, as metadata of an offset that the group of
//! [`leader`](super::leader) commits.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | ask for the end of a partition and commit it, or read the committed offset | `reconcile-last`, one at a time | none | librdkafka's limits for requests: [`REQUEST_TIMEOUT`], and `socket.timeout.ms` for the commit |

use std::{sync::Arc, time::Duration};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};

use super::{
    client::KafkaClient, client_config, delivery_context::QuietContext, leader::LEADER_PARTITION,
    leader_task::LeaderTask, temporary::TemporaryClient,
};
use crate::{
    blocking,
    config::KafkaConfig,
    telemetry::{Operation, Operations},
};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Remembers in Kafka which run was the last one.
#[derive(Debug, Clone)]
pub(crate) struct LastRun {
    kafka: KafkaConfig,
    operations: Arc<Operations>,
}

impl LastRun {
    /// `operations` counts slow calls.
    #[must_use]
    pub(crate) fn new(kafka: KafkaConfig, operations: Arc<Operations>) -> Self {
        Self { kafka, operations }
    }

    /// Makes the run with this id the last one. Returns false if another process leads now, whose run becomes the last one. The
    /// offset is the present end of the partition, so that tools which watch consumer groups show the events since the run.
    ///
    /// # Errors
    /// The error of a request.
    pub(crate) async fn set(&self, run: String) -> Result<bool, KafkaError> {
        let committed = self.request(move |consumer, topic| {
            let (_, end) = consumer.fetch_watermarks(topic, LEADER_PARTITION, REQUEST_TIMEOUT)?;
            let mut offsets = TopicPartitionList::new();
            let mut element = offsets.add_partition(topic, LEADER_PARTITION);
            element.set_offset(Offset::Offset(end))?;
            element.set_metadata(run);
            consumer.commit(&offsets, CommitMode::Sync)
        });
        match committed.await {
            Err(error) if error.rdkafka_error_code().is_some_and(means_a_leader) => Ok(false),
            committed => committed.map(|()| true),
        }
    }

    /// The id of the last run; `None` if Kafka does not know it, or not any more.
    ///
    /// # Errors
    /// The error of the request.
    pub(crate) async fn get(&self) -> Result<Option<String>, KafkaError> {
        self.request(|consumer, topic| {
            let mut offsets = TopicPartitionList::new();
            offsets.add_partition(topic, LEADER_PARTITION);
            let committed = consumer.committed_offsets(offsets, REQUEST_TIMEOUT)?;
            let run = committed.elements().first().map(|element| element.metadata().to_owned());
            Ok(run.filter(|run| !run.is_empty()))
        })
        .await
    }

    async fn request<T: Send + 'static>(
        &self,
        request: impl FnOnce(&BaseConsumer<QuietContext>, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let Self { kafka, operations } = self.clone();
        let answer = blocking::run("reconcile-last", move || {
            let mut config = client_config::common(&kafka);
            config.set("group.id", LeaderTask::Reconcile.group_id(&kafka)).set("enable.auto.commit", "false");
            let consumer: TemporaryClient<KafkaClient<BaseConsumer<_>>> =
                TemporaryClient::create(Some(&operations), || config.create_with_context(QuietContext))?;
            let _operation = operations.begin(Operation::KafkaMetadata);
            request(&consumer, &kafka.topic)
        });
        answer.await.unwrap_or(Err(KafkaError::Canceled))
    }
}

/// Whether Kafka rejects a commit with this error because the group has members.
fn means_a_leader(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress, UnknownMemberId};
    matches!(code, UnknownMemberId | IllegalGeneration | RebalanceInProgress)
}
