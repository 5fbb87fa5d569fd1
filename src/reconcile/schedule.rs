//! Periodic runs in the service.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};
use trusthub_client::Credentials;

use super::{
    finding::{Action, Finding, ListFailure},
    observer::{Observer, ReconcileProgress},
    report::ReconcileSummary,
    run::{Reconciler, RunOptions},
    without_callback::WithoutCallback,
};
use crate::{
    domain::{AccountSid, Label as _, Status},
    kafka::LastRun,
    telemetry::seconds,
};

/// The first run starts within this time after startup, because callbacks may have been lost while the service was down.
const MAX_FIRST_DELAY: Duration = Duration::from_secs(60);
/// The pause before a due run checks again whether Kafka is reachable and the spool is empty.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// The share by which an interval is randomly shorter or longer, so that the runs of several replicas do not stay
/// synchronized.
const JITTER: f64 = 0.1;

/// Whether every event that this process received is in the topic, as far as the process knows.
type IsIdle = Arc<dyn Fn() -> bool + Send + Sync>;

/// Starts a run after each interval, one at a time.
pub(crate) struct Schedule {
    reconciler: Reconciler,
    accounts: watch::Receiver<Vec<Credentials>>,
    interval: Duration,
    is_idle: IsIdle,
    without_callback: WithoutCallback,
}

impl Schedule {
    /// Schedules a run for each `interval`, each of which `last_run` remembers. A run starts only when `is_idle` returns true, with the accounts configured
    /// then.
    #[must_use]
    pub(crate) fn new(
        reconciler: Reconciler,
        accounts: watch::Receiver<Vec<Credentials>>,
        interval: Duration,
        is_idle: IsIdle,
        last_run: LastRun,
    ) -> Self {
        let without_callback = WithoutCallback::new(last_run, Arc::clone(&reconciler.metrics), interval);
        Self { reconciler, accounts, interval, is_idle, without_callback }
    }

    /// Runs until the future is dropped.
    pub(crate) async fn run(mut self) {
        let mut pause = self.interval.min(MAX_FIRST_DELAY).mul_f64(fastrand::f64());
        loop {
            // Another instance may make the next run meanwhile, also while this one waits for its own.
            tokio::select! {
                () = wait_for_run(pause, &self.is_idle) => {}
                () = self.without_callback.watch() => {}
            }
            self.run_once().await;
            pause = self.interval.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0));
        }
    }

    async fn run_once(&mut self) {
        let accounts = self.accounts.borrow().clone();
        let generation = self.reconciler.kafka.credentials.generation();
        let mut result = self.reconciler.run(&accounts, RunOptions::default(), &mut LogObserver).await;
        if let Err(error) = &result
            && generation != self.reconciler.kafka.credentials.generation()
        {
            tracing::info!(%error, "reconciliation ended early after new Kafka credentials, and begins again");
            result = self.reconciler.run(&accounts, RunOptions::default(), &mut LogObserver).await;
        }
        match result {
            Ok(Some(summary)) => {
                log(&summary);
                self.without_callback.found(&summary).await;
            }
            Ok(None) => tracing::info!("skipped the reconciliation: another process is running it"),
            Err(error) => tracing::error!(%error, "reconciliation ended early; the next run does the rest"),
        }
    }
}

/// Waits for the pause, and then until every received event is in the topic.
async fn wait_for_run(pause: Duration, is_idle: &IsIdle) {
    sleep(pause).await;
    while !is_idle() {
        sleep(IDLE_CHECK_INTERVAL).await;
    }
}

fn log(summary: &ReconcileSummary) {
    let ReconcileSummary { accounts, profiles, records, missed, published, too_recent, history_too_short, .. } =
        summary;
    let ReconcileSummary { states, not_compared, described, deleted, failed, requests, took, .. } = summary;
    let without_callback: u64 = summary.without_callback.values().sum();
    let seconds = seconds(*took);
    tracing::info!(
        accounts,
        profiles,
        records,
        states,
        missed,
        published,
        too_recent,
        history_too_short,
        not_compared,
        described,
        deleted,
        without_callback,
        failed,
        requests,
        seconds,
        "reconciliation completed"
    );
    if *published > 0 {
        tracing::warn!(
            published,
            "published missed status changes; check whether the ingress loses callbacks (docs/reconciliation.md)"
        );
    }
}

/// Logs the findings.
struct LogObserver;

impl Observer for LogObserver {
    fn progress(&mut self, _: ReconcileProgress) {}

    fn found(&mut self, finding: &Finding) {
        let Finding { account, profile, resource, believed, actual, action } = finding;
        let believed = believed.map(Status::as_str);
        let status = actual.map(|(status, _)| status.as_str());
        let (profile_sid, account_sid, resource) = (profile.as_str(), account.as_str(), resource.as_str());
        match action {
            Action::Published(id) => {
                tracing::warn!(
                    ce_id = id,
                    profile_sid,
                    account_sid,
                    resource,
                    believed,
                    status,
                    "published a missed status change"
                );
            }
            Action::Described(id) => {
                tracing::debug!(
                    ce_id = id,
                    profile_sid,
                    account_sid,
                    resource,
                    status,
                    "published the details of a profile"
                );
            }
            Action::Deleted(id) => {
                tracing::info!(
                    ce_id = id,
                    profile_sid,
                    account_sid,
                    resource,
                    believed,
                    "published the deletion of a profile that Trust Hub does not have any more"
                );
            }
            Action::NotPublished(comparison) => {
                let comparison = comparison.as_str();
                tracing::debug!(profile_sid, account_sid, resource, believed, status, comparison, "not published");
            }
            Action::Failed(reason) => {
                tracing::error!(profile_sid, account_sid, resource, believed, reason, "cannot reconcile a profile");
            }
        }
    }

    fn deletions_withheld(&mut self, account: &AccountSid, profiles: u64) {
        tracing::warn!(
            account_sid = account.as_str(),
            profiles,
            "Trust Hub does not list most of the account's profiles any more, so their states are kept; \
             trusthub-bridge reconcile --delete-many deletes them"
        );
    }

    fn list_failed(&mut self, failure: &ListFailure) {
        let ListFailure { account, resource, error } = failure;
        let (account_sid, resource) = (account.as_str(), resource.as_str());
        tracing::error!(account_sid, resource, %error, "cannot list profiles");
    }
}
