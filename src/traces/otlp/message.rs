//! The messages of a request, described once for both encodings: by the number and the name of each field
//! (<https://github.com/open-telemetry/opentelemetry-proto>, version 1).

use crate::{
    domain::{SpanId, TraceId, TraceParent},
    traces::{
        names,
        span::{AttributeValue, Span},
    },
};

/// A field of a message: its number in Protocol Buffers, and its name in JSON.
pub(super) type MessageField = (u32, &'static str);

/// Writes the fields of one message. An empty list is not written.
pub(super) trait MessageWriter: Sized {
    fn text(&mut self, field: MessageField, text: &str);
    /// Bytes, which are hexadecimal digits in JSON: only ids are bytes.
    fn id(&mut self, field: MessageField, id: &[u8]);
    /// A number of 64 bits, which is a string in JSON.
    fn fixed64(&mut self, field: MessageField, number: u64);
    fn fixed32(&mut self, field: MessageField, number: u32);
    /// A signed number of 64 bits, which is a string in JSON.
    fn int64(&mut self, field: MessageField, number: i64);
    fn enumeration(&mut self, field: MessageField, number: u32);
    fn flag(&mut self, field: MessageField, flag: bool);
    fn message(&mut self, field: MessageField, write: impl FnOnce(&mut Self));
    /// A list of messages, one for each item.
    fn messages<T>(&mut self, field: MessageField, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T));
}

/// Writes a request that exports these spans of a process with these attributes.
pub(super) fn write_request<W: MessageWriter>(out: &mut W, resource: &[(String, String)], spans: &[Span]) {
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
    out.fixed32((16, "flags"), flags((true, span.is_random), span.has_remote_parent));
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
    out.fixed32((6, "flags"), flags((link.is_sampled(), link.is_random()), true));
}

/// The flags of W3C Trace Context in the lowest byte, and above them whether the parent, or the linked span, is remote.
fn flags((is_sampled, is_random): (bool, bool), is_remote: bool) -> u32 {
    const IS_RANDOM: u32 = 2;
    const IS_REMOTE_IS_KNOWN: u32 = 0x100;
    const IS_REMOTE: u32 = 0x200;
    u32::from(is_sampled)
        | if is_random { IS_RANDOM } else { 0 }
        | IS_REMOTE_IS_KNOWN
        | if is_remote { IS_REMOTE } else { 0 }
}

fn trace_bytes(id: TraceId) -> [u8; 16] {
    id.bits().to_be_bytes()
}

fn span_bytes(id: SpanId) -> [u8; 8] {
    id.bits().to_be_bytes()
}
