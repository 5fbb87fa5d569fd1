//! Kafka credentials that are renewed in their files while callbacks arrive: none is rejected, lost or reordered.

mod other_clients;
mod permissions;

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use test_support::{
    Bridge,
    kafka::{Authentication, Certificate, CredentialFolder, SecureBroker},
    ledger::Load,
    wait_for,
};

const RENEWED: &str = "renewed the Kafka credentials";
const REPLACED: &str = "replaced the producer, because the Kafka credentials were renewed";
const NOT_RENEWED: &str = "the Kafka credentials are not renewed; the previous ones stay in use";
const DAY: f64 = 86_400.0;
/// The number of callbacks that must be answered between two steps.
const CALLBACKS: usize = 40;
/// The profiles of a light load.
const PROFILES: f64 = 16.0;

fn launch(kafka: &SecureBroker, files: &CredentialFolder) -> Bridge {
    launch_with(kafka, files, &[])
}

fn launch_with(kafka: &SecureBroker, files: &CredentialFolder, more: &[(&str, &str)]) -> Bridge {
    let variables = kafka.renewable_variables(files);
    let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
    let bridge = Bridge::launch(&variables.chain(more.iter().copied()).collect::<Vec<_>>());
    bridge.wait_until_publishing();
    bridge
}

/// The days until a certificate expires.
fn days_left(bridge: &Bridge, credential: &str) -> f64 {
    let series = format!("trusthub_kafka_credentials_expire_timestamp_seconds{{credential=\"{credential}\"}}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    (bridge.metric(&series) - now) / DAY
}

fn reloads(bridge: &Bridge, result: &str) -> f64 {
    bridge.metric(&format!("trusthub_kafka_credentials_reloads_total{{result=\"{result}\"}}"))
}

/// The projection has new clients as well, and all states.
fn assert_projects(bridge: &Bridge) {
    wait_for("every state is projected", || {
        (bridge.metric("trusthub_profiles_owned") == PROFILES && bridge.metric("trusthub_profiles_lag") == 0.0)
            .then_some(())
    });
}

/// The load is answered 204 only, and the topic has all of it in order.
fn assert_complete(load: Load, bridge: &Bridge, kafka: &SecureBroker) {
    let ledger = load.settle(bridge, &kafka.broker);
    assert_eq!(ledger.answers(), BTreeSet::from([Some(204)]));
}

#[test]
fn client_certificate_is_renewed_under_load() {
    let kafka = SecureBroker::start(Authentication::MutualTls);
    let files = CredentialFolder::new();
    let bridge = launch(&kafka, &files);
    assert!((1.0..2.1).contains(&days_left(&bridge, "certificate")), "{}", days_left(&bridge, "certificate"));
    assert!((29.0..30.1).contains(&days_left(&bridge, "ca")), "{}", days_left(&bridge, "ca"));
    assert_eq!(bridge.wait_for_lines("the certificates for Kafka", 1).len(), 1);
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(CALLBACKS);

    // The certificate alone does not belong to the key.
    let [certificate, key] = kafka.renew_client(Certificate::Renewed);
    files.replace("client.pem", &certificate);
    bridge.wait_for_lines(NOT_RENEWED, 1);
    let error = bridge.lines(NOT_RENEWED)[0]["error"].as_str().unwrap().to_owned();
    assert!(error.ends_with("; write the key that belongs to the certificate into KAFKA_SSL_KEY_LOCATION"), "{error}");
    assert_eq!(bridge.metric("trusthub_kafka_credentials_reload_failed"), 1.0);
    load.wait_for_answers(CALLBACKS);
    assert!(bridge.lines(RENEWED).is_empty());

    files.replace("client-key.pem", &key);
    // The producer can be replaced before the metrics say so, which this line follows.
    bridge.wait_for_lines(RENEWED, 1);
    bridge.wait_for_lines(REPLACED, 1);
    assert!((9.0..10.1).contains(&days_left(&bridge, "certificate")), "{}", days_left(&bridge, "certificate"));
    assert_eq!(bridge.metric("trusthub_kafka_credentials_reload_failed"), 0.0);
    load.wait_for_answers(CALLBACKS);

    files.replace("client-key.pem", "no key");
    bridge.wait_for_lines(NOT_RENEWED, 2);
    let error = bridge.lines(NOT_RENEWED)[1]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("KAFKA_SSL_KEY_LOCATION: names a file without a private key"), "{error}");
    load.wait_for_answers(CALLBACKS);
    files.replace("client-key.pem", &key);
    bridge.wait_for_lines("the files have the Kafka credentials that are in use", 1);

    assert_complete(load, &bridge, &kafka);
    assert_projects(&bridge);
    assert_eq!(
        (reloads(&bridge, "success"), bridge.lines(REPLACED).len(), bridge.lines(NOT_RENEWED).len()),
        (1.0, 1, 2)
    );
    assert!(bridge.outages().is_empty(), "{:?}", bridge.outages());
}

