//! The spans of a callback, and the context that its record carries.

use serde_json::json;

use test_support::{Bridge, Request, TIMEOUT, kafka::Broker, otlp::OtlpReceiver, wait_for};

use super::{
    CALLER, CLIENT, INTERNAL, PATH, PRODUCER, SERVER, TRACE, assert_attributes, bridge, context_of, only, rejection,
    traced,
};

const STATE: &str = "rojo=00f067aa0ba902b7";

#[test]
fn callback_has_spans_for_itself_its_signature_and_its_record() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=a%20b")]);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let (record, spans) = (&bridge.events(1)[0], receiver.wait_for_spans(3));
    let [server, verification, sent] = [SERVER, INTERNAL, PRODUCER].map(|kind| only(&spans, kind));

    assert_eq!([server.text("traceId"), server.text("parentSpanId")], [TRACE, CALLER]);
    for child in [verification, sent] {
        assert_eq!([child.text("traceId"), child.text("parentSpanId")], [TRACE, server.text("spanId")]);
        assert!(child.members["startTimeUnixNano"].as_str() >= server.members["startTimeUnixNano"].as_str());
        assert!(child.members["endTimeUnixNano"].as_str() <= server.members["endTimeUnixNano"].as_str());
    }
    assert_eq!(context_of(record), [Some(&*sent.trace_parent()), Some(STATE)]);
    assert!(spans.iter().all(|span| span.text("traceState") == STATE && span.members["status"].is_null()));

    assert_eq!(server.text("name"), format!("POST {PATH}"));
    let id = record.header("ce_id");
    assert_attributes(
        server,
        &[
            ("http.request.method", Some("POST")),
            ("http.route", Some(PATH)),
            ("http.response.status_code", Some("204")),
            ("url.path", Some(PATH)),
            ("url.scheme", Some("https")),
            ("server.address", Some("hooks.example.com")),
            ("server.port", Some("443")),
            ("trusthub.outcome", Some("published")),
            ("trusthub.resource", Some("customer-profile")),
            ("trusthub.status", Some("twilio-rejected")),
            ("trusthub.profile_sid", Some(test_support::PROFILE)),
            ("cloudevents.event_id", id),
        ],
    );
    assert_eq!(verification.text("name"), "verify signature");
    assert_attributes(
        verification,
        &[
            ("trusthub.signature.construction", Some("form")),
            ("trusthub.signature.key", Some("current")),
            ("trusthub.signature.algorithm", Some("hmac_sha1")),
        ],
    );
    assert_eq!(sent.text("name"), format!("send {}", bridge.topic));
    assert_attributes(
        sent,
        &[
            ("messaging.system.name", Some("kafka")),
            ("messaging.operation.name", Some("send")),
            ("messaging.operation.type", Some("send")),
            ("messaging.destination.name", Some(&bridge.topic)),
            ("messaging.destination.partition.id", Some(&record.partition.to_string())),
            ("kafka.offset", Some(&record.offset.to_string())),
            ("kafka.message.key", Some(test_support::PROFILE)),
        ],
    );
    assert_eq!(server.schema, "https://opentelemetry.io/schemas/1.45.0");
    assert_eq!(server.resource["service.name"], "trusthub-bridge");
    assert_eq!(server.resource["deployment.environment.name"], "a b");

    let line = wait_for("the line", || bridge.lines("callback").pop());
    assert_eq!(line["trace_id"], TRACE);
    let exported: Vec<u8> = receiver.requests().into_iter().flat_map(|request| request.body).collect();
    let exported = String::from_utf8(exported).unwrap();
    for content in ["Jane", "FailureReason", test_support::TOKEN, test_support::ACCOUNT, "18602"] {
        assert!(!exported.contains(content), "{content} in a span: {exported}");
    }
}

#[test]
fn repeat_and_dead_letter_are_told_apart_by_their_spans() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[]);
    let dead = traced(Request::form(PATH, "a=b").signed(), "01").with("I-Twilio-Idempotency-Token", "t-1");
    assert_eq!([&dead, &dead].map(|request| bridge.send(request).status), [204, 204]);
    let record = &bridge.dead_letters(1)[0];
    let spans = receiver.wait_for_spans(5);
    let sent = only(&spans, PRODUCER);
    assert_eq!(context_of(record), [Some(&*sent.trace_parent()), Some(STATE)]);
    assert_eq!(sent.attribute("messaging.destination.name").unwrap(), bridge.dead_letter_topic);
    let outcomes = spans.iter().filter(|span| span.kind() == SERVER);
    let mut outcomes: Vec<_> =
        outcomes.map(|span| [span.attribute("trusthub.outcome"), span.attribute("trusthub.reason")]).collect();
    outcomes.sort();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(outcomes, [[text("dead_lettered"), text("missing_profile_sid")], [text("duplicate"), None]]);
}

