//! The metrics of callbacks.

use std::sync::Arc;

use crate::{
    domain::{
        ConstructionLabel, DeadLetterReason, Durability, Event, Label as _, Outcome, OutcomeKind, RejectReason,
        Resource, Signer, Status, error_code::CodeLabel,
    },
    telemetry::{Counters, Histogram, IntCounter, IntGauge, Metrics, MetricsError, PairedCounters},
};

/// The metrics of callbacks.
#[derive(Debug)]
pub(crate) struct PipelineMetrics {
    /// The metrics that several modules share.
    pub(crate) shared: Arc<Metrics>,
    /// Requests to a callback path, whatever their outcome.
    pub(crate) received: Counters<Resource>,
    /// Rejected requests to a callback path, by reason.
    pub(crate) rejected: Counters<RejectReason>,
    /// Requests answered 503, because the event could not be made durable. A series of the same metric as `rejected`.
    pub(crate) rejected_unavailable: IntCounter,
    /// The outcome of each request to a callback path.
    pub(crate) outcome: Counters<OutcomeKind>,
    /// Accepted signatures, by construction, kind of key and algorithm.
    pub(crate) signatures: PairedCounters<ConstructionLabel, Signer>,
    /// Durable callbacks whose signed bytes came before with another idempotency token.
    pub(crate) resigned: IntCounter,
    /// Callbacks of an account that conflicts with the owner of their profile, or with the account of the callback before.
    pub(crate) account_conflicts: IntCounter,
    /// Durable status changes.
    pub(crate) status_changes: PairedCounters<Resource, Status>,
    /// Durable rejections of profiles, counted once for each of their codes.
    pub(crate) rejections: PairedCounters<Resource, CodeLabel>,
    /// The time from the receipt of a callback to its answer.
    pub(crate) callback_seconds: Histogram,
    /// The time of the last callback with a valid signature, in seconds since the Unix epoch.
    pub(crate) last_callback: IntGauge,
    /// 1 when the last events before startup were far ahead of the current clock.
    pub(crate) event_time_reset: IntGauge,
}

impl PipelineMetrics {
    /// Registers the metrics, with each series at 0.
    ///
    /// # Errors
    /// When they are registered already.
    pub(crate) fn register(shared: &Arc<Metrics>) -> Result<Arc<Self>, MetricsError> {
        let catalogue = shared.catalogue();
        let (rejected, rejected_unavailable) = catalogue.counters_and_one(
            "trusthub_callbacks_rejected_total",
            "Requests to a callback path that were not accepted, by reason.",
            "reason",
            OutcomeKind::Unavailable.as_str(),
        )?;
        Ok(Arc::new(Self {
            shared: Arc::clone(shared),
            rejected,
            rejected_unavailable,
            received: catalogue.counters(
                "trusthub_callbacks_received_total",
                "Requests to a callback path, whatever their outcome.",
                "resource",
            )?,
            outcome: catalogue.counters(
                "trusthub_callbacks_outcome_total",
                "Requests to a callback path by outcome; each request has exactly one.",
                "outcome",
            )?,
            signatures: catalogue.split_counters(
                "trusthub_signatures_verified_total",
                "Accepted signatures by construction, kind of key and algorithm.",
                ["construction", "key", "algorithm"],
                Signer::labels,
            )?,
            resigned: catalogue.counter(
                "trusthub_callbacks_resigned_total",
                "Callbacks whose signed bytes came before, within the dedup window, with another idempotency token.",
            )?,
            account_conflicts: catalogue.counter(
                "trusthub_account_conflicts_total",
                "Callbacks of another account than the owner of their profile, or than the last callback before the owner is known.",
            )?,
            status_changes: catalogue.paired_counters(
                "trusthub_profile_status_changes_total",
                "Status changes, counted once they are durable.",
                ["resource", "status"],
            )?,
            rejections: catalogue.paired_counters(
                "trusthub_profile_rejections_total",
                "Rejections of profiles, counted once they are durable, once for each error code.",
                ["resource", "code"],
            )?,
            callback_seconds: catalogue.histogram(
                "trusthub_callback_duration_seconds",
                "Time from the receipt of a callback's head to its answer.",
            )?,
            last_callback: catalogue.gauge(
                "trusthub_last_callback_timestamp_seconds",
                "Time of the last callback with a valid signature, in seconds since the Unix epoch; 0 for never.",
            )?,
            event_time_reset: catalogue.gauge(
                "trusthub_event_time_reset",
                "1 when the last events before startup were more than an hour ahead of the clock, so that new events are older.",
            )?,
        }))
    }

    /// Counts an event that is durable, and returns the outcome of its callback.
    pub(super) fn count_event(&self, counted: Option<&CountedChange>, durability: Durability) -> Outcome {
        let outcome = match durability {
            Durability::Published => Outcome::Published,
            Durability::Spooled => Outcome::Spooled,
            Durability::DeadLettered => return Outcome::DeadLettered(DeadLetterReason::RefusedByTopic),
        };
        if let Some(change) = counted {
            self.count_change(change);
        }
        outcome
    }

    /// Counts a change of status that is durable.
    pub(super) fn count_change(&self, change: &CountedChange) {
        let CountedChange { resource, status, codes } = change;
        self.status_changes.of(*resource, *status).inc();
        for code in codes {
            self.rejections.of(*resource, *code).inc();
        }
    }
}

/// What is counted for an event once it is durable.
#[derive(Debug)]
pub(super) struct CountedChange {
    resource: Resource,
    status: Status,
    /// Those of a rejection.
    codes: Vec<CodeLabel>,
}

impl CountedChange {
    /// What is counted for this event; `None` for a test event.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let Event { data, is_test: false, .. } = event else { return None };
        Some(Self { resource: data.resource, status: data.status, codes: data.rejection_labels() })
    }
}
