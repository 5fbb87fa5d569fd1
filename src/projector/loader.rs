//! Reads the states, or the events, of a partition that was assigned.

use tokio_util::sync::CancellationToken;

use super::{
    partition::{Beginning, LoadedPartition, beginning, read_state},
    partition_states::PartitionStates,
    partitioner::partition_of,
    rebuild::Rebuild,
};
use crate::{
    config::KafkaConfig,
    domain::{ProfileSid, state::StateOptions},
    kafka::{PartitionCounts, PartitionReader, ProjectionError, ProjectionGroup},
};

/// Reads partitions, with clients that exist while there is something to read.
pub(super) struct Loader<'s> {
    pub(super) kafka: &'s KafkaConfig,
    /// The state topic.
    pub(super) topic: &'s str,
    pub(super) stop: &'s CancellationToken,
    /// The number of partitions of both topics.
    pub(super) partitions: i32,
    pub(super) reader: Option<PartitionReader>,
}

/// A partition whose states were read.
pub(super) struct Loading {
    pub(super) partition: LoadedPartition,
    /// How the states must be built again, if they must.
    pub(super) rebuild: Option<RebuildAtStart>,
}

/// The states of a partition must be built again before it starts.
pub(super) struct RebuildAtStart {
    /// The end of the events.
    pub(super) end: i64,
    /// What the next owner has to know if this one does not finish.
    pub(super) interim: PartitionCounts,
}

impl Loader<'_> {
    /// Closes the clients.
    pub(super) fn close(&mut self) {
        self.reader = None;
    }

    /// Reads the states of a partition. `None` while a transaction of the former owner is open, or if the service stops.
    ///
    /// # Errors
    /// [`ProjectionError`] if the session has to end.
    pub(super) fn load(&mut self, group: &ProjectionGroup, partition: i32) -> Result<Option<Loading>, ProjectionError> {
        // In this order: the states are at least as late as the offset, because offsets of an open transaction make it wait.
        let committed = group.committed(self.partitions)?;
        let beginning = beginning(partition, &committed, self.partitions);
        if beginning == Beginning::Outdated {
            return Err(ProjectionError::outdated("partitions were added to the event topic"));
        }
        let (topic, stop) = (self.topic, self.stop);
        let reader = self.reader()?;
        let extent = reader.extent(topic, partition)?;
        if extent.stable < extent.end {
            return Ok(None);
        }
        let mut states = PartitionStates::default();
        reader.read((topic, partition, extent.end), stop, |record| read_state(&mut states, &record))?;
        let end = group.end_of(&self.kafka.topic, partition)?;
        if stop.is_cancelled() {
            return Ok(None);
        }
        let former = committed.get(&partition);
        let next = match beginning {
            // The event topic was created again, and Kafka has not removed the offset.
            Beginning::At(next) if next > end => 0,
            // The state topic was created again.
            Beginning::At(_) if extent.first == extent.end => 0,
            Beginning::At(next) => next,
            Beginning::Rebuild | Beginning::Outdated => former.map_or(0, |former| former.next.min(end)),
        };
        if states.forget_positions_from(partition, next) > 0 && beginning != Beginning::Rebuild {
            tracing::warn!(partition, "the event topic was created again; its events are applied to the known states");
        }
        let former = former.and_then(|former| former.counts);
        let counts = PartitionCounts::of(former, self.partitions);
        let rebuild = (beginning == Beginning::Rebuild)
            .then(|| RebuildAtStart { end, interim: PartitionCounts::interim(former, self.partitions) });
        let partition = LoadedPartition { states, next, state_end: extent.end, counts, is_started: false };
        Ok(Some(Loading { partition, rebuild }))
    }

    fn reader(&mut self) -> Result<&PartitionReader, ProjectionError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => PartitionReader::create(self.kafka, self.topic)?,
        };
        Ok(self.reader.insert(reader))
    }

    /// Whether the profile belongs to this partition.
    pub(super) fn belongs(&self, profile: &ProfileSid, partition: i32) -> bool {
        partition_of(profile, self.partitions) == partition
    }

    /// Reads the events of the profiles that belong to a partition, from it those before `end`. The result is incomplete if
    /// the service stops.
    ///
    /// # Errors
    /// [`ProjectionError`] if they cannot be read.
    pub(super) fn read_events(
        &mut self,
        (partition, end): (i32, i64),
        options: &StateOptions,
    ) -> Result<Rebuild, ProjectionError> {
        let (stop, partitions, events) = (self.stop, self.partitions, self.kafka.topic.as_str());
        let belongs = |profile: &ProfileSid| partition_of(profile, partitions) == partition;
        let mut rebuild = Rebuild::default();
        // Profiles may have had another partition before partitions were added. The events in their present one are later.
        let others = (0..partitions).filter(|other| *other != partition);
        let reader = self.reader()?;
        for source in others.chain([partition]) {
            let extent = reader.extent(events, source)?;
            let until = if source == partition { end } else { extent.end };
            if extent.first > 0 {
                rebuild.truncated();
            }
            reader.read((events, source, until), stop, |record| rebuild.apply(&record, options, belongs))?;
        }
        Ok(rebuild)
    }
}
