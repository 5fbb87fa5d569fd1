//! Reads the states, or the events, of a partition that was assigned.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    partition::{Beginning, LoadedPartition, beginning, read_state},
    partition_states::PartitionStates,
    rebuild::{ProfileChange, Rebuild},
    wait::wait,
};
use crate::{
    config::KafkaConfig,
    domain::{ProfileSid, state::StateOptions},
    kafka::{PartitionCounts, PartitionReader, ProjectionError, ProjectionGroup, partition_of},
};

/// How long a rebuild waits for the transactions of other owners. Kafka aborts those of owners that died before that.
const OPEN_TRANSACTION_LIMIT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

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
        let (topic, stop, partitions) = (self.topic, self.stop, self.partitions);
        let belongs = |profile: &ProfileSid| partition_of(profile, partitions) == partition;
        let reader = self.reader()?;
        let extent = reader.extent(topic, partition)?;
        if extent.stable < extent.end {
            return Ok(None);
        }
        let mut states = PartitionStates::default();
        reader.read((topic, partition, extent.end), stop, |record| read_state(&mut states, &record, belongs))?;
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
        // An interrupted rebuild may have written later states than the offset.
        let known_until = if beginning == Beginning::Rebuild { end } else { next };
        if states.forget_positions_from(partition, known_until) > 0 {
            tracing::warn!(partition, "the event topic was created again; its events are applied to the known states");
        }
        let former = former.and_then(|former| former.counts);
        let counts = PartitionCounts::of(former, self.partitions);
        let interim = match beginning {
            Beginning::Rebuild => Some(PartitionCounts::interim(former, self.partitions)),
            _ => has_unreadable(&states, partition).then_some(counts),
        };
        let partition = LoadedPartition { states, next, state_end: extent.end, counts, is_started: false };
        Ok(Some(Loading { partition, rebuild: interim.map(|interim| RebuildAtStart { end, interim }) }))
    }

    fn reader(&mut self) -> Result<&PartitionReader, ProjectionError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => PartitionReader::create(self.kafka, self.topic)?,
        };
        Ok(self.reader.insert(reader))
    }

    /// What to write so that the states of a partition are those of the events: from the partition those before `end`, and
    /// those that its profiles have in other partitions. `present` are the known states. The result is incomplete if the
    /// service stops.
    ///
    /// # Errors
    /// [`ProjectionError`] if the events or the states cannot be read.
    pub(super) fn rebuild(
        &mut self,
        (partition, end): (i32, i64),
        present: &PartitionStates,
        options: StateOptions,
    ) -> Result<Vec<ProfileChange>, ProjectionError> {
        let elsewhere = self.read_elsewhere(partition)?;
        let (stop, partitions, events) = (self.stop, self.partitions, self.kafka.topic.as_str());
        let belongs = |profile: &ProfileSid| partition_of(profile, partitions) == partition;
        let mut rebuild = Rebuild::new(partition, options, present, elsewhere);
        let reader = self.reader()?;
        for source in others(partition, partitions).chain([partition]) {
            let until = if source == partition { end } else { reader.extent(events, source)?.end };
            rebuild.begin_source();
            reader.read((events, source, until), stop, |record| rebuild.apply(record, belongs))?;
            rebuild.end_source(until);
        }
        Ok(rebuild.finish())
    }

    /// The states that profiles of a partition have in other partitions. Former owners no longer write them.
    fn read_elsewhere(&mut self, partition: i32) -> Result<BTreeMap<i32, PartitionStates>, ProjectionError> {
        let (topic, stop, partitions) = (self.topic, self.stop, self.partitions);
        let belongs = |profile: &ProfileSid| partition_of(profile, partitions) == partition;
        let reader = self.reader()?;
        let mut elsewhere = BTreeMap::new();
        for other in others(partition, partitions) {
            let end = stable_end(reader, (topic, other), stop)?;
            let mut states = PartitionStates::default();
            reader.read((topic, other, end), stop, |record| read_state(&mut states, &record, belongs))?;
            if states.len() > 0 {
                elsewhere.insert(other, states);
            }
        }
        Ok(elsewhere)
    }
}

fn others(partition: i32, partitions: i32) -> impl Iterator<Item = i32> {
    (0..partitions).filter(move |other| *other != partition)
}

/// The end of a partition of the state topic, once the transactions before it have ended.
fn stable_end(
    reader: &PartitionReader,
    (topic, partition): (&str, i32),
    stop: &CancellationToken,
) -> Result<i64, ProjectionError> {
    let end = reader.extent(topic, partition)?.end;
    let deadline = Instant::now() + OPEN_TRANSACTION_LIMIT;
    while reader.extent(topic, partition)?.stable < end && !stop.is_cancelled() {
        if Instant::now() >= deadline {
            let message = format!("a transaction on partition {partition} of topic {topic} does not end");
            return Err(ProjectionError::outdated(message));
        }
        wait(POLL_INTERVAL, stop);
    }
    Ok(end)
}

/// Whether there are records that are no states, which is logged.
fn has_unreadable(states: &PartitionStates, partition: i32) -> bool {
    let records = states.unreadable().count();
    if records > 0 {
        tracing::warn!(partition, records, "records of the state topic are no states; building the states again");
    }
    records > 0
}
