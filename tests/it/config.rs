//! The configuration: which values are read, which are rejected and which are never shown.

mod accounts;
mod aws;
mod kafka_mistakes;
mod mistakes;
mod names;
mod security;
mod shared_keys;
mod traces;
mod values;

use std::{ffi::OsString, fs, path::PathBuf, time::Duration};

use secrecy::ExposeSecret;
use trusthub_bridge::config::{
    self, Config, LoadedConfig, LogFormat, PasswordLogin, Problems, REFUSED_PROPERTIES, SaslLogin, Security, VARIABLES,
};
use trusthub_bridge::domain::SignatureMode;

const TOKEN: &str = "6d0f1e9a7c5b43218f6e5d4c3b2a1908";
const PASSWORD: &str = "correct horse battery staple";
const OAUTHBEARER: [(&str, &str); 2] =
    [("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"), ("KAFKA_SASL_MECHANISM", "oauthbearer")];

/// The minimal environment with more variables on top; an empty value removes a variable.
fn environment(more: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let least = [
        ("PUBLIC_URL", "https://hooks.example.com"),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka-0:9092"),
    ];
    let overridden = |name: &str| more.iter().any(|(other, _)| *other == name);
    let rest = least.into_iter().filter(|(name, _)| !overridden(name));
    rest.chain(more.iter().copied()).map(|(name, value)| (name.into(), value.into())).collect()
}

fn load(more: &[(&str, &str)]) -> Result<LoadedConfig, Problems> {
    config::load(environment(more))
}

fn config(more: &[(&str, &str)]) -> Config {
    load(more).unwrap_or_else(|problems| panic!("{problems}")).config
}

/// A certificate and a key, as far as the configuration looks.
pub(crate) const PEM: &[u8] = include_bytes!("../fixtures/config/certificate-and-key.pem");

/// Writes a file that no other test uses.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("config-{name}"));
    fs::write(&path, content).unwrap();
    path
}

fn password_login(security: &Security) -> PasswordLogin {
    match security {
        Security::Sasl { login: SaslLogin::Password(login), .. } => login.clone(),
        other => panic!("no login by password: {other:?}"),
    }
}

