//! The example of a consumer that continues the trace.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use test_support::{
    kafka::{broker, unique_topic},
    kill,
    oracle::otel_python,
    otlp::{OtlpReceiver, ReceivedSpan, spans_of},
    project_root, wait_for,
};

use super::{CONSUMER, PRODUCER, TRACE, bridge, only, rejection};

#[test]
fn trace_leads_from_the_proxy_through_kafka_to_the_consumer() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[]);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let published = receiver.wait_for_spans(3);
    let sent = only(&published, PRODUCER);

    let mut consumer = Command::new(otel_python())
        .arg(project_root().join("examples/tracing/consumer.py"))
        .envs([
            ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()),
            ("KAFKA_TOPIC", &bridge.topic),
            ("KAFKA_GROUP_ID", &unique_topic("traced")),
            ("OTEL_SERVICE_NAME", "traced-consumer"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.url()),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(consumer.stdout.take().unwrap()).read_line(&mut line).unwrap();
    kill("TERM", consumer.id());
    assert!(consumer.wait().unwrap().success());
    let printed: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (printed["ce_id"].as_str(), &*printed["trace_id"].to_string()),
        (bridge.events(1)[0].header("ce_id"), &*format!("\"{TRACE}\""))
    );

    let request = wait_for("the request of the consumer", || {
        receiver.requests().into_iter().find(|request| request.headers["content-type"] == "application/x-protobuf")
    });
    let spans = spans_of(&super::export::as_json(&request.body));
    let processed = only(&spans, CONSUMER);
    assert_eq!([processed.text("traceId"), processed.text("parentSpanId")], [TRACE, sent.text("spanId")]);
    assert_eq!(processed.members["links"][0]["spanId"], sent.text("spanId"));
    assert_eq!(processed.resource["service.name"], "traced-consumer");
    assert_eq!(processed.attribute("kafka.offset"), sent.attribute("kafka.offset"));
    write_trace(&[published, spans].concat());
}

/// Writes the spans for `make trace`, which draws the picture in docs/tracing.md.
fn write_trace(spans: &[ReceivedSpan]) {
    let members = spans.iter().map(|span| {
        let mut members = span.members.clone();
        members["service"] = span.resource["service.name"].clone();
        members
    });
    let text = serde_json::to_string(&members.collect::<Vec<_>>()).unwrap();
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("trace.json"), text).unwrap();
}
