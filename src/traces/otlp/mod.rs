//! The request of OTLP, the protocol of OpenTelemetry, in both encodings.
//!
//! [`write_request`] describes the messages once, by the number and the name of each field
//! (<https://github.com/open-telemetry/opentelemetry-proto>, version 1). [`MessageWriter`] is implemented by both encodings.

mod json;
mod protobuf;
#[cfg(test)]
mod tests;

use super::{
    names,
    span::{AttributeValue, Span},
};
use crate::{
    config::SpanEncoding,
    domain::{Label as _, SpanId, TraceId, TraceParent, closed_set},
};

closed_set! {
    /// The media type of a request.
    pub enum MediaType {
        /// Protocol Buffers.
        Protobuf => "application/x-protobuf",
        /// JSON.
        Json => "application/json",
    }
}

/// A field of a message: its number in Protocol Buffers, and its name in JSON.
type Field = (u32, &'static str);

/// Writes the fields of one message. A field with its default value is not written, except in a value of an attribute.
trait MessageWriter: Sized {
    fn text(&mut self, field: Field, text: &str);
    /// Bytes, which are hexadecimal digits in JSON: only ids are bytes.
    fn id(&mut self, field: Field, id: &[u8]);
    /// A number of 64 bits, which is a string in JSON.
    fn fixed64(&mut self, field: Field, number: u64);
    fn fixed32(&mut self, field: Field, number: u32);
    /// A signed number of 64 bits, which is a string in JSON.
    fn int64(&mut self, field: Field, number: i64);
    fn enumeration(&mut self, field: Field, number: u32);
    fn flag(&mut self, field: Field, flag: bool);
    fn message(&mut self, field: Field, write: impl FnOnce(&mut Self));
    /// A list of messages, one for each item.
    fn messages<T>(&mut self, field: Field, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T));
}

/// Encodes a request that exports these spans of a process with these attributes.
pub(super) fn encode(encoding: SpanEncoding, resource: &[(String, String)], spans: &[Span]) -> (MediaType, Vec<u8>) {
    match encoding {
        SpanEncoding::Protobuf => (MediaType::Protobuf, protobuf::encode(|out| write_request(out, resource, spans))),
        SpanEncoding::Json => (MediaType::Json, json::encode(|out| write_request(out, resource, spans))),
    }
}

/// The media type as a header.
pub(super) fn header(media_type: MediaType) -> &'static str {
    media_type.as_str()
}

fn write_request<W: MessageWriter>(out: &mut W, resource: &[(String, String)], spans: &[Span]) {
    out.messages((1, "resourceSpans"), [()], |out, ()| {
        out.message((1, "resource"), |out| {
            out.messages((1, "attributes"), resource, |out, (key, value)| {
                out.text((1, "key"), key);
                out.message((2, "value"), |out| out.text((1, "stringValue"), value));
            });
        });
        out.messages((2, "scopeSpans"), [()], |out, ()| {
            out.message((1, "scope"), |out| {
                out.text((1, "name"), env!("CARGO_PKG_NAME"));
                out.text((2, "version"), env!("CARGO_PKG_VERSION"));
            });
            out.messages((2, "spans"), spans, write_span);
            out.text((3, "schemaUrl"), names::SCHEMA_URL);
        });
        out.text((3, "schemaUrl"), names::SCHEMA_URL);
    });
}

fn write_span<W: MessageWriter>(out: &mut W, span: &Span) {
    out.id((1, "traceId"), &trace_bytes(span.trace));
    out.id((2, "spanId"), &span_bytes(span.id));
    if let Some(state) = &span.state {
        out.text((3, "traceState"), state.as_str());
    }
    if let Some(parent) = span.parent {
        out.id((4, "parentSpanId"), &span_bytes(parent));
    }
    out.text((5, "name"), &span.name);
    out.enumeration((6, "kind"), span.kind as u32);
    out.fixed64((7, "startTimeUnixNano"), span.start);
    out.fixed64((8, "endTimeUnixNano"), span.end);
    out.messages((9, "attributes"), &span.attributes.0, |out, (key, value)| {
        out.text((1, "key"), key);
        out.message((2, "value"), |out| write_value(out, value));
    });
    out.messages((13, "links"), span.link, write_link);
    if span.has_failed {
        out.message((15, "status"), |out| out.enumeration((3, "code"), STATUS_ERROR));
    }
    out.fixed32((16, "flags"), flags(true, span.has_remote_parent));
}

const STATUS_ERROR: u32 = 2;

fn write_value<W: MessageWriter>(out: &mut W, value: &AttributeValue) {
    match value {
        AttributeValue::Text(text) => out.text((1, "stringValue"), text),
        AttributeValue::Flag(flag) => out.flag((2, "boolValue"), *flag),
        AttributeValue::Number(number) => out.int64((3, "intValue"), *number),
    }
}

fn write_link<W: MessageWriter>(out: &mut W, link: TraceParent) {
    out.id((1, "traceId"), &trace_bytes(link.trace));
    out.id((2, "spanId"), &span_bytes(link.span));
    out.fixed32((6, "flags"), flags(link.is_sampled(), true));
}

/// The flags of W3C Trace Context in the lowest byte, and above them whether the parent, or the linked span, is remote.
fn flags(is_sampled: bool, is_remote: bool) -> u32 {
    const IS_REMOTE_IS_KNOWN: u32 = 0x100;
    const IS_REMOTE: u32 = 0x200;
    u32::from(is_sampled) | IS_REMOTE_IS_KNOWN | if is_remote { IS_REMOTE } else { 0 }
}

fn trace_bytes(id: TraceId) -> [u8; 16] {
    id.bits().to_be_bytes()
}

fn span_bytes(id: SpanId) -> [u8; 8] {
    id.bits().to_be_bytes()
}
