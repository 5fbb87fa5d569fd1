//! The export of spans: its encodings, and receivers that fail or hang.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use test_support::{
    Bridge, Request, TIMEOUT,
    kafka::free_port,
    nginx::Nginx,
    oracle::{harness, otel_python},
    otlp::{OtlpReceiver, ReceivedSpan, Reply, spans_of},
    wait_for,
};

use super::{PATH, SERVER, bridge, only, rejection};

const DROPPED: &str = "trusthub_trace_spans_dropped_total";
const EXPORTED: &str = "trusthub_trace_spans_exported_total";

/// A request in Protocol Buffers, decoded with the official definitions.
pub(super) fn as_json(body: &[u8]) -> Value {
    let mut python = Command::new(otel_python());
    let mut python =
        python.arg(harness("traces/decode.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(body).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The spans without what differs between two callbacks.
fn comparable(mut spans: Vec<ReceivedSpan>) -> Vec<ReceivedSpan> {
    for span in &mut spans {
        let members = span.members.as_object_mut().unwrap();
        for name in ["traceId", "spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano"] {
            let length = members.get(name).map(|value| value.as_str().unwrap().len());
            members.insert(name.to_owned(), length.into());
        }
        for name in ["cloudevents.event_id", "kafka.offset"] {
            span.attributes.remove(name);
        }
        span.attributes.remove("messaging.destination.name");
        members.remove("name");
        span.resource.remove("service.instance.id");
    }
    spans.sort_by_key(ReceivedSpan::kind);
    spans
}

#[test]
fn protocol_buffers_are_read_as_the_same_spans_as_json() {
    let receivers = [OtlpReceiver::start(), OtlpReceiver::start()];
    let bridges =
        [bridge(&receivers[0], &[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]), bridge(&receivers[1], &[])];
    for bridge in &bridges {
        assert_eq!(bridge.send(&rejection("01")).status, 204);
    }
    let request = wait_for("a request", || receivers[0].requests().pop());
    assert_eq!((&*request.path, &*request.headers["content-type"]), ("/v1/traces", "application/x-protobuf"));
    let found = spans_of(&as_json(&request.body));
    assert_eq!(found.len(), 3);
    assert_eq!(comparable(found), comparable(receivers[1].wait_for_spans(3)));
}

#[test]
fn request_has_the_configured_headers_and_url() {
    let receiver = OtlpReceiver::start();
    let url = format!("{}/custom/traces", receiver.url());
    let bridge = bridge(
        &receiver,
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20secret-of-the-receiver,x-tenant=a"),
            ("OTEL_SERVICE_NAME", "callbacks"),
        ],
    );
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let spans = receiver.wait_for_spans(3);
    assert_eq!(only(&spans, SERVER).resource["service.name"], "callbacks");
    let request = &receiver.requests()[0];
    assert_eq!(request.path, "/custom/traces");
    assert_eq!(
        (&*request.headers["authorization"], &*request.headers["x-tenant"]),
        ("Basic secret-of-the-receiver", "a")
    );
    let printed = [bridge.log().join("\n"), String::from_utf8(bridge.command(&["config"]).stdout).unwrap()].concat();
    assert!(printed.contains("OTEL_EXPORTER_OTLP_HEADERS") && !printed.contains("secret-of-the-receiver"));
}

#[test]
fn hanging_receiver_delays_no_callback_and_what_it_costs_is_counted() {
    let receiver = OtlpReceiver::start();
    receiver.reply_with(Reply::Hang);
    let mut bridge = bridge(
        &receiver,
        &[
            ("OTEL_BSP_MAX_QUEUE_SIZE", "6"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "3"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
        ],
    );
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    wait_for("the request that hangs", || (receiver.requests().len() == 1).then_some(()));
    for _ in 0..9 {
        assert_eq!(bridge.send(&rejection("01")).status, 204);
    }
    // Three in the request that hangs and six in the queue; spans come in threes.
    let lost = wait_for("dropped spans", || {
        let lost = bridge.metric(r#"trusthub_trace_spans_dropped_total{reason="queue_full"}"#);
        (lost >= 21.0).then_some(lost)
    });
    assert_eq!((lost, bridge.metric(EXPORTED)), (21.0, 0.0));
    assert_eq!(bridge.events(10).len(), 10);
    let began = Instant::now();
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    assert!(began.elapsed() < TIMEOUT / 2, "the stop waited for the receiver: {:?}", began.elapsed());
    let late = "the exporter of traces did not stop in time";
    assert!(!bridge.log().join("\n").contains(late), "the exporter does not end by itself");
}

#[test]
fn receiver_that_asks_for_a_pause_gets_the_spans_again() {
    let receiver = OtlpReceiver::start();
    receiver.reply_with(Reply::Status(503));
    // The usual ten seconds for all repetitions may be too short on a busy machine.
    let bridge = bridge(&receiver, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")]);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    wait_for("repetitions", || (receiver.requests().len() >= 3).then_some(()));
    receiver.reply_with(Reply::Accept);
    wait_for("the export", || (bridge.metric(EXPORTED) >= 3.0).then_some(()));
    assert_eq!(bridge.series(DROPPED).values().sum::<f64>(), 0.0);
}

#[test]
fn long_pause_that_a_receiver_asks_for_is_kept() {
    let receiver = OtlpReceiver::start();
    receiver.reply_with(Reply::Busy(12));
    // On a busy machine, a response can take seconds. The pause is longer than the timeout, so there is no repetition.
    let bridge = bridge(&receiver, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "9000")]);
    let began = Instant::now();
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let unreachable = r#"trusthub_trace_spans_dropped_total{reason="unreachable"}"#;
    wait_for("the loss", || (bridge.metric(unreachable) >= 3.0).then_some(()));
    let failure = &bridge.wait_for_lines("spans cannot be exported; they are dropped and counted", 1)[0];
    assert_eq!(failure["error"], "HTTP 429");
    receiver.reply_with(Reply::Accept);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    wait_for("the export", || (bridge.metric(EXPORTED) >= 3.0).then_some(()));
    assert!(began.elapsed() >= Duration::from_secs(12), "the pause was ignored: {:?}", began.elapsed());
}

#[test]
fn spans_that_make_no_full_batch_wait_for_others() {
    let receiver = OtlpReceiver::start();
    let mut bridge =
        bridge(&receiver, &[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "6"), ("OTEL_BSP_SCHEDULE_DELAY", "60000")]);
    for _ in 0..5 {
        assert_eq!(bridge.send(&rejection("01")).status, 204);
    }
    wait_for("two batches", || (bridge.metric(EXPORTED) >= 12.0).then_some(()));
    assert_eq!(receiver.spans().len(), 12);
    bridge.signal("TERM");
    assert!(bridge.wait_for_exit().success());
    let sizes: Vec<_> = receiver.requests().iter().map(|request| spans_in(&request.body)).collect();
    assert_eq!(sizes, [6, 6, 3]);
}

fn spans_in(body: &[u8]) -> usize {
    spans_of(&serde_json::from_slice(body).unwrap()).len()
}

#[test]
fn spans_that_are_rejected_or_not_received_are_counted_and_logged_once() {
    let receiver = OtlpReceiver::start();
    receiver.reply_with(Reply::Status(400));
    let bridge = bridge(&receiver, &[]);
    let rejected = r#"trusthub_trace_spans_dropped_total{reason="rejected"}"#;
    for sent in 1..=2_u8 {
        assert_eq!(bridge.send(&rejection("01")).status, 204);
        wait_for("the rejection", || (bridge.metric(rejected) >= f64::from(sent) * 3.0).then_some(()));
    }
    receiver.reply_with(Reply::Accept);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    bridge.wait_for_log("spans can be exported again");
    let failures = bridge.lines("spans cannot be exported; they are dropped and counted");
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0]["error"], "HTTP 400");
}

