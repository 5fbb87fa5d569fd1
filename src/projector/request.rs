//! A request to build the states again, and how far it is.

use std::{collections::BTreeMap, sync::Arc};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{metrics::ProjectorMetrics, random_id::random_id};
use crate::{
    config::KafkaConfig,
    kafka::{ProjectionError, ProjectionGroup, ProjectionTopics, request_rebuild},
};

/// How many partitions are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RebuildProgress {
    /// The number of partitions whose states were built again.
    pub done: usize,
    /// The number of partitions.
    pub total: usize,
}

/// A request that was published to every partition of the event topic.
pub(crate) struct RebuildRequest {
    group: ProjectionGroup,
    /// The offset of each partition that the owner has committed when it has built the states again.
    ends: BTreeMap<i32, i64>,
}

impl RebuildRequest {
    /// Publishes the request. Blocks. `None` if the event topic does not exist.
    ///
    /// # Errors
    /// [`ProjectionError`] if a topic cannot be used, or if Kafka does not accept the request.
    pub(crate) fn publish(
        kafka: &KafkaConfig,
        topic: &str,
        metrics: &Arc<ProjectorMetrics>,
        runtime: &Handle,
    ) -> Result<Option<Self>, ProjectionError> {
        let group = ProjectionGroup::create(kafka, topic)?;
        let topics =
            ProjectionTopics::new(kafka, topic, &metrics.operations, (runtime.clone(), CancellationToken::new()));
        let Some(partitions) = topics.check(&group)? else { return Ok(None) };
        topics.check_compaction()?;
        let offsets = request_rebuild(kafka, 0..partitions, &random_id())?;
        let ends = offsets.into_iter().map(|(partition, offset)| (partition, offset.saturating_add(1))).collect();
        Ok(Some(Self { group, ends }))
    }

    /// How many partitions are done. Blocks.
    ///
    /// # Errors
    /// [`ProjectionError`] if Kafka does not answer.
    pub(crate) fn progress(&self) -> Result<RebuildProgress, ProjectionError> {
        let total = self.ends.len();
        let committed = self.group.committed(i32::try_from(total).unwrap_or(i32::MAX))?;
        let is_done = |(partition, end): &(&i32, &i64)| committed.get(*partition).is_some_and(|own| own.next >= **end);
        Ok(RebuildProgress { done: self.ends.iter().filter(is_done).count(), total })
    }
}
