//! The request of OTLP, the protocol of OpenTelemetry, in both encodings.
//!
//! [`message`] describes the messages once, and `json` and `protobuf` write them.

mod json;
mod message;
mod protobuf;
mod response;
#[cfg(test)]
mod tests;

pub(super) use self::response::rejected_spans;

use self::message::write_request;
use super::span::Span;
use crate::config::SpanEncoding;

/// Encodes a request that exports these spans of a process with these attributes. Returns its media type and its body.
pub(super) fn encode(encoding: SpanEncoding, resource: &[(String, String)], spans: &[Span]) -> (&'static str, Vec<u8>) {
    match encoding {
        SpanEncoding::Protobuf => {
            ("application/x-protobuf", protobuf::encode(|out| write_request(out, resource, spans)))
        }
        SpanEncoding::Json => ("application/json", json::encode(|out| write_request(out, resource, spans))),
    }
}
