//! Each mistake is reported with its variable and with what to write instead.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use trusthub_bridge::config::{self, Problems, REFUSED_PROPERTIES, VARIABLES};

use super::{PASSWORD, TOKEN, environment, file, load};

fn problems(more: &[(&str, &str)]) -> Problems {
    match load(more) {
        Ok(_) => panic!("no problem is reported for {more:?}"),
        Err(problems) => problems,
    }
}

/// The line of the only problem.
pub(super) fn only(more: &[(&str, &str)]) -> String {
    let text = problems(more).to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "configuration is not valid, 1 problem:", "{text}");
    assert_eq!(lines.len(), 2, "{text}");
    lines[1].to_owned()
}

/// Variables, the name of the wrong one, and a part of what to write instead.
type Mistake<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

fn assert_each_is_reported(mistakes: &[Mistake]) {
    for (more, name, instead) in mistakes {
        let line = only(more);
        assert!(line.starts_with(&format!("{name}: ")), "{more:?} → {line}");
        assert!(line.contains(instead), "{more:?} → {line}");
        assert!(line.contains("; "), "says what to write instead: {line}");
    }
}

#[test]
fn missing_value_is_reported() {
    assert_each_is_reported(&[
        (&[("PUBLIC_URL", "")], "PUBLIC_URL", "write the address that Twilio calls, such as https://"),
        (&[("TWILIO_AUTH_TOKEN", "")], "TWILIO_AUTH_TOKEN", "or its path into TWILIO_AUTH_TOKEN_FILE"),
        (&[("TWILIO_AUTH_TOKEN", "")], "TWILIO_AUTH_TOKEN", "the path of an accounts file into TWILIO_ACCOUNTS_FILE"),
        (&[("KAFKA_BOOTSTRAP_SERVERS", "")], "KAFKA_BOOTSTRAP_SERVERS", "write the brokers as host:port"),
    ]);
}

#[test]
fn malformed_listener_is_reported() {
    assert_each_is_reported(&[
        (&[("HTTP_BIND", "8080")], "HTTP_BIND", "such as 0.0.0.0:8080"),
        (&[("HTTP_BIND", "localhost:8080")], "HTTP_BIND", "write an IP address and a port"),
        (&[("ADMIN_BIND", ":9090")], "ADMIN_BIND", "[::]:8080"),
        (&[("ADMIN_BIND", "0.0.0.0:8080")], "ADMIN_BIND", "write another port"),
        (&[("HTTP_BIND", "127.0.0.1:9090")], "ADMIN_BIND", "write another port"),
        (&[("HTTP_MAX_BODY_BYTES", "64k")], "HTTP_MAX_BODY_BYTES", "a whole number from 1 to 1048576"),
        (&[("HTTP_MAX_BODY_BYTES", "0")], "HTTP_MAX_BODY_BYTES", "from 1 to 1048576"),
        (&[("HTTP_REQUEST_TIMEOUT_MS", "14001")], "HTTP_REQUEST_TIMEOUT_MS", "from 100 to 14000"),
        (&[("HTTP_REQUEST_TIMEOUT_MS", "10s")], "HTTP_REQUEST_TIMEOUT_MS", "from 100 to 14000"),
        (&[("HTTP_MAX_IN_FLIGHT", "0")], "HTTP_MAX_IN_FLIGHT", "from 1 to 65536"),
        (&[("HTTP_MAX_IN_FLIGHT", "-1")], "HTTP_MAX_IN_FLIGHT", "from 1 to 65536"),
        (&[("HTTP_KEEP_ALIVE_SECS", "0")], "HTTP_KEEP_ALIVE_SECS", "from 1 to 3600"),
        (&[("HTTP_KEEP_ALIVE_SECS", "75s")], "HTTP_KEEP_ALIVE_SECS", "from 1 to 3600"),
    ]);
}

