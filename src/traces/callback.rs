//! The trace of one callback.

use std::{borrow::Cow, sync::Arc, time::Instant};

use super::{
    names,
    recorder::{RequestLine, SpanRecorder, new_span_id, new_trace_id, send_to, written_to},
    span::{Span, SpanAttributes, SpanKind, SpanStart},
};
use crate::domain::{
    ConstructionLabel, Destination, Label as _, Outcome, RawCallback, RejectReason, Resource, Signer, SpanId, Status,
    TopicPosition, TraceContext, TraceId, TraceParent, TraceState,
};

/// The trace of one callback: the context that its record gets and, if traces are on, what its spans say.
pub(crate) struct CallbackTrace {
    trusts_context: bool,
    /// The context of the request. It is not verified.
    incoming: Option<TraceContext>,
    /// The trace of the request, whose context the record has now, if traces are off.
    continued: Option<TraceId>,
    /// `None` if traces are off.
    recording: Option<Box<CallbackRecording>>,
}

/// What the spans of a callback say, as far as it is known.
struct CallbackRecording {
    recorder: Arc<SpanRecorder>,
    line: RequestLine,
    received: Instant,
    clock: SpanStart,
    path: Option<String>,
    verification: Option<Verification>,
    place: Option<TracePlace>,
    record: Option<RecordSpan>,
}

/// The place of a callback in a trace.
struct TracePlace {
    trace: TraceId,
    /// The span of the callback.
    span: SpanId,
    is_sampled: bool,
    is_random: bool,
    parent: Option<SpanId>,
    /// The context of a request that does not decide about its trace.
    link: Option<TraceParent>,
    state: Option<TraceState>,
}

struct Verification {
    began: Instant,
    ended: Instant,
    result: Result<(ConstructionLabel, Signer), RejectReason>,
}

/// The span of the record of a callback.
struct RecordSpan {
    id: SpanId,
    destination: Destination,
    submitted: Instant,
    durable: Option<Instant>,
}

/// What is known about a callback at its end.
pub(crate) struct FinishedCallback<'a> {
    pub outcome: Outcome,
    /// The reason for the outcome, or for a dead letter.
    pub reason: Option<&'static str>,
    pub resource: Resource,
    pub status: Option<Status>,
    /// The SID of the profile.
    pub profile: Option<&'a str>,
    pub event_id: Option<&'a str>,
    /// Where Kafka has written the record.
    pub written: Option<&'a TopicPosition>,
    /// When the response was sent, or the caller stopped waiting for it, if that was before now.
    pub ended: Option<Instant>,
    /// Whether the caller gets a response.
    pub has_response: bool,
}

impl CallbackTrace {
    pub(super) fn start(
        trusts_context: bool,
        recorder: Option<&Arc<SpanRecorder>>,
        line: RequestLine,
        received: Instant,
    ) -> Self {
        let recording = recorder.map(|recorder| {
            Box::new(CallbackRecording {
                recorder: Arc::clone(recorder),
                line,
                received,
                clock: SpanStart::now(),
                path: None,
                verification: None,
                place: None,
                record: None,
            })
        });
        Self { trusts_context, incoming: None, continued: None, recording }
    }

    /// Takes the trace context and the path of the request.
    pub(crate) fn set_request(&mut self, raw: &RawCallback) {
        if self.trusts_context {
            self.incoming = TraceContext::of(raw);
        }
        if let Some(recording) = &mut self.recording {
            recording.path = Some(raw.as_request().path.to_owned());
        }
    }

    /// The current time, if a span needs it.
    pub(crate) fn clock(&self) -> Option<Instant> {
        self.recording.as_ref().map(|_| Instant::now())
    }

