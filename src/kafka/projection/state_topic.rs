//! The state topic, for a command that reads it once.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::{
    committed::PartitionCounts,
    event_record::EventRecord,
    group::{Committed, ProjectionGroup},
    partition_reader::PartitionReader,
    problem::ProjectionError,
};
use crate::config::KafkaConfig;

/// How far the service has applied the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateProgress {
    /// How many records of the event topic the states do not take into account.
    pub events_not_applied: u64,
    /// Whether partitions may have been added since the first event was applied, so that profiles may have states in other
    /// partitions than their own.
    pub has_added_partitions: bool,
}

/// The state topic. All calls block.
pub(crate) struct StateTopic {
    /// Asks what the group has committed, and joins it not.
    group: ProjectionGroup,
    reader: PartitionReader,
    name: String,
    events: String,
    partitions: i32,
}

impl StateTopic {
    /// Finds the topic; `None` if it does not exist.
    ///
    /// # Errors
    /// [`ProjectionError`] if Kafka does not answer, or rejects a request.
    pub(crate) fn open(kafka: &KafkaConfig, name: &str) -> Result<Option<Self>, ProjectionError> {
        let group = ProjectionGroup::create(kafka, name)?;
        let Some(partitions) = group.partitions_of(name)? else { return Ok(None) };
        let reader = PartitionReader::create(kafka, name)?;
        Ok(Some(Self { group, reader, name: name.to_owned(), events: kafka.topic.clone(), partitions }))
    }

    /// The number of partitions, at least 1.
    pub(crate) fn partitions(&self) -> i32 {
        self.partitions
    }

    /// How far the service has applied the events. States that are read later take at least these events into account.
    ///
    /// # Errors
    /// [`ProjectionError`] if Kafka does not answer, or rejects a request.
    pub(crate) fn progress(&self) -> Result<StateProgress, ProjectionError> {
        let partitions = self.group.partitions_of(&self.events)?.unwrap_or_default();
        let extents = (0..partitions).map(|partition| self.reader.extent(&self.events, partition));
        let extents = extents.collect::<Result<Vec<_>, _>>()?;
        let committed = self.group.committed(partitions)?;
        let waiting = (0..).zip(extents).map(|(partition, extent)| {
            let applied = committed.get(&partition).map_or(extent.first, |committed| committed.next.max(extent.first));
            u64::try_from(extent.end.saturating_sub(applied)).unwrap_or_default()
        });
        let events_not_applied = waiting.sum();
        Ok(StateProgress {
            events_not_applied,
            has_added_partitions: has_added_partitions(&committed, self.partitions),
        })
    }

    /// Passes the records that a partition has now to `each`, in order, without those of transactions that were aborted or have
    /// not ended.
    ///
    /// # Errors
    /// [`ProjectionError`] if the records cannot be read, or if none arrives for a while.
    pub(crate) fn read(&self, partition: i32, each: impl FnMut(EventRecord)) -> Result<(), ProjectionError> {
        let extent = self.reader.extent(&self.name, partition)?;
        if extent.first == extent.end {
            return Ok(());
        }
        self.reader.read((&self.name, partition, extent.end), &CancellationToken::new(), each)
    }
}

/// Whether partitions may have been added to a topic that has so many now. Only partitions with events have committed offsets;
/// a former partition without events has no states.
fn has_added_partitions(committed: &BTreeMap<i32, Committed>, partitions: i32) -> bool {
    let original = PartitionCounts { now: partitions, initial: partitions };
    committed.is_empty() || committed.values().any(|committed| committed.counts != Some(original))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_were_added_unless_every_commit_says_otherwise() {
        let has_added = |counts: &[(i32, i32)]| {
            let committed = counts.iter().map(|(now, initial)| Committed {
                next: 7,
                counts: Some(PartitionCounts { now: *now, initial: *initial }),
            });
            has_added_partitions(&(0..).zip(committed).collect(), 6)
        };
        assert!(!has_added(&[(6, 6), (6, 6)]));
        assert!(has_added(&[(6, 6), (6, 3)]));
        assert!(has_added(&[(3, 3)]), "it is not built again yet");
        assert!(has_added(&[]), "it is not known");
        let by_another_program = BTreeMap::from([(0, Committed { next: 7, counts: None })]);
        assert!(has_added_partitions(&by_another_program, 6));
    }
}
