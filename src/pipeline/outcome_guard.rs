//! The outcome of one request to a callback path: counted and logged exactly once.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{
    detach::detached_at,
    metrics::PipelineMetrics,
    recent::{RecentCallback, RecentCallbacks},
    rejection_log::RejectionLog,
    trail::Trail,
};
use crate::domain::{
    ConstructionLabel, DeadLetterAttributes, DeliveryError, Destination, Event, Label as _, Outcome, ProfileSid,
    RawCallback, Receipt, RejectReason, ReportOnlyLimit, Resource, Signer, Status, TraceContext, TraceId,
};
use crate::telemetry::milliseconds;
use crate::traces::{CallbackTrace, FinishedCallback};

/// Tracks one request to a callback path from its head to its outcome. [`finish`](Self::finish) records the outcome. A guard
/// that is dropped without it records the outcome of an abandoned request, so every request has exactly one outcome.
#[must_use = "a request whose guard is dropped counts as abandoned"]
pub(crate) struct OutcomeGuard {
    metrics: Arc<PipelineMetrics>,
    rejection_log: Arc<RejectionLog>,
    recent: Option<Arc<RecentCallbacks>>,
    resource: Resource,
    received: Instant,
    /// When the response was sent, if that was before the outcome was recorded.
    responded: Option<Instant>,
    /// When the record was submitted to be made durable.
    submitted: Option<Instant>,
    status: Option<Status>,
    profile: Option<ProfileSid>,
    trail: Trail,
    trace: CallbackTrace,
    diagnosis: Option<String>,
    report_only_limit: Option<ReportOnlyLimit>,
    /// The outcome if the guard is dropped now; `None` once an outcome was recorded.
    if_abandoned: Option<Outcome>,
}

impl OutcomeGuard {
    /// When the head of the request was read.
    #[must_use]
    pub(crate) fn received(&self) -> Instant {
        self.received
    }

    pub(super) fn open(
        (metrics, rejection_log, recent): (Arc<PipelineMetrics>, Arc<RejectionLog>, Option<Arc<RecentCallbacks>>),
        resource: Resource,
        received: Instant,
        trace: CallbackTrace,
    ) -> Self {
        metrics.received.of(resource).inc();
        Self {
            metrics,
            rejection_log,
            recent,
            resource,
            received,
            responded: None,
            submitted: None,
            status: None,
            profile: None,
            trail: Trail::default(),
            trace,
            diagnosis: None,
            report_only_limit: None,
            if_abandoned: Some(Outcome::Rejected(RejectReason::Incomplete)),
        }
    }

    /// Marks the signature as valid. From here on an abandoned request is a failure of the service, not of the caller.
    pub(super) fn mark_verified(&mut self) {
        self.if_abandoned = Some(Outcome::Unavailable(DeliveryError::Abandoned));
    }

    /// Sets the profile and the status that the log line names.
    pub(super) fn set_subject(&mut self, profile: Option<ProfileSid>, status: Option<Status>) {
        self.profile = profile;
        self.status = status;
    }

    /// The profile that the log line names.
    pub(super) fn profile(&self) -> Option<&ProfileSid> {
        self.profile.as_ref()
    }

    /// Sets the request, whose trace the callback may continue.
    pub(super) fn set_request(&mut self, raw: &RawCallback) {
        self.trace.set_request(raw);
    }

    /// The current time, if the trace needs it: the beginning of the verification.
    pub(super) fn trace_clock(&self) -> Option<Instant> {
        self.trace.clock()
    }

    /// Adds the verification to the trace, which began at this [`trace_clock`](Self::trace_clock).
    pub(super) fn trace_verification(
        &mut self,
        began: Option<Instant>,
        result: Result<(ConstructionLabel, Signer), RejectReason>,
    ) {
        self.trace.on_verified(began, result);
    }

    /// The trace context of the record for this topic, which is submitted now.
    pub(super) fn trace_submission(&mut self, destination: Destination) -> Option<TraceContext> {
        self.trace.on_submit(destination)
    }

    /// Sets the record that the log line leads to: an event, or a dead letter.
    pub(super) fn set_record(&mut self, record: Result<Event, DeadLetterAttributes>) {
        match record {
            Ok(event) => self.trail.set_event(event),
            Err(dead_letter) => self.set_dead_letter(&dead_letter),
        }
    }

    /// Sets the dead letter that the log line leads to. The line has its reason even if the dead letter was spooled.
    pub(super) fn set_dead_letter(&mut self, attributes: &DeadLetterAttributes) {
        self.trail.set_dead_letter(attributes);
    }

    /// Sets the event that the log line of a repeat leads to, if its id is known.
    pub(super) fn set_repeated(&mut self, event_id: Option<String>) {
        self.trail.event_id = event_id;
    }

    /// Sets where Kafka has written the record.
    pub(super) fn set_receipt(&mut self, receipt: Receipt) {
        self.trail.written = receipt.position;
        self.trace.on_durable();
    }

    /// Marks the record of the callback as submitted to be made durable.
    pub(super) fn mark_submitted(&mut self) {
        self.submitted = Some(Instant::now());
    }

    /// Warns that report-only mode kept a callback that enforce mode would reject. Every such callback has this line, because
    /// report-only is not meant to stay on.
    pub(super) fn log_report_only(&self, reason: RejectReason) {
        tracing::warn!(
            refusal = reason.as_str(),
            diagnosis = self.diagnosis.as_deref(),
            "SIGNATURE_MODE=report-only: kept a callback whose signature does not match as a dead letter"
        );
    }

