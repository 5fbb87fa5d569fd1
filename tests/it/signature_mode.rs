//! `SIGNATURE_MODE=report-only`: for the first days in production.

use serde_json::Value;

use crate::support::{Bridge, PUBLIC_URL, Request};

#[test]
fn in_report_only_mode_a_wrong_signature_is_kept_as_a_dead_letter_and_never_as_an_event() {
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
    assert_eq!(bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="dead_lettered"}"#), 3.0);
    assert_eq!(bridge.series("trusthub_profile_status_changes_total").values().sum::<f64>(), 0.0);
    bridge.wait_for_log("is kept as a dead letter");

    assert_eq!(bridge.send(&genuine).status, 204, "what is right is published, and no duplicate of what was not");
    assert_eq!(bridge.events(1).len(), 1);
}

#[test]
fn report_only_mode_keeps_nothing_that_is_no_callback() {
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only")]);
    assert_eq!(bridge.send(&Request::new("PUT", "/callbacks/customer-profiles", &[], "")).status, 405);
    assert_eq!(bridge.send(&Request::get("/")).status, 404);
    assert_eq!(bridge.dead_letters(0).len(), 0);
}
