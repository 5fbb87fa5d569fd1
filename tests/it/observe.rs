//! What operators see: metrics, logs and the admin port; and what must never appear there.

use std::collections::BTreeSet;

use serde_json::Value;

use test_support::{Bridge, Connection, PROFILE, Request, TOKEN, kafka, program};

const PATH: &str = "/callbacks/customer-profiles";

fn names_of_series(bridge: &Bridge) -> BTreeSet<String> {
    let page = bridge.ask_admin("/metrics").body;
    let lines = page.lines().filter(|line| line.starts_with("trusthub_"));
    lines.filter_map(|line| line.rsplit_once(' ').map(|(series, _)| series.to_owned())).collect()
}

#[test]
fn admin_port_serves_liveness_readiness_version_and_metrics() {
    let bridge = Bridge::start();
    assert_eq!(bridge.ask_admin("/livez").status, 200);
    assert_eq!(bridge.ask_admin("/readyz").status, 200);
    let version: Value = serde_json::from_str(&bridge.ask_admin("/version").body).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let page = bridge.ask_admin("/metrics");
    assert!(page.header("content-type").unwrap().starts_with("text/plain"));
    assert!(page.body.contains("process_resident_memory_bytes"), "{}", page.body);
    assert_eq!(bridge.ask_admin(PATH).status, 404, "callbacks are not served on this port");
}

#[test]
fn admin_port_answers_each_method_as_http_requires() {
    let bridge = Bridge::start();
    for path in ["/livez", "/readyz", "/metrics", "/version"] {
        let get = bridge.ask_admin(path);
        let head = bridge.send_head(path, bridge.admin);
        let (head, body) = head.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK") && body.is_empty(), "{path}: {head} {body}");
        if path != "/metrics" {
            assert!(head.contains(&format!("content-length: {}", get.body.len())), "{path}: {head}");
        }
        let allowed = Some("GET, HEAD, OPTIONS");
        for (verb, status) in [("OPTIONS", 204), ("POST", 405), ("PUT", 405), ("DELETE", 405), ("TRACE", 405)] {
            let answer = Request::new(verb, path, &[], "").send(bridge.admin);
            assert_eq!((answer.status, answer.header("allow"), answer.body.as_str()), (status, allowed, ""), "{verb}");
        }
    }
    for verb in ["GET", "OPTIONS", "POST"] {
        assert_eq!(Request::new(verb, "/elsewhere", &[], "").send(bridge.admin).status, 404, "{verb}");
    }
}