    /// Records the verification of the signature, which began at this [`clock`](Self::clock). Only a valid signature continues the
    /// trace of the request: anyone can send another one.
    pub(crate) fn on_verified(
        &mut self,
        began: Option<Instant>,
        result: Result<(ConstructionLabel, Signer), RejectReason>,
    ) {
        let (Some(recording), Some(began)) = (&mut self.recording, began) else {
            self.incoming = self.incoming.take().filter(|_| result.is_ok());
            return;
        };
        recording.place = Some(match (result, self.incoming.take()) {
            (Ok(_), Some(incoming)) => TracePlace::continuing(&recording.recorder, incoming),
            (Ok(_) | Err(_), incoming) => TracePlace::starting(&recording.recorder, incoming),
        });
        recording.verification = Some(Verification { began, ended: Instant::now(), result });
    }

    /// The context for the record of the callback, which is submitted now.
    pub(crate) fn on_submit(&mut self, destination: Destination) -> Option<TraceContext> {
        let Some(recording) = &mut self.recording else {
            let continued = self.incoming.take();
            self.continued = continued.as_ref().map(|context| context.parent.trace);
            return continued;
        };
        let id = new_span_id();
        recording.record = Some(RecordSpan { id, destination, submitted: Instant::now(), durable: None });
        let place = recording.place.as_ref()?;
        let parent = TraceParent::new(place.trace, id, place.is_sampled, place.is_random);
        Some(TraceContext { parent, state: place.state.clone() })
    }

    /// Marks the record as durable now.
    pub(crate) fn on_durable(&mut self) {
        if let Some(record) = self.recording.as_mut().and_then(|recording| recording.record.as_mut()) {
            record.durable = Some(Instant::now());
        }
    }

    /// The id of the trace, for the log line of the callback.
    pub(crate) fn trace_id(&mut self) -> Option<TraceId> {
        match &mut self.recording {
            Some(recording) => Some(recording.place(&mut self.incoming).trace),
            None => self.incoming.as_ref().map(|incoming| incoming.parent.trace).or(self.continued),
        }
    }

    /// Records the spans of the callback, if its trace is recorded.
    pub(crate) fn finish(&mut self, finished: &FinishedCallback<'_>) {
        let Some(mut recording) = self.recording.take() else { return };
        let _ = recording.place(&mut self.incoming);
        let Some(place) = recording.place.as_ref().filter(|place| place.is_sampled) else { return };
        let (verification, record) = (recording.verification_span(place), recording.record_span(place, finished));
        recording.recorder.record([verification, record, Some(recording.server_span(place, finished))]);
    }
}

impl TracePlace {
    fn continuing(recorder: &SpanRecorder, TraceContext { parent, state }: TraceContext) -> Self {
        let is_sampled = recorder.sampler.records(parent.trace, Some(parent));
        let (is_random, span) = (parent.is_random(), new_span_id());
        Self { trace: parent.trace, span, is_sampled, is_random, parent: Some(parent.span), link: None, state }
    }

    fn starting(recorder: &SpanRecorder, incoming: Option<TraceContext>) -> Self {
        let trace = new_trace_id();
        let is_sampled = recorder.sampler.records(trace, None);
        let link = incoming.map(|incoming| incoming.parent);
        Self { trace, span: new_span_id(), is_sampled, is_random: true, parent: None, link, state: None }
    }
}

impl CallbackRecording {
    /// The place of the callback in a trace. A request that was not even verified starts one.
    fn place(&mut self, incoming: &mut Option<TraceContext>) -> &TracePlace {
        self.place.get_or_insert_with(|| TracePlace::starting(&self.recorder, incoming.take()))
    }

