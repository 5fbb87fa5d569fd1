//! The rules by which an event changes the state of its profile.

use super::{
    bounds::{MAX_HISTORY, MAX_RECENT_IDS},
    event::{Content, News, StateEvent, read},
    outcome::StateOutcome,
    profile_state::{ProfileState, RecentId, StatusChange},
};
use crate::{ProfileDescribed, ProfileDetails, ProfileStatusChanged, Status, Timestamp, view::REPEATS_WITHIN};

/// What a state contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateOptions {
    /// Whether it contains the texts of rejections, which may be personal data.
    pub failure_text: bool,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { failure_text: true }
    }
}

/// What a record of the event topic changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Transition {
    /// What to write to the state topic; `None` if the state is the same as before.
    pub write: Option<StateWrite>,
    /// What became of the record.
    pub outcome: StateOutcome,
}

/// The next record of a profile in the state topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateWrite {
    /// The profile has this state.
    Put(Box<ProfileState>),
    /// The profile has no state any more; the value is null.
    Tombstone,
}

impl ProfileState {
    /// Takes the next record of the event topic into account.
    ///
    /// `current` is the state of [`StateEvent::profile`], and `None` if that has no state. Records of a partition must be
    /// applied in order. A record that was taken into account before changes nothing, so that reading may start again at any
    /// earlier offset.
    pub fn apply(current: Option<&Self>, event: &StateEvent<'_>, options: &StateOptions) -> Transition {
        let decided = read(event).and_then(|news| match current {
            Some(state) => next(state, &news),
            None => first(&news),
        });
        match decided {
            Ok(transition) => transition.with(options),
            Err(outcome) => Transition { write: None, outcome },
        }
    }
}

impl Transition {
    fn put(state: ProfileState, outcome: StateOutcome) -> Self {
        Self { write: Some(StateWrite::Put(Box::new(state))), outcome }
    }

    fn with(mut self, options: &StateOptions) -> Self {
        if let Some(StateWrite::Put(state)) = &mut self.write
            && !options.failure_text
        {
            state.failure_reason = None;
        }
        self
    }
}

/// The first event of a profile without a state. If it is a deletion, there is nothing left to delete.
fn first(news: &News) -> Result<Transition, StateOutcome> {
    let state = match &news.content {
        Content::Changed(change) => created(news, change, news.time),
        Content::Described(described) => created_from(news, described),
        Content::Deleted(_) => return Err(StateOutcome::Repeat),
    };
    Ok(Transition::put(state, StateOutcome::Applied))
}

fn next(state: &ProfileState, news: &News) -> Result<Transition, StateOutcome> {
    if news.position.is_at_or_before(state.position) {
        return Err(StateOutcome::Repeat);
    }
    if *news.content.account() != state.account_sid {
        return replaced(state, news);
    }
    match &news.content {
        Content::Changed(change) => changed(state, news, change),
        Content::Described(described) => Ok(Transition::put(details(state, news, described)?, StateOutcome::Applied)),
        Content::Deleted(_) if news.time < state.updated_at => Err(StateOutcome::Older),
        Content::Deleted(_) => Ok(Transition { write: Some(StateWrite::Tombstone), outcome: StateOutcome::Deleted }),
    }
}

/// An event of another account. If Trust Hub names that account as the owner, what the state says about the profile was never
/// true, whatever its time. Only of two confirmed owners the later one counts.
fn replaced(state: &ProfileState, news: &News) -> Result<Transition, StateOutcome> {
    let is_confirmation = match &news.content {
        Content::Changed(change) => change.profile.is_some(),
        Content::Described(_) => true,
        Content::Deleted(_) => false,
    };
    let is_contradicted = state.profile.is_some() && news.time < state.updated_at;
    if is_confirmation && !is_contradicted { first(news) } else { Err(StateOutcome::OtherAccount) }
}

fn changed(state: &ProfileState, news: &News, change: &ProfileStatusChanged) -> Result<Transition, StateOutcome> {
    if state.recent_ids.iter().any(|recent| recent.id == news.id) {
        return Err(StateOutcome::Repeat);
    }
    let mut next = ProfileState { position: news.position, ..state.clone() };
    // Equal times are no reason to skip: within one millisecond the partition's order decides.
    if news.time < state.updated_at {
        next.remember(news);
        return Ok(Transition::put(next, StateOutcome::Older));
    }
    if next.has_status_of(change) {
        next.confirm(change);
    } else {
        next.previous_status = Some(state.status);
        next.previous_since = Some(state.since);
        next.begin(change, news.time);
    }
    // Once Trust Hub has told the kind, a callback to the path of another kind does not change it.
    if change.profile.is_some() || state.profile.is_none() {
        next.resource = change.resource;
    }
    if let Some(details) = change.profile.as_ref().filter(|details| !is_older_than_known(details, state)) {
        next.profile = Some(details.clone());
    }
    next.updated_at = news.time;
    next.last_event_id.clone_from(&news.id);
    next.remember(news);
    Ok(Transition::put(next, StateOutcome::Applied))
}

