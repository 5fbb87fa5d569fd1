//! One reconciliation, as the command `reconcile` does it.

use super::{super::output::Failure, environment::DevEnvironment};
use crate::{
    app,
    domain::AccountSid,
    reconcile::{Finding, ListFailure, Observer, ReconcileProgress, ReconcileSummary, RunOptions},
};

/// Compares the simulator with the topic, and publishes what is missing.
pub(super) async fn run(environment: &DevEnvironment) -> Result<ReconcileSummary, Failure> {
    let run = app::reconcile(&environment.reconcile, RunOptions::default(), &mut SilentObserver).await;
    run.map_err(Failure::failed)?.ok_or_else(|| Failure::failed("another process reconciles the topic"))
}

/// Ignores everything: the summary is enough.
struct SilentObserver;

impl Observer for SilentObserver {
    fn progress(&mut self, _: ReconcileProgress) {}

    fn found(&mut self, _: &Finding) {}

    fn deletions_withheld(&mut self, _: &AccountSid, _: u64) {}

    fn list_failed(&mut self, _: &ListFailure) {}
}
