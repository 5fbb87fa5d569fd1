//! Mistakes in the variables of Kafka.

use trusthub_bridge::config::REFUSED_PROPERTIES;

use super::{
    PASSWORD, file,
    mistakes::{assert_each_is_reported, only},
};

#[test]
fn invalid_topic_broker_or_number_of_kafka_is_reported() {
    let long = "a".repeat(250);
    assert_each_is_reported(&[
        (&[("KAFKA_BOOTSTRAP_SERVERS", "kafka")], "KAFKA_BOOTSTRAP_SERVERS", "write host:port, such as kafka-0:9092"),
        (&[("KAFKA_BOOTSTRAP_SERVERS", "kafka:0")], "KAFKA_BOOTSTRAP_SERVERS", "item 1 is not a broker"),
        (&[("KAFKA_BOOTSTRAP_SERVERS", "a:1,ssl://b:2")], "KAFKA_BOOTSTRAP_SERVERS", "item 2 is not a broker"),
        (&[("KAFKA_BOOTSTRAP_SERVERS", "a:1,,b:2")], "KAFKA_BOOTSTRAP_SERVERS", "item 2 of the list is empty"),
        (&[("KAFKA_TOPIC", "trust hub")], "KAFKA_TOPIC", "write 1 to 249 letters, digits, dots"),
        (&[("KAFKA_TOPIC", "..")], "KAFKA_TOPIC", "write 1 to 249 letters"),
        (&[("KAFKA_DEAD_LETTER_TOPIC", &long)], "KAFKA_DEAD_LETTER_TOPIC", "write 1 to 249 letters"),
        (&[("KAFKA_DEAD_LETTER_TOPIC", "trusthub.profile-status-changed")], "KAFKA_DEAD_LETTER_TOPIC", "write another"),
        (&[("KAFKA_PROFILES_TOPIC", "trust hub")], "KAFKA_PROFILES_TOPIC", "write 1 to 249 letters"),
        (&[("KAFKA_PROFILES_TOPIC", "trusthub.profile-status-changed")], "KAFKA_PROFILES_TOPIC", "write another"),
        (&[("KAFKA_PROFILES_TOPIC", "trusthub.callbacks-unprocessable")], "KAFKA_PROFILES_TOPIC", "write another"),
        (&[("KAFKA_PROFILES_FAILURE_TEXT", "no")], "KAFKA_PROFILES_FAILURE_TEXT", "write true or false"),
        (&[("KAFKA_CREATE_TOPICS", "yes")], "KAFKA_CREATE_TOPICS", "write true or false"),
        (&[("KAFKA_TOPIC_PARTITIONS", "0")], "KAFKA_TOPIC_PARTITIONS", "from 1 to 10000"),
        (&[("KAFKA_TOPIC_REPLICATION", "-1")], "KAFKA_TOPIC_REPLICATION", "from 1 to 32"),
        (&[("SIGNATURE_MODE", "off")], "SIGNATURE_MODE", "write enforce or report-only"),
        (&[("DEDUP_WINDOW_SECS", "86401")], "DEDUP_WINDOW_SECS", "from 0 to 86400"),
        (&[("KAFKA_ACK_TIMEOUT_MS", "99")], "KAFKA_ACK_TIMEOUT_MS", "from 100 to 14000"),
    ]);
}