    /// A span below that of the callback.
    fn child(
        &self,
        place: &TracePlace,
        (name, kind): (Cow<'static, str>, SpanKind),
        (start, end): (Instant, Instant),
        attributes: SpanAttributes,
    ) -> Span {
        Span {
            trace: place.trace,
            id: new_span_id(),
            parent: Some(place.span),
            is_random: place.is_random,
            has_remote_parent: false,
            state: place.state.clone(),
            name,
            kind,
            start: self.clock.nanos_at(start),
            end: self.clock.nanos_at(end),
            attributes,
            link: None,
            has_failed: false,
        }
    }

    fn verification_span(&self, place: &TracePlace) -> Option<Span> {
        let Verification { began, ended, result } = self.verification.as_ref()?;
        let attributes = match result {
            Ok((construction, signer)) => {
                let [key, algorithm] = signer.labels();
                SpanAttributes::default()
                    .text(names::CONSTRUCTION, construction.as_str())
                    .text(names::KEY, key)
                    .text(names::ALGORITHM, algorithm)
            }
            Err(reason) => SpanAttributes::default().text(names::REASON, reason.as_str()),
        };
        Some(self.child(place, ("verify signature".into(), SpanKind::Internal), (*began, *ended), attributes))
    }

    fn record_span(&self, place: &TracePlace, finished: &FinishedCallback<'_>) -> Option<Span> {
        let record = self.record.as_ref()?;
        let topic = finished.written.map(|written| Cow::Owned(written.topic.to_string()));
        let topic = topic.unwrap_or_else(|| self.recorder.topic(record.destination));
        // What is not written yet is only created: the drain of the spool sends it.
        let operation = if finished.written.is_some() { "send" } else { "create" };
        let mut attributes = send_to(&topic, operation);
        if let Some(written) = finished.written {
            attributes = written_to(attributes, written);
        }
        attributes = attributes.text_if(names::KAFKA_KEY, finished.profile.map(str::to_owned));
        if finished.outcome == Outcome::Spooled {
            attributes = attributes.flag(names::SPOOLED, true);
        }
        let ended = record.durable.unwrap_or_else(Instant::now);
        let what = (format!("{operation} {topic}").into(), SpanKind::Producer);
        let span = self.child(place, what, (record.submitted, ended), attributes);
        Some(with_failure(Span { id: record.id, ..span }, finished))
    }

    fn server_span(&self, place: &TracePlace, finished: &FinishedCallback<'_>) -> Span {
        let FinishedCallback { outcome, reason, resource, status, profile, event_id, ended, has_response, .. } =
            finished;
        let (RequestLine { method, route }, server) = (self.line, &self.recorder.server);
        let mut attributes = SpanAttributes::default()
            .text(names::HTTP_METHOD, method)
            .text(names::HTTP_ROUTE, route)
            .text(names::URL_PATH, self.path.clone().map_or(Cow::Borrowed(route), Cow::Owned))
            .text(names::URL_SCHEME, server.scheme.clone())
            .text(names::SERVER_ADDRESS, server.host.clone());
        if let Some(port) = server.port {
            attributes = attributes.number(names::SERVER_PORT, port);
        }
        if *has_response {
            attributes = attributes.number(names::HTTP_STATUS, (self.recorder.status_of)(*outcome).into());
        }
        let attributes = attributes
            .text(names::OUTCOME, outcome.kind().as_str())
            .text_if(names::REASON, *reason)
            .text(names::RESOURCE, resource.as_str())
            .text_if(names::STATUS, status.map(|status| status.as_str()))
            .text_if(names::PROFILE, profile.map(str::to_owned))
            .text_if(names::EVENT_ID, event_id.map(str::to_owned));
        let verb = if method == "_OTHER" { "HTTP" } else { method };
        let span = Span {
            trace: place.trace,
            id: place.span,
            parent: place.parent,
            is_random: place.is_random,
            has_remote_parent: place.parent.is_some(),
            state: place.state.clone(),
            name: format!("{verb} {route}").into(),
            kind: SpanKind::Server,
            start: self.clock.nanos_at(self.received),
            end: self.clock.nanos_at(ended.unwrap_or_else(Instant::now)),
            attributes,
            link: place.link,
            has_failed: false,
        };
        with_failure(span, finished)
    }
}

/// Marks the span as failed if the callback could not be made durable. A rejection is the caller's failure.
fn with_failure(span: Span, finished: &FinishedCallback<'_>) -> Span {
    match finished.outcome {
        Outcome::Unavailable(error) => {
            let attributes = span.attributes.text(names::ERROR_TYPE, error.as_str());
            Span { attributes, has_failed: true, ..span }
        }
        Outcome::Published
        | Outcome::Spooled
        | Outcome::Duplicate
        | Outcome::DeadLettered(_)
        | Outcome::Rejected(_) => span,
    }
}
