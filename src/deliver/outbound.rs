//! What is made durable: a record, and what takes its place if its topic refuses it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{DeadLetterReason, Destination, Event, ProfileSid, RawCallback, Timestamp},
    kafka::Record,
};

/// A record and how else it may be kept.
pub(super) struct OutboundRecord {
    pub(super) record: Record,
    fallback: Fallback,
}

/// What becomes of a record that its topic refuses.
enum Fallback {
    /// An event becomes the dead letter of its request, which is made only when it is needed.
    Request { raw: Arc<RawCallback>, profile: ProfileSid, received_at: Timestamp },
    /// The same, made already.
    DeadLetter(Record),
    /// A dead letter has no other form than the one that is cut, and an event of a reconciliation has none.
    None,
}

/// How the spool keeps an outbound record: one JSON object.
#[derive(Serialize, Deserialize)]
pub(super) struct SpooledRecord<R> {
    /// The record.
    pub(super) record: R,
    /// The dead letter that an event becomes when its topic refuses it.
    pub(super) fallback: Option<R>,
}

impl OutboundRecord {
    pub(super) fn event(event: &Event, raw: &Arc<RawCallback>) -> serde_json::Result<Self> {
        let fallback = Fallback::Request {
            raw: Arc::clone(raw),
            profile: event.data.profile_sid.clone(),
            received_at: event.data.received_at,
        };
        Ok(Self { record: Record::event(event)?, fallback })
    }

    /// A dead letter, or an event without a request: the next reconciliation finds it again.
    pub(super) fn alone(record: Record) -> Self {
        Self { record, fallback: Fallback::None }
    }

    pub(super) fn is_dead_letter(&self) -> bool {
        self.record.destination == Destination::DeadLetters
    }

    /// The dead letters that may take its place, best first.
    pub(super) fn fallbacks(&self) -> impl Iterator<Item = Record> {
        let dead_letter = self.fallback.dead_letter();
        let cut = dead_letter.as_ref().unwrap_or(&self.record).cut();
        dead_letter.into_iter().chain(cut)
    }

    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let fallback = self.fallback.dead_letter();
        serde_json::to_vec(&SpooledRecord { record: &self.record, fallback: fallback.as_ref() })
    }

    pub(super) fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        let SpooledRecord { record, fallback } = serde_json::from_slice(bytes)?;
        Ok(Self { record, fallback: fallback.map_or(Fallback::None, Fallback::DeadLetter) })
    }
}

impl Fallback {
    fn dead_letter(&self) -> Option<Record> {
        match self {
            Self::Request { raw, profile, received_at } => {
                Record::dead_letter(raw, DeadLetterReason::RefusedByTopic, Some(profile), *received_at).ok()
            }
            Self::DeadLetter(record) => Some(record.clone()),
            Self::None => None,
        }
    }
}
