//! One membership in the consumer group, from joining to an error or the stop.
//!
//! Every step polls the group, applies what arrived in one transaction, and then loads at most one partition. Rebalances
//! happen during the poll only, so no transaction is open while partitions are assigned or revoked.

mod checks;
mod display;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    batch::Batch,
    loader::{Loader, Loading, RebuildAtStart},
    metrics::{ProjectorMetrics, TransactionResult},
    owned_partitions::OwnedPartitions,
    problems::ProblemReporter,
    random_id::random_id,
    refused::{Correction, write_singly},
    requested_rebuilds::RequestedRebuilds,
    wait::wait,
};
use crate::{
    config::KafkaConfig,
    domain::state::StateOptions,
    kafka::{
        EventRecord, NextOffset, PartitionCounts, Polled, ProjectionError, ProjectionGroup, ProjectionProblem,
        ProjectionTopics, REBUILD_TYPE, StateRecord, StateWriter, TransactionError, ValueEncoder, request_rebuild,
    },
};

/// How many records one transaction takes into account, or writes.
const BATCH_RECORDS: usize = 500;
/// How long a poll waits for the first record of a batch.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How long after its first record a batch waits for more. Each transaction takes several requests, so many small ones
/// would cost more CPU time than the callbacks.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// The pause between two looks for the event topic while it does not exist.
const TOPIC_INTERVAL: Duration = Duration::from_secs(1);
const TOPIC_CHECK_INTERVAL: Duration = Duration::from_secs(30);
const EVENT_TOPIC_REPLACED: &str = "the event topic was created again";
/// A session ends after this many consecutive transactions that were aborted.
const MAX_ABORTS: u32 = 3;

/// One membership in the consumer group.
pub(super) struct Session<'s> {
    metrics: &'s Arc<ProjectorMetrics>,
    options: StateOptions,
    group: ProjectionGroup,
    writer: StateWriter,
    topics: ProjectionTopics,
    loader: Loader<'s>,
    owned: OwnedPartitions,
    requested: &'s mut RequestedRebuilds,
    has_joined: bool,
    aborts: u32,
    /// The partition that was loaded last, or could not be.
    last_loaded: i32,
    /// The states that Kafka has, where they are not those of their transaction.
    corrections: Vec<Correction>,
    next_lag_check: Instant,
    next_topic_check: Instant,
    next_profile_gauges: Instant,
}

/// What a poll of the group brought.
#[derive(Default)]
struct Gathered {
    records: Vec<EventRecord>,
    /// The partition and the offset of a request to build the states again, after the records.
    rebuild: Option<(i32, i64)>,
}

