//! The metrics of the states of profiles.

use std::sync::Arc;

use super::profile_gauges::{ExpiryWindow, ProfileGauges};
use crate::{
    domain::{Label as _, Resource, Status, closed_set, state::StateOutcome},
    kafka::{ProjectionProblem, TransactionError},
    telemetry::{Counters, Gauges, IntGauge, Metrics, MetricsError, Operations},
};

closed_set! {
    /// How a transaction ended.
    pub enum TransactionResult {
        /// Kafka has the states and the offsets.
        Committed => "committed",
        /// Kafka has neither; the events are read again.
        Aborted => "aborted",
        /// It is not known; the states are read again.
        Unknown => "unknown",
    }
}

closed_set! {
    /// What became of a state that Kafka refused.
    pub enum RefusedState {
        /// It was written without texts, or with little else than the status.
        Shortened => "shortened",
        /// It was not written at all.
        Skipped => "skipped",
    }
}

impl TransactionResult {
    pub(super) fn of(result: &Result<(), TransactionError>) -> Self {
        match result {
            Ok(()) => Self::Committed,
            Err(TransactionError::Aborted(_) | TransactionError::Refused(_)) => Self::Aborted,
            Err(TransactionError::Unknown(_)) => Self::Unknown,
        }
    }
}

/// The metrics of the states of profiles.
#[derive(Debug)]
pub(crate) struct ProjectorMetrics {
    pub(super) operations: Arc<Operations>,
    pub(super) events: Counters<StateOutcome>,
    /// Events that are not in the states yet.
    pub(crate) lag: IntGauge,
    /// The profiles whose state is in memory.
    pub(crate) owned: IntGauge,
    /// The partitions that this instance owns.
    pub(crate) partitions: IntGauge,
    pub(super) problem: Gauges<ProjectionProblem>,
    pub(super) transactions: Counters<TransactionResult>,
    pub(super) refused: Counters<RefusedState>,
    pub(super) profiles: ProfileGauges,
}

impl ProjectorMetrics {
    /// Registers the metrics, with each series at 0.
    ///
    /// # Errors
    /// When they are registered already.
    pub(crate) fn register(shared: &Metrics) -> Result<Arc<Self>, MetricsError> {
        let catalogue = shared.catalogue();
        Ok(Arc::new(Self {
            operations: Arc::clone(&shared.operations),
            events: catalogue.counters(
                "trusthub_profiles_events_total",
                "Records of the event topic that were applied to the states of profiles, by outcome.",
                "outcome",
            )?,
            lag: catalogue.gauge(
                "trusthub_profiles_lag",
                "Records of the partitions that this instance owns and has not yet applied to the states.",
            )?,
            owned: catalogue.gauge("trusthub_profiles_owned", "Profiles whose state this instance has in memory.")?,
            partitions: catalogue
                .gauge("trusthub_profiles_partitions", "Partitions whose states this instance updates.")?,
            problem: catalogue.gauges(
                "trusthub_profiles_problem",
                "1 when the states of profiles are not updated because of this problem.",
                "problem",
            )?,
            transactions: catalogue.counters(
                "trusthub_profiles_transactions_total",
                "Transactions with states and offsets, by result.",
                "result",
            )?,
            refused: catalogue.counters(
                "trusthub_profiles_refused_total",
                "States that Kafka refused, usually because they are too large for their topic.",
                "result",
            )?,
            profiles: ProfileGauges::register(shared)?,
        }))
    }

    /// Sets the present problem; `None` if there is none.
    /// How many profiles are in each status, and for how many seconds the first of them has been.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (Resource, Status, i64, i64)> {
        let pairs =
            Resource::ALL.iter().flat_map(|resource| Status::ALL.iter().map(move |status| (*resource, *status)));
        pairs.map(|(resource, status)| {
            let (profiles, oldest) = self.profiles.shown(resource, status);
            (resource, status, profiles, oldest)
        })
    }

    /// How many approvals end soon, and how soon.
    pub(crate) fn expiring(&self) -> impl Iterator<Item = (Resource, &'static str, i64)> {
        let windows = ExpiryWindow::ALL;
        let pairs = Resource::ALL.iter().flat_map(|resource| windows.iter().map(move |window| (*resource, *window)));
        pairs.map(|(resource, window)| (resource, window.as_str(), self.profiles.shown_expiring(resource, window)))
    }

    pub(super) fn set_problem(&self, present: Option<ProjectionProblem>) {
        for problem in ProjectionProblem::ALL {
            self.problem.of(*problem).set(i64::from(present == Some(*problem)));
        }
    }

    /// Counts nothing as owned any more. The lag stays: whether another instance owns the records is not known.
    pub(super) fn disown(&self) {
        for gauge in [&self.owned, &self.partitions] {
            gauge.set(0);
        }
        self.profiles.clear();
    }
}