#[test]
fn invalid_public_url_or_token_is_reported() {
    let spaced = format!("{TOKEN} {TOKEN}");
    let twice = format!("{TOKEN},{TOKEN}");
    assert_each_is_reported(&[
        (&[("PUBLIC_URL", "hooks.example.com")], "PUBLIC_URL", "write it as https://hooks.example.com"),
        (&[("PUBLIC_URL", "https://a.example/?x=1")], "PUBLIC_URL", "remove everything from the '?'"),
        (&[("PUBLIC_URL", "https://user@a.example")], "PUBLIC_URL", "write it as https://user:password@"),
        (&[("PUBLIC_URL", "https://a.example,")], "PUBLIC_URL", "item 2 of the list is empty; write one value"),
        (
            &[("PUBLIC_URL", "https://a.example,https://a.example/")],
            "PUBLIC_URL",
            "item 2 repeats an earlier one; remove",
        ),
        (&[("TWILIO_AUTH_TOKEN", &spaced)], "TWILIO_AUTH_TOKEN", "separated by commas"),
        (&[("TWILIO_AUTH_TOKEN", &twice)], "TWILIO_AUTH_TOKEN", "token 2 repeats an earlier one; remove it"),
        (&[("TWILIO_AUTH_TOKEN", ",old")], "TWILIO_AUTH_TOKEN", "item 1 of the list is empty"),
        (&[("TWILIO_AUTH_TOKEN", " ")], "TWILIO_AUTH_TOKEN", "item 1 of the list is empty"),
        (&[("TWILIO_ACCOUNT_SID", "AC1")], "TWILIO_ACCOUNT_SID", "write AC followed by 32 hexadecimal digits"),
    ]);
}

#[test]
fn reconciliation_without_an_account_is_reported() {
    let (few, account) = (("RECONCILE_INTERVAL_SECS", "3600"), format!("AC{}", "0".repeat(32)));
    assert_each_is_reported(&[
        (&[few], "RECONCILE_INTERVAL_SECS", "set TWILIO_ACCOUNT_SID or TWILIO_ACCOUNTS_FILE, or write 0 here"),
        (&[("RECONCILE_INTERVAL_SECS", "604801")], "RECONCILE_INTERVAL_SECS", "a whole number from 0 to 604800"),
    ]);
    assert!(load(&[few, ("TWILIO_ACCOUNT_SID", &account)]).is_ok());
    assert!(load(&[("RECONCILE_INTERVAL_SECS", "0")]).is_ok());
}

#[test]
fn secret_file_without_a_secret_is_reported() {
    let (empty, blank, bytes) = (file("empty", b""), file("blank", b"\n"), file("bytes", b"\xff\xfe"));
    let [empty, blank, bytes] = [&empty, &blank, &bytes].map(|path| path.to_str().unwrap());
    let without = ("TWILIO_AUTH_TOKEN", "");
    const FILE: &str = "TWILIO_AUTH_TOKEN_FILE";
    assert_each_is_reported(&[
        (&[(FILE, empty)], FILE, "contradicts TWILIO_AUTH_TOKEN, which is also set; remove one"),
        (&[without, (FILE, "/does/not/exist")], FILE, "write the path of a readable file"),
        (&[without, (FILE, "/")], FILE, "write the path of a readable file"),
        (&[without, (FILE, empty)], FILE, "names an empty file; write the secret into it"),
        (&[without, (FILE, blank)], FILE, "names an empty file; write the secret into it"),
        (&[without, (FILE, bytes)], FILE, "not valid UTF-8; write the secret as plain text"),
    ]);
}

#[test]
fn console_beyond_loopback_without_a_good_password_is_reported() {
    let blank = file("console-blank", b"short\n");
    let blank = blank.to_str().unwrap();
    let password = ("CONSOLE_PASSWORD", "a long enough password");
    assert_each_is_reported(&[
        (&[("CONSOLE_BIND", "0.0.0.0:9091")], "CONSOLE_BIND", "also set CONSOLE_PASSWORD or CONSOLE_PASSWORD_FILE"),
        (&[("CONSOLE_BIND", "[::]:9091")], "CONSOLE_BIND", "or write a loopback address, such as 127.0.0.1:9091"),
        (&[("CONSOLE_BIND", "localhost:9091")], "CONSOLE_BIND", "write an IP address and a port"),
        (&[("CONSOLE_BIND", "127.0.0.1:8080")], "CONSOLE_BIND", "is the address of HTTP_BIND; write another port"),
        (&[("CONSOLE_BIND", "127.0.0.1:9090")], "CONSOLE_BIND", "is the address of ADMIN_BIND; write another port"),
        (&[("CONSOLE_PASSWORD", "short")], "CONSOLE_PASSWORD", "write a longer one"),
        (&[("CONSOLE_PASSWORD", "two lines of\na password")], "CONSOLE_PASSWORD", "write the password in one line"),
        (&[("CONSOLE_PASSWORD_FILE", blank)], "CONSOLE_PASSWORD_FILE", "write a longer one"),
        (&[password, ("CONSOLE_PASSWORD_FILE", blank)], "CONSOLE_PASSWORD_FILE", "contradicts CONSOLE_PASSWORD"),
    ]);
}

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

