//! Kafka with TLS and each of the three logins; configuration mistakes are reported in one line.

use test_support::{
    Bridge, OUTAGE, Request, TIMEOUT,
    kafka::{Authentication, Certificate, SecureBroker},
    machine::Machine,
};

/// Part of the message about the broker's certificate, in lower case.
const INVALID_CERTIFICATE: &str = "check its expiry, that it names the host in kafka_bootstrap_servers";

/// Starts a service with the right login, except for these changes.
fn launch(kafka: &SecureBroker, changes: &[(&str, &str)]) -> Bridge {
    let variables = kafka.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Bridge::launch(&[&variables[..], changes].concat())
}

/// Sends a callback and expects its record.
fn assert_publishes(kafka: &SecureBroker, bridge: &Bridge) {
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    assert_eq!(kafka.broker.wait_for_records(&bridge.topic, 1, TIMEOUT).len(), 1);
}

/// Expects that callbacks are spooled and the cause is logged once, in a line that contains this text.
fn assert_spools_and_reports(bridge: &Bridge, text: &str) {
    bridge.wait_until_ready();
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.wait_for_log(OUTAGE);
    assert!(bridge.metric("trusthub_spool_events") >= 1.0);
    assert_eq!(bridge.send(&Request::change("pending-review")).status, 204);
    let lines = bridge.lines(OUTAGE);
    let detail = lines[0]["detail"].as_str().unwrap_or_default().to_lowercase();
    assert!(detail.contains(text), "{lines:?}");
    assert_eq!(lines.len(), 1, "{lines:?}");
}

/// Expects that all spooled events reach Kafka.
fn assert_recovers(kafka: &SecureBroker, bridge: &Bridge) {
    bridge.wait_until_publishing();
    assert_eq!(kafka.broker.wait_for_events(&bridge.topic, 2).len(), 2);
}

fn wrong_password_is_reported_and_corrected(authentication: Authentication) {
    let kafka = SecureBroker::start(authentication);
    assert_publishes(&kafka, &launch(&kafka, &[]));
    let mut bridge = launch(&kafka, &[("KAFKA_SASL_PASSWORD", "not-the-password")]);
    assert_spools_and_reports(&bridge, "authentication failed");
    assert!(bridge.log().iter().all(|line| !line.contains("not-the-password")));
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let variables = kafka.variables();
    let right = variables.iter().find(|(name, _)| *name == "KAFKA_SASL_PASSWORD").unwrap();
    bridge.restart(&[(right.0, &right.1)]);
    assert_recovers(&kafka, &bridge);
}

#[test]
fn scram_over_tls_publishes_and_a_wrong_password_is_reported_once() {
    wrong_password_is_reported_and_corrected(Authentication::Scram);
}

#[test]
fn plain_over_tls_publishes_and_a_wrong_password_is_reported_once() {
    wrong_password_is_reported_and_corrected(Authentication::Plain);
}

#[test]
fn mutual_tls_publishes_and_an_invalid_certificate_is_reported_once() {
    let mut kafka = SecureBroker::start(Authentication::MutualTls);
    assert_publishes(&kafka, &launch(&kafka, &[]));

    let without = [("KAFKA_SSL_CERTIFICATE_LOCATION", ""), ("KAFKA_SSL_KEY_LOCATION", "")];
    let mut bridge = launch(&kafka, &without);
    assert_spools_and_reports(&bridge, "the broker requires a client certificate: set kafka_ssl_certificate_location");
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let variables = kafka.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    bridge.restart(&variables);
    assert_recovers(&kafka, &bridge);

    kafka.restart_with(Certificate::WrongHost);
    let bridge = launch(&kafka, &[]);
    assert_spools_and_reports(&bridge, INVALID_CERTIFICATE);
    kafka.restart_with(Certificate::Valid);
    assert_recovers(&kafka, &bridge);

    // The clock of this program is three days ahead.
    let machine = Machine::new();
    machine.set_clock(3 * 86_400);
    let bridge = launch(&kafka, &machine.variables());
    assert_spools_and_reports(&bridge, INVALID_CERTIFICATE);
    kafka.restart_with(Certificate::Renewed);
    assert_recovers(&kafka, &bridge);
}
