//! What consumers of the topic believe: the event of each profile that they applied last, by the rules for consumers in
//! `docs/events.md`.
//!
//! A view begins empty and takes the whole topic into account, or it begins with the states of all profiles and takes the
//! later events into account. Both have the same result, because a state is what the same rules make of the earlier events.
//! A state knows only one account: what other accounts published about its profile has to be read from the topic.

use std::{collections::HashMap, mem};
use trusthub_client::Profile;

use super::numbers::{NumberInSid, ProfileNumbers, hashed, number, numbers};
use crate::{
    domain::{
        AccountSid, ProfileDetails, ProfileSid, RecordPosition, Resource, Status, Timestamp, state::ProfileState,
    },
    kafka::{PublishedContent, PublishedEvent, PublishedStatus},
};

/// How long the ids of events are kept. A later repeat of an event is older than the last applied event, so it is
/// skipped anyway.
const ID_RETENTION_MILLIS: i64 = 3_600_000;

/// How many characters of an unknown status and of the end of an approval are compared. A state cuts longer ones.
const COMPARED_CHARS: usize = 60;

/// What consumers believe about one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Belief {
    /// The status of the profile.
    pub(super) status: Status,
    /// The canonical text of an unknown status.
    pub(super) unknown_status: Option<Box<str>>,
    /// The kind of profile.
    pub(super) resource: Resource,
    /// The time of the event that was applied last.
    pub(super) time: Timestamp,
}

impl Belief {
    fn new(status: Status, raw: &str, resource: Resource, time: Timestamp) -> Self {
        Self { status, unknown_status: unknown_text(status, raw), resource, time }
    }

    fn has_status_of(&self, other: &Self) -> bool {
        self.status == other.status && self.unknown_status == other.unknown_status
    }

    /// Whether Trust Hub has the same status.
    pub(super) fn matches(&self, profile: &Profile) -> bool {
        self.status == profile.status && self.unknown_status == unknown_text(profile.status, &profile.raw_status)
    }
}

fn unknown_text(status: Status, raw: &str) -> Option<Box<str>> {
    (status == Status::Unknown).then(|| Status::canonical(&compared(raw)).into())
}

fn compared(text: &str) -> String {
    text.chars().take(COMPARED_CHARS).collect()
}

fn hashed_end(valid_until: Option<&str>) -> Option<u64> {
    valid_until.map(|text| hashed(&compared(text)))
}

/// The details of a profile that Trust Hub has confirmed. Their dates do not count, because setting a callback URL changes the
/// date of the last update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KnownDetails {
    hash: u64,
    updated: Timestamp,
}

impl KnownDetails {
    /// `None` for details that no state can have.
    fn of(details: &ProfileDetails) -> Option<Self> {
        let details = details.in_state()?;
        let ProfileDetails { friendly_name, policy_sid, profile_type, tier, date_updated, date_created: _ } = details;
        Some(Self { hash: hashed(&(friendly_name, policy_sid, profile_type, tier)), updated: date_updated })
    }
}

/// What the topic says about one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProfileHistory {
    pub(super) belief: Belief,
    /// The position of the last record of the profile, whether it was applied or skipped.
    pub(super) last: RecordPosition,
    details: Option<KnownDetails>,
    /// The hashed end of the approval, as the state has it.
    end: Option<u64>,
    /// The times, in milliseconds since the Unix epoch, and hashed ids of recent events.
    recent: Vec<(i64, u64)>,
}

impl ProfileHistory {
    fn of_state(state: &ProfileState) -> Self {
        let recent = state.recent_ids.iter().map(|recent| (recent.time.unix_millis(), hashed(&recent.id))).collect();
        Self {
            belief: Belief::new(state.status, &state.raw_status, state.resource, state.updated_at),
            last: RecordPosition { partition: state.position.partition, offset: state.position.offset },
            details: state.profile.as_ref().and_then(KnownDetails::of),
            end: hashed_end(state.valid_until.as_deref()),
            recent,
        }
    }

    /// The first event of a profile.
    fn of_first(event: &PublishedEvent, status: &PublishedStatus, time: Timestamp) -> Self {
        Self {
            belief: Belief::new(status.status, &status.raw_status, event.resource, time),
            last: event.position,
            details: None,
            end: None,
            recent: Vec::with_capacity(1),
        }
    }

