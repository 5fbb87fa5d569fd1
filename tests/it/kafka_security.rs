//! Kafka as others run it: TLS, and a login in each of the three ways; and what is wrong with it told in one line.

use crate::support::{
    Bridge, PATIENCE, Request,
    kafka::{Certificate, Secure, Way},
    machine::Machine,
};

/// What is said of the broker's certificate, in lower case.
const NOT_GOOD: &str = "has it expired, is it for the host in kafka_bootstrap_servers";

const OUTAGE: &str = "Kafka does not accept records; they are spooled";

/// A service that logs in as it should, but for these changes.
fn launch(kafka: &Secure, changes: &[(&str, &str)]) -> Bridge {
    let variables = kafka.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Bridge::launch(&[&variables[..], changes].concat())
}

/// Publishes, and the record is there.
fn publishes(kafka: &Secure, bridge: &Bridge) {
    bridge.wait_until_publishing();
    assert_eq!(bridge.send(&Request::change("in-review")).status, 204);
    assert_eq!(kafka.broker.wait_for_records(&bridge.topic, 1, PATIENCE).len(), 1);
}

/// Keeps what comes, and says once why: in a line that contains this text.
fn spools_and_says(bridge: &Bridge, text: &str) {
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

/// Has everything in Kafka in the end.
fn recovers(kafka: &Secure, bridge: &Bridge) {
    bridge.wait_until_publishing();
    assert_eq!(kafka.broker.wait_for_records(&bridge.topic, 2, PATIENCE).len(), 2);
}

fn a_wrong_password_is_told(way: Way) {
    let kafka = Secure::start(way);
    publishes(&kafka, &launch(&kafka, &[]));
    let mut bridge = launch(&kafka, &[("KAFKA_SASL_PASSWORD", "not-the-password")]);
    spools_and_says(&bridge, "authentication failed");
    assert!(bridge.log().iter().all(|line| !line.contains("not-the-password")));
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let variables = kafka.variables();
    let right = variables.iter().find(|(name, _)| *name == "KAFKA_SASL_PASSWORD").unwrap();
    bridge.restart(&[(right.0, &right.1)]);
    recovers(&kafka, &bridge);
}

#[test]
fn scram_over_tls_publishes_and_a_wrong_password_is_told_in_one_line_and_mended() {
    a_wrong_password_is_told(Way::Scram);
}

#[test]
fn plain_over_tls_publishes_and_a_wrong_password_is_told_in_one_line_and_mended() {
    a_wrong_password_is_told(Way::Plain);
}

#[test]
fn mutual_tls_publishes_and_a_certificate_that_is_missing_expired_or_of_another_is_told_in_one_line_and_mended() {
    let mut kafka = Secure::start(Way::Mutual);
    publishes(&kafka, &launch(&kafka, &[]));

    let without = [("KAFKA_SSL_CERTIFICATE_LOCATION", ""), ("KAFKA_SSL_KEY_LOCATION", "")];
    let mut bridge = launch(&kafka, &without);
    spools_and_says(&bridge, "the broker wants a client certificate: kafka_ssl_certificate_location");
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let variables = kafka.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    bridge.restart(&variables);
    recovers(&kafka, &bridge);

    kafka.restart_with(Certificate::OfAnother);
    let bridge = launch(&kafka, &[]);
    spools_and_says(&bridge, NOT_GOOD);
    kafka.restart_with(Certificate::Right);
    recovers(&kafka, &bridge);

    // To this one it is three days later.
    let machine = Machine::new();
    machine.set_clock(3 * 86_400);
    let bridge = launch(&kafka, &machine.variables());
    spools_and_says(&bridge, NOT_GOOD);
    kafka.restart_with(Certificate::Renewed);
    recovers(&kafka, &bridge);
}
