//! Inside the service, again and again.

use serde_json::Value;

use crate::support::{ACCOUNT, TOKEN, kafka::unique_topic, wait_for};

use super::{found, scene::Scene};

const MISSED: &str = r#"trusthub_reconcile_missed_total{resource="customer-profile"}"#;
const SUCCESS: &str = r#"trusthub_reconcile_runs_total{result="success"}"#;

#[test]
fn a_rejection_that_was_missed_is_published_and_counted_like_one_that_was_announced() {
    let scene = Scene::with(&[], &[("RECONCILE_INTERVAL_SECS", "1")]);
    scene.begin();
    let sid = scene.unheard();
    scene.simulator.set("drop=100");
    scene.simulator.control(&sid, "reject", "code=18602");
    assert_eq!(scene.bridge.metric(MISSED), 0.0);
    let rejections = r#"trusthub_profile_rejections_total{code="18602",resource="customer-profile"}"#;
    assert_eq!(scene.bridge.metric(rejections), 0.0);
    wait_for("a run that finds it too recent", || (scene.bridge.metric(SUCCESS) > 0.0).then_some(()));
    assert_eq!(found(&scene.bridge.events(1)).len(), 0);
    scene.later();
    wait_for("the missed change", || (scene.bridge.metric(MISSED) == 1.0).then_some(()));
    let events = found(&scene.bridge.events(3));
    assert_eq!((events.len(), &events[0]["status"]), (1, &Value::from("twilio-rejected")));
    assert_eq!(scene.bridge.metric(rejections), 1.0);

    let lines = scene.bridge.lines("a missed change is published");
    assert_eq!((lines.len(), &lines[0]["profile_sid"], &lines[0]["level"]), (1, &sid.into(), &"WARN".into()));
    let runs = scene.bridge.metric(SUCCESS);
    wait_for("another run", || (scene.bridge.metric(SUCCESS) > runs).then_some(()));
    assert_eq!((scene.bridge.metric(MISSED), found(&scene.bridge.events(3)).len()), (1.0, 1));
    assert!(scene.bridge.metric("trusthub_reconcile_last_success_timestamp_seconds") > 1.7e9);
    assert_eq!(scene.bridge.metric("trusthub_reconcile_interval_seconds"), 1.0);
}

#[test]
fn a_run_that_fails_is_counted_and_says_why_and_the_service_serves_on() {
    let scene = Scene::with(&[], &[("RECONCILE_INTERVAL_SECS", "1")]);
    scene.begin();
    scene.simulator.set("too_many_requests=100&retry_after_secs=3600");
    let failures = r#"trusthub_reconcile_runs_total{result="failure"}"#;
    wait_for("a failure", || (scene.bridge.metric(failures) > 0.0).then_some(()));
    let line = scene.bridge.wait_for_log("profiles cannot be listed");
    assert!(line.contains(ACCOUNT) && line.contains("too many requests") && !line.contains(TOKEN), "{line}");
    assert_eq!(scene.bridge.ask_admin("/readyz").status, 200);
    scene.simulator.set("too_many_requests=0");
    wait_for("a success", || (scene.bridge.metric(SUCCESS) > 0.0).then_some(()));
}

#[test]
fn credentials_that_change_on_disk_are_used_by_the_next_run() {
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
    let scene = Scene::with(&[], &variables);
    scene.bridge.wait_for_log("the credentials of the account were refused");
    write(TOKEN);
    wait_for("a success", || (scene.bridge.metric(SUCCESS) > 0.0).then_some(()));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_service_that_stops_does_not_wait_for_a_run() {
    let mut scene = Scene::with(&[], &[("RECONCILE_INTERVAL_SECS", "1")]);
    scene.begin();
    // A run waits for a minute now.
    scene.simulator.set("too_many_requests=100&retry_after_secs=60");
    let requests = |scene: &Scene| scene.bridge.lines("reconciliation").len();
    let runs = requests(&scene);
    wait_for("no more runs to end", || (requests(&scene) == runs).then_some(()));
    scene.bridge.signal("TERM");
    assert!(scene.bridge.wait().success());
}
