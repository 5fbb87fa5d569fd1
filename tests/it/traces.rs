//! Traces: the spans of callbacks, the context in their records, and a receiver that fails.

mod consumer;
mod context;
mod export;

use std::collections::BTreeMap;

use test_support::{
    ACCOUNT, Bridge, PROFILE, Request,
    kafka::{Record, unique_topic},
    otlp::{OtlpReceiver, ReceivedSpan},
};

const PATH: &str = "/callbacks/customer-profiles";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// The kinds of spans in OTLP.
const INTERNAL: u64 = 1;
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const PRODUCER: u64 = 4;
const CONSUMER: u64 = 5;

/// A signed rejection with a name in its words, as a proxy forwards it that records the trace.
fn rejection(flags: &str) -> Request {
    let reason = "FailureReason=Jane+Doe&Errors=%5B%7B%22code%22%3A18602%7D%5D";
    let body = format!("AccountSid={ACCOUNT}&BundleSid={PROFILE}&Status=twilio-rejected&{reason}");
    // Without a token of its own, a second one would be a repeat of the first.
    let token = unique_topic("token");
    traced(Request::form(PATH, &body).signed(), flags).with("I-Twilio-Idempotency-Token", &token)
}

fn traced(request: Request, flags: &str) -> Request {
    request.with("traceparent", &format!("00-{TRACE}-{CALLER}-{flags}")).with("tracestate", "rojo=00f067aa0ba902b7")
}

/// A bridge that exports to this receiver, with additional variables.
fn bridge(receiver: &OtlpReceiver, variables: &[(&str, &str)]) -> Bridge {
    let export = receiver.variables();
    let export: Vec<_> = export.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Bridge::start_with(&[&export, variables].concat())
}

/// The span of this kind, which is the only one.
fn only(spans: &[ReceivedSpan], kind: u64) -> &ReceivedSpan {
    let found: Vec<_> = spans.iter().filter(|span| span.kind() == kind).collect();
    assert_eq!(found.len(), 1, "spans of kind {kind}: {spans:#?}");
    found[0]
}

/// Checks the attributes: their names, and those values that are given.
fn assert_attributes(span: &ReceivedSpan, expected: &[(&str, Option<&str>)]) {
    let found: BTreeMap<_, _> = span.attributes.keys().map(|name| (name.as_str(), span.attribute(name))).collect();
    let names: Vec<_> = found.keys().copied().collect();
    let mut expected_names: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
    expected_names.sort_unstable();
    assert_eq!(names, expected_names, "{}", span.text("name"));
    for (name, value) in expected {
        if let Some(value) = value {
            assert_eq!(found[name].as_deref(), Some(*value), "{name}");
        }
    }
}

/// The headers of the trace context of a record.
fn context_of(record: &Record) -> [Option<&str>; 2] {
    ["traceparent", "tracestate"].map(|name| record.header(name))
}
