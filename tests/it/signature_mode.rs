//! `SIGNATURE_MODE=report-only`, for the first days in production.

use serde_json::Value;

use test_support::{ACCOUNT, Bridge, PROFILE, PUBLIC_URL, Request, wait_for};

#[test]
fn report_only_mode_dead_letters_wrong_signatures_and_publishes_no_event() {
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only")]);
    bridge.wait_for_log("SIGNATURE_MODE=report-only");
    let genuine = Request::change("twilio-rejected");
    let unsigned = Request { headers: genuine.headers[..1].to_vec(), ..genuine.clone() };
    for wrong in [
        unsigned.clone(),
        unsigned.clone().with("X-Twilio-Signature", "x"),
        unsigned.signed_with("another-token", PUBLIC_URL),
    ] {
        assert_eq!(bridge.send(&wrong).status, 204);
    }
    let letters = bridge.dead_letters(3);
    for letter in &letters {
        assert_eq!(letter.headers[0], ("reason".to_owned(), b"signature_failed".to_vec()));
        let value: Value = serde_json::from_slice(letter.payload.as_ref().unwrap()).unwrap();
        assert_eq!(value["body"].as_str().unwrap().as_bytes(), genuine.body);
    }
    assert_eq!((letters.len(), bridge.events(0).len()), (3, 0));
    // One of them is diagnosed, and counted after that.
    let counted = || bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="dead_lettered"}"#);
    wait_for("each is counted", || (counted() >= 3.0).then_some(()));
    assert_eq!(counted(), 3.0);
    assert_eq!(bridge.series("trusthub_profile_status_changes_total").values().sum::<f64>(), 0.0);
    bridge.wait_for_log("kept a callback whose signature does not match as a dead letter");

    assert_eq!(bridge.send(&genuine).status, 204, "published, and not a duplicate of the rejected ones");
    assert_eq!(bridge.events(1).len(), 1);
}

#[test]
fn report_only_mode_keeps_only_callbacks() {
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only")]);
    assert_eq!(bridge.send(&Request::new("PUT", "/callbacks/customer-profiles", &[], "")).status, 405);
    assert_eq!(bridge.send(&Request::get("/")).status, 404);
    assert_eq!(bridge.dead_letters(0).len(), 0);
}

#[test]
fn report_only_mode_keeps_callbacks_of_unknown_accounts() {
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only"), ("TWILIO_ACCOUNT_SID", ACCOUNT)]);
    let body = format!("AccountSid=AC00000000000000000000000000000009&BundleSid={PROFILE}&Status=draft");
    assert_eq!(bridge.send(&Request::form("/callbacks/customer-profiles", &body).signed()).status, 204);
    let line = bridge.wait_for_log("kept a callback whose signature does not match as a dead letter");
    assert!(line.contains("unknown_account"), "{line}");
    assert_eq!((bridge.dead_letters(1).len(), bridge.events(0).len()), (1, 0));
}

/// An unsigned callback with a body of this size.
fn unsigned(bytes: usize) -> Request {
    Request::form("/callbacks/customer-profiles", &format!("AccountSid={ACCOUNT}&a={}", "x".repeat(bytes)))
}

/// The number of these callbacks that are kept; the others must be rejected as in enforce mode.
fn kept(bridge: &Bridge, request: &Request, count: usize) -> usize {
    (0..count)
        .filter(|_| match bridge.send(request).status {
            204 => true,
            status => {
                assert_eq!(status, 403);
                false
            }
        })
        .count()
}

#[test]
fn unsigned_callbacks_use_a_small_share_of_the_spool_across_restarts() {
    const SPOOL: f64 = 4_194_304.0;
    let mut bridge = Bridge::launch(&[
        ("SIGNATURE_MODE", "report-only"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("KAFKA_ACK_TIMEOUT_MS", "500"),
        ("SPOOL_MAX_BYTES", "4194304"),
    ]);
    for run in 0..2 {
        bridge.wait_until_ready();
        assert_eq!(kept(&bridge, &unsigned(65_000), 100), 0, "too large");
        let share_is_used = || (kept(&bridge, &unsigned(10_000), 10) == 0 && spool_limit(&bridge)).then_some(());
        wait_for("the share is used", share_is_used);
        let used = bridge.metric("trusthub_spool_bytes");
        assert!((SPOOL / 32.0..=SPOOL / 16.0 + 8192.0).contains(&used), "{used} bytes in run {run}");
        assert_eq!(bridge.ask_admin("/readyz").status, 200);
        assert_eq!(bridge.send(&Request::change(["in-review", "twilio-approved"][run])).status, 204);
        let rejected = bridge.metric(r#"trusthub_callbacks_rejected_total{reason="missing_signature"}"#);
        assert!(rejected >= 110.0, "{rejected}");
        bridge.signal("TERM");
        assert!(bridge.wait().success());
        bridge.restart(&[]);
    }
}

fn spool_limit(bridge: &Bridge) -> bool {
    bridge.lines("callback").iter().any(|line| line["report_only_limit"] == "spool")
}