#[test]
fn spooled_record_keeps_its_context_and_its_drain_joins_the_trace() {
    let mut kafka = Broker::not_started("traces");
    let (bootstrap, receiver) = (kafka.bootstrap().to_owned(), OtlpReceiver::start());
    let export = receiver.variables();
    let mut variables: Vec<_> = export.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.extend([("KAFKA_BOOTSTRAP_SERVERS", &*bootstrap), ("KAFKA_ACK_TIMEOUT_MS", "300")]);
    let bridge = Bridge::launch(&variables);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let spans = receiver.wait_for_spans(3);
    let created = only(&spans, PRODUCER);
    assert_eq!(created.text("name"), format!("create {}", bridge.topic));
    assert_eq!(created.attribute("messaging.operation.type").unwrap(), "create");
    assert_eq!(created.attribute("trusthub.spooled").unwrap(), "true");
    assert_eq!(only(&spans, SERVER).attribute("trusthub.outcome").unwrap(), "spooled");

    kafka.start_again();
    let spans = receiver.wait_for_spans(4);
    let drained = only(&spans, CLIENT);
    // A record that is acknowledged late is there twice; the span has the offset of the one that was acknowledged.
    let offset = drained.attribute("kafka.offset").unwrap();
    let records = kafka.wait_for_records(&bridge.topic, 1, TIMEOUT);
    let record = records.iter().find(|record| record.offset.to_string() == offset).expect(&offset);
    assert_eq!(context_of(record), [Some(&*created.trace_parent()), Some(STATE)]);
    assert_eq!([drained.text("traceId"), drained.text("parentSpanId")], [TRACE, created.text("spanId")]);
    let link = json!([{ "traceId": TRACE, "spanId": created.text("spanId"), "flags": 0x301 }]);
    assert_eq!(drained.members["links"], link);
    assert_eq!(drained.text("name"), format!("send {}", bridge.topic));
    let line = wait_for("the line of the drain", || bridge.lines("published a record of the spool").pop());
    assert_eq!(line["trace_id"], TRACE);
}

#[test]
fn unsigned_request_starts_a_trace_of_its_own_that_it_does_not_sample() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[("OTEL_TRACES_SAMPLER", "parentbased_always_on")]);
    // The caller asks not to record, and is not obeyed either.
    assert_eq!(bridge.send(&traced(Request::form(PATH, "a=b"), "00")).status, 403);
    let spans = receiver.wait_for_spans(2);
    let (server, verification) = (only(&spans, SERVER), only(&spans, INTERNAL));
    assert_ne!(server.text("traceId"), TRACE);
    assert_eq!((server.text("parentSpanId"), server.text("traceState")), ("", ""));
    assert_eq!(server.members["links"], json!([{ "traceId": TRACE, "spanId": CALLER, "flags": 0x300 }]));
    assert_eq!(server.attribute("http.response.status_code").unwrap(), "403");
    for span in [server, verification] {
        assert_eq!(span.attribute("trusthub.reason").unwrap(), "missing_signature");
    }
    let line = wait_for("the line", || bridge.lines("callback").pop());
    assert_eq!(line["trace_id"], server.text("traceId"));
}

#[test]
fn caller_decides_what_is_recorded_only_with_a_valid_signature() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]);
    assert_eq!(bridge.send(&traced(Request::form(PATH, "a=b"), "01")).status, 403);
    assert_eq!(bridge.send(&rejection("00")).status, 204);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let records = bridge.events(2);
    // A trace that is not recorded is continued, too.
    let parents: Vec<_> = records.iter().map(|record| record.header("traceparent").unwrap()).collect();
    assert!(parents.iter().all(|parent| parent.contains(TRACE) && !parent.contains(CALLER)), "{parents:?}");
    assert_eq!(parents.iter().map(|parent| &parent[53..]).collect::<Vec<_>>(), ["00", "01"]);
    let spans = receiver.wait_for_spans(3);
    assert_eq!(only(&spans, PRODUCER).trace_parent(), parents[1]);
    assert_eq!(spans.len(), 3, "only one trace is recorded: {spans:#?}");
}

#[test]
fn ignored_context_neither_continues_nor_appears() {
    let receiver = OtlpReceiver::start();
    let bridge = bridge(&receiver, &[("TRACE_CONTEXT", "ignore")]);
    assert_eq!(bridge.send(&rejection("01")).status, 204);
    let spans = receiver.wait_for_spans(3);
    let (server, sent) = (only(&spans, SERVER), only(&spans, PRODUCER));
    assert_ne!(server.text("traceId"), TRACE);
    assert_eq!((server.text("parentSpanId"), &server.members["links"]), ("", &json!(null)));
    assert_eq!(context_of(&bridge.events(1)[0]), [Some(&*sent.trace_parent()), None]);
}

#[test]
fn dead_letter_has_no_context_of_an_unverified_caller_without_traces() {
    let bridge = Bridge::start_with(&[("SIGNATURE_MODE", "report-only")]);
    let forged = traced(Request::form(PATH, "a=b"), "01").with("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    assert_eq!(bridge.send(&forged).status, 204);
    assert_eq!(context_of(&bridge.dead_letters(1)[0]), [None, None]);
}

#[test]
fn context_of_the_caller_is_in_the_record_while_traces_are_off() {
    for (variables, expected) in [
        (&[][..], [Some(format!("00-{TRACE}-{CALLER}-01")), Some(STATE.to_owned())]),
        (&[("TRACE_CONTEXT", "ignore")], [None, None]),
        (
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_SDK_DISABLED", "true")],
            [Some(format!("00-{TRACE}-{CALLER}-01")), Some(STATE.to_owned())],
        ),
    ] {
        let bridge = Bridge::start_with(variables);
        assert_eq!(bridge.send(&rejection("01")).status, 204);
        assert_eq!(context_of(&bridge.events(1)[0]).map(|value| value.map(str::to_owned)), expected, "{variables:?}");
    }
}
