//! The settings for managed Kafka services in `examples/managed-kafka`, and what is particular to such services, as far as a
//! real Kafka imitates it. None of the services itself is used.

use std::{collections::BTreeMap, ffi::OsString, fs, path::PathBuf};

use test_support::{
    Bridge, Request, TIMEOUT,
    kafka::{Broker, unique_topic},
    project_root, wait_for,
};
use trusthub_bridge::config;

use crate::config::PEM;

const FOLDER: &str = "examples/managed-kafka";
/// The folder in which the examples have their secrets and certificates.
const SECRETS: &str = "/etc/trusthub-bridge/";

fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(project_root().join(FOLDER)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The variables of an example, whose secrets are in this folder.
fn variables(example: &PathBuf, secrets: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(example).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}")));
    pairs.map(|(name, value)| (name.to_owned(), value.replace(SECRETS, secrets))).collect()
}

#[test]
fn settings_for_each_service_are_valid_and_have_no_warning() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("managed-kafka");
    fs::create_dir_all(&folder).unwrap();
    for name in ["kafka-password", "kafka-client-secret"] {
        fs::write(folder.join(name), "secret").unwrap();
    }
    for name in ["kafka-ca.crt", "kafka-client.crt", "kafka-client.key"] {
        fs::write(folder.join(name), PEM).unwrap();
    }
    let secrets = format!("{}/", folder.display());
    let examples = examples();
    assert!(examples.len() > 7, "{examples:?}");
    for example in examples {
        let variables = variables(&example, &secrets);
        let service =
            [("PUBLIC_URL", "https://hooks.example.com"), ("TWILIO_AUTH_TOKEN", "6d0f1e9a7c5b43218f6e5d4c3b2a1908")];
        let service = service.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let given = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let loaded = config::load(service.into_iter().chain(given));
        let loaded = loaded.unwrap_or_else(|problems| panic!("{}: {problems}", example.display()));
        assert_eq!(loaded.warnings, Vec::<String>::new(), "{}", example.display());
        let described: BTreeMap<_, _> = loaded.config.describe().into_iter().collect();
        for (name, value) in variables {
            assert_eq!(described.get(&*name), Some(&value), "{name} in {} has an effect", example.display());
        }
    }
}

#[test]
fn handbook_links_to_the_settings_for_each_service() {
    let handbook = fs::read_to_string(project_root().join("docs/operations.md")).unwrap();
    let link = format!("](../{FOLDER}/");
    let linked = handbook.split(&link).skip(1).filter_map(|rest| rest.split(')').next());
    let mut linked: Vec<_> = linked.map(|name| project_root().join(FOLDER).join(name)).collect();
    linked.sort();
    assert_eq!(linked, examples());
}

/// The established connections to a port of this machine.
fn connections_to(port: u16) -> usize {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let is_to = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[2].ends_with(&format!(":{port:04X}")) && fields[3] == ESTABLISHED
    };
    table.lines().skip(1).filter(is_to).count()
}

/// As Azure Event Hubs and load balancers do. `two_brokers` has connections that are dropped silently.
#[test]
fn connections_that_kafka_closes_when_idle_lose_nothing() {
    let kafka = Broker::start(&unique_topic("idle"), &[("connections.max.idle.ms", "1000")]);
    let port = kafka.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap();
    // The states of profiles would keep connections busy, and the probes do only every 5 seconds.
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("KAFKA_PROFILES_TOPIC", "")]);
    bridge.wait_until_publishing();
    for status in ["draft", "pending-review", "in-review"] {
        wait_for("Kafka closes every connection", || (connections_to(port) == 0).then_some(()));
        assert_eq!(bridge.send(&Request::change(status)).status, 204);
    }
    assert_eq!(kafka.wait_for_records(&bridge.topic, 3, TIMEOUT).len(), 3);
}