#[test]
fn admin_port_closes_a_connection_whose_request_has_a_body() {
    let bridge = Bridge::start();
    for (framing, body) in [("Content-Length: 3", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n")] {
        let mut connection = Connection::to(bridge.admin);
        connection.write(format!("GET /livez HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n{body}"));
        assert_eq!(connection.read().unwrap().header("connection"), Some("close"));
        assert_eq!(connection.read(), None, "{framing}");
    }
}

#[test]
fn published_rejection_is_counted_in_all_metrics_that_alerts_use() {
    let bridge = Bridge::start();
    let body = String::from_utf8(Request::change("twilio-rejected").body).unwrap();
    let body = format!("{body}18602+and+18603&ErrorCode=99999");
    assert_eq!(bridge.send(&Request::form(PATH, &body).signed()).status, 204);
    for series in [
        r#"trusthub_callbacks_received_total{resource="customer-profile"}"#,
        r#"trusthub_callbacks_outcome_total{outcome="published"}"#,
        r#"trusthub_signatures_verified_total{algorithm="hmac_sha1",construction="form",key="current"}"#,
        r#"trusthub_profile_status_changes_total{resource="customer-profile",status="twilio-rejected"}"#,
        r#"trusthub_profile_rejections_total{code="18602",resource="customer-profile"}"#,
        r#"trusthub_profile_rejections_total{code="18603",resource="customer-profile"}"#,
        r#"trusthub_profile_rejections_total{code="other",resource="customer-profile"}"#,
        "trusthub_callback_duration_seconds_count",
        "trusthub_kafka_publish_duration_seconds_count",
        "trusthub_kafka_up",
    ] {
        assert_eq!(bridge.metric(series), 1.0, "{series}");
    }
    let published = format!(r#"trusthub_events_published_total{{topic="{}"}}"#, bridge.topic);
    assert_eq!(bridge.metric(&published), 1.0);
    assert!(bridge.metric("trusthub_last_callback_timestamp_seconds") > 1.7e9);
    let none = r#"trusthub_profile_rejections_total{code="none",resource="customer-profile"}"#;
    assert_eq!(bridge.metric(none), 0.0);
}

#[test]
fn requests_create_no_series() {
    let bridge = Bridge::start();
    let before = names_of_series(&bridge);
    for number in 0..50 {
        let status = format!("status-{number}");
        bridge.send(&Request::change(&status));
        bridge.send(&Request::get(&format!("/{number}")));
        bridge.send(&Request::new(&format!("VERB{number}"), PATH, &[], ""));
        bridge.send(&Request::form(&format!("{PATH}?x={number}"), "ErrorCode=4711").signed());
        bridge.send(&Request::form(PATH, &status).with("X-Twilio-Signature", &status));
    }
    assert_eq!(names_of_series(&bridge), before);
}

#[test]
fn each_callback_is_one_line_of_json_without_its_failure_text() {
    let bridge = Bridge::start();
    let body = String::from_utf8(Request::change("twilio-rejected").body).unwrap();
    bridge.send(&Request::form(PATH, &format!("{body}Jane+Doe+of+Example+Street")).signed());
    bridge.send(&Request::form(PATH, "a=b"));
    bridge.send(&Request::form(PATH, "a=b").signed());
    bridge.wait_for_log("dead_lettered");
    let lines = bridge.lines("callback");
    let fields = |line: &Value| {
        ["level", "outcome", "resource", "status", "profile_sid", "reason"]
            .map(|field| line[field].as_str().unwrap_or("-").to_owned())
            .join(" ")
    };
    assert_eq!(
        lines.iter().map(fields).collect::<Vec<_>>(),
        [
            format!("INFO published customer-profile twilio-rejected {PROFILE} -"),
            "WARN rejected customer-profile - - missing_signature".to_owned(),
            "WARN dead_lettered customer-profile - - missing_profile_sid".to_owned(),
        ]
    );
    assert!(lines.iter().all(|line| line["duration_ms"].as_f64().unwrap() > 0.0));
    assert!(!bridge.log().join("\n").contains("Jane"), "personal data in the log");
}

#[test]
fn secrets_are_never_printed() {
    const PASSWORD: &str = "kafka-password-4711";
    const OLD_TOKEN: &str = "fedcba9876543210fedcba9876543210";
    let broker = kafka::broker();
    let secrets = [TOKEN, OLD_TOKEN, PASSWORD];
    let tokens = format!("{TOKEN},{OLD_TOKEN}");
    let variables = [
        ("TWILIO_AUTH_TOKEN", tokens.as_str()),
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
        ("KAFKA_SASL_MECHANISM", "PLAIN"),
        ("KAFKA_SASL_USERNAME", "user"),
        ("KAFKA_SASL_PASSWORD", PASSWORD),
        ("KAFKA_ACK_TIMEOUT_MS", "500"),
        ("RUST_LOG", "trace"),
    ];
    let mut bridge = Bridge::launch(&variables);
    assert_eq!(bridge.send(&Request::change("draft")).status, 204);
    bridge.send(&Request::form(PATH, "a=b").with("X-Twilio-Signature", TOKEN));
    bridge.wait_for_log("Kafka does not accept records");
    let metrics = bridge.ask_admin("/metrics").body;
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let printed = |arguments: &[&str], more: &[(&str, &str)]| {
        let output = program().args(arguments).envs(variables).envs(more.iter().copied()).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let public = ("PUBLIC_URL", "https://hooks.example.com");
    let texts = [
        bridge.log().join("\n"),
        metrics,
        printed(&["config"], &[public]),
        printed(&["config"], &[]),
        printed(&["serve"], &[("HTTP_BIND", "nonsense")]),
        printed(&["sign", "--url", "https://hooks.example.com"], &[]),
    ];
    for text in &texts {
        assert!(!text.is_empty());
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in\n{text}");
        }
    }
    assert!(texts[2].contains("TWILIO_AUTH_TOKEN=[redacted, 2 tokens]"), "{}", texts[2]);
}
