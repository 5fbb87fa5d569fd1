//! What a replay makes of a dead letter.

use std::{borrow::Cow, collections::HashMap};

use thiserror::Error;

use crate::{
    domain::{DeadLetterReason, Event, Label as _, RecordPosition, RejectReason, Resource},
    kafka::{DeadLetterRecord, EventIdSearch},
};

/// How many first letters are remembered from round to round.
const MAX_FIRST_LETTERS: usize = 100_000;

/// Why a letter cannot become an event. The text says it in one sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum KeepReason {
    /// The letter was too large for its topic, and its request is not complete.
    #[error("it was cut from {0} bytes to fit its topic, so its request is not complete")]
    Cut(usize),
    /// The path or the head is not that of a callback.
    #[error("the service would not read it as a callback; its path has to be a callback path below PUBLIC_URL")]
    NotACallback,
    /// Its reason is one of another version.
    #[error("another version of the service wrote it, for a reason that this version does not know")]
    UnknownReason,
    /// The letter does not say that a signature matched.
    #[error("it does not name the construction of its signature, so nothing says that Twilio signed it")]
    NoConstruction,
    /// Trust Hub says that the profile belongs to another account.
    #[error("Trust Hub said that the profile belongs to another account")]
    AccountConflict,
    /// The signature does not match today either.
    #[error("its signature does not match the configured URLs and keys: {}", .0.as_str())]
    SignatureInvalid(RejectReason),
    /// This version cannot read it as an event.
    #[error("this version cannot read it as an event: {}", .0.as_str())]
    Unreadable(DeadLetterReason),
    /// The event topic rejects the event.
    #[error("the event topic rejects its event as too large or invalid; raise max.message.bytes of the topic")]
    Rejected,
}

impl KeepReason {
    /// Whether a diagnosis of the signature may explain it.
    pub(crate) fn is_of_signature(self) -> bool {
        matches!(self, Self::SignatureInvalid(_))
    }

    /// The reason in one word.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Cut(_) => "cut",
            Self::NotACallback => "not_a_callback",
            Self::UnknownReason => "unknown_reason",
            Self::NoConstruction => "no_construction",
            Self::AccountConflict => DeadLetterReason::AccountConflict.as_str(),
            Self::SignatureInvalid(reason) => reason.as_str(),
            Self::Unreadable(reason) => reason.as_str(),
            Self::Rejected => DeadLetterReason::RefusedByTopic.as_str(),
        }
    }
}

/// The event that a letter can become.
#[derive(Debug)]
pub(crate) struct ReplayableEvent {
    pub(super) event: Box<Event>,
    /// The id that all repeats of the callback have in common, if the letter has an id of its own. It is published with the
    /// event, so that every later replay of a repeat finds it.
    pub(super) shared_id: Option<String>,
}

/// What a replay makes of a letter, or has made of it.
#[derive(Debug)]
pub(crate) enum LetterStatus {
    /// It can become this event.
    Replayable(ReplayableEvent),
    /// This replay has published its event there.
    Replayed(RecordPosition),
    /// Its event was in the topic already.
    Published(RecordPosition),
    /// It repeats the callback of this earlier letter, whose event stands for both.
    Repeat(RecordPosition),
    /// It stays a dead letter.
    Kept(KeepReason),
}

/// A letter with what was found out about it.
#[derive(Debug)]
pub(crate) struct SurveyedLetter {
    /// The letter.
    pub letter: DeadLetterRecord,
    /// The kind of profile; `None` if its path is not a callback path.
    pub resource: Option<Resource>,
    /// What a replay makes of it.
    pub status: LetterStatus,
    /// The profile of the event, or else of the letter.
    pub profile: Option<String>,
}

/// A letter and what it can become.
#[derive(Debug)]
pub(super) struct ClassifiedLetter {
    pub(super) letter: DeadLetterRecord,
    pub(super) resource: Option<Resource>,
    pub(super) result: Result<ReplayableEvent, KeepReason>,
    /// Whether Trust Hub has named another account as the owner of the profile since.
    pub(super) is_foreign: bool,
}

impl ClassifiedLetter {
    /// The id that all letters of one callback share. The letters of an unverified callback have ids of their own besides.
    fn shared_id(&self) -> &str {
        let shared = self.result.as_ref().ok().and_then(|replayable| replayable.shared_id.as_deref());
        shared.unwrap_or(&self.letter.event_id)
    }

    /// The ids by which the event of the letter, or of a repeat, is found.
    pub(super) fn event_ids(&self) -> [&str; 2] {
        [&self.letter.event_id, self.shared_id()]
    }

    /// The event, if the letter can become one.
    pub(super) fn event(&self) -> Option<&Event> {
        self.result.as_ref().ok().map(|replayable| replayable.event.as_ref())
    }

    /// The profile of the event, or else of the letter.
    pub(super) fn profile(&self) -> Option<&str> {
        self.event().map(|event| event.data.profile_sid.as_str()).or(self.letter.profile.as_deref())
    }
}

/// Recognizes repeats of one callback among the letters of this run. Those of earlier runs are in the event topic.
#[derive(Debug, Default)]
pub(super) struct RepeatedLetters {
    /// The first letter with each shared id that can become an event.
    first: HashMap<String, RecordPosition>,
}

impl RepeatedLetters {
    /// Limits the memory. To forget is harmless in a replay: the events that it has published are read before each round.
    pub(super) fn begin_round(&mut self) {
        if self.first.len() > MAX_FIRST_LETTERS {
            self.first.clear();
        }
    }

    /// Finds out whether the callback of a letter is an event already, or repeats that of an earlier letter.
    pub(super) fn survey(&mut self, classified: ClassifiedLetter, events: &EventIdSearch) -> SurveyedLetter {
        let event = classified.event_ids().into_iter().find_map(|id| events.position(id));
        let first = self.first.get(classified.shared_id()).copied();
        if classified.result.is_ok() && !classified.is_foreign && first.is_none() {
            self.first.insert(classified.shared_id().to_owned(), classified.letter.position);
        }
        let profile = classified.profile().map(str::to_owned);
        let ClassifiedLetter { letter, resource, result, is_foreign } = classified;
        let status = match (event, result, first) {
            (Some(event), _, _) => LetterStatus::Published(event),
            (None, Err(reason), _) => LetterStatus::Kept(reason),
            (None, Ok(_), _) if is_foreign => LetterStatus::Kept(KeepReason::AccountConflict),
            (None, Ok(_), Some(first)) => LetterStatus::Repeat(first),
            (None, Ok(replayable), None) => LetterStatus::Replayable(replayable),
        };
        SurveyedLetter { letter, resource, status, profile }
    }
}

impl LetterStatus {
    /// The status in one word.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Replayable(_) => "event",
            Self::Replayed(_) => "replayed",
            Self::Published(_) => "done",
            Self::Repeat(_) => "repeat",
            Self::Kept(KeepReason::Cut(_)) => "cut",
            Self::Kept(_) => "stays",
        }
    }

    /// The status in a few words.
    pub(crate) fn summary(&self) -> Cow<'static, str> {
        match self {
            Self::Replayable(_) => "would become an event".into(),
            Self::Replayed(position) => format!("published as {position}").into(),
            Self::Published(position) => format!("is an event already, {position}").into(),
            Self::Repeat(position) => format!("repeats letter {position}").into(),
            Self::Kept(KeepReason::Cut(_)) => "cut: its request is incomplete".into(),
            Self::Kept(reason) => format!("stays: {}", reason.label()).into(),
        }
    }
}