impl<'s> Session<'s> {
    /// Waits for the topics and joins the group. `None` if the service stops before. Requests that are not due yet survive in
    /// `requested` if the session ends.
    ///
    /// # Errors
    /// [`ProjectionError`] if the states cannot be projected now.
    pub(super) fn begin(
        (kafka, encoder): (&'s KafkaConfig, &ValueEncoder),
        (topic, writer_id): (&'s str, &str),
        metrics: &'s Arc<ProjectorMetrics>,
        (stop, runtime): (&'s CancellationToken, &Handle),
        (problems, requested): (&mut ProblemReporter, &'s mut RequestedRebuilds),
    ) -> Result<Option<Self>, ProjectionError> {
        let group = ProjectionGroup::create(kafka, topic)?;
        let topics = ProjectionTopics::new(kafka, topic, &metrics.operations, (runtime.clone(), stop.clone()));
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
        if stop.is_cancelled() {
            return Ok(None);
        }
        let writer = StateWriter::open(kafka, topic, writer_id, encoder.clone())?;
        group.join()?;
        let now = Instant::now();
        Ok(Some(Self {
            metrics,
            options: StateOptions { failure_text: kafka.profiles_failure_text },
            group,
            writer,
            topics,
            loader: Loader { kafka, topic, stop, partitions, reader: None },
            owned: OwnedPartitions::default(),
            requested,
            has_joined: false,
            aborts: 0,
            last_loaded: -1,
            corrections: Vec::new(),
            next_lag_check: now,
            next_topic_check: now + TOPIC_CHECK_INTERVAL,
            next_profile_gauges: now,
        }))
    }

    /// Applies the records that arrive within a short time, and does one piece of what else there is to do.
    ///
    /// # Errors
    /// [`ProjectionError`] if the session has to end.
    pub(super) fn step(&mut self, problems: &mut ProblemReporter) -> Result<(), ProjectionError> {
        self.writer.serve();
        let gathered = self.gather(problems)?;
        // Each request takes seconds while Kafka does not answer. The next owner applies what this one does not.
        if self.loader.stop.is_cancelled() {
            return Ok(());
        }
        let is_applied = self.apply(&gathered.records, problems)?;
        match gathered.rebuild {
            Some((partition, offset)) if is_applied => self.rebuild_on_request(partition, offset)?,
            // The request is read again with the records before it, also if these are in other partitions.
            Some((partition, _)) => self.owned.restart(&[partition]),
            None => {}
        }
        if self.loader.stop.is_cancelled() {
            return Ok(());
        }
        self.request_rebuilds()?;
        self.load_next(problems)?;
        self.owned.take(self.corrections.drain(..));
        self.owned.start_loaded(self.loader.stop, |partition, next| self.group.start(partition, next));
        self.check_if_due(problems)?;
        self.show();
        Ok(())
    }

    fn gather(&mut self, problems: &mut ProblemReporter) -> Result<Gathered, ProjectionError> {
        let mut gathered = Gathered::default();
        let mut deadline = None;
        for _ in 0..BATCH_RECORDS {
            let left = deadline.map(|deadline: Instant| deadline.saturating_duration_since(Instant::now()));
            let polled = self.group.poll(left.unwrap_or(POLL_TIMEOUT));
            let changes = self.group.take_changes();
            if !changes.is_empty() {
                changes.into_iter().for_each(|change| self.owned.accept(change, &mut gathered.records));
                self.has_joined = true;
                self.next_lag_check = Instant::now();
                self.show_new_owner();
            }
            match polled {
                Polled::Nothing => break,
                Polled::Record(record) if self.owned.is_from_new_topic(&record) => {
                    return Err(ProjectionError::outdated(EVENT_TOPIC_REPLACED));
                }
                Polled::Record(record) if !self.owned.is_expected(&record) => {}
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
            deadline = deadline.or_else(|| Some(Instant::now() + BATCH_TIME));
        }
        Ok(gathered)
    }

    /// Returns the errors after which the session cannot continue.
    fn accept_error(&self, error: ProjectionError, problems: &mut ProblemReporter) -> Result<(), ProjectionError> {
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

    /// Applies the records in one transaction. Returns whether Kafka has it; if not, the records are read again.
    fn apply(&mut self, records: &[EventRecord], problems: &mut ProblemReporter) -> Result<bool, ProjectionError> {
        let mut batch = Batch::default();
        for record in records {
            if let Some(loaded) = self.owned.loaded(record.position.partition) {
                batch.apply(&loaded.states, record, (&self.options, self.loader.partitions));
            }
        }
        let next = batch.next_offsets().clone();
        let offsets: Vec<_> =
            next.iter().filter_map(|(partition, next)| self.owned.next_offset(*partition, *next)).collect();
        let states = batch.records();
        if !self.write(&states, &offsets)? {
            return Ok(false);
        }
        if !states.is_empty() {
            problems.wrote();
        }
        for outcome in batch.outcomes() {
            self.metrics.events.of(*outcome).inc();
        }
        self.requested.add(batch.missed_by(), Instant::now());
        self.owned.take(batch.into_writes());
        self.owned.advance(&next);
        Ok(true)
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
            match written {
                Err(TransactionError::Refused(_)) => self.write_singly(records, offsets),
                written => written,
            }
        };
        match written {
            Ok(()) => {
                self.aborts = 0;
                Ok(true)
            }
            Err(TransactionError::Aborted(error) | TransactionError::Refused(error)) => {
                self.start_again(error, offsets).map(|()| false)
            }
            Err(TransactionError::Unknown(error)) => Err(error),
        }
    }

    /// Writes the states without those that Kafka refuses, and then the offsets.
    fn write_singly(&mut self, records: &[StateRecord], offsets: &[NextOffset]) -> Result<(), TransactionError> {
        let (owned, group, writer, metrics) = (&self.owned, &self.group, &mut self.writer, self.metrics);
        let stop = self.loader.stop;
        let commit = |record: &StateRecord| {
            if stop.is_cancelled() {
                return Err(TransactionError::Aborted(ProjectionError::outdated("the service stops")));
            }
            // Each state says which records it takes into account, so these are harmless when they are read again.
            let next = owned.loaded(record.partition).map(|loaded| loaded.next);
            let offset = next.and_then(|next| owned.next_offset(record.partition, next));
            let written = writer.commit(group, std::slice::from_ref(record), offset.as_slice());
            metrics.transactions.of(TransactionResult::of(&written)).inc();
            written
        };
        let present = |partition, profile: &_| owned.loaded(partition).and_then(|loaded| loaded.states.get(profile));
        let written = write_singly(records, commit, present, metrics, &mut self.corrections);
        written.and_then(|()| self.group.commit(offsets).map_err(TransactionError::Aborted))
    }

    /// Reads the partitions again from where they were, after an error that a rebalance can cause.
    fn start_again(&mut self, error: ProjectionError, offsets: &[NextOffset]) -> Result<(), ProjectionError> {
        self.aborts = self.aborts.saturating_add(1);
        if error.problem != ProjectionProblem::Other || self.aborts >= MAX_ABORTS {
            return Err(error);
        }
        tracing::debug!(%error, "a transaction was aborted");
        self.owned.restart(&offsets.iter().map(|offset| offset.partition).collect::<Vec<_>>());
        Ok(())
    }

    /// Reads the states of a partition that was assigned.
    fn load_next(&mut self, problems: &mut ProblemReporter) -> Result<(), ProjectionError> {
        let Some((partition, assigned)) = self.owned.assigned_after(self.last_loaded) else {
            self.loader.close();
            return Ok(());
        };
        self.last_loaded = partition;
        match self.loader.load(&self.group, partition) {
            Ok(Some(loading)) => {
                self.begin_partition(partition, loading)?;
                if !self.owned.has_assigned() {
                    self.next_lag_check = Instant::now();
                }
                Ok(())
            }
            Ok(None) => {
                assigned.report_open_transaction(partition);
                Ok(())
            }
            // Kafka does not answer, or the former owner's offsets are part of an open transaction.
            Err(error) if error.problem == ProjectionProblem::Unreachable => {
                problems.interrupted(&error);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn begin_partition(&mut self, partition: i32, loading: Loading) -> Result<(), ProjectionError> {
        let Loading { partition: loaded, rebuild } = loading;
        let offset = NextOffset { partition, next: loaded.next, counts: loaded.counts };
        self.owned.insert(partition, loaded);
        let is_ready = match rebuild {
            Some(RebuildAtStart { end, interim }) => self.rebuild(partition, [end, end], interim)?,
            // The next owner has to know the number of partitions even if no event arrives.
            None => self.write(&[], &[offset])?,
        };
        if !is_ready {
            self.owned.reset(partition);
        }
        Ok(())
    }

    /// Requests to build the states of partitions again that lack events, because those are in other partitions.
    fn request_rebuilds(&mut self) -> Result<(), ProjectionError> {
        let partitions = self.requested.take_due(Instant::now());
        if partitions.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            ?partitions,
            "profiles have events in other partitions than their own; building their states again"
        );
        request_rebuild(self.loader.kafka, partitions, &random_id()).map(drop)
    }

    /// Builds the states again from the events before the request. If that is interrupted, the request is read again.
    fn rebuild_on_request(&mut self, partition: i32, offset: i64) -> Result<(), ProjectionError> {
        let Some(counts) = self.owned.loaded(partition).map(|loaded| loaded.counts) else { return Ok(()) };
        self.rebuild(partition, [offset, offset.saturating_add(1)], counts).map(drop)
    }

    /// Builds the states of a partition again from the events before `end`, and then continues at `next`. Commits `interim`
    /// with each part of the states, so that the next owner begins again if this one does not finish. Returns whether Kafka
    /// has the states.
    fn rebuild(
        &mut self,
        partition: i32,
        [end, next]: [i64; 2],
        interim: PartitionCounts,
    ) -> Result<bool, ProjectionError> {
        let Some(loaded) = self.owned.loaded(partition) else { return Ok(false) };
        let (former, counts) = (loaded.next, loaded.counts);
        let changes = self.loader.rebuild((partition, end), &loaded.states, self.options)?;
        // A stop has left the changes incomplete, or comes between two parts.
        for chunk in changes.chunks(BATCH_RECORDS) {
            if self.loader.stop.is_cancelled() {
                return Ok(false);
            }
            let records: Vec<_> = chunk.iter().flat_map(|change| change.records(partition)).collect();
            if !self.write(&records, &[NextOffset { partition, next: former, counts: interim }])? {
                return Ok(false);
            }
            let writes = chunk.iter().filter_map(|change| Some((change.profile, change.write.clone()?)));
            self.owned.take(writes.map(|(profile, write)| (partition, profile, write)));
        }
        if self.loader.stop.is_cancelled() || !self.write(&[], &[NextOffset { partition, next, counts }])? {
            return Ok(false);
        }
        self.owned.advance(&BTreeMap::from([(partition, next)]));
        tracing::info!(partition, changed = changes.len(), "built the states of profiles again from the events");
        Ok(true)
    }
}
