//! Compares again and again, beside the service.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{Finding, Observer, Progress, Reconciler, Summary, Unlisted, Verdict};
use crate::{
    config::Credentials,
    domain::{Label as _, Status},
};

/// The first run comes within this time of the start: callbacks may have been lost while nobody was there.
const FIRST: Duration = Duration::from_secs(60);
/// How soon a run is thought of again when it is not its time: Kafka is away, or events wait for it on the disk.
const UNTIL_CALM: Duration = Duration::from_secs(5);
/// Runs of several replicas do not come together for ever, so an interval is up to a tenth shorter or longer.
const JITTER: f64 = 0.1;

/// Whether everything that was received stands in the topic, as far as this process knows.
type IsCalm = Arc<dyn Fn() -> bool + Send + Sync>;

/// Runs one after the other.
pub struct Schedule {
    reconciler: Reconciler,
    accounts: watch::Receiver<Vec<Credentials>>,
    interval: Duration,
    is_calm: IsCalm,
}

impl Schedule {
    /// A run each `interval`, when `is_calm`, of the accounts as they are then.
    #[must_use]
    pub fn new(
        reconciler: Reconciler,
        accounts: watch::Receiver<Vec<Credentials>>,
        interval: Duration,
        is_calm: IsCalm,
    ) -> Self {
        Self { reconciler, accounts, interval, is_calm }
    }

    /// Runs until it is dropped.
    pub async fn run(self) {
        let mut pause = self.interval.min(FIRST).mul_f64(fastrand::f64());
        loop {
            sleep(pause).await;
            while !(self.is_calm)() {
                sleep(UNTIL_CALM).await;
            }
            self.run_once().await;
            pause = self.interval.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0));
        }
    }

    async fn run_once(&self) {
        let accounts = self.accounts.borrow().clone();
        match self.reconciler.run(&accounts, super::Mode::default(), &mut Log).await {
            Ok(Some(summary)) => log(&summary),
            Ok(None) => tracing::info!("reconciliation: another process is at it"),
            Err(error) => tracing::error!(%error, "reconciliation did not come to its end; the next one does the rest"),
        }
    }
}

fn log(summary: &Summary) {
    let Summary { accounts, profiles, records, missed, published, too_recent, history_too_short, .. } = summary;
    let Summary { not_compared, failed, requests, took, .. } = summary;
    let seconds = took.as_secs_f64();
    tracing::info!(
        accounts,
        profiles,
        records,
        missed,
        published,
        too_recent,
        history_too_short,
        not_compared,
        failed,
        requests,
        seconds,
        "reconciliation"
    );
    if *published > 0 {
        tracing::warn!(
            published,
            "callbacks were missed, and are made up for; look whether the ingress loses some (docs/reconciliation.md)"
        );
    }
}

/// Writes what is found to the log.
struct Log;

impl Observer for Log {
    fn progress(&mut self, _: Progress) {}

    fn found(&mut self, finding: &Finding) {
        let Finding { account, profile, resource, believed, told, verdict } = finding;
        let believed = believed.map(Status::as_str);
        let status = told.map(|(status, _)| status.as_str());
        let (profile_sid, account_sid, resource) = (profile.as_str(), account.as_str(), resource.as_str());
        match verdict {
            Verdict::Published => {
                tracing::warn!(profile_sid, account_sid, resource, believed, status, "a missed change is published");
            }
            Verdict::Judged(judgement) => {
                let judgement = judgement.as_str();
                tracing::debug!(profile_sid, account_sid, resource, believed, status, judgement, "not published");
            }
            Verdict::Failed(reason) => {
                tracing::error!(profile_sid, account_sid, resource, believed, reason, "a profile is not reconciled");
            }
        }
    }

    fn unlisted(&mut self, unlisted: &Unlisted) {
        let Unlisted { account, resource, error } = unlisted;
        let (account_sid, resource) = (account.as_str(), resource.as_str());
        tracing::error!(account_sid, resource, %error, "profiles cannot be listed");
    }
}
