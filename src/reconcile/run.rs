//! One run: reads the topic, compares every profile of every account, and publishes missed changes.

use std::{
    mem,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::TryStreamExt as _;
use trusthub_client::{AccountClient, Collection, Credentials, Error, Fetched, Listing, Profile, TrustHub};

use super::{
    candidate::RepairCandidate,
    finding::{Action, Finding, ListFailure},
    metrics::ReconcileMetrics,
    observer::{Observer, ReconcileProgress},
    plan::{Comparison, classify},
    repair::{Backend, repair},
    run_error::RunError,
    view::View,
};
use crate::{
    config::KafkaConfig,
    domain::{DeliveryError, ReconcileResult, RecordPosition, Timestamp},
    kafka::{LeaderElection, LeadershipLost, LeaseGuard, TopicReadError, TopicReader},
    pipeline::Pipeline,
};

/// How many profiles are fetched and published concurrently.
const BATCH: usize = 64;

/// The options of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RunOptions {
    /// Only report; publish nothing.
    pub dry_run: bool,
    /// Also publish profiles that last changed before the topic's history starts.
    pub baseline: bool,
}

/// The result of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReconcileSummary {
    /// Accounts whose profiles were listed.
    pub accounts: usize,
    /// Profiles compared.
    pub profiles: u64,
    /// Events read from the topic.
    pub records: u64,
    /// Missed changes. They are published, except in a dry run.
    pub missed: u64,
    /// Events published.
    pub published: u64,
    /// Profiles that changed so recently that their callback may still arrive.
    pub too_recent: u64,
    /// Unpublished profiles that last changed before the topic's history starts.
    pub history_too_short: u64,
    /// Profiles whose events are of a resource that no list has.
    pub not_compared: u64,
    /// Profiles and lists of profiles that could not be read or published.
    pub failed: u64,
    /// Requests sent to Trust Hub.
    pub requests: u64,
    /// The duration of the run.
    pub took: Duration,
}

impl ReconcileSummary {
    fn count(&mut self, finding: &Finding) {
        match finding.action {
            Action::Published(_) => {
                self.missed += 1;
                self.published += 1;
            }
            Action::NotPublished(Comparison::Missed) => self.missed += 1,
            Action::NotPublished(Comparison::TooRecent) => self.too_recent += 1,
            Action::NotPublished(Comparison::HistoryTooShort) => self.history_too_short += 1,
            Action::NotPublished(Comparison::NotCompared) => self.not_compared += 1,
            Action::NotPublished(Comparison::Same | Comparison::Untouched) => {}
            Action::Failed(_) => self.failed += 1,
        }
    }
}

/// Compares Trust Hub with the topic, and publishes missed changes through the pipeline.
pub(crate) struct Reconciler {
    trusthub: TrustHub,
    kafka: KafkaConfig,
    pipeline: Arc<Pipeline>,
    metrics: Arc<ReconcileMetrics>,
}

impl Reconciler {
    /// Creates a reconciler. `kafka` must be the configuration of the cluster to which `pipeline` publishes.
    #[must_use]
    pub(crate) fn new(
        trusthub: TrustHub,
        kafka: KafkaConfig,
        pipeline: Arc<Pipeline>,
        metrics: Arc<ReconcileMetrics>,
    ) -> Self {
        Self { trusthub, kafka, pipeline, metrics }
    }

