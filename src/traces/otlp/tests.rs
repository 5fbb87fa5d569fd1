//! The exact bytes of a request. `tests/it/traces` decodes them with the official definitions.

use serde_json::{Value, json};

use super::{message::MessageWriter as _, *};
use crate::{
    domain::{SpanId, TraceId, TraceParent},
    traces::{
        names,
        span::{SpanAttributes, SpanKind},
    },
};

fn span() -> Span {
    let (trace, id) = (TraceId::new(0x0102).unwrap(), SpanId::new(0x03).unwrap());
    Span {
        trace,
        id,
        parent: SpanId::new(0x04),
        is_random: true,
        has_remote_parent: true,
        state: None,
        name: "n".into(),
        kind: SpanKind::Server,
        start: 1,
        end: 2,
        attributes: SpanAttributes::default().text("t", "x").number("i", -1).flag("f", false),
        link: Some(TraceParent::new(trace, id, false, true)),
        has_failed: true,
    }
}

#[test]
fn json_has_the_names_and_types_of_otlp() {
    let (_, body) = encode(SpanEncoding::Json, &[("service.name".to_owned(), "s".to_owned())], &[span()]);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let resource = &body["resourceSpans"][0];
    assert_eq!(resource["resource"]["attributes"], json!([{ "key": "service.name", "value": { "stringValue": "s" } }]));
    let scope = &resource["scopeSpans"][0];
    assert_eq!([&resource["schemaUrl"], &scope["schemaUrl"]], [names::SCHEMA_URL; 2]);
    let expected = json!({
        "traceId": "00000000000000000000000000000102", "spanId": "0000000000000003", "parentSpanId": "0000000000000004",
        "name": "n", "kind": 2, "startTimeUnixNano": "1", "endTimeUnixNano": "2",
        "attributes": [
            { "key": "t", "value": { "stringValue": "x" } },
            { "key": "i", "value": { "intValue": "-1" } },
            { "key": "f", "value": { "boolValue": false } },
        ],
        "links": [{ "traceId": "00000000000000000000000000000102", "spanId": "0000000000000003", "flags": 0x302 }],
        "status": { "code": 2 },
        "flags": 0x303,
    });
    assert_eq!(scope["spans"], json!([expected]));
}

#[test]
fn protobuf_has_lengths_and_numbers_of_any_size() {
    let long = "x".repeat(300);
    let bytes = protobuf::encode(|out| {
        out.text((16, "a"), &long);
        out.int64((1, "b"), -1);
    });
    let (head, rest) = bytes.split_at(4);
    // The tag 16 << 3 | 2 and the length 300, each as a varint of two bytes.
    assert_eq!(head, [0x82, 0x01, 0xac, 0x02]);
    let tail = [&[0x08][..], &[0xff; 9], &[0x01]].concat();
    assert_eq!(rest, [long.as_bytes(), &tail].concat());
}
