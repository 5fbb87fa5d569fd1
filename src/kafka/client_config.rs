//! From the configuration to librdkafka's properties.
//!
//! Source of names and meanings: librdkafka's `CONFIGURATION.md`. Nothing here waits for Kafka; `create_native_config` only
//! sets values, and files of keys and certificates are read when a client is made of them.

use std::time::Duration;

use rdkafka::ClientConfig;
use secrecy::ExposeSecret as _;

use crate::config::{KafkaConfig, Security, Tls};

/// librdkafka gives up a record after this time; the service's own deadline is far shorter and gives it up first.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(300);

/// librdkafka sets the time-out of connections no lower than this.
const SHORTEST_SETUP_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection on which nothing passed for this long is closed, and opened again for the next record. Load balancers and
/// firewalls forget idle connections without a word, the earliest common ones after 240 s (Azure; AWS 350 s, Google Cloud
/// 600 s), and a record that is sent then is lost on the way: it would cost a callback the whole time that Kafka has, and a
/// change to the spool. The probe keeps only one connection busy. librdkafka reports such a close as no error.
const LONGEST_IDLE: Duration = Duration::from_secs(180);

/// Above what the largest callback can become.
const LARGEST_MESSAGE: &str = "16000000";

/// librdkafka fails a whole batch when it is too large for its topic. Up to this size, which topics take, records share a
/// batch; a larger record is alone in its own, so that no other one fails with it.
const BATCH_BYTES: &str = "131072";

/// Records waiting for acknowledgement; at the largest body this is below 128 MiB.
const QUEUE_KBYTES: &str = "131072";

/// The properties of every client of the service: where Kafka is, how to log in, how soon to give up, what was asked for.
pub(super) fn common(kafka: &KafkaConfig) -> ClientConfig {
    let patience = kafka.ack_timeout.max(SHORTEST_SETUP_TIMEOUT).as_millis().to_string();
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("client.id", "trusthub-bridge")
        .set("socket.connection.setup.timeout.ms", &patience)
        .set("socket.timeout.ms", &patience)
        .set("socket.keepalive.enable", "true")
        .set("connections.max.idle.ms", LONGEST_IDLE.as_millis().to_string())
        .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
        .set("linger.ms", "1")
        .set("batch.size", BATCH_BYTES)
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("log.connection.close", "false");
    for (key, value) in &kafka.properties {
        config.set(key, value);
    }
    set_security(&mut config, &kafka.security);
    config
}

/// The producer: acknowledged by all in-sync replicas, idempotent, and choosing partitions as Java clients do.
pub(super) fn producer(kafka: &KafkaConfig) -> ClientConfig {
    let mut config = common(kafka);
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // With several requests under way, librdkafka takes the acknowledgement of a later one for that of an earlier
        // one that failed on a partition that was made just now, and the records of the earlier one are lost.
        .set("max.in.flight.requests.per.connection", "1")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
        .set("request.timeout.ms", kafka.ack_timeout.as_millis().to_string())
        // A topic that is missing must be known to be before the time of a record is over.
        .set("topic.metadata.propagation.max.ms", (kafka.ack_timeout / 2).as_millis().to_string())
        // How large a record may be is the topic's affair: the client would only refuse what a broker might take.
        .set("message.max.bytes", LARGEST_MESSAGE)
        // A broker that creates topics on demand would give them its own number of partitions.
        .set("allow.auto.create.topics", "false");
    config
}

fn set_security(config: &mut ClientConfig, security: &Security) {
    config.set("security.protocol", security.protocol());
    if let Security::Sasl { mechanism, username, password, .. } = security {
        config
            .set("sasl.mechanism", mechanism.as_str())
            .set("sasl.username", username)
            .set("sasl.password", password.expose_secret());
    }
    if let Some(tls) = security.tls() {
        set_tls(config, tls);
    }
}

fn set_tls(config: &mut ClientConfig, tls: &Tls) {
    config.set("ssl.ca.location", &tls.ca_location);
    if let Some(client) = &tls.client_certificate {
        config
            .set("ssl.certificate.location", &client.certificate_location)
            .set("ssl.key.location", &client.key_location);
    }
}

/// Whether librdkafka understands the properties.
///
/// # Errors
/// A sentence that names the property; values of secrets are not in it.
pub fn check_properties(kafka: &KafkaConfig) -> Result<(), String> {
    use rdkafka::error::KafkaError::ClientConfig as Wrong;
    match producer(kafka).create_native_config() {
        Ok(_) => Ok(()),
        Err(Wrong(_, description, key, _)) => Err(format!("{key}: {}", description.trim())),
        Err(other) => Err(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(properties: &[(&str, &str)]) -> KafkaConfig {
        KafkaConfig {
            bootstrap_servers: "kafka:9092".to_owned(),
            topic: "events".to_owned(),
            dead_letter_topic: "dead-letters".to_owned(),
            create_topics: false,
            topic_partitions: 1,
            topic_replication: None,
            security: Security::Plaintext,
            properties: properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ack_timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn idle_connection_is_closed_before_a_load_balancer_forgets_it() {
        let longest = |config: &ClientConfig| config.get("connections.max.idle.ms").unwrap().parse::<u64>().unwrap();
        for config in [common(&kafka(&[])), producer(&kafka(&[]))] {
            assert!((4_000..240_000).contains(&longest(&config)), "{}", longest(&config));
        }
        assert_eq!(longest(&producer(&kafka(&[("connections.max.idle.ms", "50000")]))), 50_000, "another network");
    }
}
