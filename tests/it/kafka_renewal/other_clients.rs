//! The clients besides the producer, once the former credentials are not valid any more.

use serde_json::Value;
use test_support::{
    ACCOUNT, Bridge, Request,
    kafka::{Authentication, Certificate, CredentialFolder, SecureBroker},
    simulator::Simulator,
    wait_for,
};

use super::{REPLACED, launch_with};

const RUNS: &str = r#"trusthub_reconcile_runs_total{result="success"}"#;

/// Creates a profile in Trust Hub, and announces it.
fn announce(bridge: &Bridge, trusthub: &Simulator) {
    let profile = trusthub.create("https://hooks.example.com/callbacks/customer-profiles");
    let body = format!("AccountSid={ACCOUNT}&BundleSid={profile}&Status=draft");
    let request = Request::form("/callbacks/customer-profiles", &body).signed();
    assert_eq!(bridge.send(&request).status, 204);
}

/// Waits until the console has read the states of all profiles.
fn wait_for_profiles(bridge: &Bridge, count: usize) {
    let console = bridge.console.unwrap();
    wait_for(&format!("{count} profiles in the console"), || {
        let request = Request::get("/api/v1/profiles").with("Host", &console.to_string());
        let list: Value = serde_json::from_str(&request.send(console).body).ok()?;
        (list["complete"] == true && list["total"] == count && list["problem"].is_null()).then_some(())
    });
}

/// Whether a reconciliation that began before the renewal was interrupted, and begins again.
fn is_about_earlier_run(line: &str) -> bool {
    line.contains("reconciliation ended early after new Kafka credentials, and begins again")
}

#[test]
fn console_projection_and_reconciliation_use_the_renewed_password() {
    let mut kafka = SecureBroker::start(Authentication::Scram);
    let (files, trusthub) = (CredentialFolder::new(), Simulator::start());
    let more = [
        ("CONSOLE_BIND", "127.0.0.1:0"),
        ("RECONCILE_INTERVAL_SECS", "1"),
        ("TWILIO_ACCOUNT_SID", ACCOUNT),
        ("TRUSTHUB_BASE_URL", &trusthub.url()),
    ];
    let bridge = launch_with(&kafka, &files, &more);
    announce(&bridge, &trusthub);
    wait_for_profiles(&bridge, 1);
    wait_for("a reconciliation", || (bridge.metric(RUNS) > 0.0).then_some(()));

    kafka.change_password("second-secret");
    files.replace("password", "second-secret");
    bridge.wait_for_lines(REPLACED, 1);
    // The restart ends every connection, and a new one needs the renewed password.
    kafka.restart_with(Certificate::Valid);
    let (before, lines) = (bridge.metric(RUNS), bridge.log().len());
    bridge.wait_until_publishing();
    announce(&bridge, &trusthub);
    wait_for_profiles(&bridge, 2);
    wait_for("another reconciliation", || (bridge.metric(RUNS) > before).then_some(()));
    let rejected = |line: &&String| line.to_lowercase().contains("authentication fail") && !is_about_earlier_run(line);
    assert_eq!(bridge.log()[lines..].iter().find(rejected), None);
}
