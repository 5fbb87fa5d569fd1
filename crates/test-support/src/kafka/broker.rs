//! One broker, which all tests of the process share or one test has for itself.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{env, process, thread};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::runtime::Builder;

use super::{
    node::{self, Node},
    records::{self, Record},
};
use crate::{TIMEOUT, wait_for};

/// Far longer than a broker needs, even on a busy machine; only a broken one takes this long.
pub(super) const START_DEADLINE: Duration = Duration::from_secs(180);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Properties of a broker that a test kills: it may rejoin its cluster only after the session of the killed broker has
/// expired, which takes nine seconds by default.
pub const SHORT_SESSION: [(&str, &str); 2] =
    [("broker.session.timeout.ms", "2000"), ("broker.heartbeat.interval.ms", "500")];

/// The broker that tests share, each with its own topics: the one in `TEST_KAFKA_BOOTSTRAP_SERVERS`, or else one that
/// is started on first use and ends with the test process.
pub fn broker() -> &'static Broker {
    static SHARED: LazyLock<Broker> = LazyLock::new(|| match env::var("TEST_KAFKA_BOOTSTRAP_SERVERS") {
        Ok(bootstrap) => Broker::at(&bootstrap),
        Err(_) => Broker::start("shared", &[]),
    });
    &SHARED
}

