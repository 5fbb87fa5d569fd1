//! Makes consumers believe what Trust Hub says, while callbacks go on coming and other replicas go on publishing.
//!
//! A profile is asked for, and after that the topic is read to its end. If nothing was written about it since the end was
//! seen last, what was asked for is newer than everything that stands there, and is published. Then the topic is read once
//! more: if somebody else wrote about the profile just before us, the profile is asked for again.
//!
//! What is written after that look is the affair of the next run. So this promises that consumers' view becomes right, and
//! not an order.

use futures_util::future::join_all;

use super::{
    Finding, Stop, Verdict,
    plan::{Judgement, judge},
    view::View,
};
use crate::{
    domain::{DeliveryError, ProfileSid, RecordPosition, Status, Timestamp},
    kafka::{HistoryError, LeadershipLost},
    trusthub::{Account, Collection, Error, Fetched},
};

/// So often one profile is asked for in a run. Callbacks about it that came as often in between know better.
const ROUNDS: u32 = 5;

/// A profile that seems to have a status that consumers do not have.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) account: Account,
    pub(super) collection: Collection,
    pub(super) profile: ProfileSid,
}

/// What a repair needs of the world.
pub(super) trait World {
    /// The time, as events have it.
    fn time(&self) -> Timestamp;

    /// Asks Trust Hub for a profile.
    async fn fetch(&self, candidate: &Candidate) -> Result<Fetched, Error>;

    /// Marks the view, and reads the topic to its end.
    async fn read_on(&mut self) -> Result<(), HistoryError>;

    /// What consumers believe, as far as the topic was read.
    fn view(&self) -> &View;

    /// Since when the topic has everything.
    fn begins(&self) -> Option<Timestamp>;

    /// While this lives, nobody else publishes what is missed.
    type LeaseGuard;

    /// Takes a turn, unless it is another's.
    async fn turn(&self) -> Result<Self::LeaseGuard, LeadershipLost>;

    /// Publishes what was fetched, and returns the event's id when it is durable.
    async fn publish(
        &self,
        found: &Fetched,
        time: Timestamp,
        last: Option<RecordPosition>,
    ) -> Result<String, DeliveryError>;
}

/// A profile that was asked for.
struct Asked {
    candidate: Candidate,
    /// The last record about it when it was asked for.
    last: Option<RecordPosition>,
    at: Timestamp,
    answer: Result<Fetched, Error>,
}

/// An event to be published.
struct Due {
    candidate: Candidate,
    found: Fetched,
    time: Timestamp,
    last: Option<RecordPosition>,
    believed: Option<Status>,
}

/// What is to be done about a profile.
enum Next {
    Tell(Finding),
    Publish(Box<Due>),
    AskAgain(Candidate),
}

/// Publishes what these profiles are now, as far as it is still to be published; tells of each what became of it.
pub(super) async fn repair<W: World>(
    world: &mut W,
    mut candidates: Vec<Candidate>,
    baseline: bool,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<(), Stop> {
    for _ in 0..ROUNDS {
        if candidates.is_empty() {
            return Ok(());
        }
        let asked = join_all(candidates.drain(..).map(|candidate| ask(world, candidate))).await;
        world.read_on().await?;
        let mut due = Vec::new();
        for asked in asked {
            match decide(world, asked, baseline) {
                Next::Tell(finding) => tell(finding),
                Next::Publish(event) => due.push(*event),
                Next::AskAgain(candidate) => candidates.push(candidate),
            }
        }
        candidates.extend(publish(world, due, tell).await?);
    }
    for candidate in candidates {
        let believed = believed(world.view(), &candidate.profile);
        tell(Finding::of(&candidate, believed, Verdict::Judged(Judgement::TooRecent)));
    }
    Ok(())
}

fn believed(view: &View, profile: &ProfileSid) -> Option<Status> {
    view.of(profile).map(|seen| seen.belief.status)
}

async fn ask<W: World>(world: &W, candidate: Candidate) -> Asked {
    let last = world.view().of(&candidate.profile).map(|seen| seen.last);
    let at = world.time();
    let answer = world.fetch(&candidate).await;
    Asked { candidate, last, at, answer }
}

fn decide<W: World>(world: &W, asked: Asked, baseline: bool) -> Next {
    let Asked { candidate, last, at, answer } = asked;
    let seen = world.view().of(&candidate.profile);
    let belief = seen.map(|seen| &seen.belief);
    let believed = belief.map(|belief| belief.status);
    let found = match answer {
        Ok(found) => found,
        Err(error) => return Next::Tell(Finding::of(&candidate, believed, Verdict::Failed(error.to_string()))),
    };
    let judgement = judge(&found, belief, world.begins(), world.time());
    if !judgement.calls_for_an_event(baseline) {
        return Next::Tell(Finding::of_profile(&found, believed, Verdict::Judged(judgement)));
    }
    if seen.map(|seen| seen.last) != last {
        return Next::AskAgain(candidate);
    }
    // What the topic had before we asked is older than the answer, even if the clock of its writer was ahead.
    let time = belief.map_or(at, |belief| at.max(belief.time));
    Next::Publish(Box::new(Due { candidate, found, time, last, believed }))
}

/// Publishes, and returns the profiles of which somebody else wrote meanwhile.
async fn publish<W: World>(
    world: &mut W,
    due: Vec<Due>,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<Vec<Candidate>, Stop> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let turn = world.turn().await?;
    let results = join_all(due.iter().map(|due| world.publish(&due.found, due.time, due.last))).await;
    drop(turn);
    let mut stop = None;
    let mut published = Vec::new();
    for (Due { candidate, found, believed, .. }, result) in due.into_iter().zip(results) {
        match result {
            Ok(id) => {
                tell(Finding::of_profile(&found, believed, Verdict::Published));
                published.push((candidate, id));
            }
            Err(DeliveryError::RefusedByTopics) => {
                let refused = Verdict::Failed("its topic refuses the event".to_owned());
                tell(Finding::of_profile(&found, believed, refused));
            }
            Err(reason) => stop = Some(Stop::NotDurable(reason)),
        }
    }
    if let Some(stop) = stop {
        return Err(stop);
    }
    world.read_on().await?;
    let view = world.view();
    published.retain(|(candidate, id)| view.has_another_since_mark(&candidate.profile, id));
    Ok(published.into_iter().map(|(candidate, _)| candidate).collect())
}