    fn is_at_or_after(&self, position: RecordPosition) -> bool {
        self.last.partition == position.partition && self.last.offset >= position.offset
    }

    /// Whether these details of Trust Hub are known, so that the account is confirmed as well, and the end of the approval, if
    /// it has one.
    pub(super) fn has_details(&self, details: &ProfileDetails, valid_until: Option<&str>) -> bool {
        let has_end = valid_until.is_none() || self.end == hashed_end(valid_until);
        // Details that no state takes into account are not worth an event.
        let is_known =
            |new: KnownDetails, known: KnownDetails| new.updated < known.updated || (new.hash == known.hash && has_end);
        KnownDetails::of(details).is_none_or(|new| self.details.is_some_and(|known| is_known(new, known)))
    }

    /// Whether Trust Hub has confirmed the account.
    pub(super) fn is_confirmed(&self) -> bool {
        self.details.is_some()
    }

    fn change(&mut self, event: &PublishedEvent, status: &PublishedStatus) {
        let (id, millis) = (hashed(&event.id), event.time.unix_millis());
        if self.recent.iter().any(|(_, known)| *known == id) {
            return;
        }
        if event.time >= self.belief.time {
            // Once Trust Hub has told the kind, a callback to the path of another kind does not change it.
            let is_known = self.details.is_some() && status.details.is_none();
            let resource = if is_known { self.belief.resource } else { event.resource };
            let former =
                mem::replace(&mut self.belief, Belief::new(status.status, &status.raw_status, resource, event.time));
            let kept_end = self.end.filter(|_| former.has_status_of(&self.belief));
            self.end = hashed_end(status.valid_until.as_deref()).or(kept_end);
            self.set_details(status.details.as_deref());
            let oldest = millis.saturating_sub(ID_RETENTION_MILLIS);
            self.recent.retain(|(time, _)| *time >= oldest);
        }
        self.recent.push((millis, id));
    }

    /// Takes the details into account. Returns whether they are not older than the known ones.
    fn set_details(&mut self, details: Option<&ProfileDetails>) -> bool {
        let Some(details) = details.and_then(KnownDetails::of) else { return false };
        let is_newer = self.details.is_none_or(|known| details.updated >= known.updated);
        if is_newer {
            self.details = Some(details);
        }
        is_newer
    }
}

/// What consumers believe about all profiles.
///
/// A profile is known by its account and its SID. The owner's view must not depend on what another account published.
///
/// Memory: about 300 bytes per profile, independent of the length of the topic.
#[derive(Debug, Default)]
pub(super) struct View {
    profiles: HashMap<ProfileNumbers, ProfileHistory>,
    /// The account that the state of each profile names; `None` if the view began without states.
    owners: Option<HashMap<NumberInSid, NumberInSid>>,
    records: u64,
    /// The profiles and hashed ids of the events read since the mark; `None` before the first mark.
    since_mark: Option<Vec<(ProfileNumbers, u64)>>,
}

impl View {
    /// An empty view that begins with states.
    pub(super) fn of_states() -> Self {
        Self { owners: Some(HashMap::new()), ..Self::default() }
    }

    /// Sets the state of a profile; `None` if it was deleted.
    pub(super) fn set_state(&mut self, profile: &ProfileSid, state: Option<&ProfileState>) {
        let profile = number(profile.as_str());
        let owners = self.owners.get_or_insert_default();
        if let Some(former) = owners.remove(&profile) {
            self.profiles.remove(&(former, profile));
        }
        if let Some(state) = state {
            let account = number(state.account_sid.as_str());
            owners.insert(profile, account);
            self.profiles.insert((account, profile), ProfileHistory::of_state(state));
        }
    }

