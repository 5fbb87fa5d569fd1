//! Translates the configuration into librdkafka's properties.
//!
//! Names and meanings come from librdkafka's `CONFIGURATION.md`. Nothing here waits for Kafka: `create_native_config`
//! only sets values, and librdkafka parses keys and certificates when a client is created. A login by token file starts the
//! process's [`token_endpoint`](super::token_endpoint) on first use.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rdkafka::ClientConfig;
use secrecy::ExposeSecret as _;

use super::{client::ClientSettings, token_file};
use crate::config::{ClientCredentials, KafkaConfig, OAuthConfig, SaslLogin, Security, Tls, TokenSource};

/// The time after which librdkafka fails a record. The service's own deadline is far shorter and expires first.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(300);

/// The smallest connection timeout that librdkafka accepts.
const MIN_SETUP_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a connection may be idle. librdkafka then closes it, and opens a new one for the next record. Load
/// balancers and firewalls drop idle connections silently: Azure after 240 s, AWS after 350 s, Google Cloud after 600
/// s. A record sent on such a connection is lost, so its callback would wait for the full acknowledgement timeout and
/// the service would fail over to the spool. The probe keeps only one connection busy. librdkafka does not report such
/// a close as an error.
const MAX_IDLE: Duration = Duration::from_secs(180);

/// Larger than any record that a callback can produce.
const MAX_MESSAGE_BYTES: &str = "16000000";

/// The largest batch that several records share. librdkafka fails a whole batch that is too large for its topic. Every
/// topic accepts batches of this size, and a larger record has a batch of its own, so that no other record fails with
/// it.
const BATCH_BYTES: &str = "131072";

/// The size of the queue of unacknowledged records, 128 MiB.
const QUEUE_KBYTES: &str = "131072";

/// The properties that all clients share: addresses, the current credentials, timeouts, and `KAFKA_PROPERTIES`.
pub(super) fn common(kafka: &KafkaConfig) -> ClientSettings {
    common_with(kafka, &kafka.credentials.security())
}

fn common_with(kafka: &KafkaConfig, security: &Security) -> ClientSettings {
    let timeout = kafka.ack_timeout.max(MIN_SETUP_TIMEOUT).as_millis().to_string();
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("client.id", "trusthub-bridge")
        .set("socket.connection.setup.timeout.ms", &timeout)
        .set("socket.timeout.ms", &timeout)
        .set("socket.keepalive.enable", "true")
        .set("connections.max.idle.ms", MAX_IDLE.as_millis().to_string())
        .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
        .set("linger.ms", "1")
        .set("batch.size", BATCH_BYTES)
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .set("log.connection.close", "false");
    for (key, value) in &kafka.properties {
        config.set(key, value);
    }
    set_security(&mut config, security);
    ClientSettings::new(config, security)
}

/// Limits how much a consumer prefetches, so that its memory does not depend on the size of the topic.
///
/// When the limit is reached, librdkafka pauses the fetches of a partition for `fetch.queue.backoff.ms`. The default of a
/// second would limit a reader to the limit per second, whatever the broker can send.
pub(super) fn limit_read_ahead(settings: &mut ClientSettings) -> &mut ClientSettings {
    settings
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.queue.backoff.ms", "5")
}

/// The properties of the producer: idempotent, acknowledged by all in-sync replicas, and with the partitioner of Java
/// clients.
pub(super) fn producer(kafka: &KafkaConfig) -> ClientSettings {
    producer_with(kafka, &kafka.credentials.security())
}

/// The same with credentials that are not the current ones.
pub(super) fn producer_with(kafka: &KafkaConfig, security: &Security) -> ClientSettings {
    let mut settings = common_with(kafka, security);
    settings
        .set("acks", "all")
        .set("enable.idempotence", "true")
        // With several requests in flight, librdkafka takes the acknowledgement of a later request for that of an earlier one
        // that failed. If the broker does not know the producer, it accepts the later one alone, and the records of the
        // earlier one are lost.
        .set("max.in.flight.requests.per.connection", "1")
        .set("partitioner", "murmur2_random")
        .set("message.timeout.ms", MESSAGE_TIMEOUT.as_millis().to_string())
        .set("request.timeout.ms", kafka.ack_timeout.as_millis().to_string())
        // A missing topic must be detected before the deadline of a record.
        .set("topic.metadata.propagation.max.ms", (kafka.ack_timeout / 2).as_millis().to_string())
        // The topic limits the size of records. The client would only reject records that a broker might accept.
        .set("message.max.bytes", MAX_MESSAGE_BYTES)
        // A broker that creates topics automatically uses its own default number of partitions.
        .set("allow.auto.create.topics", "false");
    settings
}

