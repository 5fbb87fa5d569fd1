//! One comparison, from the first record of the topic to the last profile of the last account.

use std::{
    mem,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::TryStreamExt as _;

use super::{
    Finding, Observer, Stop, Unlisted, Verdict,
    plan::{Judgement, judge},
    repair::{Candidate, World, repair},
    view::View,
};
use crate::{
    config::{Credentials, KafkaConfig},
    domain::{DeliveryError, ReconcileResult, RecordPosition, Timestamp},
    kafka::{HistoryError, LeaderElection, LeadershipLost, LeaseGuard, TopicReader},
    pipeline::Pipeline,
    telemetry::Metrics,
    trusthub::{Account, Collection, Error, Fetched, Listing, Profile, TrustHub},
};

/// Profiles that are asked for, and published, together.
const BATCH: usize = 64;

/// What a run does about what it finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mode {
    /// Only tells of it.
    pub dry_run: bool,
    /// Also publishes what last changed before the topic's history begins.
    pub baseline: bool,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many of so many records are read.
    Reading(u64, u64),
    /// So many profiles are compared, and so many changes were missed.
    Comparing(u64, u64),
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Accounts that were asked.
    pub accounts: usize,
    /// Profiles that they have.
    pub profiles: u64,
    /// Events that the topic has.
    pub records: u64,
    /// Changes that were missed. They are published unless the run was to tell only.
    pub missed: u64,
    /// Events that were published.
    pub published: u64,
    /// Profiles whose callbacks may be under way.
    pub too_recent: u64,
    /// Profiles that last changed before the topic's history begins.
    pub history_too_short: u64,
    /// Profiles whose events say that they are none of Trust Hub.
    pub not_compared: u64,
    /// Profiles, or lists of them, that could not be asked for or published.
    pub failed: u64,
    /// Requests to Trust Hub.
    pub requests: u64,
    /// How long it took.
    pub took: Duration,
}

impl Summary {
    fn count(&mut self, finding: &Finding) {
        match finding.verdict {
            Verdict::Published => {
                self.missed += 1;
                self.published += 1;
            }
            Verdict::Judged(Judgement::Missed) => self.missed += 1,
            Verdict::Judged(Judgement::TooRecent) => self.too_recent += 1,
            Verdict::Judged(Judgement::HistoryTooShort) => self.history_too_short += 1,
            Verdict::Judged(Judgement::NotCompared) => self.not_compared += 1,
            Verdict::Judged(Judgement::Same | Judgement::Untouched) => {}
            Verdict::Failed(_) => self.failed += 1,
        }
    }
}

/// Compares, and publishes through the pipeline.
pub struct Reconciler {
    trusthub: TrustHub,
    kafka: KafkaConfig,
    pipeline: Arc<Pipeline>,
    metrics: Arc<Metrics>,
}

impl Reconciler {
    /// Of this Trust Hub with the topic of this Kafka, to which the pipeline publishes.
    #[must_use]
    pub fn new(trusthub: TrustHub, kafka: KafkaConfig, pipeline: Arc<Pipeline>, metrics: Arc<Metrics>) -> Self {
        Self { trusthub, kafka, pipeline, metrics }
    }

    /// Compares the profiles of these accounts. `None` when another process is at it, or has taken over.
    ///
    /// # Errors
    /// [`Stop`]; the next run does the rest.
    pub async fn run(
        &self,
        accounts: &[Credentials],
        mode: Mode,
        observer: &mut dyn Observer,
    ) -> Result<Option<Summary>, Stop> {
        let result = match self.run_alone(accounts, mode, observer).await {
            Err(Stop::TakenOver) => Ok(None),
            result => result,
        };
        let reconcile = &self.metrics.reconcile;
        let ended = match &result {
            Ok(None) => ReconcileResult::Elsewhere,
            Ok(Some(summary)) if summary.failed == 0 => ReconcileResult::Success,
            Ok(Some(_)) | Err(_) => ReconcileResult::Failure,
        };
        reconcile.runs.of(ended).inc();
        if ended == ReconcileResult::Success {
            reconcile.last_success.set(Timestamp::from(SystemTime::now()).unix_seconds());
        }
        result
    }

    /// A run that only tells needs no lock.
    async fn run_alone(
        &self,
        accounts: &[Credentials],
        mode: Mode,
        observer: &mut dyn Observer,
    ) -> Result<Option<Summary>, Stop> {
        let history = TopicReader::open(&self.kafka, &self.metrics.operations).await?;
        let lock =
            if mode.dry_run { None } else { LeaderElection::acquire(&self.kafka, &self.metrics.operations).await? };
        let result = if lock.is_some() || mode.dry_run {
            let mut work = Work { reconciler: self, history, lock: lock.as_ref(), view: View::default() };
            let result = work.compare(accounts, mode, observer).await;
            work.history.close().await;
            result.map(Some)
        } else {
            history.close().await;
            Ok(None)
        };
        if let Some(lock) = lock {
            lock.release().await;
        }
        result
    }
}

