//! Watches the two topics in the background: creates them where that is allowed, and says what is wrong with them.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, ConfigResourceResult, NewTopic, ResourceSpecifier, TopicReplication},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataTopic,
    producer::Producer as _,
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{
    KafkaSink, client, failure,
    producer::{Context, right_missing},
};
use crate::{
    config::Kafka,
    domain::{Destination, Label as _, PublishFailure},
    telemetry::Right,
};

/// Between probes while Kafka is available.
const CALM: Duration = Duration::from_secs(5);
/// Between probes while it is not, so that an outage ends for us soon after it ends.
const ALERT: Duration = Duration::from_secs(1);
/// Probes from one reading of the topics' settings to the next: five minutes while Kafka is available.
const PROBES_PER_DURABILITY: u32 = 60;
/// The longest that one question to Kafka may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Probes Kafka until `stop`, also when no callback comes. Never fails; what it finds goes to metrics and logs.
pub async fn watch(sink: Arc<KafkaSink>, kafka: Kafka, stop: CancellationToken) {
    let mut watcher = Watcher {
        sink,
        kafka,
        handle: Handle::current(),
        probes_to_durability: 0,
        seen_durable: None,
        said: BTreeSet::new(),
    };
    while !stop.is_cancelled() {
        // librdkafka's questions block, so they are asked on a thread that may.
        let asked = tokio::task::spawn_blocking(move || {
            watcher.look();
            watcher
        });
        // A question that is under way cannot be called back; at the end nobody waits for its answer.
        watcher = tokio::select! {
            back = asked => match back {
                Ok(watcher) => watcher,
                Err(_panicked) => return,
            },
            () = stop.cancelled() => return,
        };
        let pause = if watcher.sink.health().is_up() { CALM } else { ALERT };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

struct Watcher {
    sink: Arc<KafkaSink>,
    kafka: Kafka,
    handle: Handle,
    probes_to_durability: u32,
    seen_durable: Option<bool>,
    /// What was complained about, so that it is logged once and not with every probe.
    said: BTreeSet<String>,
}

impl Watcher {
    fn look(&mut self) {
        let mut states = self.states();
        if self.kafka.create_topics && states.iter().any(|(_, state)| is_missing(state)) {
            self.create(&states);
            states = self.states();
        }
        let worst = states.iter().find_map(|(which, state)| state.as_ref().err().map(|code| (*which, *code)));
        match (worst, self.sink.producer().client().fatal_error()) {
            (Some((which, code)), _) => self.complain_of(which, code),
            (None, Some((_code, detail))) => self.sink.health().failed(PublishFailure::Fatal, &detail),
            (None, None) => self.all_is_well(&states),
        }
    }

    fn states(&self) -> Vec<(Destination, Result<usize, RDKafkaErrorCode>)> {
        Destination::ALL.iter().map(|destination| (*destination, self.replication_of(*destination))).collect()
    }

    fn all_is_well(&mut self, states: &[(Destination, Result<usize, RDKafkaErrorCode>)]) {
        self.said.clear();
        self.sink.health().probe_succeeded(Instant::now());
        if self.probes_to_durability == 0 {
            let least = states.iter().filter_map(|(_, state)| state.ok()).min().unwrap_or_default();
            self.check_durability(least);
            self.probes_to_durability = PROBES_PER_DURABILITY;
        }
        self.probes_to_durability -= 1;
    }

    /// How many replicas the topic has, or why that cannot be told.
    fn replication_of(&self, destination: Destination) -> Result<usize, RDKafkaErrorCode> {
        let name = self.sink.topics().name(destination);
        let metadata =
            self.sink.producer().client().fetch_metadata(Some(name), PATIENCE).map_err(|error| code_of(&error))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        let found = topic.ok_or(RDKafkaErrorCode::UnknownTopicOrPartition).and_then(replication);
        let metrics = self.sink.metrics();
        metrics.topic_present.of(destination).set(i64::from(found.is_ok()));
        let refused = found == Err(RDKafkaErrorCode::TopicAuthorizationFailed);
        metrics.topic_right_missing.of(destination, Right::Describe).set(i64::from(refused));
        found
    }

    fn complain_of(&mut self, which: Destination, code: RDKafkaErrorCode) {
        let reason = failure::of_code(code);
        let topic = self.sink.topics().name(which).to_owned();
        self.sink.health().failed(reason, &code.to_string());
        match reason {
            PublishFailure::Authorization => self.say_right(which, Right::Describe),
            PublishFailure::UnknownTopic if !self.kafka.create_topics => self.say(format!(
                "topic {topic} does not exist; create it, or set KAFKA_CREATE_TOPICS=true and grant CREATE on it"
            )),
            _ => {}
        }
    }

    fn create(&mut self, states: &[(Destination, Result<usize, RDKafkaErrorCode>)]) {
        let missing: Vec<_> = states.iter().filter(|(_, state)| is_missing(state)).map(|(which, _)| *which).collect();
        self.probes_to_durability = 0;
        for (destination, result) in self.ask_to_create(&missing) {
            let refused = matches!(
                result,
                Err(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed)
            );
            self.sink.metrics().topic_right_missing.of(destination, Right::Create).set(i64::from(refused));
            let topic = self.sink.topics().name(destination).to_owned();
            match result {
                Ok(()) => tracing::info!(topic, partitions = self.kafka.topic_partitions, "created the topic"),
                Err(RDKafkaErrorCode::TopicAlreadyExists) => {}
                Err(_) if refused => self.say_right(destination, Right::Create),
                Err(code) => self.say(format!("topic {topic} could not be created: {code}")),
            }
        }
    }

    fn ask_to_create(&self, missing: &[Destination]) -> Vec<(Destination, Result<(), RDKafkaErrorCode>)> {
        let new_topic = |destination: &Destination| {
            // -1 asks the broker for its own default (KIP-464).
            let replication = TopicReplication::Fixed(self.kafka.topic_replication.unwrap_or(-1));
            NewTopic::new(self.sink.topics().name(*destination), self.kafka.topic_partitions, replication)
        };
        let topics: Vec<_> = missing.iter().map(new_topic).collect();
        let answer = self.ask(async |admin, options| admin.create_topics(&topics, options).await);
        let results = match answer {
            Ok(results) => results.into_iter().map(|result| result.map(drop).map_err(|(_topic, code)| code)).collect(),
            Err(error) => vec![Err(code_of(&error)); missing.len()],
        };
        missing.iter().copied().zip(results).collect()
    }

    /// Whether the loss of one broker could lose an acknowledged event.
    fn check_durability(&mut self, least_replication: usize) {
        let names: Vec<_> = Destination::ALL.iter().map(|which| self.sink.topics().name(*which).to_owned()).collect();
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answer = self.ask(async |admin, options| admin.describe_configs(&resources, options).await);
        let least_in_sync = match answer {
            Ok(results) => self.least_in_sync(&results),
            Err(error) => Err(code_of(&error)),
        };
        let Ok(least_in_sync) = least_in_sync else { return };
        let durable = least_replication > 1 && least_in_sync > 1;
        self.sink.metrics().topic_durable.set(i64::from(durable));
        if !durable && self.seen_durable != Some(false) {
            tracing::warn!(
                replication = least_replication,
                min_insync_replicas = least_in_sync,
                topics = names.join(","),
                "the loss of one broker can lose acknowledged events; give both topics a replication of 3 and \
                 min.insync.replicas of 2"
            );
        }
        self.seen_durable = Some(durable);
    }

    fn least_in_sync(&mut self, results: &[ConfigResourceResult]) -> Result<usize, RDKafkaErrorCode> {
        let mut least = usize::MAX;
        for (destination, result) in Destination::ALL.iter().zip(results) {
            let refused = matches!(result, Err(RDKafkaErrorCode::TopicAuthorizationFailed));
            self.sink.metrics().topic_right_missing.of(*destination, Right::DescribeConfigs).set(i64::from(refused));
            if refused {
                self.say_right(*destination, Right::DescribeConfigs);
            }
            let config = result.as_ref().map_err(|code| *code)?;
            let value = config.get("min.insync.replicas").and_then(|entry| entry.value.as_ref());
            least = least.min(value.and_then(|value| value.parse().ok()).unwrap_or(1));
        }
        Ok(least)
    }

    /// Asks through a client that lives only for the question: most of the time there is none to ask.
    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&AdminClient<Context>, &AdminOptions) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaError> {
        let admin: AdminClient<Context> = client::common(&self.kafka).create_with_context(Context::quiet())?;
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        self.handle.block_on(question(&admin, &options))
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

fn is_missing(state: &Result<usize, RDKafkaErrorCode>) -> bool {
    matches!(state, Err(code) if failure::of_code(*code) == PublishFailure::UnknownTopic)
}

fn replication(topic: &MetadataTopic) -> Result<usize, RDKafkaErrorCode> {
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
