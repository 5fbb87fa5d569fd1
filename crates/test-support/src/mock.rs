//! librdkafka's in-process cluster, which can inject errors.

use rdkafka::{mocking, producer::DefaultProducerContext};

/// The cluster, which ends with this value.
pub type MockCluster = mocking::MockCluster<'static, DefaultProducerContext>;

/// A cluster with both topics, and the variables of a service that uses it and gives up after five seconds. The states of profiles
/// are turned off, because their requests would receive errors that are meant for events.
pub fn mock_cluster() -> (MockCluster, Vec<(&'static str, String)>) {
    let cluster = MockCluster::new(1).unwrap();
    for topic in ["events", "dead-letters"] {
        cluster.create_topic(topic, 1, 1).unwrap();
    }
    let variables = [
        ("KAFKA_BOOTSTRAP_SERVERS", cluster.bootstrap_servers()),
        ("KAFKA_TOPIC", "events".to_owned()),
        ("KAFKA_DEAD_LETTER_TOPIC", "dead-letters".to_owned()),
        ("KAFKA_PROFILES_TOPIC", String::new()),
        ("KAFKA_CREATE_TOPICS", "false".to_owned()),
        ("KAFKA_ACK_TIMEOUT_MS", "5000".to_owned()),
    ];
    (cluster, variables.to_vec())
}
