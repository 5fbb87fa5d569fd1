//! The HTTP interface: the response to each request, and the limits of a request.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use test_support::{Bridge, Connection, Request, wait_for};

const PATH: &str = "/callbacks/customer-profiles";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn outcomes(bridge: &Bridge) -> f64 {
    bridge.series("trusthub_callbacks_outcome_total").values().sum()
}

fn rejected(bridge: &Bridge, reason: &str) -> f64 {
    bridge.metric(&format!(r#"trusthub_callbacks_rejected_total{{reason="{reason}"}}"#))
}

#[test]
fn each_kind_of_request_gets_its_status_and_its_reason() {
    let bridge = Bridge::start_with(&[("HTTP_MAX_BODY_BYTES", "1000")]);
    let large = "x".repeat(1001);
    let signature = ("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    let post = |headers: &[(&str, &str)], body: &str| Request::new("POST", PATH, headers, body);
    let cases = [
        (post(&[FORM], "a=b"), 403, "missing_signature"),
        (post(&[FORM, ("X-Twilio-Signature", "")], "a=b"), 403, "malformed_signature"),
        (
            post(&[FORM, signature, ("X-Twilio-Signature", "kvajT1Ptam85bY51eRf/AJRuM3w=")], "a=b"),
            403,
            "malformed_signature",
        ),
        (post(&[FORM, signature], "a=b"), 403, "signature_mismatch"),
        (Request { body: b"{}".to_vec(), ..Request::json(PATH, "{ }").signed() }, 403, "body_hash_mismatch"),
        (post(&[FORM, signature], &large), 413, "too_large"),
        (Request::get(&format!("{PATH}?{large}")), 413, "too_large"),
        (post(&[signature], "a=b"), 415, "unsupported_media_type"),
        (post(&[("Content-Type", "text/plain"), signature], "a=b"), 415, "unsupported_media_type"),
        (post(&[("Content-Type", "multipart/form-data; boundary=x"), signature], "a=b"), 415, "unsupported_media_type"),
        (post(&[FORM, ("Content-Encoding", "gzip"), signature], "a=b"), 415, "unsupported_media_type"),
        (post(&[FORM, signature], &"a&".repeat(500)), 403, "signature_mismatch"),
        (Request::new("GET", PATH, &[FORM, signature], "a=b"), 400, "malformed"),
        (Request::new("PUT", PATH, &[FORM, signature], "a=b"), 405, "method_not_allowed"),
        (Request::new("DELETE", PATH, &[], ""), 405, "method_not_allowed"),
        (Request::new("OPTIONS", PATH, &[], ""), 405, "method_not_allowed"),
    ];
    for (request, status, reason) in cases {
        let before = (rejected(&bridge, reason), outcomes(&bridge));
        let answer = bridge.send(&request);
        assert_eq!(answer.status, status, "{reason}: {request:?}");
        assert!(answer.body.len() < 30 && !answer.body.contains(reason), "{answer:?}");
        // A wrong signature may be diagnosed before it is counted, and the response does not wait for that.
        wait_for("the request is counted", || (outcomes(&bridge) != before.1).then_some(()));
        let counted = (rejected(&bridge, reason), outcomes(&bridge));
        assert_eq!(counted, (before.0 + 1.0, before.1 + 1.0), "{reason}: {request:?}");
    }
}

#[test]
fn callback_with_too_many_fields_is_malformed() {
    let bridge = Bridge::start();
    let many = Request::form(PATH, &"a&".repeat(1001)).with("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    assert_eq!(bridge.send(&many).status, 400);
    assert_eq!(rejected(&bridge, "malformed"), 1.0);
}

#[test]
fn other_paths_are_not_found_and_never_redirected() {
    let bridge = Bridge::start();
    for path in ["/", "/callbacks", "/callbacks/customer-profiles/x", "/metrics", "/livez"] {
        for request in [Request { target: path.into(), ..Request::change("draft") }, Request::get(path)] {
            let answer = bridge.send(&request);
            assert_eq!((answer.status, answer.body.as_str()), (404, "Not Found"), "{path}");
            assert_eq!(answer.header("location"), None);
        }
    }
    assert_eq!(outcomes(&bridge), 0.0, "a path that is not ours has no outcome");
}

#[test]
fn wrong_method_is_answered_with_the_allowed_ones() {
    let bridge = Bridge::start();
    assert_eq!(bridge.send(&Request::new("PATCH", PATH, &[], "")).header("allow"), Some("GET, POST"));
}

#[test]
fn bytes_other_than_http_are_a_bad_request() {
    let bridge = Bridge::start();
    let smuggled = format!("POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc");
    for bytes in ["nonsense\r\n\r\n", &smuggled] {
        let mut connection = Connection::to(bridge.public);
        connection.write(bytes);
        assert_eq!(connection.read().map(|answer| answer.status), Some(400), "{bytes:?}");
    }
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
}

#[test]
fn chunked_body_is_read_up_to_the_limit() {
    let bridge = Bridge::start_with(&[("HTTP_MAX_BODY_BYTES", "1000")]);
    let whole = Request::change("draft");
    let chunked = |body: &str| {
        let mut head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n");
        for (name, value) in &whole.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{head}\r\n{body}")
    };
    let send = |body: &str| {
        let mut connection = Connection::to(bridge.public);
        connection.write(chunked(body));
        connection.read().unwrap().status
    };
    let body = String::from_utf8(whole.body.clone()).unwrap();
    let (start, end) = body.split_at(10);
    assert_eq!(send(&format!("a\r\n{start}\r\n{:x}\r\n{end}\r\n0\r\n\r\n", end.len())), 204);
    assert_eq!(send(&format!("400\r\n{}\r\n", "x".repeat(1024))), 413, "endless");
    assert_eq!(send("zz\r\nnonsense\r\n"), 400, "broken");
}

#[test]
fn slow_body_is_rejected_after_the_request_timeout() {
    // The head must arrive within this time, too.
    let bridge = Bridge::start_with(&[("HTTP_REQUEST_TIMEOUT_MS", "3000")]);
    let bytes = Request::change("draft").bytes();
    let mut connection = Connection::to(bridge.public);
    connection.write(&bytes[..bytes.len() - 1]);
    assert_eq!(connection.read().unwrap().status, 400);
    assert_eq!(rejected(&bridge, "timed_out"), 1.0);
}

#[test]
fn slow_body_does_not_reduce_the_time_for_kafka() {
    let bridge = Bridge::start_with(&[("KAFKA_ACK_TIMEOUT_MS", "500")]);
    let mut connection = Connection::to(bridge.public);
    let bytes = Request::change("draft").bytes();
    let (last, rest) = bytes.split_last().unwrap();
    let began = Instant::now();
    for byte in rest {
        connection.write([*byte]);
        // Longer than the acknowledgement timeout, and on a slow machine not as long as the request timeout.
        if began.elapsed() < Duration::from_millis(1000) {
            thread::sleep(Duration::from_millis(4));
        }
    }
    assert!(began.elapsed() > Duration::from_millis(500));
    connection.write([*last]);
    assert_eq!(connection.read().unwrap().status, 204);
}

#[test]
fn slow_head_is_answered_400_after_the_request_timeout() {
    let bridge = Bridge::start_with(&[("HTTP_REQUEST_TIMEOUT_MS", "3000")]);
    for port in [bridge.public, bridge.admin] {
        let mut connection = Connection::to(port);
        connection.write(format!("POST {PATH} HTTP/1.1\r\nHost:"));
        let answer = connection.read().unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (400, "Bad Request"));
        assert_eq!(connection.read(), None, "the connection is closed");
    }
}

#[test]
fn connection_is_served_beyond_the_timeout_of_its_first_head() {
    let bridge = Bridge::start_with(&[("HTTP_REQUEST_TIMEOUT_MS", "2000")]);
    let requests = ["draft", "in-review"].map(|status| Request::change(status).bytes());
    let mut connection = Connection::to(bridge.public);
    for request in requests {
        connection.write(request);
        assert_eq!(connection.read().unwrap().status, 204);
        thread::sleep(Duration::from_millis(2500));
    }
}

#[test]
fn health_path_answers_200_and_is_not_counted() {
    let bridge = Bridge::start();
    let series = bridge.ask_admin("/metrics").body;
    let trusthub = |page: &str| -> Vec<String> {
        page.lines().filter(|line| line.starts_with("trusthub_callback")).map(str::to_owned).collect()
    };
    let mut connection = Connection::to(bridge.public);
    for _ in 0..3 {
        connection.write(Request::get("/healthz").bytes());
        let answer = connection.read().unwrap();
        assert_eq!((answer.status, answer.body.as_str(), answer.header("location")), (200, "OK", None));
    }
    let head = bridge.send_head("/healthz", bridge.public);
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-length: 2") && !head.contains("OK\r\n\r\nOK"));
    let put = bridge.send(&Request::new("PUT", "/healthz", &[], ""));
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(bridge.send(&Request::new("GET", "/healthz", &[], "body")).status, 400);
    for path in ["/", "/healthz/", "/health"] {
        assert_eq!(bridge.send(&Request::get(path)).status, 404, "{path}");
    }
    assert_eq!(trusthub(&bridge.ask_admin("/metrics").body), trusthub(&series));
    let lines = bridge.lines_of_requests();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn health_path_is_answered_while_the_service_is_stopping() {
    let bridge = Bridge::start_with(&[("SHUTDOWN_DELAY_SECS", "600")]);
    bridge.signal("TERM");
    wait_for("not ready", || (bridge.ask_admin("/readyz").status == 503).then_some(()));
    assert_eq!(bridge.send(&Request::get("/healthz")).status, 200);
}

#[test]
fn idle_connection_is_closed_after_the_keep_alive_time() {
    let bridge = Bridge::start_with(&[("HTTP_KEEP_ALIVE_SECS", "1")]);
    let mut connection = Connection::to(bridge.public);
    // Before the time begins, so that a slow machine cannot shorten it.
    let began = Instant::now();
    connection.write(Request::change("draft").bytes());
    assert_eq!(connection.read().unwrap().status, 204);
    assert_eq!(connection.read(), None);
    let time = began.elapsed();
    // actix uses its own clock for this, which it updates twice a second.
    assert!(time > Duration::from_millis(400) && time < Duration::from_secs(60), "{time:?}");
}

#[test]
fn huge_head_is_rejected() {
    let bridge = Bridge::start();
    let mut connection = Connection::to(bridge.public);
    connection.write(format!("POST {PATH} HTTP/1.1\r\n"));
    for number in 0..1000 {
        connection.write(format!("X-{number}: {}\r\n", "x".repeat(1000)));
    }
    let status = connection.read().map(|answer| answer.status);
    assert!(matches!(status, None | Some(400 | 431)), "{status:?}");
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
}

#[test]
fn disconnect_of_the_caller_is_one_outcome() {
    let bridge = Bridge::start();
    let mut connection = Connection::to(bridge.public);
    let bytes = Request::change("draft").bytes();
    connection.write(&bytes[..bytes.len() - 1]);
    wait_for("the head is read", || {
        (bridge.series("trusthub_callbacks_received_total").values().sum::<f64>() > 0.0).then_some(())
    });
    drop(connection);
    wait_for("an outcome", || (outcomes(&bridge) > 0.0).then_some(()));
    let reasons: BTreeMap<_, _> =
        bridge.series("trusthub_callbacks_rejected_total").into_iter().filter(|(_, count)| *count > 0.0).collect();
    assert_eq!(reasons.values().sum::<f64>(), 1.0, "{reasons:?}");
    assert!(reasons.keys().all(|reason| reason.contains("incomplete") || reason.contains("malformed")), "{reasons:?}");
}

#[test]
fn idle_connections_do_not_use_up_the_limit() {
    let bridge = Bridge::start_with(&[("HTTP_MAX_IN_FLIGHT", "1")]);
    let mut connections = [Connection::to(bridge.public), Connection::to(bridge.public)];
    // The first head of a connection has a time limit, which must not depend on Kafka.
    for connection in &mut connections {
        connection.write(Request::get("/healthz").bytes());
        assert_eq!(connection.read().unwrap().status, 200);
    }
    for status in ["draft", "in-review"] {
        for connection in &mut connections {
            connection.write(Request::change(status).bytes());
            assert_eq!(connection.read().unwrap().status, 204);
        }
    }
}

#[test]
fn connection_serves_many_requests() {
    let bridge = Bridge::start();
    let mut connection = Connection::to(bridge.public);
    for status in ["draft", "pending-review", "in-review"] {
        connection.write(Request::change(status).bytes());
        assert_eq!(connection.read().unwrap().status, 204);
    }
}

#[test]
fn header_names_are_accepted_in_any_case() {
    let bridge = Bridge::start();
    let request = Request::change("draft");
    let shouted = request.headers.iter().map(|(name, value)| (name.to_uppercase(), value.clone())).collect();
    assert_eq!(bridge.send(&Request { headers: shouted, ..request }).status, 204);
}

#[test]
fn hostile_forwarding_headers_change_no_decision() {
    let bridge = Bridge::start();
    let hostile = |request: Request| {
        let request = request.with("X-Forwarded-Proto", "http").with("X-Forwarded-Host", "evil.example");
        request.with("Forwarded", "host=evil.example;proto=http").with("X-Original-URL", "/evil")
    };
    assert_eq!(bridge.send(&hostile(Request::change("draft"))).status, 204);
    let unsigned = Request { headers: Request::change("draft").headers[..1].to_vec(), ..Request::change("draft") };
    let for_evil = unsigned.signed_with(test_support::TOKEN, "http://evil.example");
    assert_eq!(bridge.send(&hostile(for_evil)).status, 403);
}
