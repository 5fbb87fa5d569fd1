//! The outcome of one request to a callback path: counted and logged exactly once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{metrics::PipelineMetrics, rejection_log::RejectionLog};
use crate::domain::{DeliveryError, Label as _, Outcome, ProfileSid, RejectReason, ReportOnlyLimit, Resource, Status};

/// Tracks one request to a callback path from its head to its outcome. [`finish`](Self::finish) records the outcome. A guard
/// that is dropped without it records the outcome of an abandoned request, so every request has exactly one outcome.
#[must_use = "a request whose guard is dropped counts as abandoned"]
pub(crate) struct OutcomeGuard {
    metrics: Arc<PipelineMetrics>,
    rejection_log: Arc<RejectionLog>,
    resource: Resource,
    received: Instant,
    /// When the response was sent, if that was before the outcome was recorded.
    responded: Option<Instant>,
    /// When the record was submitted to be made durable.
    submitted: Option<Instant>,
    status: Option<Status>,
    profile: Option<ProfileSid>,
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
        metrics: Arc<PipelineMetrics>,
        rejection_log: Arc<RejectionLog>,
        resource: Resource,
        received: Instant,
    ) -> Self {
        metrics.received.of(resource).inc();
        Self {
            metrics,
            rejection_log,
            resource,
            received,
            responded: None,
            submitted: None,
            status: None,
            profile: None,
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
        self.record(outcome);
        outcome
    }

    fn record(&self, outcome: Outcome) {
        let duration = self.responded.unwrap_or_else(Instant::now).saturating_duration_since(self.received);
        self.metrics.outcome.of(outcome.kind()).inc();
        self.metrics.callback_seconds.observe(duration.as_secs_f64());
        match outcome {
            Outcome::Published | Outcome::Spooled | Outcome::Duplicate | Outcome::DeadLettered(_) => {}
            Outcome::Rejected(reason) => self.metrics.rejected.of(reason).inc(),
            Outcome::Unavailable(_) => self.metrics.rejected_unavailable.inc(),
        }
        if self.is_logged(outcome) {
            self.log(outcome, duration);
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

    /// Logs the line of the callback. Of its fields, only the profile's SID, which was parsed, and the diagnosis, which masks
    /// what it quotes, hold input from outside.
    fn log(&self, outcome: Outcome, duration: Duration) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    outcome = outcome.kind().as_str(),
                    resource = self.resource.as_str(),
                    status = self.status.map(|status| status.as_str()),
                    profile_sid = self.profile.as_ref().map(ProfileSid::as_str),
                    reason = outcome.reason(),
                    diagnosis = self.diagnosis.as_deref(),
                    report_only_limit = self.report_only_limit.map(|limit| limit.as_str()),
                    duration_ms = milliseconds(duration),
                    delivery_ms = self.submitted.map(|since| milliseconds(since.elapsed())),
                    "callback"
                )
            };
        }
        match outcome {
            Outcome::Published | Outcome::Spooled | Outcome::Duplicate => line!(info),
            Outcome::DeadLettered(_) | Outcome::Rejected(_) => line!(warn),
            Outcome::Unavailable(_) => line!(error),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Drop for OutcomeGuard {
    fn drop(&mut self) {
        if let Some(outcome) = self.if_abandoned.take() {
            self.record(outcome);
        }
    }
}
