//! What is made durable: a record, and what takes its place if its topic refuses it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Destination, Event, ProfileSid, RawCallback, Timestamp, Unprocessable},
    publish::Record,
};

/// A record and how else it may be kept.
pub(super) struct Parcel {
    pub(super) record: Record,
    instead: Instead,
}

/// What becomes of a record that its topic refuses.
enum Instead {
    /// An event becomes the dead letter of its request, which is made only when it is needed.
    Request { raw: Arc<RawCallback>, profile: ProfileSid, received_at: Timestamp },
    /// The same, made already.
    DeadLetter(Record),
    /// A dead letter has no other form than the one that is cut, and an event that was found has none.
    Nothing,
}

/// How the spool keeps a parcel: one JSON object.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored<R> {
    /// The record.
    pub(super) record: R,
    /// The dead letter of an event.
    pub(super) instead: Option<R>,
}

impl Parcel {
    pub(super) fn event(event: &Event, raw: &Arc<RawCallback>) -> serde_json::Result<Self> {
        let instead = Instead::Request {
            raw: Arc::clone(raw),
            profile: event.data.profile_sid.clone(),
            received_at: event.data.received_at,
        };
        Ok(Self { record: Record::event(event)?, instead })
    }

    /// A dead letter, or an event without a request: whoever found it finds it again.
    pub(super) fn alone(record: Record) -> Self {
        Self { record, instead: Instead::Nothing }
    }

    pub(super) fn is_dead_letter(&self) -> bool {
        self.record.destination == Destination::DeadLetters
    }

    /// What may take its place, best first.
    pub(super) fn substitutes(&self) -> impl Iterator<Item = Record> {
        let dead_letter = self.instead.dead_letter();
        let cut = dead_letter.as_ref().unwrap_or(&self.record).cut();
        dead_letter.into_iter().chain(cut)
    }

    pub(super) fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let instead = self.instead.dead_letter();
        serde_json::to_vec(&Stored { record: &self.record, instead: instead.as_ref() })
    }

    pub(super) fn decode(bytes: &[u8]) -> serde_json::Result<Self> {
        let Stored { record, instead } = serde_json::from_slice(bytes)?;
        Ok(Self { record, instead: instead.map_or(Instead::Nothing, Instead::DeadLetter) })
    }
}

impl Instead {
    fn dead_letter(&self) -> Option<Record> {
        match self {
            Self::Request { raw, profile, received_at } => {
                Record::dead_letter(raw, Unprocessable::RefusedByTopic, Some(profile), *received_at).ok()
            }
            Self::DeadLetter(record) => Some(record.clone()),
            Self::Nothing => None,
        }
    }
}
