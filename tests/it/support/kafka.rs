//! Real Apache Kafka for the tests: one broker shared by the whole test binary, and private ones for tests that stop
//! theirs or want other properties.
//!
//! Everything here blocks, so an asynchronous test that uses it runs on the multi-threaded runtime. What cannot be had
//! is a panic that says why, never a skipped test.

mod node;
mod records;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{env, process, thread};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::runtime::Builder;

use self::node::Node;
pub(crate) use self::node::{USER, USER_PASSWORD};
pub(crate) use self::records::Record;

/// Far more than a broker needs, even on a busy machine; only a broken one gets there.
const START_DEADLINE: Duration = Duration::from_secs(60);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The broker that tests share, each with topics of its own: the one that `TEST_KAFKA_BOOTSTRAP_SERVERS` names,
/// otherwise one that is started on first use and ends with the test process.
pub(crate) fn broker() -> &'static Broker {
    static SHARED: LazyLock<Broker> = LazyLock::new(|| match env::var("TEST_KAFKA_BOOTSTRAP_SERVERS") {
        Ok(bootstrap) => Broker::at(&bootstrap),
        Err(_) => Broker::start("shared", &[]),
    });
    &SHARED
}

/// A topic name that no other test and no other run uses.
pub(crate) fn unique_topic(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_millis();
    format!("{prefix}-{now}-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A Kafka cluster, and what tests ask of it. One that was started here is a single node that ends with this value.
pub(crate) struct Broker {
    client: ClientConfig,
    bootstrap: String,
    node: Option<Node>,
}

impl Broker {
    /// A cluster that somebody else runs.
    pub(crate) fn at(bootstrap: &str) -> Self {
        Self::ready(bootstrap.to_owned(), &[], None)
    }

    /// A broker of one's own, with these properties on top of the usual ones.
    pub(crate) fn start(name: &str, properties: &[(&str, &str)]) -> Self {
        let node = Node::launch(&unique_topic(name), properties);
        Self::ready(node.bootstrap(), &[], Some(node))
    }

    /// A broker with `SASL_PLAINTEXT` and `PLAIN`, where [`USER`] has no right until [`Broker::allow`] grants one. The
    /// methods of this type act as its administrator.
    pub(crate) fn start_restricted(name: &str) -> Self {
        let node = Node::launch_restricted(&unique_topic(name));
        Self::ready(node.bootstrap(), &node::ADMIN_CLIENT, Some(node))
    }

    /// What goes into `KAFKA_BOOTSTRAP_SERVERS`.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Shuts the broker down; what it wrote stays.
    pub(crate) fn stop(&mut self) {
        self.node.as_mut().expect("this broker was started here").stop();
    }

    /// Starts the stopped broker again, on the same port with the same data.
    pub(crate) fn start_again(&mut self) {
        self.node.as_mut().expect("this broker was started here").start();
        self.wait_until_ready();
    }

    /// Gives [`USER`] the right to an operation, such as `Create` or `Write`, on a topic of this restricted broker.
    pub(crate) fn allow(&self, operation: &str, topic: &str) {
        self.node.as_ref().expect("this broker was started here").allow(operation, topic);
    }

    /// Makes a topic and waits until its partitions can be used.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client.create().expect("the client's settings are valid");
        let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        match block_on(admin.create_topics([&topic], &options)).as_deref() {
            Ok([Ok(_)]) => {}
            refused => panic!("topic {name} cannot be made: {refused:?}"),
        }
        records::partitions(&self.consumer(), name, Instant::now() + REQUEST_TIMEOUT);
    }

    /// How many partitions the topic has.
    pub(crate) fn partitions_of(&self, topic: &str) -> usize {
        records::partitions(&self.consumer(), topic, Instant::now() + REQUEST_TIMEOUT).len()
    }

    /// Every record of the topic as soon as there are this many, in the order of partition and offset.
    pub(crate) fn wait_for_records(&self, topic: &str, at_least: usize, patience: Duration) -> Vec<Record> {
        records::read(&self.consumer(), topic, at_least, Instant::now() + patience)
    }

    fn ready(bootstrap: String, login: &[(&str, &str)], node: Option<Node>) -> Self {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &bootstrap).set("reconnect.backoff.max.ms", "200");
        client.extend(login.iter().map(|(key, value)| (key.to_string(), value.to_string())));
        let broker = Self { client, bootstrap, node };
        broker.wait_until_ready();
        broker
    }

    fn wait_until_ready(&self) {
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

    fn consumer(&self) -> BaseConsumer {
        records::consumer(self.client.clone())
    }
}

/// A broker answers before it counts itself a member of its cluster, and cannot lead a partition until then.
fn has_members(consumer: &BaseConsumer) -> bool {
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(1));
    metadata.is_ok_and(|metadata| !metadata.brokers().is_empty())
}

/// Works inside an asynchronous test too, where this thread already belongs to a runtime.
fn block_on<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    let wait = || Builder::new_current_thread().build().expect("a runtime without drivers").block_on(future);
    thread::scope(|scope| scope.spawn(wait).join()).expect("the request does not panic")
}
