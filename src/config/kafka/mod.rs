//! The Kafka cluster and its topics.

mod credentials;
mod mechanism;
mod msk_iam;
mod oauth;
mod pem;
mod properties;
mod reload;
mod security;
mod session;
mod tls;
mod values;

use std::time::Duration;

use serde::Deserialize;

pub use credentials::KafkaCredentials;
pub use mechanism::SaslMechanism;
pub use msk_iam::{AwsCredentialSource, AwsKeys, ContainerAuthorization, MskIamConfig, WebIdentity};
pub use oauth::{ClientCredentials, OAuthConfig, TokenSource};
pub use pem::Certificates;
pub use properties::{REFUSED_PROPERTIES, RefusedProperty};
pub use reload::CertificateExpiry;
pub use security::{PasswordLogin, SaslLogin, Security};
pub use tls::{ClientCertificate, Tls};
pub use values::{EventMode, RegistryConfig, RegistryPassword, RegistryUser, ValueConfig, ValueFormat};

use super::{
    catalogue::{
        KAFKA_ACK_TIMEOUT_MS, KAFKA_BOOTSTRAP_SERVERS, KAFKA_CREATE_TOPICS, KAFKA_DEAD_LETTER_TOPIC,
        KAFKA_PROFILES_FAILURE_TEXT, KAFKA_PROFILES_TOPIC, KAFKA_PROPERTIES, KAFKA_TOPIC, KAFKA_TOPIC_PARTITIONS,
        KAFKA_TOPIC_REPLICATION, Variable,
    },
    describe::Row,
    environment::Environment,
    validate::Validator,
};
use msk_iam::AwsSection;
use oauth::OAuthSection;
use security::SaslSection;
use tls::SslSection;
use values::{CloudEventsSection, RegistrySection};

/// The Kafka cluster, its topics, and how to connect to it.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// The initial brokers in librdkafka's format: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// The topic of the events.
    pub topic: String,
    /// The topic of the dead letters; never the same as `topic`.
    pub dead_letter_topic: String,
    /// The topic with the state of each profile; `None` when it is turned off. Never the same as another topic.
    pub profiles_topic: Option<String>,
    /// Whether the state of a profile has the reason for a rejection in Twilio's words.
    pub profiles_failure_text: bool,
    /// Whether the service creates missing topics.
    pub create_topics: bool,
    /// The number of partitions of a topic that the service creates.
    pub topic_partitions: i32,
    /// The replication factor of a topic that the service creates; `None` means the broker's default.
    pub topic_replication: Option<i32>,
    /// The format of values, and the registry of their schemas.
    pub values: ValueConfig,
    /// Encryption and authentication, which files can renew. All clones of this configuration share them.
    pub credentials: KafkaCredentials,
    /// Additional librdkafka properties in the order given; none of them is one of [`REFUSED_PROPERTIES`].
    pub properties: Vec<(String, String)>,
    /// The time limit for Kafka's acknowledgement, counted from the handover of the record to the producer.
    pub ack_timeout: Duration,
}

#[derive(Deserialize)]
struct KafkaSection {
    bootstrap_servers: Option<String>,
    topic: Option<String>,
    dead_letter_topic: Option<String>,
    profiles_topic: Option<String>,
    profiles_failure_text: Option<String>,
    create_topics: Option<String>,
    topic_partitions: Option<String>,
    topic_replication: Option<String>,
    value_format: Option<String>,
    security_protocol: Option<String>,
    properties: Option<String>,
    ack_timeout_ms: Option<String>,
}

/// The sections that together make up [`KafkaConfig`].
pub(super) struct KafkaSections {
    kafka: KafkaSection,
    sasl: SaslSection,
    oauth: OAuthSection,
    aws: AwsSection,
    ssl: SslSection,
    cloud_events: CloudEventsSection,
    registry: RegistrySection,
}

impl KafkaSections {
    pub(super) fn from(environment: &Environment, validator: &mut Validator) -> Option<Self> {
        Some(Self {
            kafka: environment.section("KAFKA_", validator)?,
            sasl: environment.section("KAFKA_SASL_", validator)?,
            oauth: environment.section("KAFKA_OAUTH_", validator)?,
            aws: environment.section("AWS_", validator)?,
            ssl: environment.section("KAFKA_SSL_", validator)?,
            cloud_events: environment.section("CE_", validator)?,
            registry: environment.section("SCHEMA_REGISTRY_", validator)?,
        })
    }

