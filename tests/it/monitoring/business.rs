//! Alerts about profiles: with the program, a simulated Trust Hub and a real Prometheus, from the change to the page and
//! back.

use test_support::{
    ACCOUNT, Request, TOKEN,
    kafka::{broker, free_port},
    machine::Machine,
    simulator::Simulator,
};

use super::fixture::MonitoringFixture;

const PATH: &str = "/callbacks/customer-profiles";
const DAY: i64 = 24 * 60 * 60;
const REJECTIONS: usize = 6;

/// Waits until the alert fires, and returns its summary. Its labels must say whom it is for, and be about this resource.
fn wait_for_page(fixture: &MonitoringFixture, alert: &str, severity: &str, resource: &str) -> String {
    let page = fixture.monitoring.wait_for_page(alert, 1);
    let labels = &page["labels"];
    assert_eq!((&labels["severity"], &labels["resource"]), (&severity.into(), &resource.into()), "{page}");
    let is_about_the_service = alert == "TrusthubProfilesWithoutCallback";
    assert_eq!(labels["audience"].as_str(), (!is_about_the_service).then_some("business"), "{page}");
    page["annotations"]["summary"].as_str().unwrap().to_owned()
}

/// Announces changes of so many trust products to this status.
fn announce(fixture: &MonitoringFixture, count: usize, status: &str) {
    for number in 0..count {
        let profile = format!("BU{:032x}", number + 1);
        let body = format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status={status}&ErrorCode=18602");
        let answer = fixture.bridges[number % 2].send(&Request::form("/callbacks/trust-products", &body).signed());
        assert_eq!(answer.status, 204);
    }
}

/// By default, a topic rejects records that are more than an hour ahead of its broker. After the jump of their clock, the
/// instances write such records.
fn accept_later_records(fixture: &MonitoringFixture) {
    let limit = ("message.timestamp.after.max.ms", &i64::MAX.to_string()[..]);
    broker().alter_topic(&fixture.bridges[0].topic, &[limit]);
    // Waits until it exists: the instances create it some time after their start.
    broker().partitions_of(&fixture.bridges[0].profiles_topic);
    broker().alter_topic(&fixture.bridges[0].profiles_topic, &[("cleanup.policy", "compact"), limit]);
}

#[test]
fn alerts_about_profiles_fire_and_resolve_with_the_profiles() {
    let (machine, simulator) = (Machine::new(), Simulator::start());
    let base = format!("http://127.0.0.1:{}", free_port());
    let (urls, trusthub) = (format!("{},{base}", test_support::PUBLIC_URL), simulator.url());
    let compares = [
        ("HTTP_BIND", base.trim_start_matches("http://")),
        ("PUBLIC_URL", &urls),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TWILIO_AUTH_TOKEN", TOKEN),
        ("TRUSTHUB_BASE_URL", &trusthub),
        ("RECONCILE_INTERVAL_SECS", "1"),
    ];
    // Either instance may own the partition of a profile, so both have the same clock.
    let clock = machine.variables();
    let fixture = MonitoringFixture::of([&[&compares[..], &clock].concat(), &clock]);
    accept_later_records(&fixture);
    let callback = format!("{base}{PATH}");
    let [reviewed, approved, silent] = [&callback[..], &callback, ""].map(|url| simulator.create(url));
    for profile in [&reviewed, &approved] {
        simulator.submit(profile);
    }
    let decision = simulator.control(&approved, "approve", &format!("valid_for_secs={}", 20 * DAY));
    simulator.settle();
    // The simulator's callbacks do not say when an approval ends.
    let end = decision["valid_until"].as_str().unwrap();
    let body = format!("AccountSid={ACCOUNT}&BundleSid={approved}&Status=twilio-approved&ValidUntil={end}");
    assert_eq!(fixture.bridges[0].send(&Request::form(PATH, &body).signed()).status, 204);

    let summary = wait_for_page(&fixture, "TrusthubApprovalExpiresIn30Days", "info", "customer-profile");
    assert_eq!(summary, "Approvals of the kind customer-profile that end in 7 to 30 days: 1");
    let summary = wait_for_page(&fixture, "TrusthubProfilesWithoutCallback", "warning", "customer-profile");
    assert_eq!(summary, "Profiles of the kind customer-profile without a callback URL that leads here: 1");
    simulator.post(&format!("/v1/CustomerProfiles/{silent}"), &format!("StatusCallback={callback}"));
    announce(&fixture, REJECTIONS, "twilio-rejected");
    let summary = wait_for_page(&fixture, "TrusthubManyProfilesRejected", "warning", "trust-product");
    assert!(summary.ends_with(" profiles of the kind trust-product within six hours"), "{summary}");
    announce(&fixture, 2 * REJECTIONS, "twilio-approved");

    machine.set_clock(15 * DAY);
    let summary = wait_for_page(&fixture, "TrusthubProfileStuckInReview", "warning", "customer-profile");
    assert_eq!(summary, "A customer-profile has been in the status in-review for 15.0 days");
    wait_for_page(&fixture, "TrusthubApprovalExpiresIn7Days", "warning", "customer-profile");
    fixture.monitoring.wait_for_end("TrusthubApprovalExpiresIn30Days");

    machine.set_clock(0);
    simulator.control(&reviewed, "approve", "");
    simulator.control(&approved, "reject", "code=22601");
    simulator.settle();
    for alert in [
        "TrusthubProfileStuckInReview",
        "TrusthubApprovalExpiresIn7Days",
        "TrusthubManyProfilesRejected",
        "TrusthubProfilesWithoutCallback",
    ] {
        fixture.monitoring.wait_for_end(alert);
    }
}
