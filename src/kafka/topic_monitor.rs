//! Watches the two topics in the background: creates them where that is allowed, and says what is wrong with them.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | metadata of a topic | `kafka-probe`, one for each probe, and no probe begins before the last one has ended | that of the watcher, which only these threads take | [`PATIENCE`] each |
//! | create topics, read their settings | the same | the same | [`PATIENCE`] each, see [`admin`](super::admin) |
//! | wait until a created topic is known to every broker | the same | the same | [`TO_BECOME_KNOWN`] |
//! | whether the producer has failed for good | the same | the same | does not wait |
//!
//! A stop does not wait for a probe that is under way.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

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
    admin::Questioner,
    creation::{Wanted, refusal},
    durability::{Durability, min_in_sync},
    error,
    producer::right_missing,
};
use crate::{
    blocking,
    config::KafkaConfig,
    domain::{Destination, Label as _, PublishFailure},
    telemetry::{Operation, OperationGuard, Right},
};

/// Between probes while Kafka is available.
const CALM: Duration = Duration::from_secs(5);
/// Between probes while it is not, so that an outage ends for us soon after it ends.
const ALERT: Duration = Duration::from_secs(1);
/// Probes from one reading of the topics' settings to the next: five minutes while Kafka is available.
const PROBES_PER_DURABILITY: u32 = 60;
/// The longest that one question to Kafka may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that a topic which was created may be unknown to a broker.
const TO_BECOME_KNOWN: Duration = Duration::from_secs(5);
/// How soon that broker is asked again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Probes Kafka until `stop`, also when no callback comes. Never fails; what it finds goes to metrics and logs.
pub async fn watch(sink: Arc<KafkaSink>, kafka: KafkaConfig, stop: CancellationToken) {
    let health = Arc::clone(sink.health());
    let watcher = Arc::new(Mutex::new(Watcher::new(sink, kafka)));
    let mut is_failing = false;
    loop {
        let watcher = Arc::clone(&watcher);
        let probe = blocking::run("kafka-probe", move || {
            // After a panic the next probe looks at everything again.
            watcher.lock().unwrap_or_else(PoisonError::into_inner).look();
        });
        let Some(probed) = stop.run_until_cancelled(probe).await else { return };
        if let (Err(error), false) = (&probed, is_failing) {
            tracing::error!(%error, "Kafka cannot be probed; it is tried again every second");
        }
        is_failing = probed.is_err();
        let pause = if health.is_up() && !is_failing { CALM } else { ALERT };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

struct Watcher {
    sink: Arc<KafkaSink>,
    kafka: KafkaConfig,
    questioner: Questioner,
    probes_to_durability: u32,
    seen: Option<Durability>,
    /// Brokers of the cluster when it was last asked.
    brokers: usize,
    /// What was complained about, so that it is logged once and not with every probe.
    said: BTreeSet<String>,
}

/// How many replicas a topic has, or why that cannot be told.
type State = Result<usize, RDKafkaErrorCode>;

impl Watcher {
    fn new(sink: Arc<KafkaSink>, kafka: KafkaConfig) -> Self {
        let operations = Arc::clone(&sink.metrics().operations);
        let questioner =
            Questioner { kafka: kafka.clone(), operations, runtime: Handle::current(), patience: PATIENCE };
        Self { sink, kafka, questioner, probes_to_durability: 0, seen: None, brokers: 0, said: BTreeSet::new() }
    }

    fn look(&mut self) {
        let mut states = self.states();
        if self.kafka.create_topics && has_missing(&states) {
            let are_created = self.create(&states);
            states = if are_created { self.states_of_created() } else { self.states() };
        }
        let failures: Vec<_> =
            states.iter().filter_map(|(which, state)| state.err().map(|code| (*which, code))).collect();
        for (which, code) in &failures {
            self.report(*which, *code);
        }
        if failures.is_empty() {
            self.said.clear();
            self.watch_durability(&states);
        }
        // A topic of dead letters that is missing does not keep events out of theirs.
        let of_events = failures.iter().find(|(which, _)| *which == Destination::Events);
        match (of_events, self.sink.producer().client().fatal_error()) {
            (Some((_, code)), _) => self.sink.health().failed(error::of_code(*code), &code.to_string()),
            (None, Some((_code, detail))) => self.sink.health().failed(PublishFailure::Fatal, &detail),
            (None, None) => self.sink.health().probe_succeeded(Instant::now()),
        }
    }

    fn states(&mut self) -> Vec<(Destination, State)> {
        Destination::ALL.iter().map(|destination| (*destination, self.replication_of(*destination))).collect()
    }

    /// A topic that was created is known to some brokers before it is known to the one that is asked next. That is no outage,
    /// so the answer is given time.
    fn states_of_created(&mut self) -> Vec<(Destination, State)> {
        let deadline = Instant::now() + TO_BECOME_KNOWN;
        loop {
            let states = self.states();
            if !has_missing(&states) || Instant::now() >= deadline {
                return states;
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    fn watch_durability(&mut self, states: &[(Destination, State)]) {
        if self.probes_to_durability == 0 {
            self.check_durability(states);
            self.probes_to_durability = PROBES_PER_DURABILITY;
        }
        self.probes_to_durability -= 1;
    }

    fn replication_of(&mut self, destination: Destination) -> State {
        let name = self.sink.topics().name(destination);
        let operation = self.begin_metadata();
        let answer = self.sink.producer().client().fetch_metadata(Some(name), PATIENCE);
        drop(operation);
        let found = answer.map_err(|error| code_of(&error)).and_then(|metadata| {
            self.brokers = metadata.brokers().len();
            let topic = metadata.topics().iter().find(|topic| topic.name() == name);
            topic.ok_or(RDKafkaErrorCode::UnknownTopicOrPartition).and_then(replication)
        });
        let metrics = self.sink.metrics();
        metrics.topic_present.of(destination).set(i64::from(found.is_ok()));
        let refused = found == Err(RDKafkaErrorCode::TopicAuthorizationFailed);
        metrics.topic_right_missing.of(destination, Right::Describe).set(i64::from(refused));
        found
    }

    /// That Kafka does not answer is news only while it is thought to be there: an outage is one line in the log.
    fn begin_metadata(&self) -> Option<OperationGuard> {
        let is_up = self.sink.health().is_up();
        is_up.then(|| self.sink.metrics().operations.begin(Operation::KafkaMetadata))
    }

    /// Says what an operator has to do about a topic, where that is known.
    fn report(&mut self, which: Destination, code: RDKafkaErrorCode) {
        let topic = self.sink.topics().name(which).to_owned();
        match error::of_code(code) {
            PublishFailure::Authorization => self.say_right(which, Right::Describe),
            PublishFailure::UnknownTopic if !self.kafka.create_topics => self.say(format!(
                "topic {topic} does not exist; create it, or set KAFKA_CREATE_TOPICS=true and grant CREATE on it"
            )),
            _ => {}
        }
    }

    /// Returns whether every missing topic is there now.
    fn create(&mut self, states: &[(Destination, State)]) -> bool {
        let mut are_created = true;
        let missing: Vec<_> = states.iter().filter(|(_, state)| is_missing(state)).map(|(which, _)| *which).collect();
        self.probes_to_durability = 0;
        for (destination, result) in self.ask_to_create(&missing) {
            let refused = matches!(
                result,
                Err(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)
            );
            self.sink.metrics().topic_right_missing.of(destination, Right::Create).set(i64::from(refused));
            are_created &= matches!(result, Ok(()) | Err(RDKafkaErrorCode::TopicAlreadyExists));
            let topic = self.sink.topics().name(destination).to_owned();
            match result {
                Ok(()) => tracing::info!(topic, partitions = self.kafka.topic_partitions, "created the topic"),
                Err(RDKafkaErrorCode::TopicAlreadyExists) => {}
                Err(_) if refused => self.say_right(destination, Right::Create),
                Err(code) => self.say(refusal(&topic, self.wanted(), code)),
            }
        }
        are_created
    }

    fn wanted(&self) -> Wanted {
        let KafkaConfig { topic_partitions: partitions, topic_replication: replication, .. } = self.kafka;
        Wanted { partitions, replication, brokers: self.brokers }
    }

    fn ask_to_create(&self, missing: &[Destination]) -> Vec<(Destination, Result<(), RDKafkaErrorCode>)> {
        let new_topic = |destination: &Destination| {
            // -1 asks the broker for its own default (KIP-464).
            let replication = TopicReplication::Fixed(self.kafka.topic_replication.unwrap_or(-1));
            NewTopic::new(self.sink.topics().name(*destination), self.kafka.topic_partitions, replication)
        };
        let topics: Vec<_> = missing.iter().map(new_topic).collect();
        let answer = self.questioner.ask(async |admin, options| admin.create_topics(&topics, options).await);
        let results = match answer {
            Ok(results) => results.into_iter().map(|result| result.map(drop).map_err(|(_topic, code)| code)).collect(),
            Err(error) => vec![Err(code_of(&error)); missing.len()],
        };
        missing.iter().copied().zip(results).collect()
    }

    /// Whether the loss of one broker could lose an acknowledged event.
    fn check_durability(&mut self, states: &[(Destination, State)]) {
        let names: Vec<_> = states.iter().map(|(which, _)| self.sink.topics().name(*which).to_owned()).collect();
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answer = self.questioner.ask(async |admin, options| admin.describe_configs(&resources, options).await);
        let results = match answer {
            Ok(results) => results,
            // What was known stays known until the next time.
            Err(error) => return tracing::debug!(%error, "the settings of the topics cannot be read"),
        };
        let topics: Vec<_> = states
            .iter()
            .zip(&results)
            .filter_map(|((which, state), result)| Some((state.ok()?, self.min_in_sync(*which, result))))
            .collect();
        let worst = topics.iter().map(|(replication, min)| Durability::of(*replication, *min)).min();
        let Some(durability) = worst else { return };
        let (known, durable) = durability.known_and_durable();
        self.sink.metrics().topic_durability_known.set(i64::from(known));
        self.sink.metrics().topic_durable.set(i64::from(durable));
        if self.seen.replace(durability) != Some(durability) {
            say_durability(durability, &topics, &names.join(","));
        }
    }

    fn min_in_sync(&mut self, destination: Destination, result: &ConfigResourceResult) -> Option<usize> {
        let refused = matches!(result, Err(RDKafkaErrorCode::TopicAuthorizationFailed));
        self.sink.metrics().topic_right_missing.of(destination, Right::DescribeConfigs).set(i64::from(refused));
        if refused {
            self.say_right(destination, Right::DescribeConfigs);
        }
        min_in_sync(result.as_ref().ok()?)
    }

    fn say_right(&mut self, destination: Destination, right: Right) {
        self.say(right_missing(self.sink.topics().name(destination), right));
    }

    /// Complains once, until all is well again.
    fn say(&mut self, complaint: String) {
        if !self.said.contains(&complaint) {
            tracing::error!("{complaint}");
            self.said.insert(complaint);
        }
    }
}

/// `topics` are the replicas of each topic, and how many of them must have a record, where that was told.
fn say_durability(durability: Durability, topics: &[(usize, Option<usize>)], names: &str) {
    let replication = topics.iter().map(|(replication, _)| *replication).min();
    let min_insync_replicas = topics.iter().filter_map(|(_, min)| *min).min();
    match durability {
        Durability::Durable => {}
        Durability::Unknown => tracing::info!(
            replication,
            topics = names,
            "Kafka does not report min.insync.replicas of every topic, so it is not known whether the loss of one broker can \
             lose acknowledged events"
        ),
        Durability::NotDurable => tracing::warn!(
            replication,
            min_insync_replicas,
            topics = names,
            "the loss of one broker can lose acknowledged events; give both topics a replication of 3 and \
             min.insync.replicas of 2"
        ),
    }
}

fn has_missing(states: &[(Destination, State)]) -> bool {
    states.iter().any(|(_, state)| is_missing(state))
}

fn is_missing(state: &State) -> bool {
    matches!(state, Err(code) if error::of_code(*code) == PublishFailure::UnknownTopic)
}

fn replication(topic: &MetadataTopic) -> State {
    if let Some(error) = topic.error() {
        return Err(error.into());
    }
    let led = topic.partitions().iter().any(|partition| partition.leader() >= 0);
    let least = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
    least.filter(|_| led).ok_or(RDKafkaErrorCode::LeaderNotAvailable)
}

fn code_of(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)
}
