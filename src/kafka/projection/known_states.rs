//! Reads the state topic to its end, for a process that continues with the events from there.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    super::partitioner::partition_of,
    event_record::EventRecord,
    group::{Committed, ProjectionGroup},
    limits::TRANSACTION_TIMEOUT,
    partition_reader::{PartitionExtent, PartitionReader},
    problem::{ProjectionError, ProjectionProblem},
    topics::ProjectionTopics,
};
use crate::{
    blocking,
    config::KafkaConfig,
    domain::{ProfileSid, state::ProfileState},
    telemetry::Operations,
};

const OPEN_TRANSACTION_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The states of all profiles, and where the events begin that they may not take into account.
#[derive(Debug)]
pub(crate) struct KnownStates<S> {
    /// What the caller made of the states.
    pub states: S,
    /// The number of records read.
    pub records: u64,
    /// The next event of each partition of the event topic.
    pub next: BTreeMap<i32, i64>,
}

/// Why the states are not complete, or not known.
#[derive(Debug, Error)]
pub(crate) enum StatesUnused {
    /// The configuration turns the states off.
    #[error("KAFKA_PROFILES_TOPIC is empty")]
    Off,
    /// No instance of the service has derived all states yet.
    #[error("{0}")]
    Incomplete(String),
    /// The event topic does not have the offsets up to which they are derived.
    #[error("the event topic was created again")]
    TopicReplaced,
    /// They cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ProjectionError),
}

impl StatesUnused {
    /// Whether nothing is wrong: the states are turned off, or the service is about to derive them.
    pub(crate) fn is_expected(&self) -> bool {
        match self {
            Self::Off | Self::Incomplete(_) => true,
            Self::TopicReplaced => false,
            Self::Unreadable(error) => error.problem == ProjectionProblem::TopicMissing,
        }
    }
}

/// Reads the state topic to its end. Passes each profile with its state to `each`; `None` if its state was deleted. Within a
/// profile, the last one counts. Stops reading when the future is dropped.
///
/// # Errors
/// [`StatesUnused`] if the states do not take into account every event before some offset.
pub(crate) async fn read_known_states<S: Send + 'static>(
    kafka: &KafkaConfig,
    operations: &Arc<Operations>,
    states: S,
    each: impl FnMut(&mut S, ProfileSid, Option<ProfileState>) + Send + 'static,
) -> Result<KnownStates<S>, StatesUnused> {
    let Some(topic) = kafka.profiles_topic.clone() else { return Err(StatesUnused::Off) };
    // Reading creates no topic.
    let kafka = KafkaConfig { create_topics: false, ..kafka.clone() };
    let (operations, runtime, stop) = (Arc::clone(operations), Handle::current(), CancellationToken::new());
    let _stop_when_dropped = stop.clone().drop_guard();
    let read = blocking::run("kafka-states", move || {
        let topics = ProjectionTopics::new(&kafka, &topic, &operations, (runtime, stop.clone()));
        StateReading { kafka, topic, stop }.read(&topics, states, each)
    });
    read.await.unwrap_or_else(|error| Err(StatesUnused::Incomplete(error.to_string())))
}

struct StateReading {
    kafka: KafkaConfig,
    topic: String,
    stop: CancellationToken,
}

impl StateReading {
    fn read<S>(
        &self,
        topics: &ProjectionTopics,
        mut states: S,
        mut each: impl FnMut(&mut S, ProfileSid, Option<ProfileState>),
    ) -> Result<KnownStates<S>, StatesUnused> {
        let group = ProjectionGroup::create(&self.kafka, &self.topic)?;
        let Some(partitions) = topics.check(&group)? else { return Err(incomplete("the event topic does not exist")) };
        // In this order: the states are at least as late as the offsets, because those of an open transaction make it wait.
        let committed = group.committed(partitions)?;
        let reader = PartitionReader::create(&self.kafka, &self.topic)?;
        let (mut records, mut next, mut is_truncated) = (0_u64, BTreeMap::new(), false);
        for partition in 0..partitions {
            let offset = match committed.get(&partition) {
                Some(own) => next_of(own, partition, partitions)?,
                None => self.end_of_empty(&reader, partition)?,
            };
            let extent = self.stable_extent(&reader, partition)?;
            is_truncated |= extent.first > 0;
            reader.read((&self.topic, partition, extent.end), &self.stop, |record| {
                records = records.saturating_add(1);
                if let Some((profile, state)) = state_of(&record, partitions) {
                    each(&mut states, profile, state);
                }
            })?;
            // A partition without a record may belong to a state topic that was created again.
            next.insert(partition, if extent.first == extent.end { 0 } else { offset });
        }
        if self.stop.is_cancelled() {
            return Err(incomplete("the run was stopped"));
        }
        // It matters only if Kafka has deleted records. The embedded Kafka of `dev` does not answer.
        if is_truncated {
            topics.check_compaction()?;
        }
        Ok(KnownStates { states, records, next })
    }

