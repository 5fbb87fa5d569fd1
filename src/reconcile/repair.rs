//! Publishes missed status changes while callbacks keep arriving and other replicas keep publishing.
//!
//! A repair fetches the profile and then reads the topic to its end. If no record of the profile was written since the
//! last read, the fetched status is newer than every record in the topic, and the repair publishes it. Then it reads
//! the topic once more. If another writer published an event of the profile just before, the repair fetches the profile
//! again.
//!
//! Records that are written after that last read are left to the next run. So the repair guarantees that the view of
//! consumers converges to Trust Hub, but not the order of events.

use std::time::Duration;

use futures_util::future::join_all;
use trusthub_client::{Error, Fetched};

use super::{
    candidate::RepairCandidate,
    client_error::describe,
    finding::{Action, Finding},
    plan::{Comparison, classify},
    run_error::RunError,
    view::{ProfileHistory, View},
};
use crate::{
    domain::{DataSchema, DeliveryError, ProfileNotice, RecordPosition, Status, Timestamp},
    kafka::{LeadershipLost, TopicReadError},
};

/// How often a run fetches one profile at most. If a callback arrived each time in between, callbacks keep the profile
/// current.
const MAX_ROUNDS: u32 = 5;

/// The external services that a repair uses: Trust Hub, the topic, the leader election and the pipeline.
pub(super) trait Backend {
    /// The current time of the event clock.
    fn time(&self) -> Timestamp;

    /// How long after a change its callback may still arrive.
    fn grace(&self) -> Duration;

    /// Fetches a profile from Trust Hub.
    async fn fetch(&self, candidate: &RepairCandidate) -> Result<Fetched, Error>;

    /// Sets the mark of the view, and reads the topic to its end.
    async fn read_to_end(&mut self) -> Result<(), TopicReadError>;

    /// What consumers believe, as far as the topic has been read.
    fn view(&self) -> &View;

    /// The time since which the topic contains every published event.
    fn history_start(&self) -> Option<Timestamp>;

    /// Keeps the leadership while it exists, so that no other process repairs.
    type Lease;

    /// Acquires a lease, or fails if this process does not lead.
    async fn acquire_lease(&self) -> Result<Self::Lease, LeadershipLost>;

    /// Publishes the fetched status, and returns the id of the event when the event is durable.
    async fn publish(
        &self,
        profile: &Fetched,
        time: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError>;

    /// Whether records with this schema can be written now, and would not wait in front of others.
    fn can_write(&self, schema: DataSchema) -> bool;

    /// Publishes a notice, and returns its id when it is durable.
    async fn publish_notice(&self, notice: ProfileNotice) -> Result<String, DeliveryError>;
}

/// A candidate and the response to its fetch.
struct FetchedCandidate {
    candidate: RepairCandidate,
    /// The position of the last record of the profile when the fetch started.
    last: Option<RecordPosition>,
    fetched_at: Timestamp,
    response: Result<Fetched, Error>,
}

/// An event to publish.
struct DueEvent {
    candidate: RepairCandidate,
    profile: Fetched,
    time: Timestamp,
    last: Option<RecordPosition>,
    believed: Option<Status>,
}

/// The next step for a profile.
enum NextStep {
    Report(Finding),
    Publish(Box<DueEvent>),
    FetchAgain(RepairCandidate),
}

/// Publishes the current status of these profiles where it is still missing. Passes the finding for each profile to
/// `report`.
pub(super) async fn repair<B: Backend>(
    backend: &mut B,
    mut candidates: Vec<RepairCandidate>,
    baseline: bool,
    report: &mut (dyn FnMut(Finding) + Send),
) -> Result<(), RunError> {
    for _ in 0..MAX_ROUNDS {
        if candidates.is_empty() {
            return Ok(());
        }
        let fetched = join_all(candidates.drain(..).map(|candidate| fetch(backend, candidate))).await;
        backend.read_to_end().await?;
        let mut due = Vec::new();
        for candidate in fetched {
            match decide(backend, candidate, baseline) {
                NextStep::Report(finding) => report(finding),
                NextStep::Publish(event) => due.push(*event),
                NextStep::FetchAgain(candidate) => candidates.push(candidate),
            }
        }
        candidates.extend(publish(backend, due, report).await?);
    }
    for candidate in candidates {
        let believed = believed(backend.view(), &candidate);
        report(Finding::of_candidate(&candidate, believed, Action::NotPublished(Comparison::TooRecent)));
    }
    Ok(())
}

fn believed(view: &View, candidate: &RepairCandidate) -> Option<Status> {
    seen(view, candidate).map(|seen| seen.belief.status)
}

fn seen<'v>(view: &'v View, candidate: &RepairCandidate) -> Option<&'v ProfileHistory> {
    view.of(&candidate.account, &candidate.profile)
}

async fn fetch<B: Backend>(backend: &B, candidate: RepairCandidate) -> FetchedCandidate {
    let last = seen(backend.view(), &candidate).map(|seen| seen.last);
    let fetched_at = backend.time();
    let response = backend.fetch(&candidate).await;
    FetchedCandidate { candidate, last, fetched_at, response }
}

fn decide<B: Backend>(backend: &B, fetched: FetchedCandidate, baseline: bool) -> NextStep {
    let FetchedCandidate { candidate, last, fetched_at, response } = fetched;
    let seen = seen(backend.view(), &candidate);
    let belief = seen.map(|seen| &seen.belief);
    let believed = belief.map(|belief| belief.status);
    let profile = match response {
        Ok(profile) => profile,
        Err(error) => {
            return NextStep::Report(Finding::of_candidate(&candidate, believed, Action::Failed(describe(&error))));
        }
    };
    let comparison = classify(&profile, belief, backend.history_start(), backend.time(), backend.grace());
    if !comparison.needs_event(baseline) {
        return NextStep::Report(Finding::of_profile(&profile, believed, Action::NotPublished(comparison)));
    }
    if seen.map(|seen| seen.last) != last {
        return NextStep::FetchAgain(candidate);
    }
    // Every record that the topic had before the fetch is older than the response, even if the clock of its writer was
    // ahead.
    let time = belief.map_or(fetched_at, |belief| fetched_at.max(belief.time));
    NextStep::Publish(Box::new(DueEvent { candidate, profile, time, last, believed }))
}

/// Publishes the events, and returns the profiles of which another writer published an event meanwhile.
async fn publish<B: Backend>(
    backend: &mut B,
    due: Vec<DueEvent>,
    report: &mut (dyn FnMut(Finding) + Send),
) -> Result<Vec<RepairCandidate>, RunError> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let lease = backend.acquire_lease().await?;
    let results = join_all(due.iter().map(|due| backend.publish(&due.profile, due.time, due.last))).await;
    drop(lease);
    let mut error = None;
    let mut published = Vec::new();
    for (DueEvent { candidate, profile, believed, .. }, result) in due.into_iter().zip(results) {
        match result {
            Ok(id) => {
                report(Finding::of_profile(&profile, believed, Action::Published(id.clone())));
                published.push((candidate, id));
            }
            Err(DeliveryError::RefusedByTopics) => {
                let rejected = Action::Failed("the topic rejects the event".to_owned());
                report(Finding::of_profile(&profile, believed, rejected));
            }
            Err(reason) => error = Some(RunError::NotDurable(reason)),
        }
    }
    if let Some(error) = error {
        return Err(error);
    }
    backend.read_to_end().await?;
    let view = backend.view();
    published.retain(|(candidate, id)| view.has_another_since_mark(&candidate.account, &candidate.profile, id));
    Ok(published.into_iter().map(|(candidate, _)| candidate).collect())
}