#[test]
fn contradiction_in_the_security_of_kafka_is_reported() {
    const PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";
    let pem = file("mistakes.pem", b"pem").display().to_string();
    let (ssl, sasl) = ((PROTOCOL, "ssl"), (PROTOCOL, "sasl_ssl"));
    let mechanism = ("KAFKA_SASL_MECHANISM", "PLAIN");
    let (user, password) = (("KAFKA_SASL_USERNAME", "bridge"), ("KAFKA_SASL_PASSWORD", PASSWORD));
    let broken = ("KAFKA_SASL_PASSWORD", "with a line\nbreak");
    let gone = "/does/not/exist";
    assert_each_is_reported(&[
        (&[(PROTOCOL, "tls")], PROTOCOL, "write plaintext, ssl, sasl_plaintext or sasl_ssl"),
        (&[mechanism], "KAFKA_SASL_MECHANISM", "write KAFKA_SECURITY_PROTOCOL=sasl_ssl"),
        (&[ssl, user], "KAFKA_SASL_USERNAME", "remove it, or write"),
        (&[password], "KAFKA_SASL_PASSWORD", "remove it, or write"),
        (&[("KAFKA_SASL_PASSWORD_FILE", gone)], "KAFKA_SASL_PASSWORD_FILE", "remove it, or write"),
        (&[sasl, user, password], "KAFKA_SASL_MECHANISM", "SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM"),
        (&[sasl, mechanism, password], "KAFKA_SASL_USERNAME", "write the Kafka user"),
        (&[sasl, mechanism, user], "KAFKA_SASL_PASSWORD", "or its path into KAFKA_SASL_PASSWORD_FILE"),
        (&[sasl, mechanism, user, broken], "KAFKA_SASL_PASSWORD", "control character; remove it"),
        (&[sasl, mechanism, user, ("KAFKA_SASL_PASSWORD_FILE", gone)], "KAFKA_SASL_PASSWORD_FILE", "a readable file"),
        (
            &[sasl, mechanism, user, password, ("KAFKA_SASL_PASSWORD_FILE", gone)],
            "KAFKA_SASL_PASSWORD_FILE",
            "contradicts KAFKA_SASL_PASSWORD, which is also set; remove one",
        ),
        (
            &[sasl, user, password, ("KAFKA_SASL_MECHANISM", "gssapi")],
            "KAFKA_SASL_MECHANISM",
            "GSSAPI is not supported; write PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM",
        ),
        (
            &[sasl, user, password, ("KAFKA_SASL_MECHANISM", "MD5")],
            "KAFKA_SASL_MECHANISM",
            "write PLAIN, SCRAM-SHA-256",
        ),
        (&[("KAFKA_SSL_CA_LOCATION", &pem)], "KAFKA_SSL_CA_LOCATION", "write KAFKA_SECURITY_PROTOCOL=ssl or sasl_ssl"),
        (
            &[("KAFKA_SSL_KEY_LOCATION", &pem)],
            "KAFKA_SSL_KEY_LOCATION",
            "write KAFKA_SECURITY_PROTOCOL=ssl or sasl_ssl",
        ),
        (
            &[(PROTOCOL, "sasl_plaintext"), mechanism, user, password, ("KAFKA_SSL_CERTIFICATE_LOCATION", &pem)],
            "KAFKA_SSL_CERTIFICATE_LOCATION",
            "write KAFKA_SECURITY_PROTOCOL=ssl or sasl_ssl",
        ),
        (&[ssl, ("KAFKA_SSL_CERTIFICATE_LOCATION", &pem)], "KAFKA_SSL_KEY_LOCATION", "write the file of the key"),
        (
            &[ssl, ("KAFKA_SSL_KEY_LOCATION", &pem)],
            "KAFKA_SSL_CERTIFICATE_LOCATION",
            "write the file of the certificate",
        ),
        (&[ssl, ("KAFKA_SSL_CA_LOCATION", gone)], "KAFKA_SSL_CA_LOCATION", "write the path of a readable PEM file"),
        (&[ssl, ("KAFKA_SSL_CA_LOCATION", &pem)], "KAFKA_SSL_CA_LOCATION", "with at least one block BEGIN CERTIFICATE"),
    ]);
}

#[test]
fn mistake_in_a_login_by_token_is_reported() {
    const URL: &str = "KAFKA_OAUTH_TOKEN_URL";
    const ID: &str = "KAFKA_OAUTH_CLIENT_ID";
    const SECRET: &str = "KAFKA_OAUTH_CLIENT_SECRET";
    const FILE: &str = "KAFKA_OAUTH_TOKEN_FILE";
    const SCOPE: &str = "KAFKA_OAUTH_SCOPE";
    const EXTENSIONS: &str = "KAFKA_OAUTH_EXTENSIONS";
    let sasl = ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl");
    let (oauth, plain) = (("KAFKA_SASL_MECHANISM", "OAUTHBEARER"), ("KAFKA_SASL_MECHANISM", "PLAIN"));
    let (user, password) = (("KAFKA_SASL_USERNAME", "bridge"), ("KAFKA_SASL_PASSWORD", PASSWORD));
    let (url, id, secret) = ((URL, "https://idp.example/token"), (ID, "bridge"), (SECRET, PASSWORD));
    let file = (FILE, "/var/run/secrets/token");
    let with = |mistake: (&'static str, &'static str)| [sasl, oauth, url, id, secret, mistake];
    assert_each_is_reported(&[
        (&[url], URL, "contradicts KAFKA_SECURITY_PROTOCOL, which does not use it; remove it, or write KAFKA_SECURITY"),
        (&[sasl, plain, user, password, file], FILE, "remove it, or write KAFKA_SASL_MECHANISM=OAUTHBEARER"),
        (&[sasl, oauth, id, secret], URL, "write the URL of your identity provider's token endpoint, or the path of a"),
        (&[sasl, oauth, url, secret], ID, "write the client id of the service"),
        (&[sasl, oauth, url, id], SECRET, "or its path into KAFKA_OAUTH_CLIENT_SECRET_FILE"),
        (&[sasl, oauth, url, id, (SECRET, "a\nb")], SECRET, "control character; remove it"),
        (&with(user), "KAFKA_SASL_USERNAME", "contradicts KAFKA_SASL_MECHANISM=OAUTHBEARER, which does not use it"),
        (&with(password), "KAFKA_SASL_PASSWORD", "set KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET instead"),
        (
            &[sasl, oauth, file, (SCOPE, "x")],
            SCOPE,
            "contradicts KAFKA_OAUTH_TOKEN_FILE, which is also set; remove one",
        ),
        (
            &with(("KAFKA_OAUTH_CA_LOCATION", "/gone")),
            "KAFKA_OAUTH_CA_LOCATION",
            "write the path of a readable PEM file",
        ),
        (&[sasl, oauth, id, secret, (URL, "idp.example/token")], URL, "does not start with https://; write the URL"),
        (&[sasl, oauth, id, secret, (URL, "https://a:b@idp.example/")], URL, "write the client id into KAFKA_OAUTH_CL"),
        (
            &[sasl, oauth, id, secret, (URL, "https://idp.example/t?scope=x")],
            URL,
            "write the scope into KAFKA_OAUTH_SC",
        ),
        (&[sasl, oauth, url, secret, (ID, "bridge:secret")], ID, "write the client id alone"),
        (&with((SCOPE, "a \"b\"")), SCOPE, "separated by spaces"),
        (&with((EXTENSIONS, "logicalCluster")), EXTENSIONS, "item 1 is not an extension; write name=value"),
        (&with((EXTENSIONS, "a=1,logical_cluster=x")), EXTENSIONS, "item 2 is not an extension"),
        (&with((EXTENSIONS, "a=1\\,b=2")), EXTENSIONS, "item 1 is not an extension"),
        (&with((EXTENSIONS, "auth=x")), EXTENSIONS, "item 1 has the name auth, which is the token's; remove it"),
        (&with((EXTENSIONS, "a=1,a=2")), EXTENSIONS, "item 2 repeats an earlier extension; remove one of them"),
    ]);
}