#[test]
fn spans_for_a_receiver_that_cannot_be_reached_are_counted() {
    let receiver = OtlpReceiver::start();
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let timeout = ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500");
    let bridge = bridge(&receiver, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &nowhere), timeout]);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let unreachable = r#"trusthub_trace_spans_dropped_total{reason="unreachable"}"#;
    wait_for("the loss", || (bridge.metric(unreachable) >= 3.0).then_some(()));
    let line = &bridge.wait_for_lines("spans cannot be exported; they are dropped and counted", 1)[0];
    assert!(line["error"].as_str().unwrap().starts_with("no response: "), "{line}");
}

#[test]
fn spans_in_the_queue_are_exported_when_the_service_stops() {
    let receiver = OtlpReceiver::start();
    let mut bridge = bridge(&receiver, &[("OTEL_BSP_SCHEDULE_DELAY", "60000")]);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    bridge.signal("TERM");
    assert!(bridge.wait_for_exit().success());
    assert_eq!(receiver.spans().len(), 3);
}

/// Unauthenticated callers must not be able to displace the spans of genuine callbacks.
#[test]
fn flood_of_unsigned_requests_has_no_more_spans_than_log_lines() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[]);
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(bridge.send(&Request::form(PATH, "a=b")).status, 403);
    }
    let seconds = began.elapsed().as_secs() + 2;
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    wait_for("the genuine callback", || {
        let spans = receiver.spans();
        spans.iter().any(|span| span.attribute("trusthub.outcome").as_deref() == Some("published")).then_some(())
    });
    let rejected = receiver.spans().iter().filter(|span| span.kind() == SERVER).count() - 1;
    let most = 10 * seconds;
    assert!((1..=most).contains(&(rejected as u64)), "{rejected} in {seconds} s");
}

/// nginx answers for another service, which has no such path: the answer shows that the connection was made.
#[test]
fn only_a_receiver_with_a_trusted_certificate_gets_spans() {
    let (receiver, port) = (OtlpReceiver::start(), free_port());
    let other = Bridge::start();
    let nginx = Nginx::on_port(port, &other);
    let (url, authorities) = (format!("https://127.0.0.1:{port}/twilio"), nginx.certificate().display().to_string());
    // A connection that fails is tried again until the timeout, an answer of 404 is not.
    let cases = [("", "2000", "no response: "), (&*authorities, "60000", "HTTP 404")];
    for (certificate, timeout, expected) in cases {
        let bridge = bridge(
            &receiver,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", timeout),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate),
            ],
        );
        assert_eq!(bridge.send(&rejection("01")).status, 204);
        let failed = "spans cannot be exported; they are dropped and counted";
        let line = wait_for("the failure", || bridge.lines(failed).pop());
        assert!(line["error"].as_str().unwrap().starts_with(expected), "{certificate:?}: {line}");
    }
}

#[test]
fn file_without_a_certificate_is_named_at_the_start() {
    let bridge = Bridge::start();
    let file = bridge.spool().join("authorities.pem");
    std::fs::write(&file, "none").unwrap();
    let output = bridge.command_with(
        &["serve"],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", file.to_str().unwrap()),
            ("SPOOL_DIR", "/nonexistent/so-that-nothing-else-starts"),
        ],
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("OTEL_EXPORTER_OTLP_CERTIFICATE: names a file without a certificate"),
        "{said}"
    );
}