/// A run.
struct Work<'r> {
    reconciler: &'r Reconciler,
    history: TopicReader,
    lock: Option<&'r LeaderElection>,
    view: View,
}

impl Work<'_> {
    async fn compare(
        &mut self,
        accounts: &[Credentials],
        mode: Mode,
        observer: &mut dyn Observer,
    ) -> Result<Summary, Stop> {
        let (began, trusthub) = (Instant::now(), &self.reconciler.trusthub);
        let requests = trusthub.requests();
        let view = &mut self.view;
        self.history
            .read_on(|event| view.apply(&event), |read, of| observer.progress(Progress::Reading(read, of)))
            .await?;
        let mut teller = Teller { summary: Summary::default(), metrics: &self.reconciler.metrics, observer };
        for credentials in accounts {
            let account = trusthub.account(credentials.clone());
            for collection in Collection::ALL {
                self.compare_list(&account, collection, mode, &mut teller).await?;
            }
        }
        let Teller { summary, .. } = teller;
        Ok(Summary {
            accounts: accounts.len(),
            records: self.view.records(),
            requests: trusthub.requests().saturating_sub(requests),
            took: began.elapsed(),
            ..summary
        })
    }

    /// Keeps no more profiles than a page and a batch, however many there are.
    async fn compare_list(
        &mut self,
        account: &Account,
        collection: Collection,
        mode: Mode,
        teller: &mut Teller<'_>,
    ) -> Result<(), Stop> {
        let mut profiles = pin!(account.list(collection, &Listing::default()));
        let mut candidates = Vec::new();
        loop {
            let listed = profiles.try_next().await;
            let at_end = matches!(listed, Ok(None));
            match listed {
                Ok(Some(profile)) => candidates.extend(self.look(account, collection, mode, profile, teller)),
                Ok(None) => {}
                // A profile that cannot be read is one less; after every other error the list is at its end.
                Err(error) => teller.unlisted(account, collection, error),
            }
            if candidates.len() >= BATCH || (at_end && !candidates.is_empty()) {
                let batch = mem::take(&mut candidates);
                repair(self, batch, mode.baseline, &mut |finding| teller.tell(&finding)).await?;
            }
            if at_end {
                return Ok(());
            }
        }
    }

    /// Compares a profile of a list; returns it if something is to be done about it.
    fn look(
        &self,
        account: &Account,
        collection: Collection,
        mode: Mode,
        profile: Profile,
        teller: &mut Teller<'_>,
    ) -> Option<Candidate> {
        let belief = self.view.of(&profile.sid).map(|seen| &seen.belief);
        let judgement = judge(&profile, belief, self.begins(), self.time());
        teller.compared();
        if judgement.calls_for_an_event(mode.baseline) && !mode.dry_run {
            return Some(Candidate { account: account.clone(), collection, profile: profile.sid });
        }
        let believed = belief.map(|belief| belief.status);
        teller.tell(&Finding::of_profile(&profile, believed, Verdict::Judged(judgement)));
        None
    }
}

impl World for Work<'_> {
    type LeaseGuard = LeaseGuard;

    fn time(&self) -> Timestamp {
        self.reconciler.pipeline.event_time()
    }

    async fn fetch(&self, candidate: &Candidate) -> Result<Fetched, Error> {
        candidate.account.fetch(candidate.collection, &candidate.profile).await
    }

    async fn read_on(&mut self) -> Result<(), HistoryError> {
        let view = &mut self.view;
        view.mark();
        self.history.read_on(|event| view.apply(&event), |_, _| {}).await
    }

    fn view(&self) -> &View {
        &self.view
    }

    fn begins(&self) -> Option<Timestamp> {
        self.history.begins()
    }

    async fn turn(&self) -> Result<LeaseGuard, LeadershipLost> {
        match self.lock {
            Some(lock) => lock.turn().await,
            None => Err(LeadershipLost::Undecided),
        }
    }

    async fn publish(
        &self,
        found: &Fetched,
        time: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError> {
        self.reconciler.pipeline.publish_fetched_profile(found, time, last).await
    }
}

/// Counts what is found, and passes it on.
struct Teller<'t> {
    summary: Summary,
    metrics: &'t Metrics,
    observer: &'t mut dyn Observer,
}

impl Teller<'_> {
    fn compared(&mut self) {
        self.summary.profiles += 1;
        self.observer.progress(Progress::Comparing(self.summary.profiles, self.summary.missed));
    }

    fn tell(&mut self, finding: &Finding) {
        self.summary.count(finding);
        match &finding.verdict {
            Verdict::Judged(judgement) if !judgement.is_worth_telling() => return,
            Verdict::Judged(_) | Verdict::Failed(_) => {}
            Verdict::Published => self.metrics.reconcile.missed.of(finding.resource).inc(),
        }
        self.observer.found(finding);
    }

    fn unlisted(&mut self, account: &Account, collection: Collection, error: Error) {
        self.summary.failed += 1;
        self.observer.unlisted(&Unlisted::of(account, collection, error));
    }
}
