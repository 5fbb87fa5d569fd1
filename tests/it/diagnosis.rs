//! What the operator is told of a callback whose signature does not match, and what nobody else is.

use std::time::Instant;

use serde_json::Value;

use crate::support::{Bridge, PUBLIC_URL, Request, TOKEN};

fn signed_with(token: &str, url: &str) -> Request {
    let genuine = Request::change("twilio-rejected");
    Request { headers: genuine.headers[..1].to_vec(), ..genuine }.signed_with(token, url)
}

/// What Twilio would send, had it been given the same URL with another scheme.
fn signed_for_http() -> Request {
    signed_with(TOKEN, &PUBLIC_URL.replace("https", "http"))
}

fn rejected(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_rejected_total{{reason="{reason}"}}"#))
}

#[test]
fn a_near_miss_is_told_to_the_operator_and_not_to_the_caller() {
    let bridge = Bridge::start();
    let near = bridge.send(&signed_for_http());
    let far = bridge.send(&signed_with("another-token", PUBLIC_URL));
    assert_eq!((near.status, &near.body), (403, &far.body));
    assert_eq!(far.status, 403);

    let line = bridge.wait_for_log("signature would match");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["reason"], "url_mismatch");
    let diagnosis = line["diagnosis"].as_str().unwrap();
    assert!(
        diagnosis.starts_with(
            "signature would match http://hooks.example.com/callbacks/customer-profiles: PUBLIC_URL says https"
        ),
        "{diagnosis}"
    );
    assert!(diagnosis.contains("set PUBLIC_URL=http://hooks.example.com"), "{diagnosis}");
    assert_eq!((rejected(&bridge, "url_mismatch"), rejected(&bridge, "signature_mismatch")), (1.0, 1.0));
    assert_eq!(bridge.events(0).len(), 0);
}

#[test]
fn whoever_sends_many_wrong_signatures_gets_no_more_than_one_diagnosis_in_a_second() {
    let bridge = Bridge::start();
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(bridge.send(&signed_for_http()).status, 403);
    }
    let seconds = began.elapsed().as_secs_f64();
    let diagnosed = rejected(&bridge, "url_mismatch");
    assert_eq!(diagnosed + rejected(&bridge, "signature_mismatch"), 50.0);
    assert!((1.0..=1.0 + seconds).contains(&diagnosed), "{diagnosed} in {seconds} s");
}
