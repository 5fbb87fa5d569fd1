//! The response of a receiver that accepts a request: it can have rejected some of the spans.
//!
//! `ExportTraceServiceResponse` of <https://github.com/open-telemetry/opentelemetry-proto>, version 1.

use serde_json::Value;

use super::protobuf;
use crate::config::SpanEncoding;

/// The number of the field `partial_success` in the response, and of `rejected_spans` in that.
const PARTIAL_SUCCESS: u64 = 1;
const REJECTED_SPANS: u64 = 1;

/// The number of spans that a response with this body says were rejected; 0 if it cannot be read.
pub(in crate::traces) fn rejected_spans(encoding: SpanEncoding, body: &[u8]) -> u64 {
    let rejected = match encoding {
        SpanEncoding::Protobuf => of_protobuf(body),
        SpanEncoding::Json => of_json(body),
    };
    rejected.unwrap_or(0)
}

fn of_protobuf(body: &[u8]) -> Option<u64> {
    let partial = protobuf::fields(body).find_map(|(number, field)| match field {
        protobuf::WireField::Delimited(bytes) if number == PARTIAL_SUCCESS => Some(bytes),
        _ => None,
    })?;
    let rejected = protobuf::fields(partial).find_map(|(number, field)| match field {
        protobuf::WireField::Varint(value) if number == REJECTED_SPANS => Some(value.cast_signed()),
        _ => None,
    })?;
    u64::try_from(rejected).ok()
}

/// A number of 64 bits is a string in JSON; receivers also write a number.
fn of_json(body: &[u8]) -> Option<u64> {
    let response: Value = serde_json::from_slice(body).ok()?;
    match response.get("partialSuccess")?.get("rejectedSpans")? {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_spans_are_read_from_both_encodings() {
        for (body, expected) in [
            ("", 0),
            ("{}", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"e"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":3}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":"-3"}}"#, 0),
            (r#"{"partialSuccess":[1]}"#, 0),
            ("no JSON", 0),
        ] {
            assert_eq!(rejected_spans(SpanEncoding::Json, body.as_bytes()), expected, "{body}");
        }
        for (body, expected) in [
            (&[][..], 0),
            (&[0x0a, 0x00], 0),
            (&[0x0a, 0x02, 0x08, 0x03], 3),
            // The message comes first, and a field that is not known yet stands before the whole.
            (&[0x15, 1, 2, 3, 4, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x0a, 0x06, 0x12, 0x01, b'e', 0x08, 0xac, 0x02], 300),
            (&[0x0a, 0x05, 0x08], 0),
            (&[0x0a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 0),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 0),
            (&[0x0b, 0x08, 0x03], 0),
        ] {
            assert_eq!(rejected_spans(SpanEncoding::Protobuf, body), expected, "{body:x?}");
        }
    }
}
