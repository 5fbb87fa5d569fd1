//! One run: reads the topic, compares every profile of every account, and publishes missed changes.

mod backend;

use std::{
    collections::HashSet,
    mem,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::TryStreamExt as _;
use trusthub_client::{AccountClient, Collection, Credentials, Listing, Profile, TrustHub};

use super::{
    candidate::RepairCandidate,
    deletions::{CompleteLists, Unlisted, delete},
    finding::{Action, Finding},
    metrics::ReconcileMetrics,
    notices::{DueNotice, publish_notices},
    numbers::{NumberInSid, number},
    observer::{Observer, ReconcileProgress},
    plan::classify,
    repair::{Backend as _, repair},
    report::{ReconcileSummary, Reporter},
    run_error::RunError,
    service_urls::ServiceUrls,
    takeover::result_after_takeover,
    view::View,
};
use crate::{
    config::KafkaConfig,
    domain::{ProfileSid, ReconcileResult, Timestamp, state::ProfileState},
    kafka::{KnownStates, LeaderElection, LeaderTask, TopicReader, ValueEncoder},
    normalize::description,
    pipeline::Pipeline,
};

/// How many profiles are fetched and published concurrently.
const BATCH: usize = 64;

/// The options of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RunOptions {
    /// Only report; publish nothing.
    pub dry_run: bool,
    /// Also publish profiles that last changed before the topic's history starts, and give drafts a state.
    pub baseline: bool,
    /// Publish deletions even of most of the profiles of an account.
    pub delete_many: bool,
}

/// Compares Trust Hub with the topic, and publishes missed changes through the pipeline.
pub(crate) struct Reconciler {
    trusthub: TrustHub,
    pub(super) kafka: KafkaConfig,
    pipeline: Arc<Pipeline>,
    pub(super) metrics: Arc<ReconcileMetrics>,
    grace: Duration,
    service_urls: ServiceUrls,
    encoder: Option<ValueEncoder>,
}

impl Reconciler {
    /// Creates a reconciler that ignores changes within `grace`. `kafka` must be the configuration of the cluster to which
    /// `pipeline` publishes.
    #[must_use]
    pub(crate) fn new(
        trusthub: TrustHub,
        kafka: KafkaConfig,
        pipeline: Arc<Pipeline>,
        metrics: Arc<ReconcileMetrics>,
        grace: Duration,
    ) -> Self {
        Self { trusthub, kafka, pipeline, metrics, grace, service_urls: ServiceUrls::default(), encoder: None }
    }

    /// Publishes no notice that this encoder cannot encode yet.
    #[must_use]
    pub(crate) fn with_encoder(self, encoder: ValueEncoder) -> Self {
        Self { encoder: Some(encoder), ..self }
    }

    /// Counts the profiles whose status callback is none of these URLs. Without them, nothing shows that number.
    #[must_use]
    pub(crate) fn with_service_urls(self, service_urls: ServiceUrls) -> Self {
        Self { service_urls, ..self }
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
            LeaderElection::campaign(LeaderTask::Reconcile, &self.kafka, &self.metrics.operations).await?
        };
        let result = if election.is_some() || options.dry_run {
            let mut run = ReconcileRun::new(self, topic, election.as_ref());
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

/// The state of one run.
struct ReconcileRun<'r> {
    reconciler: &'r Reconciler,
    topic: TopicReader,
    election: Option<&'r LeaderElection>,
    view: View,
    /// The number of states with which the view began; `None` if it began empty.
    states: Option<u64>,
    /// Whether the view has what the states of other accounts hide.
    has_hidden: bool,
    /// Every profile that an account listed.
    listed: HashSet<NumberInSid>,
}

impl<'r> ReconcileRun<'r> {
    fn new(reconciler: &'r Reconciler, topic: TopicReader, election: Option<&'r LeaderElection>) -> Self {
        let (view, states, has_hidden, listed) = (View::default(), None, false, HashSet::new());
        Self { reconciler, topic, election, view, states, has_hidden, listed }
    }