/// A topic name that no other test and no other run uses.
pub fn unique_topic(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_millis();
    format!("{prefix}-{now}-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A Kafka cluster and the operations that tests need. One that was started here is a single node that ends with this
/// value.
pub struct Broker {
    client: ClientConfig,
    bootstrap: String,
    pub(super) node: Option<Node>,
}

impl Broker {
    /// An external cluster.
    pub fn at(bootstrap: &str) -> Self {
        Self::ready(bootstrap.to_owned(), &[], None)
    }

    /// Starts a private broker, with these properties in addition to the usual ones.
    pub fn start(name: &str, properties: &[(&str, &str)]) -> Self {
        let node = Node::launch(&unique_topic(name), properties);
        Self::ready(node.bootstrap(), &[], Some(node))
    }

    /// Starts a broker with `SASL_PLAINTEXT` and `PLAIN`, where [`USER`](super::USER) has no permission until [`Broker::allow`]
    /// grants one. The methods of this type act as its administrator.
    pub fn start_restricted(name: &str) -> Self {
        let node = Node::launch_restricted(&unique_topic(name), &[]);
        Self::restricted(node, &node::ADMIN_CLIENT)
    }

    /// A restricted broker that was started here, with the login of its administrator.
    pub(super) fn restricted(node: Node, login: &[(&str, &str)]) -> Self {
        Self::ready(node.bootstrap(), login, Some(node))
    }

    /// The process of a broker that was started here.
    pub(super) fn node(&self) -> &Node {
        self.node.as_ref().expect("this broker was started here")
    }

    /// A broker that has its port already but does not run before [`Broker::start_again`].
    pub fn not_started(name: &str) -> Self {
        let node = Node::prepare(&unique_topic(name), &[]);
        Self::of(node.bootstrap(), &[], Some(node))
    }

    /// The value for `KAFKA_BOOTSTRAP_SERVERS`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Shuts the broker down and keeps its data.
    pub fn stop(&mut self) {
        self.node.as_mut().expect("this broker was started here").stop();
    }

    /// Kills the broker as a crash would; start it with [`SHORT_SESSION`] if it is to restart soon.
    pub fn kill(&mut self) {
        self.node.as_mut().expect("this broker was started here").process().kill();
    }

    /// Suspends the broker: its connections stay open, and it answers nothing.
    pub fn pause(&mut self) {
        self.node.as_mut().expect("this broker was started here").process().pause();
    }

    /// Resumes the broker, which first handles the requests that it had received.
    pub fn resume(&mut self) {
        self.node.as_mut().expect("this broker was started here").process().resume();
        self.wait_until_ready();
    }

    /// Starts the stopped broker on the same port with the same data.
    pub fn start_again(&mut self) {
        self.node.as_mut().expect("this broker was started here").start();
        self.wait_until_ready();
    }

    /// Permits [`USER`](super::USER) an operation, such as `Create` or `Write`, on a topic of this restricted broker.
    pub fn allow(&self, operation: &str, topic: &str) {
        self.node().allow(operation, "topic", topic);
    }

    /// The same on a consumer group.
    pub fn allow_group(&self, operation: &str, group: &str) {
        self.node().allow(operation, "group", group);
    }

    /// Permits [`USER`](super::USER) every transaction.
    pub fn allow_transactions(&self) {
        self.node().allow("All", "transactional-id", "*");
    }

    /// Adds partitions to a topic until it has this many.
    pub fn add_partitions(&self, topic: &str, count: usize) {
        let raised = block_on(self.admin().create_partitions(&[NewPartitions::new(topic, count)], &admin_options()));
        assert!(matches!(raised.as_deref(), Ok([Ok(_)])), "topic {topic} cannot get more partitions: {raised:?}");
    }

    /// Creates a topic and waits until its partitions can be used.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.create(NewTopic::new(name, partitions, TopicReplication::Fixed(1)));
    }

    /// Creates a topic with one partition that rejects record batches larger than this.
    pub fn create_narrow_topic(&self, name: &str, max_message_bytes: usize) {
        let limit = max_message_bytes.to_string();
        self.create(NewTopic::new(name, 1, TopicReplication::Fixed(1)).set("max.message.bytes", &limit));
    }

    /// Creates a topic with these settings.
    pub fn create_topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        self.create(settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value)));
    }

    /// Replaces the settings of a topic.
    pub fn alter_topic(&self, topic: &str, settings: &[(&str, &str)]) {
        let config = AlterConfig::new(ResourceSpecifier::Topic(topic));
        let config = settings.iter().fold(config, |config, (key, value)| config.set(key, value));
        let altered = block_on(self.admin().alter_configs([&config], &admin_options()));
        assert!(matches!(altered.as_deref(), Ok([Ok(_)])), "topic {topic} cannot be altered: {altered:?}");
    }

    /// Deletes every record of a topic, as Kafka deletes expired ones.
    pub fn delete_records(&self, topic: &str) {
        let mut ends = TopicPartitionList::new();
        for partition in 0..i32::try_from(self.partitions_of(topic)).unwrap() {
            ends.add_partition_offset(topic, partition, Offset::End).unwrap();
        }
        // A broker refuses this while it does not yet know a new cleanup policy of the topic.
        wait_for("the records are deleted", || {
            let deleted = block_on(self.admin().delete_records(&ends, &admin_options())).unwrap();
            deleted.elements().iter().all(|partition| partition.error().is_ok()).then_some(())
        });
    }

    /// Deletes a topic. It may exist again when this returns: the service under test creates missing topics.
    pub fn delete_topic(&self, name: &str) {
        let deleted = block_on(self.admin().delete_topics(&[name], &admin_options()));
        assert!(matches!(deleted.as_deref(), Ok([Ok(_)])), "topic {name} cannot be deleted: {deleted:?}");
    }

    fn create(&self, topic: NewTopic<'_>) {
        let name = topic.name;
        match block_on(self.admin().create_topics([&topic], &admin_options())).as_deref() {
            Ok([Ok(_)]) => {}
            rejected => panic!("topic {name} cannot be created: {rejected:?}"),
        }
        records::partitions(&self.consumer(), name, Instant::now() + REQUEST_TIMEOUT);
    }

    /// Whether the topic exists now.
    pub fn has_topic(&self, name: &str) -> bool {
        let metadata = self.consumer().fetch_metadata(Some(name), REQUEST_TIMEOUT).expect("the broker answers");
        metadata.topics().iter().all(|topic| topic.error().is_none())
    }

    /// The number of partitions of the topic.
    pub fn partitions_of(&self, topic: &str) -> usize {
        records::partitions(&self.consumer(), topic, Instant::now() + REQUEST_TIMEOUT).len()
    }

    /// Waits until no transaction on the topic is open. Kafka answers the end of a transaction before it is in all partitions.
    pub fn wait_until_committed(&self, topic: &str) {
        let mut uncommitted = self.client.clone();
        uncommitted.set("isolation.level", "read_uncommitted");
        let consumers = [self.consumer(), records::consumer(uncommitted)];
        let partitions = records::partitions(&consumers[0], topic, Instant::now() + REQUEST_TIMEOUT);
        for partition in partitions {
            wait_for("the transaction has ended", || {
                let ends =
                    consumers.each_ref().map(|consumer| consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT));
                let [committed, written] = ends.map(|extent| extent.expect("the broker answers").1);
                (committed == written).then_some(())
            });
        }
    }

    /// The offset after the last record of a partition that is not part of an open transaction, or comes after one.
    pub fn end_of(&self, topic: &str, partition: i32) -> i64 {
        let extent = self.consumer().fetch_watermarks(topic, partition, REQUEST_TIMEOUT);
        extent.expect("the broker answers").1
    }

    /// Every record of the topic once there are at least this many, ordered by partition and offset.
    pub fn wait_for_records(&self, topic: &str, at_least: usize, timeout: Duration) -> Vec<Record> {
        let mut records = self.gather(topic, at_least, timeout, Vec::<Record>::new());
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// The first record of each event in the topic, once there are at least this many. A record that Kafka acknowledges too late
    /// is published again, with the same id.
    pub fn wait_for_events(&self, topic: &str, at_least: usize) -> Vec<Record> {
        wait_for(&format!("{at_least} events in {topic}"), || {
            let mut ids = BTreeSet::new();
            let mut events = self.wait_for_records(topic, at_least, TIMEOUT);
            events.retain(|event| ids.insert(event.header("ce_id").unwrap().to_owned()));
            Some(events).filter(|events| events.len() >= at_least)
        })
    }

    /// Every committed record of a topic to which transactions write, ordered by partition and offset.
    pub fn read_to_end(&self, topic: &str) -> Vec<Record> {
        let mut records: Vec<Record> = self.read_to_end_into(topic, REQUEST_TIMEOUT, Vec::new());
        records.sort_by_key(|record| (record.partition, record.offset));
        records
    }

    /// The same for more records than fit into memory: each is passed on as it is read, in the order of its partition.
    pub(crate) fn read_to_end_into<C: Extend<Record>>(&self, topic: &str, timeout: Duration, into: C) -> C {
        records::read_to_end(&self.consumer(), topic, Instant::now() + timeout, into)
    }

    /// The same for more records than fit into memory: each is passed on as it is read, in the order of its partition.
    pub fn gather<C: Extend<Record> + Debug>(&self, topic: &str, at_least: usize, timeout: Duration, into: C) -> C {
        records::gather(&self.consumer(), topic, at_least, Instant::now() + timeout, into)
    }

    pub(super) fn ready(bootstrap: String, login: &[(&str, &str)], node: Option<Node>) -> Self {
        let broker = Self::of(bootstrap, login, node);
        broker.wait_until_ready();
        broker
    }

    pub(super) fn of(bootstrap: String, login: &[(&str, &str)], node: Option<Node>) -> Self {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &bootstrap).set("reconnect.backoff.max.ms", "200");
        client.extend(login.iter().map(|(key, value)| (key.to_string(), value.to_string())));
        Self { client, bootstrap, node }
    }

    pub(super) fn wait_until_ready(&self) {
        let consumer = self.consumer();
        let deadline = Instant::now() + START_DEADLINE;
        while !has_members(&consumer) {
            assert!(
                Instant::now() < deadline,
                "no Kafka at {} within {START_DEADLINE:?}\n{}",
                self.bootstrap,
                self.node.as_ref().map(Node::end_of_log).unwrap_or_default()
            );
        }
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client.create().expect("the client's settings are valid")
    }

    pub(super) fn consumer(&self) -> BaseConsumer {
        records::consumer(self.client.clone())
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}

/// A broker answers requests before it is a member of its cluster, and cannot lead a partition until then.
fn has_members(consumer: &BaseConsumer) -> bool {
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(1));
    metadata.is_ok_and(|metadata| !metadata.brokers().is_empty())
}

/// Also works inside an asynchronous test, where this thread already belongs to a runtime.
fn block_on<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    let wait = || Builder::new_current_thread().build().expect("a runtime without drivers").block_on(future);
    thread::scope(|scope| scope.spawn(wait).join()).expect("the request does not panic")
}
