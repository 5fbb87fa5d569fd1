//! Reconciliation inside the service, at its interval.

use serde_json::Value;

use test_support::{ACCOUNT, Bridge, TOKEN, kafka::unique_topic, reconcile::Fixture, wait_for};

use super::{found, value};

const MISSED: &str = r#"trusthub_reconcile_missed_total{resource="customer-profile"}"#;
const SUCCESS: &str = r#"trusthub_reconcile_runs_total{result="success"}"#;

#[test]
fn missed_rejection_is_published_and_counted_like_an_announced_one() {
    let fixture = Fixture::with(&[], &[("RECONCILE_INTERVAL_SECS", "1")]);
    fixture.begin_history();
    let sid = fixture.create_missed();
    fixture.simulator.set("drop=100");
    fixture.simulator.control(&sid, "reject", "code=18602");
    assert_eq!(fixture.bridge.metric(MISSED), 0.0);
    let rejections = r#"trusthub_profile_rejections_total{code="18602",resource="customer-profile"}"#;
    assert_eq!(fixture.bridge.metric(rejections), 0.0);
    wait_for("a run that finds the change too recent", || (fixture.bridge.metric(SUCCESS) > 0.0).then_some(()));
    assert_eq!(found(&fixture.bridge.events(1)).len(), 0);
    fixture.advance_clock();
    wait_for("the missed change", || (fixture.bridge.metric(MISSED) == 1.0).then_some(()));
    let events = found(&fixture.bridge.events(3));
    assert_eq!((events.len(), &events[0]["status"]), (1, &Value::from("twilio-rejected")));
    assert_eq!(fixture.bridge.metric(rejections), 1.0);

    let lines = fixture.bridge.wait_for_lines("published a missed status change", 1);
    assert_eq!((lines.len(), &lines[0]["profile_sid"], &lines[0]["level"]), (1, &sid.into(), &"WARN".into()));
    let records = fixture.bridge.events(3);
    let record = records.iter().find(|record| value(record)["origin"] == "reconciliation").unwrap();
    assert_eq!(lines[0]["ce_id"].as_str(), record.header("ce_id"));
    let runs = fixture.bridge.metric(SUCCESS);
    wait_for("another run", || (fixture.bridge.metric(SUCCESS) > runs).then_some(()));
    assert_eq!((fixture.bridge.metric(MISSED), found(&fixture.bridge.events(3)).len()), (1.0, 1));
    assert!(fixture.bridge.metric("trusthub_reconcile_last_success_timestamp_seconds") > 1.7e9);
    assert_eq!(fixture.bridge.metric("trusthub_reconcile_interval_seconds"), 1.0);
}

#[test]
fn failed_run_is_counted_and_reported_and_the_service_is_unaffected() {
    let fixture = Fixture::with(&[], &[("RECONCILE_INTERVAL_SECS", "1")]);
    fixture.begin_history();
    fixture.simulator.set("too_many_requests=100&retry_after_secs=3600");
    let failures = r#"trusthub_reconcile_runs_total{result="failure"}"#;
    wait_for("a failure", || (fixture.bridge.metric(failures) > 0.0).then_some(()));
    let line = fixture.bridge.wait_for_log("cannot list profiles");
    assert!(line.contains(ACCOUNT) && line.contains("too many requests") && !line.contains(TOKEN), "{line}");
    assert_eq!(fixture.bridge.ask_admin("/readyz").status, 200);
    fixture.simulator.set("too_many_requests=0");
    wait_for("a success", || (fixture.bridge.metric(SUCCESS) > 0.0).then_some(()));
}

#[test]
fn changed_credentials_on_disk_are_used_by_the_next_run() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("accounts"));
    let write = |token: &str| {
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, format!(r#"{{"{ACCOUNT}": ["{token}"]}}"#)).unwrap();
        std::fs::rename(fresh, &file).unwrap();
    };
    write("not-valid-any-more");
    let variables = [
        ("RECONCILE_INTERVAL_SECS", "1"),
        ("TWILIO_ACCOUNTS_FILE", file.to_str().unwrap()),
        ("TWILIO_ACCOUNT_SID", ""),
        ("TWILIO_AUTH_TOKEN", ""),
    ];
    let fixture = Fixture::with(&[], &variables);
    fixture.bridge.wait_for_log("Trust Hub rejected the credentials of the account");
    write(TOKEN);
    wait_for("a success", || (fixture.bridge.metric(SUCCESS) > 0.0).then_some(()));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn stop_does_not_wait_for_a_run() {
    let mut fixture = Fixture::with(&[], &[("RECONCILE_INTERVAL_SECS", "1")]);
    fixture.begin_history();
    // A run now waits for a minute.
    fixture.simulator.set("too_many_requests=100&retry_after_secs=60");
    let requests = |fixture: &Fixture| fixture.bridge.lines("reconciliation completed").len();
    let runs = requests(&fixture);
    wait_for("runs no longer end", || (requests(&fixture) == runs).then_some(()));
    fixture.bridge.signal("TERM");
    assert!(fixture.bridge.wait().success());
}

/// The instances reconcile in turns.
#[test]
fn only_the_last_run_counts_callbacks_that_lead_elsewhere() {
    let interval = ("RECONCILE_INTERVAL_SECS", "4");
    let fixture = Fixture::with(&[], &[interval]);
    let (first, trusthub) = (&fixture.bridge, fixture.simulator.url());
    let base = fixture.url.split("/callbacks").next().unwrap();
    let second = Bridge::start_with(&[
        ("KAFKA_TOPIC", &first.topic),
        ("KAFKA_DEAD_LETTER_TOPIC", &first.dead_letter_topic),
        ("KAFKA_PROFILES_TOPIC", ""),
        ("PUBLIC_URL", base),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TRUSTHUB_BASE_URL", &trusthub),
        interval,
    ]);
    for callback in [fixture.url.as_str(), "", "https://elsewhere.example/callbacks/customer-profiles"] {
        fixture.simulator.create(callback);
    }
    let shown = || {
        let series = r#"trusthub_profiles_without_callback{resource="customer-profile"}"#;
        [first, &second].map(|instance| instance.metric(series))
    };
    for expected in [[2.0, 0.0], [0.0, 2.0]] {
        wait_for("the other one made the last run", || (shown() == expected).then_some(()));
    }
    let corrected = fixture.reconcile(&["--set-callback", base, "--replace"]);
    assert_eq!(corrected.code, Some(0), "{corrected:?}");
    wait_for("a run that finds none", || (shown() == [0.0, 0.0]).then_some(()));
}
