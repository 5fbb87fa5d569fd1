//! One membership in the consumer group, from joining to an error or the stop.
//!
//! Every step polls the group, applies what arrived in one transaction, and then loads at most one partition. Rebalances
//! happen during the poll only, so no transaction is open while partitions are assigned or revoked.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    batch::{Batch, state_record},
    metrics::{ProjectorMetrics, TransactionResult},
    partition::{Beginning, LoadedPartition, OwnedPartition, beginning, read_state},
    partition_states::PartitionStates,
    partitioner::partition_of,
    problems::ProblemReporter,
    rebuild::Rebuild,
    wait::wait,
};
use crate::{
    config::KafkaConfig,
    domain::{
        ProfileSid,
        state::{StateOptions, StateWrite},
    },
    kafka::{
        AssignmentChange, EventRecord, NextOffset, PartitionCounts, PartitionReader, Polled, ProjectionError,
        ProjectionGroup, ProjectionProblem, ProjectionTopics, REBUILD_TYPE, StateRecord, StateWriter, TransactionError,
    },
};

/// How many records one transaction takes into account, or writes.
const BATCH_RECORDS: usize = 500;
/// How long a poll waits for the first record of a batch.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// The pause between two looks for the event topic while it does not exist.
const TOPIC_INTERVAL: Duration = Duration::from_secs(1);
const LAG_INTERVAL: Duration = Duration::from_secs(5);
const TOPIC_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// A session ends after this many consecutive transactions that were aborted.
const MAX_ABORTS: u32 = 3;

/// One membership in the consumer group.
pub(super) struct Session<'s> {
    kafka: &'s KafkaConfig,
    /// The state topic.
    topic: &'s str,
    metrics: &'s Arc<ProjectorMetrics>,
    stop: &'s CancellationToken,
    options: StateOptions,
    group: ProjectionGroup,
    writer: StateWriter,
    topics: ProjectionTopics,
    /// Exists while partitions are loaded.
    reader: Option<PartitionReader>,
    /// The number of partitions of both topics.
    partitions: i32,
    owned: BTreeMap<i32, OwnedPartition>,
    /// The ends of the owned partitions of the event topic, when they were last asked for.
    ends: BTreeMap<i32, i64>,
    has_joined: bool,
    aborts: u32,
    next_lag_check: Instant,
    next_topic_check: Instant,
}

/// What a poll of the group brought.
#[derive(Default)]
struct Gathered {
    records: Vec<EventRecord>,
    /// The partition and the offset of a request to build the states again, after the records.
    rebuild: Option<(i32, i64)>,
}

