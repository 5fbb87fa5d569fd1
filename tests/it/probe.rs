//! `probe`: what it says about an installation, and what it sees in Kafka.

use std::{fs, path::Path, process::Output};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use trusthub_bridge::domain::TEST_EVENT_TYPE;

use test_support::{
    ACCOUNT, Bridge, PUBLIC_URL, TOKEN,
    kafka::{Broker, USER, USER_PASSWORD, broker, unique_topic},
    latest_statuses, mock_cluster, program,
};

const REJECTED: &str = "the service rejected a forged callback: 403\n";
const ACCEPTED: &str = "the service accepted a signed callback as io.trusthub-bridge.test.v1: 204\n";
const SIGNER: [(&str, &str); 2] = [("PUBLIC_URL", PUBLIC_URL), ("TWILIO_AUTH_TOKEN", TOKEN)];

/// The exit code, stdout and stderr of `probe` for the first callback path of the service.
fn probe(bridge: &Bridge, options: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    probe_url(&format!("http://{}/callbacks/customer-profiles", bridge.public), options, variables)
}

fn probe_url(url: &str, options: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = program();
    let command = command.args(["probe", "--url", url]).args(options).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn probe_reports_where_the_test_event_came_out_of_kafka() {
    let prefixed = ("PUBLIC_URL", "https://hooks.example.com/twilio");
    let bridge = Bridge::start_with(&[prefixed]);
    assert_eq!(probe(&bridge, &[], &[]), (Some(0), REJECTED.to_owned(), String::new()));
    let variables =
        [prefixed, SIGNER[1], ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), ("KAFKA_TOPIC", &bridge.topic)];
    let printed = [(); 2].map(|()| {
        let (code, stdout, stderr) = probe(&bridge, &["--publish"], &variables);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
        stdout
    });
    let events = bridge.events(2);
    let mut events: Vec<_> = events.iter().filter(|event| event.header("ce_type") == Some(TEST_EVENT_TYPE)).collect();
    events.sort_by_key(|event| event.timestamp_ms);
    for (event, printed) in events.iter().zip(&printed) {
        let (topic, partition, offset) = (&event.topic, event.partition, event.offset);
        let id = event.header("ce_id").unwrap();
        let came_out = format!("topic {topic}, partition {partition}, offset {offset}, ce_id {id}\n");
        assert_eq!(*printed, format!("{REJECTED}{ACCEPTED}the test event came out of Kafka: {came_out}"));
    }
    assert_eq!(events.len(), 2);
    let changes = bridge.series("trusthub_profile_status_changes_total");
    assert!(changes.values().all(|count| *count == 0.0), "a test is not a status change: {changes:?}");
    assert_eq!(latest_statuses(&bridge.events(2)).len(), 0, "consumers ignore it");
}

#[test]
fn spooled_test_event_fails_the_probe_unless_it_is_allowed() {
    let kafka = Broker::not_started("probe");
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()), ("KAFKA_ACK_TIMEOUT_MS", "300")]);
    let variables = [
        SIGNER[0],
        SIGNER[1],
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()),
        ("KAFKA_TOPIC", &bridge.topic),
        ("KAFKA_ACK_TIMEOUT_MS", "300"),
    ];
    let unknown = format!(
        "cannot tell whether the test event came out of Kafka or was only spooled: cannot read topic {}: ",
        bridge.topic
    );
    let (code, stdout, stderr) = probe(&bridge, &["--publish"], &variables);
    assert_eq!((code, stdout), (Some(1), format!("{REJECTED}{ACCEPTED}")), "{stderr}");
    assert!(stderr.starts_with(&unknown), "{stderr}");
    let (code, stdout, stderr) = probe(&bridge, &["--publish", "--allow-spooled"], &variables);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with(&format!("{REJECTED}{ACCEPTED}{unknown}")), "{stdout}");
    let (code, stdout, stderr) = probe(&bridge, &["--publish", "--allow-spooled"], &SIGNER);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.ends_with("so whether the test event came out of Kafka was not checked\n"), "{stdout}");
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="spooled"}"#), 3.0);
}

