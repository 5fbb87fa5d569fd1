//! A record of the event topic, and what it says about a profile.

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    bounds::{MAX_ID_BYTES, bounded_details, bounded_errors, bounded_failure_reason, bounded_word, writable},
    outcome::StateOutcome,
    position::Position,
};
use crate::{
    AccountSid, Origin, ProfileDeleted, ProfileDescribed, ProfileSid, ProfileStatusChanged, Timestamp,
    cloud_events::{DELETED_EVENT_TYPE, DESCRIBED_EVENT_TYPE, EVENT_TYPE},
    view::Record,
};

/// A record of the event topic.
#[derive(Debug, Clone, Copy)]
pub struct StateEvent<'a> {
    /// The key of the record.
    pub key: Option<&'a [u8]>,
    /// The headers and the value.
    pub record: Record<'a>,
    /// Where the record is.
    pub position: Position,
}

impl StateEvent<'_> {
    /// The profile that the record is about: its key, or the `profile_sid` of its value if the key is no SID of a profile.
    /// `None` if neither is one. The state of this profile is the one to which the event applies.
    #[must_use]
    pub fn profile(&self) -> Option<ProfileSid> {
        #[derive(Deserialize)]
        struct AboutProfile {
            profile_sid: ProfileSid,
        }

        let key = self.key.and_then(|key| ProfileSid::parse(str::from_utf8(key).ok()?).ok());
        key.or_else(|| serde_json::from_slice(self.record.value?).ok().map(|about: AboutProfile| about.profile_sid))
    }
}

/// What a record says, with texts and times as a state has them.
pub(super) struct News {
    pub(super) id: String,
    pub(super) time: Timestamp,
    pub(super) position: Position,
    pub(super) content: Content,
}

/// The data of an event.
pub(super) enum Content {
    Changed(Box<ProfileStatusChanged>),
    Described(Box<ProfileDescribed>),
    Deleted(Box<ProfileDeleted>),
}

impl Content {
    pub(super) fn account(&self) -> &AccountSid {
        match self {
            Self::Changed(change) => &change.account_sid,
            Self::Described(described) => &described.account_sid,
            Self::Deleted(deleted) => &deleted.account_sid,
        }
    }

    fn profile(&self) -> &ProfileSid {
        match self {
            Self::Changed(change) => &change.profile_sid,
            Self::Described(described) => &described.profile_sid,
            Self::Deleted(deleted) => &deleted.profile_sid,
        }
    }
}

/// Parses a record. An unknown status becomes `unknown` and a new field is ignored, as in a [`View`](crate::view::View).
pub(super) fn read(event: &StateEvent<'_>) -> Result<News, StateOutcome> {
    let Record { ce_id, ce_type, ce_time, value } = event.record;
    let value = value.ok_or(StateOutcome::Unreadable)?;
    let content = match ce_type {
        Some(EVENT_TYPE) => changed(parsed(value)?),
        Some(DESCRIBED_EVENT_TYPE) => described(parsed(value)?),
        Some(DELETED_EVENT_TYPE) => Some(Content::Deleted(parsed(value)?)),
        _ => return Err(StateOutcome::UnknownType),
    };
    let content = content.ok_or(StateOutcome::Unreadable)?;
    let id = ce_id.filter(|id| id.len() <= MAX_ID_BYTES).ok_or(StateOutcome::Unreadable)?.to_owned();
    let time = ce_time.and_then(|time| writable(time.parse().ok()?)).ok_or(StateOutcome::Unreadable)?;
    // The state of the profile in the key must not change by an event about another profile.
    if event.profile().as_ref() != Some(content.profile()) {
        return Err(StateOutcome::Unreadable);
    }
    Ok(News { id, time, position: event.position, content })
}

fn parsed<T: DeserializeOwned>(value: &[u8]) -> Result<T, StateOutcome> {
    serde_json::from_slice(value).map_err(|_| StateOutcome::Unreadable)
}

fn changed(mut change: Box<ProfileStatusChanged>) -> Option<Content> {
    change.raw_status = bounded_word(change.raw_status);
    change.failure_reason = change.failure_reason.map(bounded_failure_reason);
    change.valid_until = change.valid_until.map(bounded_word);
    change.errors = bounded_errors(change.errors);
    // Only Trust Hub knows them; a state that has them has an owner that Trust Hub confirmed.
    change.profile = match change.profile.filter(|_| change.origin == Origin::Reconciliation) {
        Some(details) => Some(bounded_details(details)?),
        None => None,
    };
    Some(Content::Changed(change))
}

fn described(mut described: Box<ProfileDescribed>) -> Option<Content> {
    described.raw_status = bounded_word(described.raw_status);
    // Only an approval has an end.
    described.valid_until = described.valid_until.filter(|_| described.status.is_approved()).map(bounded_word);
    described.profile = bounded_details(described.profile)?;
    Some(Content::Described(described))
}