#[test]
fn invalid_property_list_is_reported() {
    const PROPERTIES: &str = "KAFKA_PROPERTIES";
    assert_each_is_reported(&[
        (&[(PROPERTIES, "compression.type")], PROPERTIES, "item 1 is not a property; write key=value"),
        (&[(PROPERTIES, "compression.type=")], PROPERTIES, "write key=value"),
        (&[(PROPERTIES, "Compression Type=zstd")], PROPERTIES, "a lower-case key"),
        (&[(PROPERTIES, "compression.type=zstd;;")], PROPERTIES, "item 2 is not a property"),
        (&[(PROPERTIES, "client.id=a;client.id=b")], PROPERTIES, "item 2 repeats an earlier property; remove one"),
        (
            &[(PROPERTIES, "client.id=a;acks=1")],
            PROPERTIES,
            "item 2 (acks) cannot be set: an event is durable only when",
        ),
        (&[(PROPERTIES, "topic.acks=0")], PROPERTIES, "(acks) cannot be set"),
        (&[(PROPERTIES, "topic.blacklist=x")], PROPERTIES, "(topic.blacklist) cannot be set"),
        (&[(PROPERTIES, "max.in.flight.requests.per.connection=9")], PROPERTIES, "(max.in.flight*) cannot be set"),
        (&[(PROPERTIES, "max.poll.interval.ms=300000")], PROPERTIES, "for as long as that takes; remove it"),
        (&[(PROPERTIES, "delivery.timeout.ms=1")], PROPERTIES, "set KAFKA_ACK_TIMEOUT_MS"),
        (&[(PROPERTIES, "enable.ssl.certificate.verification=false")], PROPERTIES, "always checked; remove it"),
        (&[(PROPERTIES, "ssl.endpoint.identification.algorithm=none")], PROPERTIES, "always checked; remove it"),
        (&[(PROPERTIES, "ssl.key.password=x")], PROPERTIES, "write the SASL password to KAFKA_SASL_PASSWORD"),
        (&[(PROPERTIES, "sasl.password=x")], PROPERTIES, "write the SASL password to KAFKA_SASL_PASSWORD"),
        (&[(PROPERTIES, "sasl.username=x")], PROPERTIES, "set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME"),
        (&[(PROPERTIES, "sasl.oauthbearer.token.endpoint.url=x")], PROPERTIES, "or KAFKA_OAUTH_TOKEN_URL"),
        (&[(PROPERTIES, "enable.sasl.oauthbearer.unsecure.jwt=true")], PROPERTIES, "or KAFKA_OAUTH_TOKEN_URL"),
        (&[(PROPERTIES, "https.ca.location=/x")], PROPERTIES, "set KAFKA_OAUTH_CA_LOCATION"),
        (&[(PROPERTIES, "ssl.ca.location=/x")], PROPERTIES, "set KAFKA_SSL_CA_LOCATION"),
        (&[(PROPERTIES, "ssl.key.pem=x")], PROPERTIES, "set KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION"),
        (&[(PROPERTIES, "test.mock.num.brokers=3")], PROPERTIES, "must reach a real cluster; remove it"),
        (&[(PROPERTIES, "bootstrap.servers=a:1")], PROPERTIES, "set KAFKA_BOOTSTRAP_SERVERS"),
    ]);
}

#[test]
fn every_refused_property_is_reported_with_a_reason() {
    for refused in REFUSED_PROPERTIES {
        let key = refused.pattern.replace('*', "x");
        let line = only(&[("KAFKA_PROPERTIES", &format!("{key}=1"))]);
        assert!(line.contains("cannot be set: "), "{key} → {line}");
        assert!(refused.reason.contains("; "), "says what to write instead: {}", refused.reason);
    }
}