#[test]
fn test_event_that_only_the_spool_has_is_not_reported_as_published() {
    // The service has another Kafka than the probe, which therefore reads a topic without the event.
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_ACK_TIMEOUT_MS", "300")]);
    broker().create_topic(&bridge.topic, 1);
    let variables =
        [SIGNER[0], SIGNER[1], ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), ("KAFKA_TOPIC", &bridge.topic)];
    let (code, stdout, stderr) = probe(&bridge, &["--publish"], &variables);
    assert_eq!((code, stdout), (Some(1), format!("{REJECTED}{ACCEPTED}")), "{stderr}");
    assert!(stderr.starts_with("the test event did not come out of Kafka within 10 s"), "{stderr}");
}

#[test]
fn publishing_probe_without_kafka_settings_is_a_mistake() {
    let bridge = Bridge::start();
    let (code, _, stderr) = probe(&bridge, &["--publish"], &SIGNER);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("KAFKA_BOOTSTRAP_SERVERS: "), "{stderr}");
    assert_eq!(probe(&bridge, &["--allow-spooled"], &[]).0, Some(2), "it belongs to --publish");
}

#[test]
fn probe_fails_if_a_forgery_is_accepted_or_a_signed_callback_rejected() {
    let lenient = Bridge::start_with(&[("SIGNATURE_MODE", "report-only")]);
    let (code, _, stderr) = probe(&lenient, &[], &[]);
    assert_eq!((code, stderr.as_str()), (Some(1), "the service answered a forged callback with 204 instead of 403\n"));
    let strict = Bridge::start();
    let rejected = "the service answered a signed callback with 403 instead of 204: PUBLIC_URL, the key or the account";
    for wrong in [("PUBLIC_URL", "https://other.example"), ("TWILIO_AUTH_TOKEN", "another-token")] {
        let variables = [SIGNER[0], SIGNER[1], ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), wrong];
        for options in [&["--publish"][..], &["--publish", "--allow-spooled"]] {
            let (code, _, stderr) = probe(&strict, options, &variables);
            assert!(code == Some(1) && stderr.starts_with(rejected), "{stderr}");
        }
    }
    for wrong in ["https://localhost/callbacks/customer-profiles", "http://localhost:8080/", "localhost"] {
        assert_eq!(probe_url(wrong, &[], &[]).0, Some(2), "{wrong}");
    }
    assert_eq!(probe_url("http://127.0.0.1:1/callbacks/customer-profiles", &[], &[]).0, Some(1));
}

