//! One request to a callback path, and the accounts that are kept of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    domain::{Label as _, Outcome, ProfileSid, Refusal, Resource, Status, Unkept},
    telemetry::Metrics,
};

/// One request to a callback path, from its head to its outcome. Dropping it is an outcome, too.
#[must_use = "a dropped case counts as abandoned"]
pub struct Case {
    metrics: Arc<Metrics>,
    resource: Resource,
    received: Instant,
    handed_over: Option<Instant>,
    status: Option<Status>,
    profile: Option<ProfileSid>,
    diagnosis: Option<String>,
    /// The outcome if nobody concludes the case; `None` once it is concluded.
    if_abandoned: Option<Outcome>,
}

impl Case {
    /// When the head of the request was read.
    #[must_use]
    pub fn received(&self) -> Instant {
        self.received
    }

    pub(super) fn open(metrics: Arc<Metrics>, resource: Resource, received: Instant) -> Self {
        metrics.received.of(resource).inc();
        Self {
            metrics,
            resource,
            received,
            handed_over: None,
            status: None,
            profile: None,
            diagnosis: None,
            if_abandoned: Some(Outcome::Rejected(Refusal::Incomplete)),
        }
    }

    /// From here on the callback is ours: if it is abandoned, that is our failure and not the caller's.
    pub(super) fn verified(&mut self) {
        self.if_abandoned = Some(Outcome::Unavailable(Unkept::Abandoned));
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
    pub(super) fn kept_in_spite_of(&self, refusal: Refusal) {
        tracing::warn!(
            refusal = refusal.as_str(),
            diagnosis = self.diagnosis.as_deref(),
            "SIGNATURE_MODE=report-only: a callback whose signature does not match is kept as a dead letter"
        );
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
        let duration = self.received.elapsed();
        self.metrics.outcome.of(outcome.kind()).inc();
        self.metrics.callback_seconds.observe(duration.as_secs_f64());
        match outcome {
            Outcome::Published | Outcome::Spooled | Outcome::Duplicate | Outcome::DeadLettered(_) => {}
            Outcome::Rejected(refusal) => self.metrics.rejected.of(refusal).inc(),
            Outcome::Unavailable(_) => self.metrics.rejected_unavailable.inc(),
        }
        self.log(outcome, duration);
    }

    /// One line for each callback. Nothing in it comes from outside but the profile's SID, which was parsed, and a
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

impl Drop for Case {
    fn drop(&mut self) {
        if let Some(outcome) = self.if_abandoned.take() {
            self.record(outcome);
        }
    }
}
