//! Publishes the events of dead letters.

use std::time::{Duration, Instant};

use thiserror::Error;

use super::{
    status::{KeepReason, LetterStatus, SurveyedLetter},
    survey::{LetterObserver, LetterSurvey, SurveyProgress, SurveyRound},
};
use crate::{
    deliver::OrderedPublisher,
    domain::{FailureClass, Label as _, PublishFailure},
    kafka::{LeaderElection, LeaderElectionError, LeaderTask, LeadershipLost, TopicReadError},
};

/// How long one lease is used. The events that others have published are read again under each lease.
const LEASE_TIME: Duration = Duration::from_secs(1);

/// A process that took longer for one step may have been suspended, and have lost its leadership without knowing.
const MAX_STEP: Duration = Duration::from_secs(4);

/// Why a replay ended early. Events that it published before are durable, and the next replay finds them.
#[derive(Debug, Error)]
pub(crate) enum ReplayError {
    /// A topic cannot be read.
    #[error(transparent)]
    Read(#[from] TopicReadError),
    /// It is unknown which process leads.
    #[error(transparent)]
    Election(#[from] LeaderElectionError),
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
    let result = Replay { survey, election: &election, publisher, last_step: Instant::now() }.run(observer).await;
    election.resign().await;
    result
}

struct Replay<'a> {
    survey: &'a LetterSurvey<'a>,
    election: &'a LeaderElection,
    publisher: &'a mut OrderedPublisher,
    /// When the last step under a lease ended.
    last_step: Instant,
}

impl Replay<'_> {
    async fn run(&mut self, observer: &mut dyn LetterObserver) -> Result<u64, ReplayError> {
        let mut after = None;
        loop {
            let (round, others) = self.survey.next_round(after, observer).await?;
            let Some(mut round) = round else { return Ok(others) };
            round.events.refresh(|read, total| observer.progress(SurveyProgress::Events(read, total))).await?;
            self.last_step = Instant::now();
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
        round.letters.retain(|letter| letter.is_selected);
        while !round.letters.is_empty() {
            self.check_suspension().await?;
            let _lease = self.election.acquire_lease().await?;
            let began = Instant::now();
            round.events.refresh(|_, _| {}).await?;
            while began.elapsed() < LEASE_TIME
                && let Some(letter) = round.letters.pop_front()
            {
                let letter = self.replay_letter(round.repeated.survey(letter, &round.events)).await?;
                observer.letter(&letter);
            }
            self.last_step = Instant::now();
        }
        Ok(())
    }

    /// A process that was suspended learns only from Kafka that another one leads now.
    async fn check_suspension(&mut self) -> Result<(), ReplayError> {
        let is_suspicious = self.last_step.elapsed() > MAX_STEP;
        if is_suspicious && self.election.is_taken_over().await { Err(ReplayError::AnotherLeads) } else { Ok(()) }
    }

    async fn replay_letter(&mut self, letter: SurveyedLetter) -> Result<SurveyedLetter, ReplayError> {
        let LetterStatus::Replayable(event) = &letter.status else { return Ok(letter) };
        let status = match self.publisher.publish(event).await {
            Ok(position) => LetterStatus::Replayed(position),
            Err(reason) if reason.class() == FailureClass::Record => LetterStatus::Kept(KeepReason::Rejected),
            Err(reason) => {
                return Err(ReplayError::NotPublished { topic: self.survey.kafka.topic.clone(), reason });
            }
        };
        Ok(SurveyedLetter { status, ..letter })
    }
}