#[test]
fn invalid_process_setting_is_reported() {
    assert_each_is_reported(&[
        (&[("SPOOL_MAX_BYTES", "1023")], "SPOOL_MAX_BYTES", "from 1024 to 1125899906842624"),
        (&[("SPOOL_MIN_FREE_BYTES", "1 GiB")], "SPOOL_MIN_FREE_BYTES", "from 0 to"),
        (&[("TRUSTHUB_BASE_URL", "trusthub.twilio.com")], "TRUSTHUB_BASE_URL", "write https://trusthub.twilio.com"),
        (&[("TRUSTHUB_BASE_URL", "https://")], "TRUSTHUB_BASE_URL", "write https://trusthub.twilio.com"),
        (&[("TRUSTHUB_BASE_URL", "https://AC1:x@a.example")], "TRUSTHUB_BASE_URL", "set credentials in TWILIO_AUTH"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example:x")], "TRUSTHUB_BASE_URL", "from 1 to 65535"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example/?x")], "TRUSTHUB_BASE_URL", "remove everything from the '?'"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example#x")], "TRUSTHUB_BASE_URL", "remove everything from the '?' or '#'"),
        (&[("TRUSTHUB_BASE_URL", "https://a.example//v1")], "TRUSTHUB_BASE_URL", "is not a plain prefix; write"),
        (&[("SHUTDOWN_DELAY_SECS", "601")], "SHUTDOWN_DELAY_SECS", "from 0 to 600"),
        (&[("SHUTDOWN_TIMEOUT_SECS", "0")], "SHUTDOWN_TIMEOUT_SECS", "from 1 to 600"),
        (&[("SIMULATOR_BIND", "8090")], "SIMULATOR_BIND", "write an IP address and a port"),
        (&[("LOG_FORMAT", "xml")], "LOG_FORMAT", "write json or pretty"),
        (&[("RUST_LOG", "info,trusthub_bridge=loud")], "RUST_LOG", "write a level such as info"),
        (&[("RUST_LOG", ",")], "RUST_LOG", "write a level such as info"),
    ]);
}

#[test]
fn too_many_signatures_per_callback_are_reported() {
    assert!(load(&[("TWILIO_AUTH_TOKEN", "a,b,c,d")]).is_ok(), "2 spellings × 3 constructions × 4 tokens = 24");
    assert_each_is_reported(&[
        (
            &[("TWILIO_AUTH_TOKEN", "a,b,c,d,e")],
            "PUBLIC_URL and TWILIO_AUTH_TOKEN",
            "2 spellings of the URLs × 3 constructions × 5 tokens make 30 signatures to try for each callback, more than 24; remove",
        ),
        (
            &[("PUBLIC_URL", "https://a.example:8443,https://b.example"), ("TWILIO_AUTH_TOKEN", "a,b")],
            "PUBLIC_URL and TWILIO_AUTH_TOKEN",
            "5 spellings of the URLs",
        ),
    ]);
}

#[test]
fn value_that_is_not_unicode_is_the_only_problem_of_its_variable() {
    for variable in VARIABLES {
        let replaces_token =
            ["TWILIO_AUTH_TOKEN_FILE", "TWILIO_SHARED_KEYS", "TWILIO_SHARED_KEYS_FILE", "TWILIO_ACCOUNTS_FILE"]
                .contains(&variable.name);
        let without: &[_] = if replaces_token { &[("TWILIO_AUTH_TOKEN", "")] } else { &[] };
        let mut vars = environment(without);
        vars.retain(|(name, _)| name != variable.name);
        vars.push((variable.name.into(), OsString::from_vec(b"caf\xe9".to_vec())));
        let text = config::load(vars).unwrap_err().to_string();
        let expected = "is not valid UTF-8; write it as UTF-8 text";
        assert_eq!(text, format!("configuration is not valid, 1 problem:\n{}: {expected}", variable.name));
    }
}

#[test]
fn foreign_variable_that_is_not_unicode_is_ignored() {
    let mut vars = environment(&[]);
    let bytes = || OsString::from_vec(b"caf\xe9".to_vec());
    vars.extend([("KAFKA_PORT".into(), bytes()), (bytes(), "x".into())]);
    assert!(config::load(vars).is_ok());
}