fn set_security(config: &mut ClientConfig, security: &Security) {
    config.set("security.protocol", security.protocol());
    if let Security::Sasl { login, tls } = security {
        match login {
            SaslLogin::Password(login) => {
                config
                    .set("sasl.mechanism", login.mechanism.as_str())
                    .set("sasl.username", &login.username)
                    .set("sasl.password", login.password.expose_secret());
            }
            SaslLogin::Token(oauth) => set_token_login(config, oauth, tls.as_ref()),
            // The tokens are set, so librdkafka has no method to get one. Its method OIDC takes only JSON Web Tokens.
            SaslLogin::MskIam(_) => {
                config.set("sasl.mechanism", "OAUTHBEARER");
            }
        }
    }
    if let Some(tls) = security.tls() {
        set_tls(config, tls);
    }
}

/// Lets librdkafka fetch tokens itself. Only this method works for clients of every kind and before their first poll.
fn set_token_login(config: &mut ClientConfig, oauth: &OAuthConfig, tls: Option<&Tls>) {
    config.set("sasl.mechanism", "OAUTHBEARER").set("sasl.oauthbearer.method", "oidc");
    if !oauth.extensions.is_empty() {
        config.set("sasl.oauthbearer.extensions", oauth.joined_extensions());
    }
    match &oauth.source {
        TokenSource::ClientCredentials(client) => set_client_credentials(config, client, tls),
        TokenSource::File(path) => match token_file::endpoint(path) {
            Ok(endpoint) => {
                config
                    .set("sasl.oauthbearer.token.endpoint.url", endpoint.url().expose_secret())
                    .set("sasl.oauthbearer.client.id", endpoint.client_id())
                    .set("sasl.oauthbearer.client.secret", endpoint.client_secret().expose_secret());
            }
            // Without the URL, librdkafka does not create the client, and its caller tries again later.
            Err(error) => {
                tracing::error!(%error, "cannot offer the token in KAFKA_OAUTH_TOKEN_FILE to the Kafka client on 127.0.0.1");
            }
        },
    }
}

fn set_client_credentials(config: &mut ClientConfig, client: &ClientCredentials, tls: Option<&Tls>) {
    // Without it, OpenSSL looks in the folder that its build was configured with, which need not exist here.
    let ca_location = client.ca_location.as_deref().or(tls.map(|tls| tls.ca_location.as_str())).unwrap_or("probe");
    config
        .set("https.ca.location", ca_location)
        .set("sasl.oauthbearer.token.endpoint.url", &client.token_url)
        .set("sasl.oauthbearer.client.id", &client.client_id)
        .set("sasl.oauthbearer.client.secret", client.client_secret.expose_secret());
    if let Some(scope) = &client.scope {
        // librdkafka copies it into a form without encoding it.
        config.set("sasl.oauthbearer.scope", utf8_percent_encode(scope, NON_ALPHANUMERIC).to_string());
    }
}

/// Passes the contents of files and not their paths, because a file can be replaced by one that is not in use yet.
fn set_tls(config: &mut ClientConfig, tls: &Tls) {
    match &tls.authorities {
        Some(authorities) => config.set("ssl.ca.pem", &authorities.pem),
        None => config.set("ssl.ca.location", &tls.ca_location),
    };
    if let Some(client) = &tls.client_certificate {
        config.set("ssl.certificate.pem", &client.certificates.pem).set("ssl.key.pem", client.key.expose_secret());
    }
}