    /// Compares the profiles of these accounts. Returns `None` when another process leads or has taken over.
    ///
    /// # Errors
    /// [`RunError`]. The next run does the rest.
    pub(crate) async fn run(
        &self,
        accounts: &[Credentials],
        options: RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<Option<ReconcileSummary>, RunError> {
        let result = match self.run_as_leader(accounts, options, observer).await {
            Err(RunError::TakenOver) => Ok(None),
            result => result,
        };
        let reconcile = &self.metrics;
        let run_result = match &result {
            Ok(None) => ReconcileResult::Elsewhere,
            Ok(Some(summary)) if summary.failed == 0 => ReconcileResult::Success,
            Ok(Some(_)) | Err(_) => ReconcileResult::Failure,
        };
        reconcile.runs.of(run_result).inc();
        if run_result == ReconcileResult::Success {
            reconcile.last_success.set(Timestamp::from(SystemTime::now()).unix_seconds());
        }
        result
    }

    /// Runs if this process becomes the leader. A dry run publishes nothing, so it needs no leadership.
    async fn run_as_leader(
        &self,
        accounts: &[Credentials],
        options: RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<Option<ReconcileSummary>, RunError> {
        let topic = TopicReader::open(&self.kafka, &self.metrics.operations).await?;
        let election = if options.dry_run {
            None
        } else {
            LeaderElection::campaign(&self.kafka, &self.metrics.operations).await?
        };
        let result = if election.is_some() || options.dry_run {
            let mut run = ReconcileRun { reconciler: self, topic, election: election.as_ref(), view: View::default() };
            let result = run.compare(accounts, options, observer).await;
            run.topic.close().await;
            let is_taken_over = async || match &election {
                Some(election) => election.is_taken_over().await,
                None => false,
            };
            result_after_takeover(result, is_taken_over).await.map(Some)
        } else {
            topic.close().await;
            Ok(None)
        };
        if let Some(election) = election {
            election.resign().await;
        }
        result
    }
}

/// A process that was suspended finds that its deadlines have passed, and fails for that reason, before it learns that
/// another process has taken over meanwhile and does the rest of the work.
async fn result_after_takeover<T>(
    result: Result<T, RunError>,
    is_taken_over: impl AsyncFnOnce() -> bool,
) -> Result<T, RunError> {
    match result {
        Err(error) if error.may_follow_from_a_suspension() && is_taken_over().await => {
            tracing::warn!(%error, "another process has taken over the reconciliation, and does the rest of this run");
            Err(RunError::TakenOver)
        }
        result => result,
    }
}

/// The state of one run.
struct ReconcileRun<'r> {
    reconciler: &'r Reconciler,
    topic: TopicReader,
    election: Option<&'r LeaderElection>,
    view: View,
}

impl ReconcileRun<'_> {
    async fn compare(
        &mut self,
        accounts: &[Credentials],
        options: RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<ReconcileSummary, RunError> {
        let (began, trusthub) = (Instant::now(), &self.reconciler.trusthub);
        let requests = trusthub.requests();
        let view = &mut self.view;
        self.topic
            .read_to_end(
                |event| view.apply(&event),
                |read, total| observer.progress(ReconcileProgress::Reading(read, total)),
            )
            .await?;
        let mut reporter =
            Reporter { summary: ReconcileSummary::default(), metrics: &self.reconciler.metrics, observer };
        for credentials in accounts {
            let account = trusthub.account(credentials.clone());
            for collection in Collection::ALL {
                self.compare_list(&account, collection, options, &mut reporter).await?;
            }
        }
        let Reporter { summary, .. } = reporter;
        Ok(ReconcileSummary {
            accounts: accounts.len(),
            records: self.view.records(),
            requests: trusthub.requests().saturating_sub(requests),
            took: began.elapsed(),
            ..summary
        })
    }

    /// Keeps at most one page and one batch of profiles in memory.
    async fn compare_list(
        &mut self,
        account: &AccountClient,
        collection: Collection,
        options: RunOptions,
        reporter: &mut Reporter<'_>,
    ) -> Result<(), RunError> {
        let mut profiles = pin!(account.list(collection, &Listing::default()));
        let mut candidates = Vec::new();
        loop {
            let listed = profiles.try_next().await;
            let at_end = matches!(listed, Ok(None));
            match listed {
                Ok(Some(profile)) => {
                    candidates.extend(self.compare_profile(account, collection, options, profile, reporter))
                }
                Ok(None) => {}
                // After a profile that cannot be parsed the list continues; any other error ends the list.
                Err(error) => reporter.list_failed(account, collection, error),
            }
            if candidates.len() >= BATCH || (at_end && !candidates.is_empty()) {
                let batch = mem::take(&mut candidates);
                repair(self, batch, options.baseline, &mut |finding| reporter.found(&finding)).await?;
            }
            if at_end {
                return Ok(());
            }
        }
    }

    /// Compares a listed profile. Returns it as a candidate if an event may be missing.
    fn compare_profile(
        &self,
        client: &AccountClient,
        collection: Collection,
        options: RunOptions,
        profile: Profile,
        reporter: &mut Reporter<'_>,
    ) -> Option<RepairCandidate> {
        self.reconciler.pipeline.confirm_owner(&profile);
        let belief = self.view.of(&profile.account_sid, &profile.sid).map(|seen| &seen.belief);
        let comparison = classify(&profile, belief, self.history_start(), self.time());
        reporter.count_compared();
        if comparison.needs_event(options.baseline) && !options.dry_run {
            return Some(RepairCandidate {
                client: client.clone(),
                account: profile.account_sid,
                collection,
                profile: profile.sid,
            });
        }
        let believed = belief.map(|belief| belief.status);
        reporter.found(&Finding::of_profile(&profile, believed, Action::NotPublished(comparison)));
        None
    }
}

impl Backend for ReconcileRun<'_> {
    type Lease = LeaseGuard;