    /// Applies the next event, as a consumer would. Events must be passed in the order of their partition.
    pub(super) fn apply(&mut self, event: &PublishedEvent) {
        self.records = self.records.saturating_add(1);
        let profile = numbers(&event.account, &event.profile);
        self.since_mark.iter_mut().for_each(|events| events.push((profile, hashed(&event.id))));
        let known = self.profiles.get(&profile);
        if known.is_some_and(|known| known.is_at_or_after(event.position)) {
            return;
        }
        let is_confirmation = match &event.content {
            PublishedContent::Changed(status) => {
                let first = || ProfileHistory::of_first(event, status, event.time);
                let history = self.profiles.entry(profile).or_insert_with(first);
                history.last = event.position;
                history.change(event, status);
                status.details.is_some()
            }
            PublishedContent::Described(status) => {
                self.describe(profile, event, status);
                true
            }
            PublishedContent::Deleted => {
                if known.is_some_and(|known| event.time >= known.belief.time) {
                    self.delete(profile);
                }
                return;
            }
        };
        self.set_owner(profile, is_confirmation);
    }

    /// The owner is the account that Trust Hub confirmed, otherwise the first one.
    fn set_owner(&mut self, (account, profile): ProfileNumbers, is_confirmation: bool) {
        if let Some(owners) = &mut self.owners {
            let owner = owners.entry(profile).or_insert(account);
            if is_confirmation {
                *owner = account;
            }
        }
    }

    fn delete(&mut self, profile: ProfileNumbers) {
        self.profiles.remove(&profile);
        if let Some(owners) = &mut self.owners
            && owners.get(&profile.1) == Some(&profile.0)
        {
            owners.remove(&profile.1);
        }
    }

    fn describe(&mut self, profile: ProfileNumbers, event: &PublishedEvent, status: &PublishedStatus) {
        let Some(details) = &status.details else { return };
        // The status has not changed since the last update, so an event that arrived after that is later.
        let first = || ProfileHistory::of_first(event, status, details.date_updated.min(event.time));
        let history = self.profiles.entry(profile).or_insert_with(first);
        history.last = event.position;
        if history.set_details(Some(details)) {
            history.belief.resource = event.resource;
            if history.belief.status == status.status && status.status.is_approved() {
                history.end = hashed_end(status.valid_until.as_deref()).or(history.end);
            }
        }
    }

    /// The history of a profile of this account; `None` if the topic has no event of it.
    pub(super) fn of(&self, account: &AccountSid, profile: &ProfileSid) -> Option<&ProfileHistory> {
        self.profiles.get(&numbers(account, profile))
    }

    /// Whether the view began with states.
    pub(super) fn has_states(&self) -> bool {
        self.owners.is_some()
    }

    /// Whether the state of the profile names another account, so that the view does not have everything that this account
    /// published about it.
    pub(super) fn is_hidden(&self, account: &AccountSid, profile: &ProfileSid) -> bool {
        self.named(profile).is_some_and(|named| named != number(account.as_str()))
    }

    fn named(&self, profile: &ProfileSid) -> Option<NumberInSid> {
        self.owners.as_ref()?.get(&number(profile.as_str())).copied()
    }

    /// Adds what a view of the whole topic has about profiles whose state names another account.
    pub(super) fn add_hidden(&mut self, complete: Self) {
        let Some(owners) = &self.owners else { return };
        let hidden = complete
            .profiles
            .into_iter()
            .filter(|((account, profile), _)| owners.get(profile).is_some_and(|named| named != account));
        self.profiles.extend(hidden);
    }

    /// The profiles whose state names this account, with their histories.
    pub(super) fn owned_by(&self, account: &AccountSid) -> impl Iterator<Item = (NumberInSid, &ProfileHistory)> {
        let account = number(account.as_str());
        let owned = self.owners.iter().flatten().filter(move |(_, named)| **named == account);
        owned.filter_map(move |(profile, _)| Some((*profile, self.profiles.get(&(account, *profile))?)))
    }

    /// Sets the mark: forgets earlier events, and remembers those that are read from now on.
    pub(super) fn mark(&mut self) {
        self.since_mark.get_or_insert_default().clear();
    }

    /// Whether an event of this profile with another id was read since the mark.
    pub(super) fn has_another_since_mark(&self, account: &AccountSid, profile: &ProfileSid, id: &str) -> bool {
        let (profile, id) = (numbers(account, profile), hashed(id));
        self.since_mark.iter().flatten().any(|(about, known)| *about == profile && *known != id)
    }

    /// The number of events read.
    pub(super) fn records(&self) -> u64 {
        self.records
    }
}

#[cfg(test)]
mod tests;
