//! Publishes the events of dead letters.

use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::time::{sleep, timeout};

use super::{
    status::{KeepReason, LetterStatus, RepeatedLetters, ReplayableEvent, SurveyedLetter},
    survey::{LetterObserver, LetterSurvey, SurveyProgress, SurveyRound},
    suspension::SuspensionWatch,
};
use crate::{
    deliver::OrderedPublisher,
    domain::{FailureClass, Label as _, PublishFailure, RecordPosition},
    kafka::{EventIdSearch, LeaderElection, LeaderElectionError, LeaderTask, LeadershipLost, TopicReadError},
};

/// How long letters are published under one lease. The events that others have published are read again under each lease.
const LEASE_TIME: Duration = Duration::from_secs(1);

/// How long it may take under a lease to read the events that were written since they were read last.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the process keeps its lease, and reads the topic, when Kafka has not said whether it wrote an event.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
const SETTLE_INTERVAL: Duration = Duration::from_millis(500);

/// Why a replay ended early. Events that it published before are durable, and the next replay finds them.
#[derive(Debug, Error)]
pub(crate) enum ReplayError {
    /// A topic cannot be read.
    #[error(transparent)]
    Read(#[from] TopicReadError),
    /// It is unknown which process leads.
    #[error(transparent)]
    Election(#[from] LeaderElectionError),
    /// The events that are written meanwhile cannot be read in time.
    #[error("cannot read the new events of topic {topic} within {} s; run the command again", READ_TIMEOUT.as_secs())]
    Behind {
        /// The event topic.
        topic: String,
    },
    /// Another process replays letters.
    #[error(
        "another process is replaying dead letters to this topic; wait until it has ended, and run the command again"
    )]
    AnotherLeads,
    /// The group has elected no leader.
    #[error("lost the lead of the replay, and Kafka has elected no other leader; run the command again")]
    Undecided,
    /// Kafka did not acknowledge an event.
    #[error("cannot publish to topic {topic}: {}{}", .reason.as_str(), cure(*.reason))]
    NotPublished {
        /// The topic.
        topic: String,
        /// The class of the failure.
        reason: PublishFailure,
    },
}

fn cure(reason: PublishFailure) -> &'static str {
    match reason {
        PublishFailure::Authorization => "; grant the permission WRITE on the topic with kafka-acls",
        _ => "; run the command again when Kafka accepts records, it continues with this event",
    }
}

impl From<LeadershipLost> for ReplayError {
    fn from(lost: LeadershipLost) -> Self {
        match lost {
            LeadershipLost::ToAnother => Self::AnotherLeads,
            LeadershipLost::Undecided => Self::Undecided,
        }
    }
}

/// Publishes the events of all selected letters that can become one, in the order of receipt, and passes each letter with its
/// result to the observer. Returns how many records of the topic are no dead letters of this service.
///
/// # Errors
/// [`ReplayError`].
pub(crate) async fn replay(
    survey: &LetterSurvey<'_>,
    publisher: &mut OrderedPublisher,
    observer: &mut dyn LetterObserver,
) -> Result<u64, ReplayError> {
    let election = LeaderElection::campaign(LeaderTask::Replay, survey.kafka, survey.operations).await?;
    let election = election.ok_or(ReplayError::AnotherLeads)?;
    let mut replay = Replay { survey, election: &election, publisher, repeated: RepeatedLetters::default() };
    let result = replay.run(observer).await;
    election.resign().await;
    result
}

struct Replay<'a> {
    survey: &'a LetterSurvey<'a>,
    election: &'a LeaderElection,
    publisher: &'a mut OrderedPublisher,
    repeated: RepeatedLetters,
}

impl Replay<'_> {
    async fn run(&mut self, observer: &mut dyn LetterObserver) -> Result<u64, ReplayError> {
        let mut after = None;
        loop {
            let (round, others) = self.survey.next_round(after, observer).await?;
            let Some(mut round) = round else { return Ok(others) };
            self.repeated.begin_round();
            round.events.refresh(|read, total| observer.progress(SurveyProgress::Events(read, total))).await?;
            self.replay_round(&mut round, observer).await?;
            round.events.close().await;
            if round.end.is_none() {
                return Ok(others);
            }
            after = round.end;
        }
    }

    async fn replay_round(
        &mut self,
        round: &mut SurveyRound,
        observer: &mut dyn LetterObserver,
    ) -> Result<(), ReplayError> {
        while !round.letters.is_empty() {
            let mut suspension = SuspensionWatch::start();
            self.replay_under_lease(round, &mut suspension, observer).await?;
            // Only Kafka knows whether another process leads now, and while a lease is held it cannot tell.
            if suspension.was_suspended() && self.election.is_taken_over().await {
                return Err(ReplayError::AnotherLeads);
            }
        }
        Ok(())
    }

    /// Replays letters for [`LEASE_TIME`], and at least one, unless the process was suspended.
    async fn replay_under_lease(
        &mut self,
        round: &mut SurveyRound,
        suspension: &mut SuspensionWatch,
        observer: &mut dyn LetterObserver,
    ) -> Result<(), ReplayError> {
        let _lease = suspension.during(self.election.acquire_lease()).await?;
        let read = suspension.during(timeout(READ_TIMEOUT, round.events.refresh(|_, _| {}))).await;
        read.map_err(|_| ReplayError::Behind { topic: self.survey.kafka.topic.clone() })??;
        let began = Instant::now();
        while !suspension.was_suspended()
            && let Some(letter) = round.letters.pop_front()
        {
            let letter = self.repeated.survey(letter, &round.events);
            let letter = suspension.during(self.replay_letter(letter, &mut round.events)).await?;
            observer.letter(&letter);
            if began.elapsed() >= LEASE_TIME {
                break;
            }
        }
        Ok(())
    }

    async fn replay_letter(
        &mut self,
        letter: SurveyedLetter,
        events: &mut EventIdSearch,
    ) -> Result<SurveyedLetter, ReplayError> {
        let LetterStatus::Replayable(ReplayableEvent { event, shared_id }) = &letter.status else { return Ok(letter) };
        let status = match self.publisher.publish(event, shared_id.as_deref()).await {
            Ok(position) => LetterStatus::Replayed(position),
            Err(reason) if reason.class() == FailureClass::Record => LetterStatus::Kept(KeepReason::Rejected),
            Err(reason) => match settle(reason, &event.id, events).await {
                Some(position) => LetterStatus::Replayed(position),
                None => {
                    return Err(ReplayError::NotPublished { topic: self.survey.kafka.topic.clone(), reason });
                }
            },
        };
        Ok(SurveyedLetter { status, ..letter })
    }
}

/// Waits until the topic has an event that Kafka did not acknowledge. It may still write the event, and the next process must
/// not read the topic before that. Returns the position, or `None` if Kafka cannot have written it or does not in time.
async fn settle(reason: PublishFailure, id: &str, events: &mut EventIdSearch) -> Option<RecordPosition> {
    if !matches!(reason.class(), FailureClass::Outage | FailureClass::Fatal) {
        return None;
    }
    let search = async {
        loop {
            // As long as Kafka does not answer, it may not have written the event either.
            let _ = events.refresh(|_, _| {}).await;
            if let Some(position) = events.position(id) {
                return position;
            }
            sleep(SETTLE_INTERVAL).await;
        }
    };
    timeout(SETTLE_TIMEOUT, search).await.ok()
}
