//! librdkafka's in-process cluster: a Kafka for `dev`, with nothing installed.

use rdkafka::{error::KafkaError, mocking::MockCluster, producer::DefaultProducerContext};

/// A cluster inside this process. It listens on loopback, so that kcat and other librdkafka clients can read it.
pub struct EmbeddedKafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedKafka {
    /// Starts one broker with these topics.
    ///
    /// # Errors
    /// When librdkafka cannot start it.
    pub fn start(topics: &[&str], partitions: i32) -> Result<Self, KafkaError> {
        let cluster = MockCluster::new(1)?;
        for topic in topics {
            cluster.create_topic(topic, partitions, 1)?;
        }
        Ok(Self { cluster })
    }

    /// What to write into `KAFKA_BOOTSTRAP_SERVERS`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}