#[test]
fn all_problems_are_reported_in_one_error() {
    let text = problems(&[
        ("HTTP_BIND", "x"),
        ("HTTP_MAX_BODY_BYTES", "x"),
        ("HTTP_REQUEST_TIMEOUT_MS", "x"),
        ("HTTP_MAX_IN_FLIGHT", "x"),
        ("HTTP_KEEP_ALIVE_SECS", "x"),
        ("ADMIN_BIND", "x"),
        ("CONSOLE_BIND", "x"),
        ("CONSOLE_PASSWORD", "x"),
        ("PUBLIC_URL", "x"),
        ("TWILIO_AUTH_TOKEN", ","),
        ("TWILIO_SHARED_KEYS", "x"),
        ("TWILIO_ACCOUNT_SID", "x"),
        ("SIGNATURE_MODE", "x"),
        ("DEDUP_WINDOW_SECS", "x"),
        ("KAFKA_BOOTSTRAP_SERVERS", "x"),
        ("KAFKA_TOPIC", "?"),
        ("KAFKA_DEAD_LETTER_TOPIC", "/"),
        ("KAFKA_PROFILES_TOPIC", "!"),
        ("KAFKA_PROFILES_FAILURE_TEXT", "x"),
        ("KAFKA_CREATE_TOPICS", "x"),
        ("KAFKA_TOPIC_PARTITIONS", "x"),
        ("KAFKA_TOPIC_REPLICATION", "x"),
        ("KAFKA_VALUE_FORMAT", "x"),
        ("KAFKA_SECURITY_PROTOCOL", "x"),
        ("KAFKA_PROPERTIES", "x"),
        ("KAFKA_ACK_TIMEOUT_MS", "x"),
        ("CE_MODE", "x"),
        ("SCHEMA_REGISTRY_URL", "x"),
        ("SCHEMA_REGISTRY_USERNAME", "x:y"),
        ("SCHEMA_REGISTRY_PASSWORD", "x"),
        ("SCHEMA_REGISTRY_AUTO_REGISTER", "x"),
        ("SPOOL_MAX_BYTES", "x"),
        ("SPOOL_MIN_FREE_BYTES", "x"),
        ("TRUSTHUB_BASE_URL", "x"),
        ("RECONCILE_INTERVAL_SECS", "x"),
        ("RECONCILE_GRACE_SECS", "x"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "x"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "x"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nonexistent/x"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "x"),
        ("OTEL_RESOURCE_ATTRIBUTES", "x"),
        ("OTEL_TRACES_SAMPLER", "x"),
        ("OTEL_TRACES_SAMPLER_ARG", "x"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "x"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "x"),
        ("OTEL_BSP_SCHEDULE_DELAY", "x"),
        ("OTEL_TRACES_EXPORTER", "x"),
        ("OTEL_SDK_DISABLED", "x"),
        ("TRACE_CONTEXT", "x"),
        ("SHUTDOWN_DELAY_SECS", "x"),
        ("SHUTDOWN_TIMEOUT_SECS", "x"),
        ("SIMULATOR_BIND", "x"),
        ("LOG_FORMAT", "x"),
        ("RUST_LOG", "x=y"),
    ])
    .to_string();
    let named: Vec<_> = text.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    // Every text is a valid name of a file or folder, or a password.
    let silent = |name: &str| {
        ["SPOOL_DIR", "SIMULATOR_STATE", "SCHEMA_REGISTRY_PASSWORD", "OTEL_SERVICE_NAME"].contains(&name)
            || name.contains("_SASL_")
            || name.contains("_OAUTH_")
            || name.starts_with("AWS_")
            || name.contains("_SSL_")
            || name.ends_with("_FILE")
    };
    let expected: Vec<_> = VARIABLES.iter().map(|variable| variable.name).filter(|name| !silent(name)).collect();
    assert_eq!(named, expected, "{text}");
    let first = format!("configuration is not valid, {} problems:\n", expected.len());
    assert!(text.starts_with(&first), "{text}");
}

#[test]
fn no_problem_repeats_a_secret_written_into_the_wrong_variable() {
    let shapes = |secret: &str| {
        [
            secret.to_owned(),
            format!("{secret},{secret}"),
            format!("https://{secret}:{secret}@a.example"),
            format!("ssl.key.password={secret};{secret}=secret;sasl.{secret}=1"),
            format!("/{secret}/{secret}\n"),
        ]
    };
    for (variable, value) in VARIABLES.iter().flat_map(|variable| shapes("hunter2").map(|value| (variable, value))) {
        for mechanism in ["", "OAUTHBEARER", "AWS_MSK_IAM"] {
            // Without a public URL there is a problem in every case.
            let sasl =
                [("PUBLIC_URL", ""), ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"), ("KAFKA_SASL_MECHANISM", mechanism)];
            let problems = problems(&[&sasl[..], &[(variable.name, value.as_str())]].concat());
            let shown = format!("{problems} {problems:?}");
            assert!(!shown.contains("hunter2"), "{}={value:?} → {shown}", variable.name);
        }
    }
}