/// Checks that librdkafka accepts the properties.
///
/// # Errors
/// A message that names the property. It does not contain the values of secrets.
pub(crate) fn check_properties(kafka: &KafkaConfig) -> Result<(), String> {
    use rdkafka::error::KafkaError::ClientConfig as InvalidProperty;
    match producer(kafka).properties().create_native_config() {
        Ok(_) => Ok(()),
        Err(InvalidProperty(_, description, key, _)) => Err(format!("{key}: {}", description.trim())),
        Err(other) => Err(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use rdkafka::{
        ClientContext,
        consumer::{BaseConsumer, ConsumerContext},
        error::{KafkaError, RDKafkaErrorCode},
    };

    use super::*;
    use crate::config::ValueConfig;

    fn kafka(properties: &[(&str, &str)]) -> KafkaConfig {
        KafkaConfig {
            bootstrap_servers: "kafka:9092".to_owned(),
            topic: "events".to_owned(),
            dead_letter_topic: "dead-letters".to_owned(),
            profiles_topic: None,
            profiles_failure_text: true,
            create_topics: false,
            topic_partitions: 1,
            topic_replication: None,
            values: ValueConfig::default(),
            credentials: Security::Plaintext.into(),
            properties: properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ack_timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn idle_connection_is_closed_before_a_load_balancer_drops_it() {
        let max_idle = |settings: &ClientSettings| {
            settings.properties().get("connections.max.idle.ms").unwrap().parse::<u64>().unwrap()
        };
        for config in [common(&kafka(&[])), producer(&kafka(&[]))] {
            assert!((4_000..240_000).contains(&max_idle(&config)), "{}", max_idle(&config));
        }
        assert_eq!(
            max_idle(&producer(&kafka(&[("connections.max.idle.ms", "50000")]))),
            50_000,
            "KAFKA_PROPERTIES overrides it"
        );
    }

    /// `tests/it/faults/in_flight.rs` shows what would be lost otherwise.
    #[test]
    fn producer_has_one_request_in_flight() {
        assert_eq!(producer(&kafka(&[])).properties().get("max.in.flight.requests.per.connection"), Some("1"));
    }

    /// librdkafka knows the names of all properties, but rejects those whose library its build lacks.
    #[test]
    fn librdkafka_was_built_with_openid_connect_and_all_compressions() {
        for property in [
            ("sasl.oauthbearer.method", "oidc"),
            ("https.ca.location", "probe"),
            ("compression.type", "gzip"),
            ("compression.type", "lz4"),
            ("compression.type", "snappy"),
            ("compression.type", "zstd"),
        ] {
            assert_eq!(check_properties(&kafka(&[property])), Ok(()), "{property:?}");
        }
    }

    fn token_login(source: TokenSource, tls: Option<Tls>) -> KafkaConfig {
        let extensions = vec![("logicalCluster".to_owned(), "lkc-1".to_owned()), ("b".to_owned(), "2".to_owned())];
        let login = SaslLogin::Token(OAuthConfig { source, extensions });
        KafkaConfig { credentials: Security::Sasl { login, tls }.into(), ..kafka(&[]) }
    }

    fn client_credentials(ca_location: Option<&str>) -> TokenSource {
        TokenSource::ClientCredentials(ClientCredentials {
            token_url: "https://idp.example/token".to_owned(),
            client_id: "bridge".to_owned(),
            client_secret: "secret".into(),
            client_secret_file: None,
            scope: Some("api://kafka/.default b&c".to_owned()),
            ca_location: ca_location.map(str::to_owned),
        })
    }

    #[test]
    fn token_login_is_accepted_by_librdkafka() {
        let logins = [
            token_login(client_credentials(None), None),
            token_login(TokenSource::File("/nowhere/token".into()), None),
        ];
        for kafka in logins {
            assert_eq!(check_properties(&kafka), Ok(()));
            let created: Result<BaseConsumer, _> = common(&kafka).properties().create();
            assert!(created.is_ok(), "{:?}", created.err());
        }
    }

    #[test]
    fn scope_is_encoded_and_extensions_are_joined() {
        let config = common(&token_login(client_credentials(None), None));
        assert_eq!(config.properties().get("sasl.oauthbearer.scope"), Some("api%3A%2F%2Fkafka%2F%2Edefault%20b%26c"));
        assert_eq!(config.properties().get("sasl.oauthbearer.extensions"), Some("logicalCluster=lkc-1,b=2"));
    }

    #[test]
    fn token_endpoint_always_has_certificate_authorities() {
        let tls = || Some(Tls { ca_location: "/kafka.pem".to_owned(), authorities: None, client_certificate: None });
        for (own, tls, expected) in [
            (None, None, "probe"),
            (None, tls(), "/kafka.pem"),
            (Some("probe"), tls(), "probe"),
            (Some("/idp.pem"), None, "/idp.pem"),
        ] {
            let config = common(&token_login(client_credentials(own), tls));
            assert_eq!(config.properties().get("https.ca.location"), Some(expected));
        }
    }

    /// Sends the codes of the client's errors.
    struct ErrorContext(mpsc::Sender<RDKafkaErrorCode>);

    impl ClientContext for ErrorContext {
        fn error(&self, error: KafkaError, _detail: &str) {
            if let Some(code) = error.rdkafka_error_code() {
                let _ = self.0.send(code);
            }
        }
    }

    impl ConsumerContext for ErrorContext {}

    /// Shows that librdkafka was built with the flags of `.cargo/config.toml`. Nothing listens on this port.
    #[test]
    fn librdkafka_reports_that_all_brokers_are_down() {
        let (sender, codes) = mpsc::channel();
        let config = common(&KafkaConfig { bootstrap_servers: "127.0.0.1:1".to_owned(), ..kafka(&[]) });
        let client: BaseConsumer<ErrorContext> = config.properties().create_with_context(ErrorContext(sender)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        let is_reported = || codes.try_iter().any(|code| code == RDKafkaErrorCode::AllBrokersDown);
        while !is_reported() {
            assert!(Instant::now() < deadline, "the client did not report that its only broker is down");
            client.poll(Duration::from_millis(20));
        }
    }
}