    async fn compare(
        &mut self,
        accounts: &[Credentials],
        options: RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<ReconcileSummary, RunError> {
        let (began, trusthub) = (Instant::now(), &self.reconciler.trusthub);
        let requests = trusthub.requests();
        self.read_states().await?;
        let view = &mut self.view;
        self.topic
            .read_to_end(
                |event| view.apply(&event),
                |read, total| observer.progress(ReconcileProgress::Reading(read, total)),
            )
            .await?;
        let mut reporter =
            Reporter { summary: ReconcileSummary::default(), metrics: &self.reconciler.metrics, observer };
        let mut lists = Vec::new();
        for credentials in accounts {
            let client = trusthub.account(credentials.clone());
            let mut complete = Vec::new();
            for collection in Collection::ALL {
                if self.compare_list(&client, collection, options, &mut reporter).await? {
                    complete.push(collection);
                }
            }
            lists.push(CompleteLists { client, complete });
        }
        if self.view.has_states() {
            self.delete_unlisted(&lists, options, &mut reporter).await?;
        }
        let Reporter { summary, .. } = reporter;
        Ok(ReconcileSummary {
            accounts: accounts.len(),
            records: self.view.records(),
            states: self.states,
            requests: trusthub.requests().saturating_sub(requests),
            took: began.elapsed(),
            ..summary
        })
    }

    /// Begins the view with the states of profiles, if these are complete.
    async fn read_states(&mut self) -> Result<(), RunError> {
        let Reconciler { kafka, metrics, .. } = self.reconciler;
        let set_state = |view: &mut View, profile: ProfileSid, state: Option<ProfileState>| {
            view.set_state(&profile, state.as_ref());
        };
        let known = self.topic.begin_after_states((kafka, &metrics.operations), View::of_states(), set_state).await?;
        if let Some(KnownStates { states, records, .. }) = known {
            (self.view, self.states) = (states, Some(records));
        }
        Ok(())
    }

    /// Reads the whole topic, once, for what accounts published about profiles whose states name others.
    async fn read_hidden(&mut self) -> Result<(), RunError> {
        let Reconciler { kafka, metrics, .. } = self.reconciler;
        let mut topic = TopicReader::open(kafka, &metrics.operations).await?;
        let mut complete = View::default();
        let read = topic.read_to_end(|event| complete.apply(&event), |_, _| {}).await;
        topic.close().await;
        read?;
        self.view.add_hidden(complete);
        self.has_hidden = true;
        Ok(())
    }

    /// Keeps at most one page and one batch of profiles in memory. Returns whether the list could be read completely.
    async fn compare_list(
        &mut self,
        account: &AccountClient,
        collection: Collection,
        options: RunOptions,
        reporter: &mut Reporter<'_>,
    ) -> Result<bool, RunError> {
        let listed_at = self.time();
        let mut profiles = pin!(account.list(collection, &Listing::default()));
        let (mut candidates, mut descriptions, mut is_complete) = (Vec::new(), Vec::new(), true);
        loop {
            let listed = profiles.try_next().await;
            let at_end = matches!(listed, Ok(None));
            match listed {
                Ok(Some(profile)) => {
                    if !self.has_hidden && self.view.is_hidden(&profile.account_sid, &profile.sid) {
                        self.read_hidden().await?;
                    }
                    match self.compare_profile((account, listed_at), collection, options, profile, reporter) {
                        Due::Repair(candidate) => candidates.push(candidate),
                        Due::Description(notice) => descriptions.push(*notice),
                        Due::Nothing => {}
                    }
                }
                Ok(None) => {}
                // After a profile that cannot be parsed the list continues; any other error ends the list.
                Err(error) => {
                    is_complete = false;
                    reporter.list_failed(account, collection, error);
                }
            }
            let is_due = |count| count >= BATCH || (at_end && count > 0);
            if is_due(candidates.len()) {
                let batch = mem::take(&mut candidates);
                repair(self, batch, options.baseline, &mut |finding| reporter.found(&finding)).await?;
            }
            if is_due(descriptions.len()) {
                let batch = mem::take(&mut descriptions);
                publish_notices(self, batch, &mut |finding| reporter.found(&finding)).await?;
            }
            if at_end {
                return Ok(is_complete);
            }
        }
    }

    /// Compares a listed profile, and returns what may be missing.
    fn compare_profile(
        &mut self,
        (client, listed_at): (&AccountClient, Timestamp),
        collection: Collection,
        options: RunOptions,
        profile: Profile,
        reporter: &mut Reporter<'_>,
    ) -> Due {
        self.reconciler.pipeline.confirm_owner(&profile);
        self.listed.insert(number(profile.sid.as_str()));
        let known = self.view.of(&profile.account_sid, &profile.sid);
        let belief = known.map(|known| &known.belief);
        let comparison = classify(&profile, belief, self.history_start(), self.time(), self.reconciler.grace);
        let has_callback = self.reconciler.service_urls.has(profile.status_callback.as_deref());
        reporter.count_compared(profile.resource, has_callback);
        let believed = belief.map(|belief| belief.status);
        if comparison.needs_event(options.baseline) && !options.dry_run {
            return Due::Repair(RepairCandidate {
                client: client.clone(),
                account: profile.account_sid,
                collection,
                profile: profile.sid,
            });
        }
        reporter.found(&Finding::of_profile(&profile, believed, Action::NotPublished(comparison)));
        if !self.view.has_states() || !comparison.needs_description(known, &profile, options.baseline) {
            return Due::Nothing;
        }
        let finding = Finding::of_profile(&profile, believed, Action::Described(None));
        if options.dry_run {
            reporter.found(&finding);
            return Due::Nothing;
        }
        Due::Description(Box::new(DueNotice {
            notice: description(&profile, listed_at, known.map(|known| known.last)),
            finding,
        }))
    }

    /// Publishes the deletions of profiles that have a state, and that Trust Hub does not have any more.
    async fn delete_unlisted(
        &mut self,
        lists: &[CompleteLists],
        options: RunOptions,
        reporter: &mut Reporter<'_>,
    ) -> Result<(), RunError> {
        for lists in lists {
            let unlisted = Unlisted::find(&self.view, lists, &self.listed);
            if unlisted.are_too_many() && !options.delete_many {
                reporter.withheld(&lists.client, unlisted.count());
                continue;
            }
            delete(self, unlisted, options.dry_run, &mut |finding| reporter.found(&finding)).await?;
        }
        Ok(())
    }
}

/// What may be missing about a profile.
enum Due {
    /// The event of its status.
    Repair(RepairCandidate),
    /// Its details.
    Description(Box<DueNotice>),
    Nothing,
}
