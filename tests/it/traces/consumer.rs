//! The example of a consumer that continues the trace.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::Receiver,
};

use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use serde_json::{Value, json};

use test_support::{
    Bridge, Request, TIMEOUT,
    kafka::{broker, unique_topic},
    kill, lines_of,
    oracle::otel_python,
    otlp::{Collector, OtlpReceiver, ReceivedSpan, spans_of},
    project_root, wait_for,
};

use super::{CALLER, CONSUMER, INTERNAL, PRODUCER, SERVER, TRACE, bridge, export::as_json, only, rejection};

/// The example as a process. It ends with the value.
struct TracedConsumer {
    child: Child,
    printed: Receiver<String>,
}

impl TracedConsumer {
    fn start(topic: &str, receiver: &str) -> Self {
        let mut child = Command::new(otel_python())
            .arg(project_root().join("examples/tracing/consumer.py"))
            .envs([
                ("KAFKA_BOOTSTRAP_SERVERS", broker().bootstrap()),
                ("KAFKA_TOPIC", topic),
                ("KAFKA_GROUP_ID", &unique_topic("traced")),
                ("OTEL_SERVICE_NAME", "traced-consumer"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = lines_of(child.stdout.take().unwrap());
        Self { child, printed }
    }

    fn next(&self) -> Value {
        serde_json::from_str(&self.printed.recv_timeout(TIMEOUT).expect("an event in time")).unwrap()
    }

    /// Ends the consumer, which exports its spans.
    fn stop(mut self) {
        kill("TERM", self.child.id());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for TracedConsumer {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
    }
}

#[test]
fn consumer_reads_records_with_the_id_of_a_schema() {
    let (topic, receiver) = (unique_topic("traced"), OtlpReceiver::start());
    broker().create_topic(&topic, 1);
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", broker().bootstrap()).create().unwrap();
    // An id whose bytes are no text.
    let headers: [(_, &[u8]); 2] = [("__value_schema_id", &200_u32.to_be_bytes()), ("ce_id", b"1")];
    let headers = headers
        .into_iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
    producer.send(BaseRecord::<str, str>::to(&topic).payload("{}").headers(headers)).unwrap();
    producer.flush(TIMEOUT).unwrap();
    assert_eq!(TracedConsumer::start(&topic, &receiver.url()).next()["ce_id"], "1");
}

#[test]
fn trace_leads_from_the_proxy_through_kafka_to_the_consumer() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[]);
    let consumer = TracedConsumer::start(&bridge.topic, &receiver.url());
    // Once it has this event, it has joined its group, and gets the next one at once.
    assert_eq!(bridge.send(&Request::change("draft").signed()).status, 204);
    let first = consumer.next();
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let second = consumer.next();
    let record = &bridge.events(2)[1];
    assert_eq!(second, json!({ "ce_id": record.header("ce_id"), "trace_id": TRACE }));
    assert_ne!(first["trace_id"], TRACE);
    consumer.stop();

    let published: Vec<_> = in_trace(receiver.wait_for_spans(6));
    let sent = only(&published, PRODUCER);
    let consumed = wait_for("the spans of the consumer", || {
        let requests = receiver.requests().into_iter();
        let of_consumer = requests.filter(|request| request.headers["content-type"] == "application/x-protobuf");
        let spans = in_trace(of_consumer.flat_map(|request| spans_of(&as_json(&request.body))).collect());
        (!spans.is_empty()).then_some(spans)
    });
    let processed = only(&consumed, CONSUMER);
    assert_eq!(processed.text("parentSpanId"), sent.text("spanId"));
    assert_eq!(processed.members["links"][0]["spanId"], sent.text("spanId"));
    assert_eq!(processed.resource["service.name"], "traced-consumer");
    assert_eq!(processed.attribute("kafka.offset"), sent.attribute("kafka.offset"));
}

/// Neither sets a protocol, so both send Protocol Buffers.
#[test]
fn collector_has_one_trace_of_the_service_and_the_consumer() {
    let collector = Collector::start();
    let export = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()), ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned())];
    let bridge = Bridge::start_with(&export.each_ref().map(|(name, value)| (*name, value.as_str())));
    let consumer = TracedConsumer::start(&bridge.topic, &collector.url());
    // Once it has this event, it has joined its group, and gets the next one at once.
    assert_eq!(bridge.send(&Request::change("draft").signed()).status, 204);
    consumer.next();
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    consumer.next();
    consumer.stop();

    let spans = wait_for("the spans of both", || Some(in_trace(collector.spans())).filter(|spans| spans.len() >= 4));
    let [served, verified, sent, processed] = [SERVER, INTERNAL, PRODUCER, CONSUMER].map(|kind| only(&spans, kind));
    let parents = [served, verified, sent, processed].map(|span| span.text("parentSpanId"));
    assert_eq!(parents, [CALLER, served.text("spanId"), served.text("spanId"), sent.text("spanId")]);
    let services = [served, verified, sent, processed].map(|span| span.resource["service.name"].as_str().unwrap());
    assert_eq!(services, ["trusthub-bridge", "trusthub-bridge", "trusthub-bridge", "traced-consumer"]);
    assert_eq!(served.text("traceState"), "rojo=00f067aa0ba902b7");
    assert_eq!(sent.attribute("messaging.destination.name").as_deref(), Some(bridge.topic.as_str()));
    assert_eq!(processed.attribute("kafka.offset"), sent.attribute("kafka.offset"));
    write_trace(&spans);
}

fn in_trace(spans: Vec<ReceivedSpan>) -> Vec<ReceivedSpan> {
    spans.into_iter().filter(|span| span.text("traceId") == TRACE).collect()
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