    /// Sets the limit because of which report-only mode rejects the callback.
    pub(super) fn set_report_only_limit(&mut self, limit: ReportOnlyLimit) {
        self.report_only_limit = Some(limit);
    }

    /// Marks the response as sent. The outcome is recorded later, and is this one if the guard is dropped before.
    pub(super) fn mark_responded(&mut self, outcome: Outcome) {
        self.responded = Some(Instant::now());
        self.if_abandoned = Some(outcome);
    }

    /// Sets the explanation for the operator why the signature does not match.
    pub(super) fn set_diagnosis(&mut self, diagnosis: String) {
        self.diagnosis = Some(diagnosis);
    }

    /// Counts and logs the outcome, and returns it.
    pub(crate) fn finish(mut self, outcome: Outcome) -> Outcome {
        self.if_abandoned = None;
        // The connection of an incomplete request is gone.
        self.record(outcome, outcome != Outcome::Rejected(RejectReason::Incomplete));
        outcome
    }

    fn record(&mut self, outcome: Outcome, has_response: bool) {
        let duration = self.responded.unwrap_or_else(Instant::now).saturating_duration_since(self.received);
        self.metrics.callback_seconds.observe(duration.as_secs_f64());
        match outcome {
            Outcome::Published | Outcome::Spooled | Outcome::Duplicate | Outcome::DeadLettered(_) => {}
            Outcome::Rejected(reason) => self.metrics.rejected.of(reason).inc(),
            Outcome::Unavailable(_) => self.metrics.rejected_unavailable.inc(),
        }
        // Last: a reader who sees the outcome of a callback also sees its reason.
        self.metrics.outcome.of(outcome.kind()).inc();
        if self.is_logged(outcome) {
            let trace = self.trace.trace_id();
            self.log(outcome, duration, trace);
            self.finish_trace(outcome, has_response);
        }
        if let Some(recent) = self.recent.take() {
            recent.record(|number| self.take_callback(number, outcome, duration));
        }
    }

    /// Records the spans. A callback has spans only if it has a log line: unauthenticated callers could fill the queue.
    fn finish_trace(&mut self, outcome: Outcome, has_response: bool) {
        let gone = detached_at().filter(|_| self.responded.is_none());
        self.trace.finish(&FinishedCallback {
            outcome,
            reason: self.trail.reason(outcome),
            resource: self.resource,
            status: self.status,
            profile: self.profile.as_ref().map(ProfileSid::as_str),
            event_id: self.trail.event_id.as_deref(),
            written: self.trail.written.as_ref(),
            ended: self.responded.or(gone),
            has_response: has_response && gone.is_none(),
        });
    }

    /// The callback for the console. Takes what the guard has, because nothing is recorded after the outcome.
    fn take_callback(&mut self, number: u64, outcome: Outcome, duration: Duration) -> RecentCallback {
        RecentCallback {
            number,
            at: SystemTime::now().into(),
            outcome,
            resource: self.resource,
            status: self.status,
            profile: self.profile.take(),
            dead_letter: self.trail.dead_letter,
            codes: self.trail.codes.take(),
            event_id: self.trail.event_id.take(),
            written: self.trail.written.take(),
            diagnosis: self.diagnosis.take(),
            duration,
        }
    }

    /// Whether this outcome has a log line. Unauthenticated callers can cause rejections, so only some of these are logged
    /// individually. A diagnosis is always logged.
    fn is_logged(&self, outcome: Outcome) -> bool {
        let reason = match outcome {
            Outcome::Rejected(reason) => reason.as_str(),
            Outcome::Unavailable(DeliveryError::Overloaded) => DeliveryError::Overloaded.as_str(),
            Outcome::Unavailable(_)
            | Outcome::Published
            | Outcome::Spooled
            | Outcome::Duplicate
            | Outcome::DeadLettered(_) => return true,
        };
        self.diagnosis.is_some() || self.rejection_log.admits(reason, Instant::now())
    }

    /// Logs the line of the callback. Of its fields, only those that were parsed (the profile's SID, the codes and the trace id)
    /// and the diagnosis, which masks what it quotes, hold input from outside. The words of a rejection can be personal data.
    fn log(&self, outcome: Outcome, duration: Duration, trace: Option<TraceId>) {
        let written = self.trail.written.as_ref();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    outcome = outcome.kind().as_str(),
                    resource = self.resource.as_str(),
                    status = self.status.map(|status| status.as_str()),
                    profile_sid = self.profile.as_ref().map(ProfileSid::as_str),
                    codes = self.trail.codes.as_deref(),
                    reason = self.trail.reason(outcome),
                    ce_id = self.trail.event_id.as_deref(),
                    topic = written.map(|written| &*written.topic),
                    partition = written.map(|written| written.position.partition),
                    offset = written.map(|written| written.position.offset),
                    trace_id = trace.map(display),
                    diagnosis = self.diagnosis.as_deref(),
                    report_only_limit = self.report_only_limit.map(|limit| limit.as_str()),
                    duration_ms = milliseconds(duration),
                    delivery_ms = self.submitted.map(|since| milliseconds(since.elapsed())),
                    "callback"
                )
            };
        }
        match outcome {
            Outcome::Spooled if self.trail.dead_letter.is_some() => line!(warn),
            Outcome::Published | Outcome::Spooled | Outcome::Duplicate => line!(info),
            Outcome::DeadLettered(_) | Outcome::Rejected(_) => line!(warn),
            Outcome::Unavailable(_) => line!(error),
        }
    }
}

impl Drop for OutcomeGuard {
    fn drop(&mut self) {
        if let Some(outcome) = self.if_abandoned.take() {
            self.record(outcome, self.responded.is_some());
        }
    }
}
