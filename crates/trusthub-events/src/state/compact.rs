//! A form of the state that takes a few hundred bytes, for programs that keep many profiles in memory.

use super::{
    codec::{Reader, Writer},
    expiry::expiry,
    position::Position,
    profile_state::{ProfileState, RecentId, StatusChange},
};
use crate::{AccountSid, Label, ProfileSid, RejectionReason, Resource, Status, Timestamp};

/// A [`ProfileState`] in a few hundred bytes. It is for the memory of one process alone: another version of this crate cannot
/// read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactState(Box<[u8]>);

/// What a [`CompactState`] says about the profile without being decoded as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateSummary {
    /// The kind of the profile.
    pub resource: Resource,
    /// The present status.
    pub status: Status,
    /// When the present status began.
    pub since: Timestamp,
    /// When the approval expires, as [`ProfileState::expires_at`] says.
    pub expires_at: Option<Timestamp>,
}

/// The first fields of a [`CompactState`].
struct Head {
    resource: Resource,
    status: Status,
    raw_status: String,
    since: Timestamp,
    valid_until: Option<String>,
}

impl CompactState {
    /// The compact form of a state. Times keep their milliseconds.
    ///
    /// # Errors
    /// Never for the types of this crate. Serde's signature requires a result.
    pub fn encode(state: &ProfileState) -> serde_json::Result<Self> {
        let mut to = Writer::default();
        write_label(&mut to, state.resource);
        write_status(&mut to, state.status, &state.raw_status);
        write_time(&mut to, state.since);
        to.option(state.valid_until.as_deref(), Writer::text);
        to.text(digits(state.account_sid.as_str()));
        to.text(digits(state.profile_sid.as_str()));
        to.option(state.previous_status, write_label);
        to.option(state.previous_since, write_time);
        to.list(&state.errors, write_error);
        to.option(state.failure_reason.as_deref(), Writer::text);
        write_time(&mut to, state.first_seen_at);
        write_time(&mut to, state.updated_at);
        to.number(state.changes);
        to.number(state.rejections);
        to.text(&state.last_event_id);
        to.list(&state.recent_ids, |to, recent| {
            to.text(&recent.id);
            write_time(to, recent.time);
        });
        to.signed(state.position.partition.into());
        to.signed(state.position.offset);
        // As JSON, because these fields are those of another type, which may get more.
        let details = state.profile.as_ref().map(serde_json::to_string).transpose()?;
        to.option(details.as_deref(), Writer::text);
        to.list(&state.history, |to, change| {
            write_status(to, change.status, &change.raw_status);
            write_time(to, change.since);
        });
        Ok(Self(to.into_bytes()))
    }

    /// The state; `None` if [`CompactState::encode`] did not write these bytes.
    #[must_use]
    pub fn decode(&self) -> Option<ProfileState> {
        let from = &mut Reader::new(&self.0);
        let Head { resource, status, raw_status, since, valid_until } = read_head(from)?;
        let state = ProfileState {
            account_sid: AccountSid::parse(&format!("AC{}", from.text()?)).ok()?,
            profile_sid: ProfileSid::parse(&format!("BU{}", from.text()?)).ok()?,
            resource,
            status,
            raw_status,
            since,
            valid_until,
            previous_status: from.option(read_label)?,
            previous_since: from.option(read_time)?,
            errors: from.list(read_error)?,
            failure_reason: from.option(Reader::text)?,
            first_seen_at: read_time(from)?,
            updated_at: read_time(from)?,
            changes: from.number()?,
            rejections: from.number()?,
            last_event_id: from.text()?,
            recent_ids: from.list(|from| Some(RecentId { id: from.text()?, time: read_time(from)? }))?,
            position: Position { partition: from.signed()?.try_into().ok()?, offset: from.signed()? },
            profile: from.option(|from| serde_json::from_str(&from.text()?).ok())?,
            history: from.list(|from| {
                let (status, raw_status) = read_status(from)?;
                Some(StatusChange { status, raw_status, since: read_time(from)? })
            })?,
        };
        from.is_at_end().then_some(state)
    }

    /// What the first bytes say, in a small part of the time of [`CompactState::decode`]; `None` if [`CompactState::encode`] did
    /// not write them.
    #[must_use]
    pub fn summary(&self) -> Option<StateSummary> {
        let Head { resource, status, since, valid_until, .. } = read_head(&mut Reader::new(&self.0))?;
        Some(StateSummary { resource, status, since, expires_at: expiry(status, valid_until.as_deref()) })
    }

    /// The size of the form in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

fn read_head(from: &mut Reader<'_>) -> Option<Head> {
    let resource = read_label(from)?;
    let (status, raw_status) = read_status(from)?;
    Some(Head { resource, status, raw_status, since: read_time(from)?, valid_until: from.option(Reader::text)? })
}

/// The digits of a SID, without its two letters.
fn digits(sid: &str) -> &str {
    sid.split_at_checked(2).map_or(sid, |(_, digits)| digits)
}

fn write_label<L: Label>(to: &mut Writer, label: L) {
    to.number(label.index() as u64);
}

fn read_label<L: Label>(from: &mut Reader<'_>) -> Option<L> {
    L::ALL.get(usize::try_from(from.number()?).ok()?).copied()
}

fn write_time(to: &mut Writer, time: Timestamp) {
    to.signed(time.unix_millis());
}

fn read_time(from: &mut Reader<'_>) -> Option<Timestamp> {
    Timestamp::from_unix_millis(from.signed()?)
}

/// The text that Twilio wrote is almost always the name of the status.
fn write_status(to: &mut Writer, status: Status, raw: &str) {
    write_label(to, status);
    to.option((raw != status.as_str()).then_some(raw), Writer::text);
}

fn read_status(from: &mut Reader<'_>) -> Option<(Status, String)> {
    let status: Status = read_label(from)?;
    let raw = from.option(Reader::text)?;
    Some((status, raw.unwrap_or_else(|| status.as_str().to_owned())))
}

/// The texts of an error are almost always those of the catalog.
fn write_error(to: &mut Writer, error: &RejectionReason) {
    to.number(error.code.into());
    let is_cataloged = *error == RejectionReason::from(error.code);
    to.option((!is_cataloged).then_some(error), |to, RejectionReason { meaning, message, .. }| {
        to.option(meaning.as_deref(), Writer::text);
        to.option(message.as_deref(), Writer::text);
    });
}

fn read_error(from: &mut Reader<'_>) -> Option<RejectionReason> {
    let code = from.number()?.try_into().ok()?;
    let other = from.option(|from| {
        Some(RejectionReason { code, meaning: from.option(Reader::text)?, message: from.option(Reader::text)? })
    })?;
    Some(other.unwrap_or_else(|| RejectionReason::from(code)))
}