#[test]
fn renewal_that_begins_before_the_last_one_has_ended_loses_nothing() {
    let kafka = SecureBroker::start(Authentication::MutualTls);
    let files = CredentialFolder::new();
    let bridge = launch(&kafka, &files);
    let issued: Vec<_> = (0..3).map(|_| kafka.renew_client(Certificate::Renewed)).collect();
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(CALLBACKS);
    // The first line says that the certificate was proven, and not that the producer was replaced.
    for (count, [certificate, key]) in (1..).zip(&issued) {
        files.replace("client.pem", certificate);
        files.replace("client-key.pem", key);
        bridge.wait_for_lines(RENEWED, count);
    }
    wait_for("the producer is replaced", || (!bridge.lines(REPLACED).is_empty()).then_some(()));
    load.wait_for_answers(CALLBACKS);
    assert_complete(load, &bridge, &kafka);
    assert_projects(&bridge);
    assert_eq!(reloads(&bridge, "success"), 3.0);
    assert!(bridge.outages().is_empty(), "{:?}", bridge.outages());
}

#[test]
fn password_and_authority_are_renewed_before_and_after_the_broker() {
    let mut kafka = SecureBroker::start(Authentication::Scram);
    let files = CredentialFolder::new();
    let bridge = launch(&kafka, &files);
    let load = Load::start_light(bridge.public);
    load.wait_for_answers(CALLBACKS);

    // The file is first. The broker rejects the password until it knows it.
    files.replace("password", "second-secret");
    bridge.wait_for_lines(NOT_RENEWED, 1);
    let error = bridge.lines(NOT_RENEWED)[0]["error"].as_str().unwrap().to_lowercase();
    assert!(error.contains("authentication failed"), "{error}");
    load.wait_for_answers(CALLBACKS);
    kafka.change_password("second-secret");
    bridge.wait_for_lines(REPLACED, 1);
    load.wait_for_answers(CALLBACKS);
    assert!(bridge.outages().is_empty(), "{:?}", bridge.outages());

    // The broker is first: its restart ends the connections, and it accepts neither the password nor the authority in use.
    kafka.change_password("third-secret");
    let authority = kafka.restart_with_new_authority();
    load.wait_for_answers(CALLBACKS);
    wait_for("the outage is in the log", || (!bridge.outages().is_empty()).then_some(()));
    files.replace("ca.pem", &authority);
    files.replace("password", "third-secret");
    bridge.wait_for_lines(REPLACED, 2);
    bridge.wait_until_publishing();
    load.wait_for_answers(CALLBACKS);

    assert_complete(load, &bridge, &kafka);
    assert_projects(&bridge);
    assert_eq!(reloads(&bridge, "success"), 2.0);
    let secrets = ["carol-secret", "second-secret", "third-secret"];
    assert!(bridge.log().iter().all(|line| secrets.iter().all(|secret| !line.contains(secret))));
    bridge.signal("TERM");
}