    fn time(&self) -> Timestamp {
        self.reconciler.pipeline.event_time()
    }

    async fn fetch(&self, candidate: &RepairCandidate) -> Result<Fetched, Error> {
        candidate.client.fetch(candidate.collection, &candidate.profile).await
    }

    async fn read_to_end(&mut self) -> Result<(), TopicReadError> {
        let view = &mut self.view;
        view.mark();
        self.topic.read_to_end(|event| view.apply(&event), |_, _| {}).await
    }

    fn view(&self) -> &View {
        &self.view
    }

    fn history_start(&self) -> Option<Timestamp> {
        self.topic.history_start()
    }

    async fn acquire_lease(&self) -> Result<LeaseGuard, LeadershipLost> {
        match self.election {
            Some(election) => election.acquire_lease().await,
            None => Err(LeadershipLost::Undecided),
        }
    }

    async fn publish(
        &self,
        profile: &Fetched,
        time: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError> {
        self.reconciler.pipeline.publish_fetched_profile(profile, time, last).await
    }
}

/// Counts the findings, and passes them to the observer.
struct Reporter<'t> {
    summary: ReconcileSummary,
    metrics: &'t ReconcileMetrics,
    observer: &'t mut dyn Observer,
}

impl Reporter<'_> {
    fn count_compared(&mut self) {
        self.summary.profiles += 1;
        self.observer.progress(ReconcileProgress::Comparing(self.summary.profiles, self.summary.missed));
    }

    fn found(&mut self, finding: &Finding) {
        self.summary.count(finding);
        match &finding.action {
            Action::NotPublished(comparison) if !comparison.is_reported() => return,
            Action::NotPublished(_) | Action::Failed(_) => {}
            Action::Published(_) => self.metrics.missed.of(finding.resource).inc(),
        }
        self.observer.found(finding);
    }

    fn list_failed(&mut self, account: &AccountClient, collection: Collection, error: Error) {
        self.summary.failed += 1;
        self.observer.list_failed(&ListFailure::new(account, collection, &error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_durable() -> Result<(), RunError> {
        Err(RunError::NotDurable(DeliveryError::SpoolFailed))
    }

    #[tokio::test]
    async fn failure_after_a_takeover_is_a_takeover() {
        assert!(matches!(result_after_takeover(not_durable(), async || true).await, Err(RunError::TakenOver)));
        assert!(matches!(result_after_takeover(not_durable(), async || false).await, Err(RunError::NotDurable(_))));
    }

    #[tokio::test]
    async fn success_does_not_wait_for_a_takeover() {
        let never = async || std::future::pending().await;
        assert!(result_after_takeover(Ok(()), never).await.is_ok());
    }
}
