//! `KAFKA_PROPERTIES`: additional librdkafka properties, except those that would break a guarantee of the service.

use crate::config::{catalogue::KAFKA_PROPERTIES, validate::Validator};

/// A group of librdkafka properties that cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedProperty {
    /// Their name; `*` at either end matches any text.
    pub pattern: &'static str,
    /// Why they cannot be set, and what to do instead.
    pub reason: &'static str,
}

macro_rules! refused {
    ($($reason:literal: $($pattern:literal)+;)*) => {
        /// The properties that cannot be set. If several patterns match a property, the first one has the best reason.
        pub const REFUSED_PROPERTIES: &[RefusedProperty] =
            &[$($(RefusedProperty { pattern: $pattern, reason: $reason }),+),*];
    };
}

refused! {
    "a secret does not belong here; write the SASL password to KAFKA_SASL_PASSWORD, and use a client key without passphrase":
        "*password*" "*secret*" "*passphrase*";
    "an event is durable only when all in-sync replicas have it; remove it":
        "acks" "request.required.acks";
    "the producer is idempotent, so that events are neither duplicated nor reordered; remove it":
        "enable.idempotence" "enable.gapless.guarantee" "max.in.flight*" "transaction*" "api.version.*" "broker.version.fallback";
    "the service controls order and retries itself; remove it":
        "retries" "message.send.max.retries" "queuing.strategy" "msg_order_cmp";
    "all timeouts are derived from the acknowledgement timeout; set KAFKA_ACK_TIMEOUT_MS":
        "message.timeout.ms" "delivery.timeout.ms" "request.timeout.ms" "socket.timeout.ms"
        "socket.connection.setup.timeout.ms" "reconnect.backoff.*" "retry.backoff.*";
    "each profile has a fixed partition, the same as with Java clients; remove it":
        "partitioner";
    "without delivery reports, no callback would be answered; remove it":
        "delivery.report.only.error" "enabled_events";
    "it could hide the topics of the service; remove it":
        "topic.blacklist";
    "the service creates topics with its own settings; set KAFKA_CREATE_TOPICS":
        "allow.auto.create.topics";
    "the brokers have their own variable; set KAFKA_BOOTSTRAP_SERVERS":
        "bootstrap.servers" "metadata.broker.list";
    "events must reach a real cluster; remove it":
        "test.*" "ut_*";
    "the protocol has its own variable; set KAFKA_SECURITY_PROTOCOL":
        "security.protocol";
    "the login has its own variables; set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, or KAFKA_OAUTH_TOKEN_URL":
        "*sasl*";
    "the token endpoint has its own variable; set KAFKA_OAUTH_CA_LOCATION":
        "https.ca.*";
    "the service reads the states of a partition for as long as that takes; remove it":
        "max.poll.interval.ms";
    "the broker's certificate and host name are always checked; remove it, and set KAFKA_SSL_CA_LOCATION for a private authority":
        "enable.ssl.certificate.verification" "ssl.endpoint.identification.algorithm" "ssl.cipher.suites";
    "the trusted authorities have their own variable; set KAFKA_SSL_CA_LOCATION":
        "ssl.ca.*" "ssl_ca";
    "the client certificate has its own variables; set KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION":
        "ssl.certificate.*" "ssl_certificate" "ssl.key.*" "ssl_key" "ssl.keystore.*";
    "it would load third-party code; remove it":
        "plugin.library.paths" "interceptors" "ssl.engine.*" "ssl_engine*" "ssl.providers";
    "the service has its own log and metrics; use RUST_LOG and the metrics of the admin listener":
        "log_level" "log.queue" "statistics.interval.ms";
    "its value cannot be written as text; remove it":
        "*_cb" "opaque" "default_topic_conf" "builtin.features" "internal.termination.signal";
}

impl RefusedProperty {
    fn matches(&self, key: &str) -> bool {
        let core = self.pattern.trim_matches('*');
        match (self.pattern.starts_with('*'), self.pattern.ends_with('*')) {
            (false, false) => key == core,
            (false, true) => key.starts_with(core),
            (true, false) => key.ends_with(core),
            (true, true) => key.contains(core),
        }
    }
}

/// Parses `key=value;key=value`. Items with a problem are reported and omitted from the result.
pub(super) fn parse(text: &str, validator: &mut Validator) -> Vec<(String, String)> {
    let mut properties: Vec<(String, String)> = Vec::new();
    let text = text.trim_end().strip_suffix(';').unwrap_or(text);
    for (index, item) in text.split(';').enumerate() {
        match property(item, &properties) {
            Ok((key, value)) => properties.push((key.to_owned(), value.to_owned())),
            Err(problem) => validator.report(&KAFKA_PROPERTIES, format!("item {} {problem}", index + 1)),
        }
    }
    properties
}

const NOT_A_PROPERTY: &str = "is not a property; write key=value with a lower-case key, separated by semicolons";

/// Parses one item. A problem names the matching pattern and not the key, because the key may be part of a secret that
/// contains a semicolon.
fn property<'a>(item: &'a str, earlier: &[(String, String)]) -> Result<(&'a str, &'a str), String> {
    let (key, value) = item.split_once('=').ok_or(NOT_A_PROPERTY)?;
    let (key, value) = (key.trim(), value.trim());
    if let Some(refused) = find_refused(key) {
        return Err(format!("({}) cannot be set: {}", refused.pattern, refused.reason));
    }
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b);
    if key.is_empty() || value.is_empty() || !key.bytes().all(is_allowed) {
        return Err(NOT_A_PROPERTY.to_owned());
    }
    if earlier.iter().any(|(other, _)| other == key) {
        return Err("repeats an earlier property; remove one of them".to_owned());
    }
    Ok((key, value))
}

/// Finds the group of a property that cannot be set. librdkafka reads `topic.acks` as `acks`, so both spellings are checked.
fn find_refused(key: &str) -> Option<&'static RefusedProperty> {
    let unprefixed = key.strip_prefix("topic.").unwrap_or(key);
    REFUSED_PROPERTIES.iter().find(|refused| refused.matches(key) || refused.matches(unprefixed))
}

/// Formats the properties as they are written in the variable.
pub(super) fn format(properties: &[(String, String)]) -> String {
    let items: Vec<_> = properties.iter().map(|(key, value)| format!("{key}={value}")).collect();
    items.join(";")
}