/// The details change neither the status nor the order of the events about it. Their own order is that of Trust Hub.
///
/// The end of an approval belongs to its status. As with changes, what is not said is kept.
fn details(state: &ProfileState, news: &News, described: &ProfileDescribed) -> Result<ProfileState, StateOutcome> {
    let ProfileDescribed { resource, profile, status, valid_until, .. } = described;
    if is_older_than_known(profile, state) {
        return Err(StateOutcome::Older);
    }
    let mut next = ProfileState { resource: *resource, profile: Some(profile.clone()), ..state.clone() };
    if valid_until.is_some() && *status == state.status {
        next.valid_until.clone_from(valid_until);
    }
    if next == *state {
        return Err(StateOutcome::Repeat);
    }
    Ok(ProfileState { position: news.position, ..next })
}

fn is_older_than_known(details: &ProfileDetails, state: &ProfileState) -> bool {
    state.profile.as_ref().is_some_and(|known| details.date_updated < known.date_updated)
}

/// The state of a profile without events about its status. Trust Hub says that it has not changed since the date of the last
/// update, so an event that arrived after that date is later.
fn created_from(news: &News, described: &ProfileDescribed) -> ProfileState {
    let described = described.clone();
    let ProfileDescribed { account_sid, profile_sid, resource, status, raw_status, .. } = described;
    let ProfileDescribed { valid_until, received_at, origin, profile, .. } = described;
    let as_of = profile.date_updated.min(news.time);
    let change = ProfileStatusChanged {
        account_sid,
        profile_sid,
        resource,
        status,
        raw_status,
        failure_reason: None,
        errors: Vec::new(),
        valid_until,
        received_at,
        origin,
        idempotency_token: None,
        extra: std::collections::BTreeMap::new(),
        profile: Some(profile),
    };
    created(news, &change, as_of)
}

fn created(news: &News, change: &ProfileStatusChanged, as_of: Timestamp) -> ProfileState {
    let mut state = ProfileState {
        account_sid: change.account_sid,
        profile_sid: change.profile_sid,
        resource: change.resource,
        status: change.status,
        raw_status: String::new(),
        since: as_of,
        previous_status: None,
        previous_since: None,
        errors: Vec::new(),
        failure_reason: None,
        valid_until: None,
        first_seen_at: news.time,
        updated_at: as_of,
        changes: 0,
        rejections: 0,
        last_event_id: news.id.clone(),
        recent_ids: Vec::new(),
        position: news.position,
        profile: change.profile.clone(),
        history: Vec::new(),
    };
    state.begin(change, as_of);
    state.remember(news);
    state
}

impl ProfileState {
    /// Whether the change leads to the status that the profile has. Unknown statuses differ by their text.
    fn has_status_of(&self, change: &ProfileStatusChanged) -> bool {
        self.status == change.status && (self.status != Status::Unknown || self.raw_status == change.raw_status)
    }

    /// Begins a status. What belonged to the previous one, such as its errors, does not belong to it.
    fn begin(&mut self, change: &ProfileStatusChanged, since: Timestamp) {
        self.status = change.status;
        self.raw_status.clone_from(&change.raw_status);
        self.since = since;
        self.errors.clone_from(&change.errors);
        self.failure_reason.clone_from(&change.failure_reason);
        self.valid_until.clone_from(&change.valid_until);
        self.changes = self.changes.saturating_add(1);
        self.rejections = self.rejections.saturating_add(u64::from(change.status == Status::TwilioRejected));
        self.history.push(StatusChange { status: self.status, raw_status: self.raw_status.clone(), since });
        let forgotten = self.history.len().saturating_sub(MAX_HISTORY);
        self.history.drain(..forgotten);
    }

    /// Adds what another event says about the present status, and keeps what it does not say.
    fn confirm(&mut self, change: &ProfileStatusChanged) {
        self.raw_status.clone_from(&change.raw_status);
        if !change.errors.is_empty() {
            self.errors.clone_from(&change.errors);
        }
        if change.failure_reason.is_some() {
            self.failure_reason.clone_from(&change.failure_reason);
        }
        if change.valid_until.is_some() {
            self.valid_until.clone_from(&change.valid_until);
        }
    }

    /// Remembers an event, and forgets events whose repeats would all be older than the last one.
    fn remember(&mut self, news: &News) {
        let at = self.recent_ids.partition_point(|recent| recent.time <= news.time);
        self.recent_ids.insert(at, RecentId { id: news.id.clone(), time: news.time });
        let now = self.updated_at.unix_millis();
        self.recent_ids.retain(|recent| now - recent.time.unix_millis() <= REPEATS_WITHIN);
        let forgotten = self.recent_ids.len().saturating_sub(MAX_RECENT_IDS);
        self.recent_ids.drain(..forgotten);
    }
}
