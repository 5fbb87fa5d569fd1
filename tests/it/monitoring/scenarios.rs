//! Plays incidents: the alert fires, the pager receives its text, and is notified when the alert is resolved.

use std::{fs, path::Path};

use test_support::{
    ACCOUNT, Bridge, PROFILE, PUBLIC_URL, Request, TOKEN,
    kafka::{Cluster, unique_topic},
    prometheus::NAMESPACE,
    proxy::Fault,
    wait_for,
};

use super::fixture::MonitoringFixture;

const PATH: &str = "/callbacks/customer-profiles";

/// A callback about a status change, not yet signed.
fn change(number: usize, status: &str) -> Request {
    Request::form(PATH, &format!("AccountSid={ACCOUNT}&BundleSid=BU{number:032x}&Status={status}"))
}

/// Waits until the alert fires for the nth time, checks its page and its runbook link, and returns the summary.
fn wait_for_page_with(fixture: &MonitoringFixture, alert: &str, nth: usize, severity: &str, text: &str) -> String {
    let page = fixture.monitoring.wait_for_page(alert, nth);
    assert_eq!((&page["labels"]["severity"], &page["labels"]["namespace"]), (&severity.into(), &NAMESPACE.into()));
    let annotations = &page["annotations"];
    let [summary, description, runbook] =
        ["summary", "description", "runbook_url"].map(|name| annotations[name].as_str().unwrap());
    assert!(summary.contains(text), "{text} is not in {annotations}");
    assert!(!description.is_empty());
    assert!(runbook.ends_with(&format!("operations.md#{}", alert.to_lowercase())), "{runbook}");
    summary.to_owned()
}

/// Asserts that the alert fires now, as it must until its cause is gone.
fn assert_still_firing(fixture: &MonitoringFixture, alert: &str) {
    assert_eq!(fixture.monitoring.firing(alert).len(), 1, "{alert}");
}

#[test]
fn every_rejected_profile_pages_with_its_codes() {
    const ALERT: &str = "TrusthubProfileRejected";
    let fixture = MonitoringFixture::with(&[]);
    let first = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=twilio-rejected&ErrorCode=18602");
    assert_eq!(fixture.bridges[0].send(&Request::form(PATH, &first).signed()).status, 204);
    let summary = wait_for_page_with(&fixture, ALERT, 1, "critical", "customer-profile");
    assert!(summary.contains("18602"), "{summary}");
    // The alert resolves after its window, perhaps before this query.
    let fired = format!(r#"count_over_time(ALERTS{{alertname="{ALERT}", alertstate="firing"}}[1h])"#);
    fixture.monitoring.wait_for_data(&fired);
    fixture.monitoring.wait_for_end(ALERT);
    let second = first.replace("18602", "18603").replace(PROFILE, "BU00000000000000000000000000000003");
    assert_eq!(fixture.bridges[0].send(&Request::form(PATH, &second).signed()).status, 204);
    let summary = wait_for_page_with(&fixture, ALERT, 2, "critical", "18603");
    assert!(!summary.contains("18602"), "{summary}");
    fixture.monitoring.wait_for_end(ALERT);
    let delivered: Vec<_> = fixture.monitoring.pages(ALERT).iter().map(|page| page["status"].clone()).collect();
    assert_eq!(delivered, ["firing", "resolved", "firing", "resolved"]);
}

#[test]
fn kafka_outage_is_a_warning_until_it_ends_and_loses_nothing() {
    const ALERT: &str = "TrusthubKafkaUnreachable";
    let kafka = Cluster::start("alerts", 1, 1);
    let proxy = kafka.take_fault_proxy();
    let fixture = MonitoringFixture::with(&[("KAFKA_BOOTSTRAP_SERVERS", &proxy.bootstrap())]);
    let send_both = |status: &str| {
        let numbered = fixture.bridges.iter().enumerate();
        let answers = numbered.map(|(number, bridge)| bridge.send(&change(number, status).signed()).status);
        assert_eq!(answers.collect::<Vec<_>>(), [204, 204]);
    };
    send_both("pending-review");
    fixture.bridges.iter().for_each(Bridge::wait_until_publishing);
    proxy.set(Fault::Cut);
    // Until then, records and acknowledgements in transit may still pass.
    fixture.bridges.iter().for_each(Bridge::wait_until_kafka_is_down);
    send_both("in-review");
    wait_for_page_with(&fixture, ALERT, 1, "warning", "cannot publish to Kafka");
    assert_still_firing(&fixture, ALERT);
    assert!(fixture.bridges.iter().all(|bridge| bridge.metric("trusthub_spool_events") == 1.0));
    proxy.set(Fault::None);
    fixture.monitoring.wait_for_end(ALERT);
    fixture.bridges.iter().for_each(Bridge::wait_until_drained);
    assert_eq!(kafka.direct().wait_for_events(&fixture.bridges[0].topic, 4).len(), 4);
}

#[test]
fn wrong_public_url_pages_until_it_is_corrected() {
    const ALERT: &str = "TrusthubCallbacksForAnotherUrl";
    const CALLED: &str = "http://hooks.example.com";
    let mut fixture = MonitoringFixture::with(&[]);
    let callback = |number| change(number, "in-review").signed_with(TOKEN, CALLED);
    assert_eq!(fixture.send(&callback(1)), [403, 403]);
    wait_for_page_with(&fixture, ALERT, 1, "critical", "PUBLIC_URL");
    assert_still_firing(&fixture, ALERT);
    let diagnosis = fixture.bridges[0].wait_for_log("url_mismatch");
    assert!(diagnosis.contains(&format!("PUBLIC_URL={CALLED}")), "{diagnosis}");
    fixture.restart(&[("PUBLIC_URL", &format!("{PUBLIC_URL},{CALLED}"))]);
    assert_eq!(fixture.send(&callback(2)), [204, 204]);
    fixture.monitoring.wait_for_end(ALERT);
}

#[test]
fn token_rotated_only_at_twilio_pages_until_it_is_in_the_file() {
    const ALERT: &str = "TrusthubCallbacksWithAnotherToken";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("token"));
    let write = |tokens: &str| {
        let fresh = file.with_extension("new");
        fs::write(&fresh, tokens).unwrap();
        fs::rename(fresh, &file).unwrap();
    };
    write("old");
    let variables = [("TWILIO_AUTH_TOKEN", ""), ("TWILIO_AUTH_TOKEN_FILE", file.to_str().unwrap())];
    let fixture = MonitoringFixture::with(&variables);
    let callback = |number| change(number, "in-review").signed_with("new", PUBLIC_URL);
    for number in 0..3 {
        assert_eq!(fixture.send(&callback(number)), [403, 403]);
    }
    wait_for_page_with(&fixture, ALERT, 1, "critical", "No callback is accepted");
    assert_still_firing(&fixture, ALERT);
    write("new,old");
    wait_for("both have the new token", || (fixture.send(&callback(3)) == [204, 204]).then_some(()));
    fixture.monitoring.wait_for_end(ALERT);
    fs::remove_file(file).unwrap();
}
