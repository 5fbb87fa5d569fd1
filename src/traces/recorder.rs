//! Records finished spans, and knows what they have in common.

use std::{borrow::Cow, sync::Arc};

use super::{
    metrics::{SpanLoss, TraceMetrics},
    names,
    queue::SpanQueue,
    sampler::Sampler,
    span::{Span, SpanAttributes},
};
use crate::domain::{Destination, Label as _, Outcome, PublicUrl, SpanId, TopicPosition, TraceId};

/// What the spans of callbacks say about a request that is known before it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLine {
    /// A method that HTTP defines, or `_OTHER`.
    pub method: &'static str,
    /// The documented callback path.
    pub route: &'static str,
}

/// Records finished spans.
pub(super) struct SpanRecorder {
    pub(super) sampler: Sampler,
    pub(super) server: ServerAddress,
    pub(super) status_of: fn(Outcome) -> u16,
    /// By the index of the destination.
    pub(super) topics: Vec<String>,
    pub(super) queue: SpanQueue,
    pub(super) metrics: Arc<TraceMetrics>,
}

/// The server as Twilio calls it.
#[derive(Default)]
pub(super) struct ServerAddress {
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) port: Option<i64>,
}

impl SpanRecorder {
    pub(super) fn topic(&self, destination: Destination) -> Cow<'static, str> {
        self.topics.get(destination.index()).cloned().unwrap_or_default().into()
    }

    pub(super) fn record<const N: usize>(&self, spans: [Option<Span>; N]) {
        let count = spans.iter().flatten().count() as u64;
        if !self.queue.push(spans) {
            self.metrics.dropped.of(SpanLoss::QueueFull).inc_by(count);
        }
    }
}

impl ServerAddress {
    pub(super) fn of(url: &PublicUrl) -> Self {
        let (scheme, rest) = url.as_str().split_once("://").unwrap_or_default();
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
            _ => (authority, None),
        };
        let port = port.or(match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        });
        // The brackets of an IPv6 address are not part of it.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Self { scheme: scheme.to_owned(), host: host.to_owned(), port }
    }
}

/// The attributes of a span about a record for this topic.
pub(super) fn send_to(topic: &str, operation: &'static str) -> SpanAttributes {
    SpanAttributes::default()
        .text(names::MESSAGING_SYSTEM, "kafka")
        .text(names::MESSAGING_DESTINATION, topic.to_owned())
        .text(names::MESSAGING_OPERATION_NAME, operation)
        .text(names::MESSAGING_OPERATION_TYPE, operation)
}

/// Adds where Kafka has written the record.
pub(super) fn written_to(attributes: SpanAttributes, written: &TopicPosition) -> SpanAttributes {
    attributes
        .text(names::MESSAGING_PARTITION, written.position.partition.to_string())
        .number(names::KAFKA_OFFSET, written.position.offset)
}

/// A random id.
pub(super) fn new_trace_id() -> TraceId {
    loop {
        if let Some(id) = TraceId::new(fastrand::u128(..)) {
            return id;
        }
    }
}

/// A random id.
pub(super) fn new_span_id() -> SpanId {
    loop {
        if let Some(id) = SpanId::new(fastrand::u64(..)) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_is_that_of_the_public_url() {
        for (url, scheme, host, port) in [
            ("https://hooks.example.com", "https", "hooks.example.com", 443),
            ("http://hooks.example.com:8080/prefix", "http", "hooks.example.com", 8080),
            ("https://[::1]/x", "https", "::1", 443),
            ("https://[::1]:8443/x", "https", "::1", 8443),
        ] {
            let server = ServerAddress::of(&PublicUrl::parse(url).unwrap());
            assert_eq!((&*server.scheme, &*server.host, server.port), (scheme, host, Some(port)), "{url}");
        }
    }
}
