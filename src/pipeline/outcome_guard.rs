//! One request to a callback path, and the accounts that are kept of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::rejection_log::RejectionLog;
use crate::{
    domain::{DeliveryError, Label as _, Outcome, ProfileSid, RejectReason, ReportOnlyLimit, Resource, Status},
    telemetry::Metrics,
};

/// One request to a callback path, from its head to its outcome. Dropping it is an outcome, too.
#[must_use = "a dropped case counts as abandoned"]
pub struct OutcomeGuard {
    metrics: Arc<Metrics>,
    refusals: Arc<RejectionLog>,
    resource: Resource,
    received: Instant,
    /// When the answer went out, if that was before the end of the case.
    answered: Option<Instant>,
    handed_over: Option<Instant>,
    status: Option<Status>,
    profile: Option<ProfileSid>,
    diagnosis: Option<String>,
    report_only_limit: Option<ReportOnlyLimit>,
    /// The outcome if nobody concludes the case; `None` once it is concluded.
    if_abandoned: Option<Outcome>,
}

impl OutcomeGuard {
    /// When the head of the request was read.
    #[must_use]
    pub fn received(&self) -> Instant {
        self.received
    }

    pub(super) fn open(
        metrics: Arc<Metrics>,
        refusals: Arc<RejectionLog>,
        resource: Resource,
        received: Instant,
    ) -> Self {
        metrics.received.of(resource).inc();
        Self {
            metrics,
            refusals,
            resource,
            received,
            answered: None,
            handed_over: None,
            status: None,
            profile: None,
            diagnosis: None,
            report_only_limit: None,
            if_abandoned: Some(Outcome::Rejected(RejectReason::Incomplete)),
        }
    }

    /// From here on the callback is ours: if it is abandoned, that is our failure and not the caller's.
    pub(super) fn verified(&mut self) {
        self.if_abandoned = Some(Outcome::Unavailable(DeliveryError::Abandoned));
    }

    /// What the callback is about.
    pub(super) fn about(&mut self, profile: Option<ProfileSid>, status: Option<Status>) {
        self.profile = profile;
        self.status = status;
    }

    /// The record was handed to be made durable.
    pub(super) fn handed_over(&mut self) {
        self.handed_over = Some(Instant::now());
    }

    /// The callback is kept although its signature does not match: loudly, because this is no way to stay.
    pub(super) fn kept_in_spite_of(&self, refusal: RejectReason) {
        tracing::warn!(
            refusal = refusal.as_str(),
            diagnosis = self.diagnosis.as_deref(),
            "SIGNATURE_MODE=report-only: a callback whose signature does not match is kept as a dead letter"
        );
    }

    /// The callback is refused although the mode is report-only.
    pub(super) fn not_kept(&mut self, limit: ReportOnlyLimit) {
        self.report_only_limit = Some(limit);
    }

    /// The answer goes out now. The case ends later, with this outcome at least.
    pub(super) fn answered(&mut self, outcome: Outcome) {
        self.answered = Some(Instant::now());
        self.if_abandoned = Some(outcome);
    }

    /// Why the signature does not match, for the operator.
    pub(super) fn diagnosed(&mut self, diagnosis: String) {
        self.diagnosis = Some(diagnosis);
    }

    /// Counts and logs the outcome.
    pub fn conclude(mut self, outcome: Outcome) -> Outcome {
        self.if_abandoned = None;
        self.record(outcome);
        outcome
    }

    fn record(&self, outcome: Outcome) {
        let duration = self.answered.unwrap_or_else(Instant::now).saturating_duration_since(self.received);
        self.metrics.outcome.of(outcome.kind()).inc();
        self.metrics.callback_seconds.observe(duration.as_secs_f64());
        match outcome {
            Outcome::Published | Outcome::Spooled | Outcome::Duplicate | Outcome::DeadLettered(_) => {}
            Outcome::Rejected(refusal) => self.metrics.rejected.of(refusal).inc(),
            Outcome::Unavailable(_) => self.metrics.rejected_unavailable.inc(),
        }
        if self.has_line(outcome) {
            self.log(outcome, duration);
        }
    }

    /// Anybody can have requests refused; only some of them are logged one by one. A diagnosis always is.
    fn has_line(&self, outcome: Outcome) -> bool {
        let reason = match outcome {
            Outcome::Rejected(refusal) => refusal.as_str(),
            Outcome::Unavailable(DeliveryError::Overloaded) => DeliveryError::Overloaded.as_str(),
            Outcome::Unavailable(_)
            | Outcome::Published
            | Outcome::Spooled
            | Outcome::Duplicate
            | Outcome::DeadLettered(_) => return true,
        };
        self.diagnosis.is_some() || self.refusals.admits(reason, Instant::now())
    }

    /// The line of a callback. Nothing in it comes from outside but the profile's SID, which was parsed, and a
    /// diagnosis, which masks what it quotes.
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
                    delivery_ms = self.handed_over.map(|since| milliseconds(since.elapsed())),
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