impl<'s> Session<'s> {
    /// Waits for the topics and joins the group. `None` if the service stops before.
    ///
    /// # Errors
    /// [`ProjectionError`] if the states cannot be projected now.
    pub(super) fn begin(
        kafka: &'s KafkaConfig,
        topic: &'s str,
        metrics: &'s Arc<ProjectorMetrics>,
        (stop, runtime): (&'s CancellationToken, &Handle),
        problems: &ProblemReporter,
    ) -> Result<Option<Self>, ProjectionError> {
        let group = ProjectionGroup::create(kafka, topic)?;
        let topics = ProjectionTopics::new(kafka, topic, &metrics.operations, runtime.clone());
        let partitions = loop {
            if stop.is_cancelled() {
                return Ok(None);
            }
            match topics.check(&group) {
                Ok(Some(partitions)) => break partitions,
                // The service reports a missing event topic itself.
                Ok(None) => {}
                Err(error) if error.problem == ProjectionProblem::Unreachable => problems.interrupted(&error),
                Err(error) => return Err(error),
            }
            wait(TOPIC_INTERVAL, stop);
        };
        topics.check_compaction()?;
        let writer = StateWriter::open(kafka, topic, &random_id())?;
        group.join()?;
        let now = Instant::now();
        Ok(Some(Self {
            kafka,
            topic,
            metrics,
            stop,
            options: StateOptions { failure_text: kafka.profiles_failure_text },
            group,
            writer,
            topics,
            reader: None,
            partitions,
            owned: BTreeMap::new(),
            ends: BTreeMap::new(),
            has_joined: false,
            aborts: 0,
            next_lag_check: now,
            next_topic_check: now + TOPIC_CHECK_INTERVAL,
        }))
    }

    /// Applies the records that arrive within a short time, and does one piece of what else there is to do.
    ///
    /// # Errors
    /// [`ProjectionError`] if the session has to end.
    pub(super) fn step(&mut self, problems: &mut ProblemReporter) -> Result<(), ProjectionError> {
        self.writer.serve();
        let gathered = self.gather(problems)?;
        let is_applied = self.apply(&gathered.records)?;
        if let (true, Some((partition, offset))) = (is_applied, gathered.rebuild) {
            self.rebuild(partition, offset, offset.saturating_add(1))?;
        }
        self.load_next()?;
        self.start_loaded();
        self.check_if_due(problems)?;
        self.show();
        Ok(())
    }

    fn gather(&mut self, problems: &ProblemReporter) -> Result<Gathered, ProjectionError> {
        let mut gathered = Gathered::default();
        let mut timeout = POLL_TIMEOUT;
        for _ in 0..BATCH_RECORDS {
            let polled = self.group.poll(timeout);
            for change in self.group.take_changes() {
                self.accept(change, &mut gathered.records);
            }
            match polled {
                Polled::Nothing => break,
                Polled::Record(record) if !self.is_expected(&record) => {}
                Polled::Record(record) if record.ce_type() == Some(REBUILD_TYPE) => {
                    gathered.rebuild = Some((record.position.partition, record.position.offset));
                    break;
                }
                Polled::Record(record) => gathered.records.push(record),
                Polled::Error(error) => {
                    self.accept_error(error, problems)?;
                    break;
                }
            }
            timeout = Duration::ZERO;
        }
        Ok(gathered)
    }

    fn accept(&mut self, change: AssignmentChange, records: &mut Vec<EventRecord>) {
        self.has_joined = true;
        match change {
            AssignmentChange::Assigned(partitions) => {
                self.owned.extend(partitions.into_iter().map(|partition| (partition, OwnedPartition::assigned())));
            }
            AssignmentChange::Revoked(partitions) => {
                self.owned.retain(|partition, _| !partitions.contains(partition));
                self.ends.retain(|partition, _| !partitions.contains(partition));
                records.retain(|record| !partitions.contains(&record.position.partition));
            }
        }
        self.next_lag_check = Instant::now();
    }

    /// Returns the errors after which the session cannot continue.
    fn accept_error(&self, error: ProjectionError, problems: &ProblemReporter) -> Result<(), ProjectionError> {
        match error.problem {
            ProjectionProblem::Unreachable => {
                problems.interrupted(&error);
                Ok(())
            }
            // The event topic was deleted, which the service reports itself.
            ProjectionProblem::TopicMissing => Err(ProjectionError::outdated(error.to_string())),
            _ => Err(error),
        }
    }

    /// Whether the record is the next one of a partition that is started. Others were fetched before that.
    fn is_expected(&self, record: &EventRecord) -> bool {
        let loaded = self.loaded(record.position.partition);
        loaded.is_some_and(|loaded| loaded.is_started && record.position.offset >= loaded.next)
    }

    fn loaded(&self, partition: i32) -> Option<&LoadedPartition> {
        match self.owned.get(&partition)? {
            OwnedPartition::Loaded(loaded) => Some(loaded),
            OwnedPartition::Assigned { .. } => None,
        }
    }

    fn all_loaded(&mut self) -> impl Iterator<Item = (i32, &mut LoadedPartition)> {
        self.owned.iter_mut().filter_map(|(partition, owned)| match owned {
            OwnedPartition::Loaded(loaded) => Some((*partition, loaded)),
            OwnedPartition::Assigned { .. } => None,
        })
    }

    /// Applies the records in one transaction. Returns whether Kafka has it; if not, the records are read again.
    fn apply(&mut self, records: &[EventRecord]) -> Result<bool, ProjectionError> {
        let mut batch = Batch::default();
        for record in records {
            if let Some(loaded) = self.loaded(record.position.partition) {
                batch.apply(&loaded.states, record, &self.options);
            }
        }
        let next = batch.next_offsets().clone();
        let offsets: Vec<_> = next.iter().filter_map(|(partition, next)| self.next_offset(*partition, *next)).collect();
        if !self.write(&batch.records(), &offsets)? {
            return Ok(false);
        }
        for outcome in batch.outcomes() {
            self.metrics.events.of(*outcome).inc();
        }
        self.take(batch.into_writes());
        for (partition, loaded) in self.all_loaded() {
            loaded.next = next.get(&partition).copied().unwrap_or(loaded.next);
        }
        Ok(true)
    }

    /// Changes the states in memory as Kafka has them now.
    fn take(&mut self, writes: impl IntoIterator<Item = (i32, ProfileSid, StateWrite)>) {
        for (partition, profile, write) in writes {
            if let Some(OwnedPartition::Loaded(loaded)) = self.owned.get_mut(&partition) {
                loaded.states.set(profile, &write);
            }
        }
    }

    fn next_offset(&self, partition: i32, next: i64) -> Option<NextOffset> {
        self.loaded(partition).map(|loaded| loaded.next_offset(partition, next))
    }

    /// Writes states and offsets. Returns whether Kafka has them; if not, the partitions start again where they were.
    fn write(&mut self, records: &[StateRecord], offsets: &[NextOffset]) -> Result<bool, ProjectionError> {
        if offsets.is_empty() {
            return Ok(true);
        }
        let written = if records.is_empty() {
            self.group.commit(offsets).map_err(TransactionError::Aborted)
        } else {
            let written = self.writer.commit(&self.group, records, offsets);
            self.metrics.transactions.of(TransactionResult::of(&written)).inc();
            written
        };
        match written {
            Ok(()) => {
                self.aborts = 0;
                Ok(true)
            }
            Err(TransactionError::Aborted(error)) => self.start_again(error, offsets).map(|()| false),
            Err(TransactionError::Unknown(error)) => Err(error),
        }
    }

    /// Reads the partitions again from where they were, after an error that a rebalance can cause.
    fn start_again(&mut self, error: ProjectionError, offsets: &[NextOffset]) -> Result<(), ProjectionError> {
        self.aborts = self.aborts.saturating_add(1);
        if error.problem != ProjectionProblem::Other || self.aborts >= MAX_ABORTS {
            return Err(error);
        }
        tracing::debug!(%error, "a transaction was aborted");
        for (partition, loaded) in self.all_loaded() {
            loaded.is_started &= offsets.iter().all(|offset| offset.partition != partition);
        }
        Ok(())
    }

    /// Lets the group deliver the records of loaded partitions. One that is not ready for that is tried again.
    fn start_loaded(&mut self) {
        for (partition, owned) in &mut self.owned {
            let OwnedPartition::Loaded(loaded) = owned else { continue };
            if !loaded.is_started {
                match self.group.start(*partition, loaded.next) {
                    Ok(()) => loaded.is_started = true,
                    Err(error) => tracing::debug!(%error, partition, "cannot start the partition yet"),
                }
            }
        }
    }

    /// Reads the states of a partition that was assigned.
    fn load_next(&mut self) -> Result<(), ProjectionError> {
        let assigned = self.owned.iter().find(|(_, owned)| matches!(owned, OwnedPartition::Assigned { .. }));
        let Some(partition) = assigned.map(|(partition, _)| *partition) else {
            self.reader = None;
            return Ok(());
        };
        match self.load(partition) {
            Ok(Some(loaded)) => {
                let rebuild_until = loaded.rebuild_until;
                let offset = loaded.partition.next_offset(partition, loaded.partition.next);
                self.owned.insert(partition, OwnedPartition::Loaded(loaded.partition));
                let is_ready = match rebuild_until {
                    Some(end) => self.rebuild(partition, end, end)?,
                    // The next owner has to know the number of partitions even if no event arrives.
                    None => self.write(&[], &[offset])?,
                };
                if !is_ready {
                    self.owned.insert(partition, OwnedPartition::assigned());
                }
                Ok(())
            }
            Ok(None) => {
                self.owned.entry(partition).and_modify(|owned| owned.report_open_transaction(partition));
                Ok(())
            }
            // Kafka does not answer, or the former owner's offsets are part of an open transaction.
            Err(error) if error.problem == ProjectionProblem::Unreachable => {
                tracing::debug!(%error, partition, "cannot read the states of the partition yet");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// `None` while a transaction of the former owner is open, or if the service stops.
    fn load(&mut self, partition: i32) -> Result<Option<Loading>, ProjectionError> {
        let committed = self.group.committed(self.partitions)?;
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
        let end = self.group.end_of(&self.kafka.topic, partition)?;
        if stop.is_cancelled() {
            return Ok(None);
        }
        let next = match beginning {
            Beginning::At(next) if next > end => {
                tracing::warn!(
                    partition,
                    "the event topic was created again; its events are applied to the known states"
                );
                states.forget_positions();
                0
            }
            // The state topic was created again.
            Beginning::At(_) if extent.first == extent.end => 0,
            Beginning::At(next) => next,
            Beginning::Rebuild | Beginning::Outdated => 0,
        };
        let known = committed.get(&partition).and_then(|committed| committed.counts);
        let initial = known.map_or(self.partitions, |counts| counts.initial);
        let counts = PartitionCounts { now: self.partitions, initial };
        let partition = LoadedPartition { states, next, state_end: extent.end, counts, is_started: false };
        Ok(Some(Loading { partition, rebuild_until: (beginning == Beginning::Rebuild).then_some(end) }))
    }

    fn reader(&mut self) -> Result<&PartitionReader, ProjectionError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => PartitionReader::create(self.kafka, self.topic)?,
        };
        Ok(self.reader.insert(reader))
    }

    /// Builds the states of a partition again from the events before `end`, and then continues at `next`. Returns whether
    /// Kafka has the states.
    fn rebuild(&mut self, partition: i32, end: i64, next: i64) -> Result<bool, ProjectionError> {
        let (stop, options, partitions) = (self.stop, self.options, self.partitions);
        let events = self.kafka.topic.as_str();
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
            reader.read((events, source, until), stop, |record| rebuild.apply(&record, &options, belongs))?;
        }
        let Some(loaded) = self.loaded(partition) else { return Ok(false) };
        let (former, counts) = (loaded.next, loaded.counts);
        let writes = rebuild.differences(&loaded.states, belongs);
        if stop.is_cancelled() {
            return Ok(false);
        }
        for chunk in writes.chunks(BATCH_RECORDS) {
            let records: Vec<_> =
                chunk.iter().map(|(profile, write)| state_record(partition, profile, write)).collect();
            if !self.write(&records, &[NextOffset { partition, next: former, counts }])? {
                return Ok(false);
            }
            self.take(chunk.iter().map(|(profile, write)| (partition, profile.clone(), write.clone())));
        }
        if !self.write(&[], &[NextOffset { partition, next, counts }])? {
            return Ok(false);
        }
        if let Some(OwnedPartition::Loaded(loaded)) = self.owned.get_mut(&partition) {
            loaded.next = next;
        }
        tracing::info!(partition, changed = writes.len(), "built the states of profiles again from the events");
        Ok(true)
    }

    fn check_if_due(&mut self, problems: &mut ProblemReporter) -> Result<(), ProjectionError> {
        let now = Instant::now();
        let is_loaded = self.owned.values().all(|owned| matches!(owned, OwnedPartition::Loaded(_)));
        if self.has_joined && is_loaded && now >= self.next_lag_check {
            self.next_lag_check = now + LAG_INTERVAL;
            match self.fetch_ends() {
                Ok(()) => problems.succeeded(),
                Err(error) => self.accept_error(error, problems)?,
            }
        }
        if now >= self.next_topic_check {
            self.next_topic_check = now + TOPIC_CHECK_INTERVAL;
            if let Err(error) = self.check_topics() {
                self.accept_error(error, problems)?;
            }
        }
        Ok(())
    }

    fn fetch_ends(&mut self) -> Result<(), ProjectionError> {
        for partition in self.owned.keys() {
            self.ends.insert(*partition, self.group.end_of(&self.kafka.topic, *partition)?);
        }
        Ok(())
    }

    /// Checks whether the topics are still those with which the session began.
    fn check_topics(&mut self) -> Result<(), ProjectionError> {
        if self.topics.check(&self.group)? != Some(self.partitions) {
            return Err(ProjectionError::outdated("the number of partitions changed"));
        }
        self.topics.check_compaction()?;
        for (partition, owned) in &self.owned {
            if let OwnedPartition::Loaded(loaded) = owned
                && self.group.end_of(self.topic, *partition)? < loaded.state_end
            {
                return Err(ProjectionError::outdated("the state topic was created again"));
            }
        }
        Ok(())
    }

    fn show(&mut self) {
        let (mut profiles, mut partitions, mut lag) = (0_usize, 0, 0_i64);
        let ends = std::mem::take(&mut self.ends);
        for (partition, loaded) in self.all_loaded() {
            profiles = profiles.saturating_add(loaded.states.len());
            partitions += 1;
            let end = ends.get(&partition).copied().unwrap_or_default();
            lag = lag.saturating_add(end.saturating_sub(loaded.next).max(0));
        }
        self.ends = ends;
        self.metrics.owned.set(i64::try_from(profiles).unwrap_or(i64::MAX));
        self.metrics.partitions.set(partitions);
        self.metrics.lag.set(lag);
    }
}

/// A partition whose states were read.
struct Loading {
    partition: LoadedPartition,
    /// The end of the events from which the states must be built again, if they must.
    rebuild_until: Option<i64>,
}

/// Distinguishes the transactions of this session from those of all others.
fn random_id() -> String {
    let mut bytes = [0; 8];
    // Without random numbers, the address of this value and the process id have to do.
    if getrandom::getrandom(&mut bytes).is_err() {
        bytes = u64::from(std::process::id()).to_be_bytes();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
