//! Reads dead letters, and finds out which of them are events already.

use std::{collections::VecDeque, sync::Arc};

use super::{
    classify::LetterClassifier,
    filter::LetterFilter,
    owners::ConfirmedOwners,
    round::{LetterOrder, Round, RoundLimits},
    status::{ClassifiedLetter, RepeatedLetters, SurveyedLetter},
};
use crate::{
    config::KafkaConfig,
    kafka::{DeadLetterRecord, EventIdSearch, TopicReadError, read_dead_letters},
    telemetry::Operations,
};

/// At most this many letters are in memory. Each round reads both topics.
const ROUND: RoundLimits = RoundLimits { letters: 10_000, bytes: 64 << 20 };

/// How far the reading of a topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SurveyProgress {
    /// So many records of the dead-letter topic were read, of so many.
    Letters(u64, u64),
    /// The same of the event topic.
    Events(u64, u64),
}

/// Sees what a survey or a replay does.
pub(crate) trait LetterObserver {
    /// Called for each letter that is selected, in the order of receipt.
    fn letter(&mut self, letter: &SurveyedLetter);
    /// Called while topics are read.
    fn progress(&mut self, progress: SurveyProgress);
}

/// Reads dead letters and decides about them.
pub(crate) struct LetterSurvey<'a> {
    pub(crate) kafka: &'a KafkaConfig,
    pub(crate) operations: &'a Arc<Operations>,
    pub(crate) classifier: &'a LetterClassifier,
    pub(crate) filter: &'a LetterFilter,
}

/// A round of classified letters in the order of receipt, and the search for their events.
pub(super) struct SurveyRound {
    pub(super) letters: VecDeque<ClassifiedLetter>,
    pub(super) events: EventIdSearch,
    /// Where the next round begins, if there is one.
    pub(super) end: Option<LetterOrder>,
}

impl LetterSurvey<'_> {
    /// Passes all selected letters to the observer. Returns how many records of the topic are no dead letters of this service.
    ///
    /// # Errors
    /// [`TopicReadError`]. The letters until then have been passed to the observer.
    pub(crate) async fn run(&self, observer: &mut dyn LetterObserver) -> Result<u64, TopicReadError> {
        let (mut after, mut repeated) = (None, RepeatedLetters::default());
        loop {
            let (round, others) = self.next_round(after, observer).await?;
            let Some(SurveyRound { letters, mut events, end }) = round else { return Ok(others) };
            repeated.begin_round();
            events.refresh(|read, total| observer.progress(SurveyProgress::Events(read, total))).await?;
            for letter in letters {
                observer.letter(&repeated.survey(letter, &events));
            }
            events.close().await;
            if end.is_none() {
                return Ok(others);
            }
            after = end;
        }
    }

    /// Reads the selected letters after this place, and opens the event topic; no round if there are none. Also returns how many records
    /// are no dead letters.
    pub(super) async fn next_round(
        &self,
        after: Option<LetterOrder>,
        observer: &mut dyn LetterObserver,
    ) -> Result<(Option<SurveyRound>, u64), TopicReadError> {
        let mut round = Round::new(ROUND);
        let read = read_dead_letters(
            self.kafka,
            self.operations,
            |letter| {
                let is_later = after.is_none_or(|after| (letter.time, letter.position) > after);
                if is_later && self.is_selected(&letter) {
                    round.add(letter);
                }
            },
            |read, total| observer.progress(SurveyProgress::Letters(read, total)),
        );
        let others = read.await?;
        let end = round.end();
        let mut letters: VecDeque<_> = round.into_letters().map(|letter| self.classify(letter)).collect();
        self.check_owners(&mut letters, observer).await?;
        let Some(first) = letters.front() else { return Ok((None, others)) };
        let since = first.letter.time;
        let ids = letters.iter().flat_map(ClassifiedLetter::event_ids).map(str::to_owned);
        let events = EventIdSearch::open(self.kafka, self.operations, ids, since).await?;
        Ok((Some(SurveyRound { letters, events, end }), others))
    }

    fn is_selected(&self, letter: &DeadLetterRecord) -> bool {
        let event =
            || self.classifier.classify(letter).ok().map(|replayable| replayable.event.data.profile_sid.to_string());
        self.filter.selects_record(letter) && self.filter.selects_profile(|| event().or_else(|| letter.profile.clone()))
    }

    /// Finds the letters that name another account than the owner of their profile, as the service does with callbacks.
    async fn check_owners(
        &self,
        letters: &mut VecDeque<ClassifiedLetter>,
        observer: &mut dyn LetterObserver,
    ) -> Result<(), TopicReadError> {
        let profiles = letters.iter().filter_map(|letter| letter.event().map(|event| event.data.profile_sid));
        let progress = |read, total| observer.progress(SurveyProgress::Events(read, total));
        let owners = ConfirmedOwners::read(self.kafka, self.operations, profiles, progress).await?;
        for letter in letters {
            letter.is_foreign = letter.event().is_some_and(|event| owners.contradict(&event.data));
        }
        Ok(())
    }

    fn classify(&self, letter: DeadLetterRecord) -> ClassifiedLetter {
        let (resource, result) = (self.classifier.resource(&letter), self.classifier.classify(&letter));
        ClassifiedLetter { letter, resource, result, is_foreign: false }
    }
}