#[test]
fn probe_signs_with_a_shared_key_if_there_is_no_token_or_if_it_is_named() {
    const KEYS: &str = "webhooks_sharedkey_1=secret-1,webhooks_sharedkey_2:HMAC_SHA1=secret-2";
    let bridge = Bridge::start_with(&[("TWILIO_SHARED_KEYS", KEYS)]);
    let publish = |options: &[&str], tokens: &[(&'static str, &'static str)]| {
        let kafka = [("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()), ("KAFKA_TOPIC", bridge.topic.as_str())];
        let variables = [&[SIGNER[0]], tokens, &kafka].concat();
        probe(&bridge, &[&["--publish"], options].concat(), &variables)
    };
    let signed_by = |key: &str, algorithm: &str| {
        let labels = format!(r#"algorithm="{algorithm}",construction="form",key="{key}""#);
        bridge.metric(&format!("trusthub_signatures_verified_total{{{labels}}}"))
    };
    let (both, only) = ([SIGNER[1], ("TWILIO_SHARED_KEYS", KEYS)], [("TWILIO_SHARED_KEYS", KEYS)]);
    for (options, keys, key, algorithm) in [
        (&[][..], &both[..], "current", "hmac_sha1"),
        (&[], &only, "shared", "hmac_sha256"),
        (&["--shared-key", "webhooks_sharedkey_2"], &both, "shared", "hmac_sha1"),
    ] {
        let before = signed_by(key, algorithm);
        let (code, stdout, stderr) = publish(options, keys);
        assert!(code == Some(0) && stdout.contains("came out of Kafka: topic "), "{options:?}: {stdout}{stderr}");
        assert_eq!(signed_by(key, algorithm), before + 1.0, "{options:?} {key} {algorithm}");
    }
    let (code, _, stderr) = publish(&["--shared-key", "webhooks_sharedkey_3"], &both);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("TWILIO_SHARED_KEYS: has no SharedKey with the id in --shared-key; add it"), "{stderr}");
    let accounts = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("probe"));
    fs::write(&accounts, format!(r#"{{"{ACCOUNT}": {{"shared_keys": {{"other": "secret-1"}}}}}}"#)).unwrap();
    let file = [("TWILIO_ACCOUNTS_FILE", accounts.to_str().unwrap()), SIGNER[0]];
    let (code, _, stderr) = probe(&bridge, &["--publish", "--allow-spooled", "--shared-key", "missing"], &file);
    assert!(code == Some(2) && stderr.contains("TWILIO_ACCOUNTS_FILE: has no SharedKey"), "{stderr}");
    let (code, _, stderr) = probe(&bridge, &["--publish", "--allow-spooled", "--shared-key", "other"], &file);
    assert!(code == Some(1) && stderr.contains("403 instead of 204"), "the service has no key of this id: {stderr}");
    fs::remove_file(accounts).unwrap();
    assert_eq!(probe(&bridge, &["--shared-key", "webhooks_sharedkey_2"], &[]).0, Some(2), "it belongs to --publish");
}

#[test]
fn probe_that_may_not_read_the_topic_names_the_permission() {
    let broker = Broker::start_restricted("probe-acl");
    let bridge = Bridge::launch(&[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_ACK_TIMEOUT_MS", "300")]);
    broker.create_topic(&bridge.topic, 1);
    broker.allow("Describe", &bridge.topic);
    let variables = [
        SIGNER[0],
        SIGNER[1],
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()),
        ("KAFKA_TOPIC", &bridge.topic),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", USER),
        ("KAFKA_SASL_PASSWORD", USER_PASSWORD),
    ];
    for options in [&["--publish"][..], &["--publish", "--allow-spooled"]] {
        let (code, _, stderr) = probe(&bridge, options, &variables);
        assert_eq!(code, Some(1));
        assert!(stderr.contains("is not authorized to READ on topic"), "{stderr}");
    }
}

#[test]
fn test_event_that_became_a_dead_letter_fails_the_probe() {
    let [topic, dead_letters] = ["probe-narrow", "probe-narrow-dead"].map(unique_topic);
    broker().create_narrow_topic(&topic, 300);
    let topics = [("KAFKA_TOPIC", topic.as_str()), ("KAFKA_DEAD_LETTER_TOPIC", &dead_letters)];
    let bridge = Bridge::start_with(&topics);
    let kafka = ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap());
    let variables = [&SIGNER[..], &topics, &[kafka]].concat();
    let (code, _, stderr) = probe(&bridge, &["--publish", "--allow-spooled"], &variables);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.starts_with("the test event became a dead letter: topic "), "{stderr}");
}

#[test]
fn probe_waits_until_the_partitions_of_a_new_topic_have_a_leader() {
    let (cluster, kafka) = mock_cluster();
    let kafka: Vec<_> = kafka.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let bridge = Bridge::launch(&kafka);
    bridge.wait_until_publishing();
    let no_leader = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 6];
    cluster.request_errors(RDKafkaApiKey::ListOffsets, &no_leader);
    let (code, stdout, stderr) = probe(&bridge, &["--publish"], &[&SIGNER[..], &kafka].concat());
    assert!(code == Some(0) && stdout.contains("came out of Kafka: topic events"), "{stdout}{stderr}");
}