    /// The end of a partition of the event topic for which the group has committed no offset. It commits none without events.
    fn end_of_empty(&self, reader: &PartitionReader, partition: i32) -> Result<i64, StatesUnused> {
        let extent = reader.extent(&self.kafka.topic, partition)?;
        if extent.first < extent.end {
            let reason = format!("no instance of the service has derived the states of partition {partition} yet");
            return Err(incomplete(reason));
        }
        Ok(extent.end)
    }

    /// Waits until every transaction that was open when the offsets were read has ended.
    fn stable_extent(&self, reader: &PartitionReader, partition: i32) -> Result<PartitionExtent, StatesUnused> {
        let first = reader.extent(&self.topic, partition)?;
        let deadline = Instant::now() + 2 * TRANSACTION_TIMEOUT;
        let mut stable = first.stable;
        while stable < first.end && !self.stop.is_cancelled() {
            if Instant::now() >= deadline {
                return Err(incomplete(format!("a transaction of topic {} stays open", self.topic)));
            }
            thread::sleep(OPEN_TRANSACTION_POLL_INTERVAL);
            stable = reader.extent(&self.topic, partition)?.stable;
        }
        Ok(first)
    }
}

/// The next event of a partition that its states may not take into account.
fn next_of(own: &Committed, partition: i32, partitions: i32) -> Result<i64, StatesUnused> {
    if own.counts.is_some_and(|counts| counts.now != partitions) {
        return Err(incomplete(format!(
            "partitions were added, and the states of partition {partition} are not rebuilt yet"
        )));
    }
    Ok(own.next)
}

fn incomplete(reason: impl Into<String>) -> StatesUnused {
    StatesUnused::Incomplete(reason.into())
}

/// The profile of a record of the state topic, and its state. `None` for a record that is neither a state nor a tombstone, and
/// in a partition that the profile had before others were added: the tombstone there says nothing about its present state.
fn state_of(record: &EventRecord, partitions: i32) -> Option<(ProfileSid, Option<ProfileState>)> {
    let profile = record.key_profile()?;
    if partition_of(&profile, partitions) != record.position.partition {
        return None;
    }
    let state = match record.value.as_deref() {
        Some(value) => Some(serde_json::from_slice(value).ok()?),
        None => None,
    };
    Some((profile, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::state::Position, kafka::PartitionCounts};

    fn next(counts: Option<PartitionCounts>) -> Option<i64> {
        next_of(&Committed { next: 7, counts }, 0, 3).ok()
    }

    #[test]
    fn tombstone_in_a_former_partition_does_not_delete_the_state() {
        let key = format!("BU{}", "0a".repeat(16));
        let home = partition_of(&ProfileSid::parse(&key).unwrap(), 4);
        for partition in 0..4 {
            let mut record = EventRecord::of_type("a tombstone has none", Position { partition, offset: 7 });
            record.key = Some(key.clone().into_bytes());
            assert_eq!(state_of(&record, 4).is_some(), partition == home, "{partition}");
        }
    }

    #[test]
    fn events_continue_at_the_offset_that_the_group_has_committed() {
        assert_eq!(next(Some(PartitionCounts { now: 3, initial: 2 })), Some(7));
        assert_eq!(next(None), Some(7), "committed by another program");
    }

    #[test]
    fn states_are_incomplete_until_they_are_rebuilt_for_added_partitions() {
        assert_eq!(next(Some(PartitionCounts { now: 2, initial: 2 })), None);
    }
}
