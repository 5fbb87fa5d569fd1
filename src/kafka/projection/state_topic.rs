//! The state topic, for a command that reads it once.

use std::{collections::BTreeMap, ops::Range};

use tokio_util::sync::CancellationToken;

use super::{
    committed::PartitionCounts,
    event_record::EventRecord,
    group::{Committed, ProjectionGroup},
    partition_reader::PartitionReader,
    problem::ProjectionError,
};
use crate::{config::KafkaConfig, domain::state::Position};

/// How far the service has applied the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateProgress {
    /// For each partition of the event topic the offsets that are not applied, as far as is known.
    not_applied: BTreeMap<i32, Range<i64>>,
    /// Whether partitions may have been added since the first event was applied, so that profiles may have states in other
    /// partitions than their own.
    pub has_added_partitions: bool,
}

impl StateProgress {
    /// Takes into account that a record of the state topic exists: the events up to its own are applied. The embedded Kafka of
    /// `dev` does not tell what a group has committed in a transaction.
    pub(crate) fn add(&mut self, record: &EventRecord) {
        let Some(Position { partition, offset }) = record.as_event().record.ce_id.and_then(Position::of_id) else {
            return;
        };
        // If the event topic was created again, the states have offsets that it lacks.
        if let Some(offsets) = self.not_applied.get_mut(&partition).filter(|offsets| offset < offsets.end) {
            offsets.start = offsets.start.max(offset.saturating_add(1));
        }
    }

    /// How many records of these partitions of the event topic the states do not take into account.
    pub(crate) fn events_not_applied(&self, is_counted: impl Fn(i32) -> bool) -> u64 {
        let counted = self.not_applied.iter().filter(|(partition, _)| is_counted(**partition));
        counted.map(|(_, offsets)| u64::try_from(offsets.end.saturating_sub(offsets.start)).unwrap_or_default()).sum()
    }
}

/// The state topic. All calls block.
pub(crate) struct StateTopic {
    /// Asks what the group has committed, without joining it.
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
        let not_applied = (0..).zip(extents).map(|(partition, extent)| {
            let next = committed.get(&partition).map_or(extent.first, |committed| committed.next.max(extent.first));
            (partition, next..extent.end)
        });
        let not_applied = not_applied.collect();
        Ok(StateProgress { not_applied, has_added_partitions: has_added_partitions(&committed, self.partitions) })
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
    use crate::domain::cloud_events::STATE_TYPE;

    #[test]
    fn events_up_to_that_of_a_state_are_applied() {
        let state = |id: &str| EventRecord::with_id(STATE_TYPE, id);
        let not_applied = BTreeMap::from([(0, 0..10), (1, 4..4), (2, 5..9)]);
        let mut progress = StateProgress { not_applied, has_added_partitions: false };
        let waiting =
            |progress: &StateProgress| [0, 1, 2].map(|only| progress.events_not_applied(|counted| counted == only));
        assert_eq!(waiting(&progress), [10, 0, 4]);
        for id in ["0-6", "0-2", "2-3", "7-1", "1", "x-1"] {
            progress.add(&state(id));
        }
        assert_eq!(waiting(&progress), [3, 0, 4]);
        progress.add(&state("2-12"));
        assert_eq!(waiting(&progress), [3, 0, 4], "the event topic was created again");
    }

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