    pub(super) fn validate(self, validator: &mut Validator) -> Option<KafkaConfig> {
        let Self { kafka, sasl, oauth, aws, ssl, cloud_events, registry } = self;
        let bootstrap_servers = bootstrap_servers(kafka.bootstrap_servers, validator);
        let topic = topic(&KAFKA_TOPIC, kafka.topic, validator);
        let dead_letter_topic = dead_letter_topic(kafka.dead_letter_topic, topic.as_deref(), validator);
        let others = [topic.as_deref(), dead_letter_topic.as_deref()];
        let profiles_topic = profiles_topic(kafka.profiles_topic, others, validator);
        let profiles_failure_text = validator.parse_bool(&KAFKA_PROFILES_FAILURE_TEXT, kafka.profiles_failure_text);
        let create_topics = validator.parse_bool(&KAFKA_CREATE_TOPICS, kafka.create_topics);
        let topic_partitions = validator.parse_number(&KAFKA_TOPIC_PARTITIONS, kafka.topic_partitions, 1..=10_000);
        let topic_replication = validator.parse_number(&KAFKA_TOPIC_REPLICATION, kafka.topic_replication, 1..=32);
        let value_format = values::format(kafka.value_format, validator);
        let security = security::validate(kafka.security_protocol, sasl, oauth, aws, ssl, validator);
        let properties = kafka.properties.map(|text| properties::parse(&text, validator));
        // Twilio gives up after 15 s, so a later acknowledgement has no use.
        let ack_timeout = validator.parse_number(&KAFKA_ACK_TIMEOUT_MS, kafka.ack_timeout_ms, 100..=14_000);
        let values = values::validate(value_format, cloud_events, registry, validator);
        Some(KafkaConfig {
            bootstrap_servers: bootstrap_servers?,
            topic: topic?,
            dead_letter_topic: dead_letter_topic?,
            profiles_topic,
            profiles_failure_text: profiles_failure_text?,
            create_topics: create_topics?,
            topic_partitions: topic_partitions?,
            topic_replication,
            values: values?,
            credentials: security?.into(),
            properties: properties.unwrap_or_default(),
            ack_timeout: Duration::from_millis(ack_timeout?),
        })
    }
}

fn bootstrap_servers(given: Option<String>, validator: &mut Validator) -> Option<String> {
    let Some(text) = given else {
        validator.report_missing(&KAFKA_BOOTSTRAP_SERVERS, "the brokers as host:port, separated by commas");
        return None;
    };
    let items = validator.split_list(&KAFKA_BOOTSTRAP_SERVERS, &text)?;
    for (index, item) in items.iter().enumerate() {
        if !is_host_and_port(item) {
            let problem = format!("item {} is not a broker; write host:port, such as kafka-0:9092", index + 1);
            validator.report(&KAFKA_BOOTSTRAP_SERVERS, problem);
        }
    }
    Some(items.join(","))
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_name = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let is_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && is_name(host),
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Checks the name of a topic by Kafka's own rule.
fn topic(variable: &Variable, given: Option<String>, validator: &mut Validator) -> Option<String> {
    let name = validator.value_or_default(variable, given)?;
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if name.len() > 249 || matches!(name.as_str(), "." | "..") || !name.bytes().all(is_allowed) {
        validator
            .report(variable, "is not a topic name; write 1 to 249 letters, digits, dots, underscores and hyphens");
    }
    Some(name)
}

fn dead_letter_topic(given: Option<String>, events: Option<&str>, validator: &mut Validator) -> Option<String> {
    let name = topic(&KAFKA_DEAD_LETTER_TOPIC, given, validator);
    if name.is_some() && name.as_deref() == events {
        validator.report(
            &KAFKA_DEAD_LETTER_TOPIC,
            "is the same topic as KAFKA_TOPIC; write another one, because its records have another format",
        );
    }
    name
}

/// An empty name turns the state of profiles off.
fn profiles_topic(given: Option<String>, others: [Option<&str>; 2], validator: &mut Validator) -> Option<String> {
    if given.as_deref() == Some("") {
        return None;
    }
    let name = topic(&KAFKA_PROFILES_TOPIC, given, validator);
    if name.is_some() && others.contains(&name.as_deref()) {
        validator.report(
            &KAFKA_PROFILES_TOPIC,
            "is the same topic as KAFKA_TOPIC or KAFKA_DEAD_LETTER_TOPIC; write another one, because its records have \
             another format",
        );
    }
    name
}

impl KafkaConfig {
    /// Warns about a login that the network can read, or that Amazon MSK does not accept.
    pub(super) fn warnings(&self) -> Vec<String> {
        let security = self.credentials.security();
        let Security::Sasl { login, tls } = &*security else { return Vec::new() };
        let of_login = match login {
            SaslLogin::Token(oauth) => oauth.warning(),
            SaslLogin::MskIam(msk) => msk.warning(),
            SaslLogin::Password(_) => None,
        };
        let is_msk_without_tls = tls.is_none() && matches!(login, SaslLogin::MskIam(_));
        let of_protocol = is_msk_without_tls.then(|| {
            "KAFKA_SECURITY_PROTOCOL is not sasl_ssl, but Amazon MSK accepts AWS_MSK_IAM only with TLS".to_owned()
        });
        of_login.into_iter().chain(of_protocol).collect()
    }

    pub(super) fn describe(&self) -> Vec<Row> {
        let replication = self.topic_replication.map(|count| count.to_string());
        let mut rows = vec![
            (KAFKA_BOOTSTRAP_SERVERS.name, self.bootstrap_servers.clone()),
            (KAFKA_TOPIC.name, self.topic.clone()),
            (KAFKA_DEAD_LETTER_TOPIC.name, self.dead_letter_topic.clone()),
            (KAFKA_PROFILES_TOPIC.name, self.profiles_topic.clone().unwrap_or_default()),
            (KAFKA_PROFILES_FAILURE_TEXT.name, self.profiles_failure_text.to_string()),
            (KAFKA_CREATE_TOPICS.name, self.create_topics.to_string()),
            (KAFKA_TOPIC_PARTITIONS.name, self.topic_partitions.to_string()),
            (KAFKA_TOPIC_REPLICATION.name, replication.unwrap_or_default()),
            self.values.describe_format(),
        ];
        rows.extend(self.credentials.security().describe());
        rows.push((KAFKA_PROPERTIES.name, properties::format(&self.properties)));
        rows.push((KAFKA_ACK_TIMEOUT_MS.name, self.ack_timeout.as_millis().to_string()));
        rows.extend(self.values.describe_events());
        rows
    }
}
