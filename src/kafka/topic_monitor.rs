//! Monitors both topics in the background: creates them if `KAFKA_CREATE_TOPICS` allows it, and reports problems.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | fetch the metadata of a topic | `kafka-probe`, one per probe; a probe starts only after the previous one has ended | the monitor's, which only these threads take | [`REQUEST_TIMEOUT`] each |
//! | create topics, read their settings | the same | the same | [`REQUEST_TIMEOUT`] each, see [`admin`](super::admin) |
//! | wait until every broker knows a created topic | the same | the same | [`PROPAGATION_TIMEOUT`] |
//! | check the producer for a fatal error | the same | the same | does not wait |
//!
//! Shutdown does not wait for a probe in progress.

use std::{
    collections::BTreeSet,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rdkafka::{
    admin::{ConfigResourceResult, NewTopic, ResourceSpecifier, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataTopic,
    producer::Producer as _,
};
use tokio::{runtime::Handle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    KafkaSink,
    admin::AdminRequester,
    creation_error::{TopicPurpose, TopicSpec, creation_error},
    delivery_reporter::not_authorized,
    durability::{TopicDurability, min_in_sync},
    error,
    metrics::AclOperation,
};
use crate::{
    blocking,
    config::KafkaConfig,
    domain::{Destination, Label as _, PublishFailure},
    telemetry::{Operation, OperationGuard, seconds},
};

/// The pause between probes while Kafka is available.
const HEALTHY_INTERVAL: Duration = Duration::from_secs(5);
/// The pause between probes while Kafka is not available. It is shorter, so that the service notices soon when an
/// outage ends.
const UNHEALTHY_INTERVAL: Duration = Duration::from_secs(1);
/// The number of probes between two reads of the topics' settings: five minutes while Kafka is available.
const PROBES_PER_DURABILITY_CHECK: u32 = 60;
/// How long one request to Kafka may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a broker may take to learn of a created topic.
const PROPAGATION_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between metadata requests while a created topic propagates.
const PROPAGATION_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Probes Kafka until `stop`, even while no callbacks arrive. Never fails: results go to metrics and logs.
pub(crate) async fn monitor_topics(sink: Arc<KafkaSink>, kafka: KafkaConfig, stop: CancellationToken) {
    let health = Arc::clone(sink.health());
    let monitor = Arc::new(Mutex::new(TopicMonitor::new(sink, kafka)));
    let mut is_failing = false;
    loop {
        let monitor = Arc::clone(&monitor);
        let probe = blocking::run("kafka-probe", move || {
            // A probe that panicked leaves nothing behind: the next one checks everything again.
            monitor.lock().probe();
        });
        let Some(probed) = stop.run_until_cancelled(probe).await else { return };
        if let (Err(error), false) = (&probed, is_failing) {
            tracing::error!(%error, "cannot probe Kafka; retrying every second");
        }
        is_failing = probed.is_err();
        let pause = if health.is_up() && !is_failing { HEALTHY_INTERVAL } else { UNHEALTHY_INTERVAL };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

struct TopicMonitor {
    sink: Arc<KafkaSink>,
    kafka: KafkaConfig,
    requester: AdminRequester,
    probes_to_durability_check: u32,
    last_durability: Option<TopicDurability>,
    /// The number of brokers when the metadata was last fetched.
    brokers: usize,
    /// When the monitor began, until Kafka was reached for the first time.
    began: Option<Instant>,
    /// The problems that were logged already, so that each is logged once and not with every probe.
    reported: BTreeSet<String>,
}

/// The replication factor of a topic, or the error of its metadata.
type TopicState = Result<usize, RDKafkaErrorCode>;

impl TopicMonitor {
    fn new(sink: Arc<KafkaSink>, kafka: KafkaConfig) -> Self {
        let operations = Arc::clone(&sink.metrics().operations);
        let requester =
            AdminRequester { kafka: kafka.clone(), operations, runtime: Handle::current(), timeout: REQUEST_TIMEOUT };
        Self {
            sink,
            kafka,
            requester,
            probes_to_durability_check: 0,
            last_durability: None,
            brokers: 0,
            began: Some(Instant::now()),
            reported: BTreeSet::new(),
        }
    }

    fn probe(&mut self) {
        let mut states = self.fetch_states();
        if self.kafka.create_topics && has_missing(&states) {
            let are_created = self.create(&states);
            states = if are_created { self.wait_for_created_topics() } else { self.fetch_states() };
        }
        let failures: Vec<_> =
            states.iter().filter_map(|(which, state)| state.err().map(|code| (*which, code))).collect();
        for (which, code) in &failures {
            self.report(*which, *code);
        }
        if failures.is_empty() {
            self.reported.clear();
            self.check_durability_if_due(&states);
        }
        // A missing dead-letter topic does not affect events.
        let event_topic_failure = failures.iter().find(|(which, _)| *which == Destination::Events);
        match (event_topic_failure, self.sink.producer().client().fatal_error()) {
            (Some((_, code)), _) => self.sink.health().mark_down(error::classify_code(*code), &code.to_string()),
            (None, Some((_code, detail))) => self.sink.health().mark_down(PublishFailure::Fatal, &detail),
            (None, None) => {
                self.log_first_success();
                self.sink.health().probe_succeeded(Instant::now());
            }
        }
    }

    fn log_first_success(&mut self) {
        if let Some(began) = self.began.take() {
            tracing::info!(brokers = self.brokers, seconds = seconds(began.elapsed()), "reached Kafka");
        }
    }

    fn fetch_states(&mut self) -> Vec<(Destination, TopicState)> {
        Destination::ALL.iter().map(|destination| (*destination, self.fetch_replication(*destination))).collect()
    }

    /// Waits until the created topics appear in the metadata. Some brokers learn of a topic later than others. That is
    /// not an outage.
    fn wait_for_created_topics(&mut self) -> Vec<(Destination, TopicState)> {
        let deadline = Instant::now() + PROPAGATION_TIMEOUT;
        loop {
            let states = self.fetch_states();
            if !has_missing(&states) || Instant::now() >= deadline {
                return states;
            }
            thread::sleep(PROPAGATION_POLL_INTERVAL);
        }
    }

    fn check_durability_if_due(&mut self, states: &[(Destination, TopicState)]) {
        if self.probes_to_durability_check == 0 {
            self.check_durability(states);
            self.probes_to_durability_check = PROBES_PER_DURABILITY_CHECK;
        }
        self.probes_to_durability_check -= 1;
    }

    fn fetch_replication(&mut self, destination: Destination) -> TopicState {
        let name = self.sink.topics().name(destination);
        let operation = self.begin_metadata();
        let answer = self.sink.producer().client().fetch_metadata(Some(name), REQUEST_TIMEOUT);
        drop(operation);
        let found = answer.map_err(|error| code_of(&error)).and_then(|metadata| {
            self.brokers = metadata.brokers().len();
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            topic.ok_or(RDKafkaErrorCode::UnknownTopicOrPartition).and_then(replication)
        });
        let metrics = self.sink.metrics();
        metrics.topic_present.of(destination).set(i64::from(found.is_ok()));
        let refused = found == Err(RDKafkaErrorCode::TopicAuthorizationFailed);
        metrics.topic_permission_missing.of(destination, AclOperation::Describe).set(i64::from(refused));
        found
    }

    /// A slow request is reported only while Kafka is up, so that an outage is one line in the log.
    fn begin_metadata(&self) -> Option<OperationGuard> {
        let is_up = self.sink.health().is_up();
        is_up.then(|| self.sink.metrics().operations.begin(Operation::KafkaMetadata))
    }

    /// Tells the operator what to do about a topic, if that is known.
    fn report(&mut self, which: Destination, code: RDKafkaErrorCode) {
        let topic = self.sink.topics().name(which).to_owned();
        match error::classify_code(code) {
            PublishFailure::Authorization => self.report_not_authorized(which, AclOperation::Describe),
            PublishFailure::UnknownTopic if !self.kafka.create_topics => self.report_once(format!(
                "topic {topic} does not exist; create it, or set KAFKA_CREATE_TOPICS=true and grant CREATE on it"
            )),
            _ => {}
        }
    }

    /// Creates the missing topics. Returns whether all of them exist now.
    fn create(&mut self, states: &[(Destination, TopicState)]) -> bool {
        let mut are_created = true;
        let missing: Vec<_> = states.iter().filter(|(_, state)| is_missing(state)).map(|(which, _)| *which).collect();
        self.probes_to_durability_check = 0;
        for (destination, result) in self.request_creation(&missing) {
            let refused = matches!(
                result,
                Err(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)
            );
            self.sink.metrics().topic_permission_missing.of(destination, AclOperation::Create).set(i64::from(refused));
            are_created &= matches!(result, Ok(()) | Err(RDKafkaErrorCode::TopicAlreadyExists));
            let topic = self.sink.topics().name(destination).to_owned();
            match result {
                Ok(()) => tracing::info!(topic, partitions = self.kafka.topic_partitions, "created the topic"),
                Err(RDKafkaErrorCode::TopicAlreadyExists) => {}
                Err(_) if refused => self.report_not_authorized(destination, AclOperation::Create),
                Err(code) => self.report_once(creation_error(&topic, self.spec(), code)),
            }
        }
        are_created
    }

    fn spec(&self) -> TopicSpec {
        let KafkaConfig { topic_partitions: partitions, topic_replication: replication, .. } = self.kafka;
        TopicSpec { partitions, replication, brokers: self.brokers, purpose: TopicPurpose::Callbacks }
    }

    fn request_creation(&self, missing: &[Destination]) -> Vec<(Destination, Result<(), RDKafkaErrorCode>)> {
        let new_topic = |destination: &Destination| {
            // -1 requests the broker's default (KIP-464).
            let replication = TopicReplication::Fixed(self.kafka.topic_replication.unwrap_or(-1));
            NewTopic::new(self.sink.topics().name(*destination), self.kafka.topic_partitions, replication)
        };
        let topics: Vec<_> = missing.iter().map(new_topic).collect();
        let answer = self.requester.send(async |admin, options| admin.create_topics(&topics, options).await);
        let results = match answer {
            Ok(results) => results.into_iter().map(|result| result.map(drop).map_err(|(_topic, code)| code)).collect(),
            Err(error) => vec![Err(code_of(&error)); missing.len()],
        };
        missing.iter().copied().zip(results).collect()
    }

    /// Checks whether the loss of one broker could lose an acknowledged event.
    fn check_durability(&mut self, states: &[(Destination, TopicState)]) {
        let names: Vec<_> = states.iter().map(|(which, _)| self.sink.topics().name(*which).to_owned()).collect();
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answer = self.requester.send(async |admin, options| admin.describe_configs(&resources, options).await);
        let results = match answer {
            Ok(results) => results,
            // The last known durability stays valid until the next check.
            Err(error) => return tracing::debug!(%error, "cannot read the settings of the topics"),
        };
        let topics: Vec<_> = states
            .iter()
            .zip(&results)
            .filter_map(|((which, state), result)| Some((state.ok()?, self.min_in_sync(*which, result))))
            .collect();
        let worst = topics.iter().map(|(replication, min)| TopicDurability::classify(*replication, *min)).min();
        let Some(durability) = worst else { return };
        let (known, durable) = durability.known_and_durable();
        let metrics = self.sink.metrics();
        // An alert fires if it is known and the topics are not durable. No scrape may find that while both gauges change.
        if !known {
            metrics.topic_durability_known.set(0);
        }
        metrics.topic_durable.set(i64::from(durable));
        metrics.topic_durability_known.set(i64::from(known));
        if self.last_durability.replace(durability) != Some(durability) {
            log_durability(durability, &topics, &names.join(","));
        }
    }

    fn min_in_sync(&mut self, destination: Destination, result: &ConfigResourceResult) -> Option<usize> {
        let refused = matches!(result, Err(RDKafkaErrorCode::TopicAuthorizationFailed));
        self.sink
            .metrics()
            .topic_permission_missing
            .of(destination, AclOperation::DescribeConfigs)
            .set(i64::from(refused));
        if refused {
            self.report_not_authorized(destination, AclOperation::DescribeConfigs);
        }
        min_in_sync(result.as_ref().ok()?)
    }

    fn report_not_authorized(&mut self, destination: Destination, operation: AclOperation) {
        self.report_once(not_authorized(self.sink.topics().name(destination), operation));
    }

    /// Logs a problem once, until a probe finds no problem.
    fn report_once(&mut self, problem: String) {
        if !self.reported.contains(&problem) {
            tracing::error!("{problem}");
            self.reported.insert(problem);
        }
    }
}

/// `topics` has the replication factor of each topic, and its `min.insync.replicas` if Kafka reported it.
fn log_durability(durability: TopicDurability, topics: &[(usize, Option<usize>)], names: &str) {
    let replication = topics.iter().map(|(replication, _)| *replication).min();
    let min_insync_replicas = topics.iter().filter_map(|(_, min)| *min).min();
    match durability {
        TopicDurability::Durable => {}
        TopicDurability::Unknown => tracing::info!(
            replication,
            topics = names,
            "Kafka does not report min.insync.replicas for both topics, so it is unknown whether the loss of one broker can \
             lose acknowledged events"
        ),
        TopicDurability::NotDurable => tracing::warn!(
            replication,
            min_insync_replicas,
            topics = names,
            "the loss of one broker can lose acknowledged events; set the replication factor of both topics to 3 and \
             min.insync.replicas to 2"
        ),
    }
}

fn has_missing(states: &[(Destination, TopicState)]) -> bool {
    states.iter().any(|(_, state)| is_missing(state))
}

fn is_missing(state: &TopicState) -> bool {
    matches!(state, Err(code) if error::classify_code(*code) == PublishFailure::UnknownTopic)
}

fn replication(topic: &MetadataTopic) -> TopicState {
    if let Some(error) = topic.error() {
        return Err(error.into());
    }
    let has_leader = topic.partitions().iter().any(|partition| partition.leader() >= 0);
    let least = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
    least.filter(|_| has_leader).ok_or(RDKafkaErrorCode::LeaderNotAvailable)
}

fn code_of(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)
}
