//! Creates the spans of callbacks, and of records that leave the spool.

use std::{borrow::Cow, sync::Arc, time::Instant};

use super::{
    callback::CallbackTrace,
    metrics::{SpanLoss, TraceMetrics},
    names,
    queue::SpanQueue,
    sampler::Sampler,
    span::{Attributes, Span, SpanKind, SpanStart},
};
use crate::{
    config::TracesConfig,
    domain::{Destination, Label as _, Outcome, PublicUrl, SpanId, TopicPosition, TraceId, TraceParent},
};

/// What the spans of callbacks say about a request that is known before it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestLine {
    /// `GET`, `POST`, or `_OTHER` for any other method.
    pub method: &'static str,
    /// The documented callback path.
    pub route: &'static str,
}

/// What a tracer needs to know about the rest of the service.
pub(crate) struct TracerParts<'a> {
    /// The URLs that Twilio calls. The first one names the server.
    pub urls: &'a [PublicUrl],
    /// The name of each topic.
    pub topic: &'a dyn Fn(Destination) -> String,
    /// The status code of an outcome.
    pub status_of: fn(Outcome) -> u16,
}

/// Creates spans, or only carries the trace context of callbacks if traces are off.
#[derive(Clone)]
pub(crate) struct Tracer {
    trusts_context: bool,
    /// `None` if traces are off.
    recorder: Option<Arc<SpanRecorder>>,
}

/// Records finished spans.
pub(super) struct SpanRecorder {
    pub(super) sampler: Sampler,
    pub(super) server: ServerAddress,
    pub(super) status_of: fn(Outcome) -> u16,
    /// By the index of the destination.
    topics: Vec<String>,
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

impl Tracer {
    /// A tracer of this configuration. Its spans are exported by a [`SpanExporter`](super::SpanExporter).
    pub(crate) fn new(config: &TracesConfig, parts: &TracerParts<'_>, metrics: &Arc<TraceMetrics>) -> Self {
        let recorder = config.export.as_ref().map(|export| {
            Arc::new(SpanRecorder {
                sampler: Sampler::new(export.sampler),
                server: parts.urls.first().map(ServerAddress::of).unwrap_or_default(),
                status_of: parts.status_of,
                topics: Destination::ALL.iter().map(|destination| (parts.topic)(*destination)).collect(),
                queue: SpanQueue::new(export.queue, export.batch),
                metrics: Arc::clone(metrics),
            })
        });
        Self { trusts_context: config.trusts_context, recorder }
    }

    /// A tracer without spans, for commands and tests.
    pub(crate) fn off() -> Self {
        Self { trusts_context: true, recorder: None }
    }

    pub(super) fn recorder(&self) -> Option<&Arc<SpanRecorder>> {
        self.recorder.as_ref()
    }

    /// Starts the trace of a callback whose head was read at `received`.
    pub(crate) fn start_callback(&self, line: RequestLine, received: Instant) -> CallbackTrace {
        CallbackTrace::start(self.trusts_context, self.recorder.as_ref(), line, received)
    }

    /// Records that a record of the spool was published, whose handover began at `start`. The span continues the trace in which
    /// the record was created, and links to its creation. `trace_parent` is the header of the record.
    pub(crate) fn record_drained(
        &self,
        trace_parent: Option<&str>,
        key: Option<&str>,
        written: &TopicPosition,
        start: SpanStart,
    ) {
        let Some(recorder) = &self.recorder else { return };
        let created = trace_parent.and_then(TraceParent::parse).filter(|parent| parent.is_sampled());
        let Some(created) = created else { return };
        let attributes = written_to(send_to(&written.topic, "send"), written);
        recorder.record([Some(Span {
            trace: created.trace,
            id: new_span_id(),
            parent: Some(created.span),
            has_remote_parent: true,
            state: None,
            name: format!("send {}", written.topic).into(),
            // The record carries the context of its creation, and not that of this span.
            kind: SpanKind::Client,
            start: start.nanos(),
            end: start.nanos_at(Instant::now()),
            attributes: attributes.text_if(names::KAFKA_KEY, key.map(str::to_owned)).flag(names::SPOOLED, true),
            link: Some(created),
            has_failed: false,
        })]);
    }
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
    fn of(url: &PublicUrl) -> Self {
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
        Self { scheme: scheme.to_owned(), host: host.to_owned(), port }
    }
}

/// The attributes of a span about a record for this topic.
pub(super) fn send_to(topic: &str, operation: &'static str) -> Attributes {
    Attributes::default()
        .text(names::MESSAGING_SYSTEM, "kafka")
        .text(names::MESSAGING_DESTINATION, topic.to_owned())
        .text(names::MESSAGING_OPERATION_NAME, operation)
        .text(names::MESSAGING_OPERATION_TYPE, operation)
}

/// Adds where Kafka has written the record.
pub(super) fn written_to(attributes: Attributes, written: &TopicPosition) -> Attributes {
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
            ("https://[::1]/x", "https", "[::1]", 443),
            ("https://[::1]:8443/x", "https", "[::1]", 8443),
        ] {
            let server = ServerAddress::of(&PublicUrl::parse(url).unwrap());
            assert_eq!((&*server.scheme, &*server.host, server.port), (scheme, host, Some(port)), "{url}");
        }
    }
}
