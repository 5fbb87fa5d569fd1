//! Where the events go.

mod properties;
mod security;

use std::time::Duration;

use serde::Deserialize;

pub use properties::{REFUSED_PROPERTIES, RefusedProperty};
pub use security::{ClientCertificate, SaslMechanism, Security, Tls};

use super::{
    Row,
    catalogue::{
        KAFKA_ACK_TIMEOUT_MS, KAFKA_BOOTSTRAP_SERVERS, KAFKA_CREATE_TOPICS, KAFKA_DEAD_LETTER_TOPIC, KAFKA_PROPERTIES,
        KAFKA_TOPIC, KAFKA_TOPIC_PARTITIONS, KAFKA_TOPIC_REPLICATION, Variable,
    },
    environment::Environment,
    validate::Reader,
};
use security::{SaslSection, SslSection};

/// The Kafka cluster, its topics and how it is talked to.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// The brokers to begin with, as librdkafka takes them: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// The topic of the events.
    pub topic: String,
    /// The topic of what was signed but not understood; never the same as `topic`.
    pub dead_letter_topic: String,
    /// Whether missing topics are created.
    pub create_topics: bool,
    /// The partitions of a topic that is created.
    pub topic_partitions: i32,
    /// The replication of a topic that is created; `None` leaves it to the broker.
    pub topic_replication: Option<i32>,
    /// Encryption and login.
    pub security: Security,
    /// Further librdkafka properties, in the order given; none of them is one of [`REFUSED_PROPERTIES`].
    pub properties: Vec<(String, String)>,
    /// The time from the receipt of a callback to Kafka's acknowledgement.
    pub ack_timeout: Duration,
}

#[derive(Deserialize)]
struct KafkaSection {
    bootstrap_servers: Option<String>,
    topic: Option<String>,
    dead_letter_topic: Option<String>,
    create_topics: Option<String>,
    topic_partitions: Option<String>,
    topic_replication: Option<String>,
    security_protocol: Option<String>,
    properties: Option<String>,
    ack_timeout_ms: Option<String>,
}

/// The sections that together describe Kafka.
pub(super) struct Sections {
    kafka: KafkaSection,
    sasl: SaslSection,
    ssl: SslSection,
}

impl Sections {
    pub(super) fn from(environment: &Environment, reader: &mut Reader) -> Option<Self> {
        Some(Self {
            kafka: environment.section("KAFKA_", reader)?,
            sasl: environment.section("KAFKA_SASL_", reader)?,
            ssl: environment.section("KAFKA_SSL_", reader)?,
        })
    }

    pub(super) fn read(self, reader: &mut Reader) -> Option<Kafka> {
        let Self { kafka, sasl, ssl } = self;
        let bootstrap_servers = bootstrap_servers(kafka.bootstrap_servers, reader);
        let topic = topic(&KAFKA_TOPIC, kafka.topic, reader);
        let dead_letter_topic = topic_for_dead_letters(kafka.dead_letter_topic, topic.as_deref(), reader);
        let create_topics = reader.switch(&KAFKA_CREATE_TOPICS, kafka.create_topics);
        let topic_partitions = reader.number(&KAFKA_TOPIC_PARTITIONS, kafka.topic_partitions, 1..=10_000);
        let topic_replication = reader.number(&KAFKA_TOPIC_REPLICATION, kafka.topic_replication, 1..=32);
        let security = security::read(kafka.security_protocol, sasl, ssl, reader);
        let properties = kafka.properties.map(|text| properties::read(&text, reader));
        // Twilio gives up after 15 s; an acknowledgement after that comes too late.
        let ack_timeout = reader.number(&KAFKA_ACK_TIMEOUT_MS, kafka.ack_timeout_ms, 100..=14_000);
        Some(Kafka {
            bootstrap_servers: bootstrap_servers?,
            topic: topic?,
            dead_letter_topic: dead_letter_topic?,
            create_topics: create_topics?,
            topic_partitions: topic_partitions?,
            topic_replication,
            security: security?,
            properties: properties.unwrap_or_default(),
            ack_timeout: Duration::from_millis(ack_timeout?),
        })
    }
}

fn bootstrap_servers(given: Option<String>, reader: &mut Reader) -> Option<String> {
    let Some(text) = given else {
        reader.missing(&KAFKA_BOOTSTRAP_SERVERS, "the brokers as host:port with commas between");
        return None;
    };
    let items = reader.list(&KAFKA_BOOTSTRAP_SERVERS, &text)?;
    for (index, item) in items.iter().enumerate() {
        if !is_host_and_port(item) {
            let wrong = format!("item {} is not a broker; write host:port, such as kafka-0:9092", index + 1);
            reader.report(&KAFKA_BOOTSTRAP_SERVERS, wrong);
        }
    }
    Some(items.join(","))
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let name = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let host_fits = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && name(host),
    };
    host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Kafka's own rule for the name of a topic.
fn topic(variable: &Variable, given: Option<String>, reader: &mut Reader) -> Option<String> {
    let name = reader.text(variable, given)?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.len() > 249 || matches!(name.as_str(), "." | "..") || !name.bytes().all(legal) {
        reader.report(variable, "is not a topic name; write 1 to 249 letters, digits, dots, underscores and hyphens");
    }
    Some(name)
}

fn topic_for_dead_letters(given: Option<String>, events: Option<&str>, reader: &mut Reader) -> Option<String> {
    let name = topic(&KAFKA_DEAD_LETTER_TOPIC, given, reader);
    if name.is_some() && name.as_deref() == events {
        reader.report(
            &KAFKA_DEAD_LETTER_TOPIC,
            "is the same topic as KAFKA_TOPIC; write another, since its records have another form",
        );
    }
    name
}

impl Kafka {
    pub(super) fn describe(&self) -> Vec<Row> {
        let replication = self.topic_replication.map(|count| count.to_string());
        let mut rows = vec![
            (KAFKA_BOOTSTRAP_SERVERS.name, self.bootstrap_servers.clone()),
            (KAFKA_TOPIC.name, self.topic.clone()),
            (KAFKA_DEAD_LETTER_TOPIC.name, self.dead_letter_topic.clone()),
            (KAFKA_CREATE_TOPICS.name, self.create_topics.to_string()),
            (KAFKA_TOPIC_PARTITIONS.name, self.topic_partitions.to_string()),
            (KAFKA_TOPIC_REPLICATION.name, replication.unwrap_or_default()),
        ];
        rows.extend(self.security.describe());
        rows.push((KAFKA_PROPERTIES.name, properties::written(&self.properties)));
        rows.push((KAFKA_ACK_TIMEOUT_MS.name, self.ack_timeout.as_millis().to_string()));
        rows
    }
}
