//! Creates the spans of callbacks, and of records that leave the spool.

use std::{sync::Arc, time::Instant};

use super::{
    callback::CallbackTrace,
    metrics::TraceMetrics,
    names,
    queue::SpanQueue,
    recorder::{RequestLine, ServerAddress, SpanRecorder, new_span_id, send_to, written_to},
    sampler::Sampler,
    span::{Span, SpanKind, SpanStart},
};
use crate::{
    config::TracesConfig,
    domain::{Destination, Label as _, Outcome, PublicUrl, TopicPosition, TraceContext},
};

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
    /// the record was created, and links to its creation. `context` has the headers `traceparent` and `tracestate` of the record.
    pub(crate) fn record_drained(
        &self,
        context: [Option<&str>; 2],
        key: Option<&str>,
        written: &TopicPosition,
        start: SpanStart,
    ) {
        let Some(recorder) = &self.recorder else { return };
        let context = TraceContext::of_headers(context).filter(|context| context.parent.is_sampled());
        let Some(TraceContext { parent: created, state }) = context else { return };
        let attributes = written_to(send_to(&written.topic, "send"), written);
        recorder.record([Some(Span {
            trace: created.trace,
            id: new_span_id(),
            parent: Some(created.span),
            is_random: created.is_random(),
            has_remote_parent: true,
            state,
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