fn described(config: &Config, name: &str) -> String {
    config.describe().into_iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn minimal_environment_has_the_documented_defaults() {
    let config = config(&[]);
    for variable in VARIABLES {
        let shown = described(&config, variable.name);
        let expected = match variable.name {
            "PUBLIC_URL" => "https://hooks.example.com",
            "TWILIO_AUTH_TOKEN" => "[redacted, 1 token]",
            "KAFKA_BOOTSTRAP_SERVERS" => "kafka-0:9092",
            // Applies only to protocols with TLS.
            "KAFKA_SSL_CA_LOCATION" => "",
            _ if variable.default == "–" => "",
            _ => variable.default,
        };
        assert_eq!(shown, expected, "{}", variable.name);
    }
}

#[test]
fn every_variable_reaches_its_setting() {
    let sid = format!("AC{}", "0".repeat(32));
    let config = config(&[
        ("HTTP_BIND", "[::]:80"),
        ("HTTP_MAX_BODY_BYTES", "1024"),
        ("HTTP_REQUEST_TIMEOUT_MS", "14000"),
        ("HTTP_MAX_IN_FLIGHT", "1"),
        ("ADMIN_BIND", "127.0.0.1:81"),
        ("PUBLIC_URL", "https://a.example, https://b.example/x"),
        ("TWILIO_AUTH_TOKEN", "new, old"),
        ("TWILIO_ACCOUNT_SID", &sid),
        ("SIGNATURE_MODE", "report-only"),
        ("DEDUP_WINDOW_SECS", "0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka-0:9092, [::1]:9093"),
        ("KAFKA_SSL_CA_LOCATION", "probe"),
        ("KAFKA_TOPIC", "a"),
        ("KAFKA_DEAD_LETTER_TOPIC", "b"),
        ("KAFKA_PROFILES_TOPIC", "c"),
        ("KAFKA_PROFILES_FAILURE_TEXT", "false"),
        ("KAFKA_CREATE_TOPICS", "false"),
        ("KAFKA_TOPIC_PARTITIONS", "12"),
        ("KAFKA_TOPIC_REPLICATION", "3"),
        ("KAFKA_PROPERTIES", "compression.type=zstd; client.id=a=b;"),
        ("KAFKA_ACK_TIMEOUT_MS", "13999"),
        ("SPOOL_DIR", "/var/spool/bridge"),
        ("SPOOL_MAX_BYTES", "1024"),
        ("SPOOL_MIN_FREE_BYTES", "0"),
        ("TRUSTHUB_BASE_URL", "http://127.0.0.1:8090/gateway/"),
        ("RECONCILE_INTERVAL_SECS", "604800"),
        ("RECONCILE_GRACE_SECS", "86400"),
        ("SHUTDOWN_DELAY_SECS", "0"),
        ("SHUTDOWN_TIMEOUT_SECS", "600"),
        ("SIMULATOR_BIND", "[::1]:83"),
        ("SIMULATOR_STATE", "/var/lib/trusthub"),
        ("LOG_FORMAT", "pretty"),
        ("RUST_LOG", "warn,trusthub_bridge=debug"),
    ]);
    let Config { http, admin, public_urls, twilio, callbacks, kafka, spool, .. } = config;
    let Config { trusthub, reconcile, shutdown, simulator, logging, .. } = config;
    assert_eq!((http.bind.to_string(), http.max_body_bytes, http.max_in_flight), ("[::]:80".to_owned(), 1024, 1));
    assert_eq!(http.request_timeout, Duration::from_secs(14));
    assert_eq!(admin.bind.to_string(), "127.0.0.1:81");
    let urls: Vec<_> = public_urls.iter().map(|url| url.as_str()).collect();
    assert_eq!(urls, ["https://a.example", "https://b.example/x"]);
    let tokens: Vec<_> = twilio.auth_tokens.iter().map(|token| token.expose_secret()).collect();
    assert_eq!(tokens, ["new", "old"]);
    assert_eq!(twilio.account_sid.unwrap().as_str(), sid);
    assert_eq!((callbacks.signature_mode, callbacks.dedup_window), (SignatureMode::ReportOnly, Duration::ZERO));
    assert_eq!(kafka.bootstrap_servers, "kafka-0:9092,[::1]:9093");
    assert_eq!((kafka.topic.as_str(), kafka.dead_letter_topic.as_str(), kafka.create_topics), ("a", "b", false));
    assert_eq!((kafka.profiles_topic.as_deref(), kafka.profiles_failure_text), (Some("c"), false));
    assert_eq!((kafka.topic_partitions, kafka.topic_replication), (12, Some(3)));
    let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(kafka.properties, [property("compression.type", "zstd"), property("client.id", "a=b")]);
    assert_eq!(kafka.ack_timeout, Duration::from_millis(13_999));
    assert_eq!(spool.folder.to_str(), Some("/var/spool/bridge"));
    assert_eq!((spool.max_bytes, spool.min_free_bytes), (1024, 0));
    assert_eq!(trusthub.base_url, "http://127.0.0.1:8090/gateway");
    assert_eq!(reconcile.interval, Some(Duration::from_secs(604_800)));
    assert_eq!(reconcile.grace, Duration::from_secs(86_400));
    assert_eq!((shutdown.delay, shutdown.timeout), (Duration::ZERO, Duration::from_secs(600)));
    assert_eq!(
        (simulator.bind.to_string(), simulator.state),
        ("[::1]:83".to_owned(), Some("/var/lib/trusthub".into()))
    );
    assert_eq!((logging.format, logging.filter.as_str()), (Some(LogFormat::Pretty), "warn,trusthub_bridge=debug"));
}

#[test]
fn empty_profiles_topic_turns_the_states_off() {
    assert_eq!(config(&[("KAFKA_PROFILES_TOPIC", "")]).kafka.profiles_topic, None);
    assert_eq!(config(&[]).kafka.profiles_topic.as_deref(), Some("trusthub.profiles"));
}

#[test]
fn secret_may_be_in_a_file_that_ends_with_a_newline() {
    let token = file("token", format!("{TOKEN},old\n").as_bytes());
    let password = file("password", format!("{PASSWORD}\r\n").as_bytes());
    let config = config(&[
        ("TWILIO_AUTH_TOKEN", ""),
        ("TWILIO_AUTH_TOKEN_FILE", token.to_str().unwrap()),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", "bridge"),
        ("KAFKA_SASL_PASSWORD_FILE", password.to_str().unwrap()),
    ]);
    let tokens: Vec<_> = config.twilio.auth_tokens.iter().map(|token| token.expose_secret()).collect();
    assert_eq!(tokens, [TOKEN, "old"]);
    assert_eq!(described(&config, "TWILIO_AUTH_TOKEN"), "[redacted, 2 tokens]");
    assert_eq!(described(&config, "TWILIO_AUTH_TOKEN_FILE"), token.display().to_string());
    assert_eq!(described(&config, "KAFKA_SASL_PASSWORD_FILE"), password.display().to_string());
    assert_eq!(password_login(&config.kafka.credentials.security()).password.expose_secret(), PASSWORD);
}

#[test]
fn both_listeners_may_use_any_free_port() {
    let config = config(&[("HTTP_BIND", "127.0.0.1:0"), ("ADMIN_BIND", "127.0.0.1:0")]);
    assert_eq!(config.http.bind, config.admin.bind);
}

#[test]
fn secrets_appear_neither_in_debug_nor_in_the_description() {
    let config = config(&[
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TWILIO_SHARED_KEYS", "webhooks_sharedkey_1=of-the-key"),
        ("PUBLIC_URL", "https://user:of-the-url@hooks.example.com"),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", "bridge"),
        ("KAFKA_SASL_PASSWORD", PASSWORD),
        ("SCHEMA_REGISTRY_URL", "https://registry.example.com"),
        ("SCHEMA_REGISTRY_USERNAME", "bridge"),
        ("SCHEMA_REGISTRY_PASSWORD", "of-the-registry"),
        ("CONSOLE_PASSWORD", "of-the-console"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example.com"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=of-the-receiver"),
    ]);
    let shown = format!("{config:?} {config:#?} {:?}", config.describe());
    for secret in [TOKEN, "of-the-key", "of-the-url", "of-the-registry", "of-the-console", "of-the-receiver", PASSWORD]
    {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert_eq!(described(&config, "PUBLIC_URL"), "https://[redacted]@hooks.example.com");
    let with_token = self::config(
        &[
            &OAUTHBEARER[..],
            &[
                ("KAFKA_OAUTH_TOKEN_URL", "https://idp.example/token"),
                ("KAFKA_OAUTH_CLIENT_ID", "bridge"),
                ("KAFKA_OAUTH_CLIENT_SECRET", PASSWORD),
            ],
        ]
        .concat(),
    );
    assert!(!format!("{with_token:?} {:?}", with_token.describe()).contains(PASSWORD));
    let with_keys = aws::with_secrets(PASSWORD);
    for variable in VARIABLES.iter().filter(|variable| variable.secret) {
        let with_secret = match variable.name {
            "AWS_CONTAINER_AUTHORIZATION_TOKEN" => &with_keys[1],
            name if name.starts_with("AWS_") => &with_keys[0],
            name if name.contains("_OAUTH_") => &with_token,
            _ => &config,
        };
        assert!(!format!("{with_secret:?} {:?}", with_secret.describe()).contains(PASSWORD), "{}", variable.name);
        assert!(described(with_secret, variable.name).starts_with("[redacted"), "{}", variable.name);
    }
}

#[test]
fn description_lists_every_variable_in_catalog_order() {
    let described: Vec<_> = config(&[]).describe().into_iter().map(|(name, _)| name).collect();
    let cataloged: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(described, cataloged);
}

#[test]
fn plain_http_to_another_machine_is_a_warning() {
    let warnings = |url| load(&[("TRUSTHUB_BASE_URL", url)]).unwrap().warnings;
    let open = ["http://simulator:8090", "http://10.0.0.1", "http://[2001:db8::1]:80/x", "http://localhost.example"];
    for url in open {
        assert!(
            warnings(url).concat().starts_with("TRUSTHUB_BASE_URL is not https; the network can read credentials"),
            "{url}"
        );
    }
    let safe = ["https://gateway.example", "http://localhost:8090", "http://127.0.0.1:1/x", "http://[::1]:8090"];
    for url in safe {
        assert!(warnings(url).is_empty(), "{url}");
    }
}

#[test]
fn implausible_token_is_a_warning_without_its_value() {
    let warnings = |tokens: &str| load(&[("TWILIO_AUTH_TOKEN", tokens)]).unwrap().warnings;
    assert_eq!(warnings(&format!("{TOKEN},{}", TOKEN.to_ascii_uppercase())), [""; 0]);
    let zeros = "0".repeat(32);
    for token in ["…", "changeme", "<token>", "your-auth-token", "${TOKEN}", "*****", "xxxxxxxx", &zeros] {
        let [warning] = &warnings(&format!("{TOKEN},{token}"))[..] else { panic!("{token}") };
        assert!(warning.starts_with("TWILIO_AUTH_TOKEN: token 2 looks like a placeholder; write"), "{warning}");
        assert!(!warning.contains(token), "{warning}");
    }
    let (long, short) = (format!("{TOKEN}0"), &TOKEN[1..]);
    for token in ["secret", "SK00000000000000000000000000000001", &long, short] {
        let [warning] = &warnings(token)[..] else { panic!("{token}") };
        assert!(warning.starts_with("TWILIO_AUTH_TOKEN: token 1 is not 32 hexadecimal digits"), "{warning}");
        assert!(!warning.contains(token), "{warning}");
    }
    let accounts: Vec<_> = (2..9).map(|number| format!(r#""AC{number:032}": ["a"]"#)).collect();
    let accounts = format!(r#"{{"AC{:032}": ["{TOKEN}"], {}}}"#, 1, accounts.join(", "));
    let path = file("implausible", accounts.as_bytes());
    let file_only = [("TWILIO_AUTH_TOKEN", ""), ("TWILIO_ACCOUNTS_FILE", path.to_str().unwrap())];
    let warnings = load(&file_only).unwrap().warnings;
    assert_eq!(warnings.len(), 6, "{warnings:?}");
    assert!(warnings[0].starts_with("TWILIO_ACCOUNTS_FILE: account 2: token 1 looks like"), "{warnings:?}");
    assert_eq!(warnings[5], "2 more tokens have the same problem; check them in the same way");
}

#[test]
fn reference_lists_exactly_the_variables_of_the_code() {
    let rows = VARIABLES.iter().map(|variable| {
        let default = match variable.default {
            plain @ ("required" | "–") => plain.to_owned(),
            value => format!("`{value}`"),
        };
        let secret = if variable.secret { " (secret)" } else { "" };
        format!("| `{}`{secret} | {default} | {} |\n", variable.name, variable.meaning)
    });
    assert_eq!(table("| Variable | Default | Meaning |\n"), rows.collect::<String>());
}

#[test]
fn reference_lists_exactly_the_refused_properties() {
    let mut rows = String::new();
    for group in REFUSED_PROPERTIES.chunk_by(|one, next| one.reason == next.reason) {
        let names: Vec<_> = group.iter().map(|refused| format!("`{}`", refused.pattern)).collect();
        rows += &format!("| {} | {} |\n", names.join(", "), group[0].reason);
    }
    assert_eq!(table("| Refused | Because, and instead |\n"), rows);
}

/// The rows of the table with this heading in the reference.
fn table(heading: &str) -> String {
    let reference = include_str!("../../docs/configuration.md");
    let (_, rest) = reference.split_once(heading).expect("the reference has this table");
    rest.lines().skip(1).take_while(|line| line.starts_with('|')).map(|line| format!("{line}\n")).collect()
}
