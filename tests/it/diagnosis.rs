//! The diagnosis of callbacks with a wrong signature: the operator sees it, the caller does not.

use std::{
    fs,
    path::Path,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use test_support::{Bridge, PUBLIC_URL, Request, TOKEN, kafka::unique_topic, wait_for};

fn signed_with(token: &str, url: &str) -> Request {
    let genuine = Request::change("twilio-rejected");
    Request { headers: genuine.headers[..1].to_vec(), ..genuine }.signed_with(token, url)
}

/// Signed as if Twilio had been configured with the same URL and another scheme.
fn signed_for_http() -> Request {
    signed_with(TOKEN, &PUBLIC_URL.replace("https", "http"))
}

fn rejected(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_rejected_total{{reason="{reason}"}}"#))
}

#[test]
fn near_miss_is_reported_to_the_operator_and_not_to_the_caller() {
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
    // If a second passed between the two, the other one is diagnosed, too, and counted after its answer.
    let outcomes = || bridge.metric(r#"trusthub_callbacks_outcome_total{outcome="rejected"}"#);
    wait_for("both outcomes", || (outcomes() >= 2.0).then_some(()));
    assert_eq!((rejected(&bridge, "url_mismatch"), rejected(&bridge, "signature_mismatch")), (1.0, 1.0));
    assert_eq!(outcomes(), 2.0, "once each");
    assert_eq!(bridge.events(0).len(), 0);
}

#[test]
fn wrong_signatures_are_diagnosed_at_most_once_per_second() {
    let bridge = Bridge::start();
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(bridge.send(&signed_for_http()).status, 403);
    }
    // The response is sent before the diagnosis, and the outcome is counted after it.
    let all = || rejected(&bridge, "url_mismatch") + rejected(&bridge, "signature_mismatch");
    wait_for("every callback is counted", || (all() >= 50.0).then_some(()));
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(all(), 50.0);
    let diagnosed = rejected(&bridge, "url_mismatch");
    assert!((1.0..=1.0 + seconds).contains(&diagnosed), "{diagnosed} in {seconds} s");
}

/// A request as large as the limits allow: its body and query are full of parameters that could be encoded in another
/// way or left out, it has three constructions, and its headers hint at hundreds of other URLs.
fn costliest_forgery() -> Request {
    const HINTS: [&str; 7] = [
        "X-Forwarded-Host",
        "X-Original-Host",
        "X-Forwarded-Uri",
        "X-Original-Uri",
        "X-Original-Url",
        "X-Rewrite-Url",
        "X-Forwarded-Prefix",
    ];
    let fields = |count: usize| (0..count).map(|number| format!("{number:03}={}", "%20".repeat(19)));
    let query = format!("bodySHA256=0&{}", fields(600).collect::<Vec<_>>().join("&"));
    let body = fields(990).collect::<Vec<_>>().join("&");
    let forged = Request::form(&format!("/callbacks/customer-profiles?{query}"), &body);
    let hinting = HINTS.iter().enumerate().fold(forged, |forged, (place, name)| {
        let hints: Vec<_> = (0..4).map(|number| format!("/h{place}{number}.example:90{number}")).collect();
        forged.with(name, &hints.join(", ").replace('/', if name.ends_with("Host") { "" } else { "/" }))
    });
    hinting.signed_with("another-token", PUBLIC_URL)
}

#[test]
fn costliest_forgery_each_second_delays_no_rotation_and_no_probe() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique_topic("token"));
    fs::write(&file, "old").unwrap();
    let urls: Vec<_> = (1..4).map(|number| format!("https://hooks-{number}.example.com/p")).collect();
    let bridge = Bridge::start_with(&[
        ("TWILIO_AUTH_TOKEN", ""),
        ("TWILIO_AUTH_TOKEN_FILE", file.to_str().unwrap()),
        ("PUBLIC_URL", &format!("{PUBLIC_URL},{}", urls.join(","))),
    ]);
    let (stop, stopped) = mpsc::channel::<()>();
    let (sent, forged, public) = (&AtomicUsize::new(0), &costliest_forgery(), bridge.public);
    let took = thread::scope(|scope| {
        scope.spawn(move || {
            // Each on a separate thread, so that a late response does not delay the next forgery.
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                scope.spawn(move || assert_eq!(forged.send(public).status, 403));
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        wait_for("some forgeries are sent", || (sent.load(Ordering::Relaxed) >= 6).then_some(()));
        fs::write(&file, "new").unwrap();
        let began = Instant::now();
        let genuine = Request::change("draft");
        let rotated = Request { headers: genuine.headers[..1].to_vec(), ..genuine }.signed_with("new", PUBLIC_URL);
        wait_for("the new token is used", || (bridge.send(&rotated).status == 204).then_some(()));
        drop(stop);
        began.elapsed()
    });
    fs::remove_file(&file).unwrap();
    // Two polls of the file take one second; the rest is for a busy machine.
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(bridge.metric(r#"trusthub_slow_operations_total{operation="diagnosis"}"#), 0.0);
    assert_eq!(bridge.metric("trusthub_kafka_up"), 1.0);
}
