//! What consumers of the topic believe: the event of each profile that they applied last, by the rules for consumers in
//! `docs/events.md`.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};
use trusthub_client::Profile;

use crate::{
    domain::{AccountSid, ProfileSid, RecordPosition, Resource, Status, Timestamp},
    kafka::PublishedEvent,
};

/// How long the ids of events are kept. A later repeat of an event is older than the last applied event, so it is
/// skipped anyway.
const ID_RETENTION_MILLIS: i64 = 3_600_000;

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
    fn of(published: &PublishedEvent) -> Self {
        let PublishedEvent { status, resource, time, .. } = *published;
        Self { status, unknown_status: unknown_text(status, &published.raw_status), resource, time }
    }

    /// Whether Trust Hub has the same status.
    pub(super) fn matches(&self, profile: &Profile) -> bool {
        self.status == profile.status && self.unknown_status == unknown_text(profile.status, &profile.raw_status)
    }
}

fn unknown_text(status: Status, raw: &str) -> Option<Box<str>> {
    (status == Status::Unknown).then(|| Status::canonical(raw).into())
}

/// What the topic says about one profile.
#[derive(Debug)]
pub(super) struct ProfileHistory {
    pub(super) belief: Belief,
    /// The position of the last record of the profile, whether it was applied or skipped.
    pub(super) last: RecordPosition,
    /// The times, in milliseconds since the Unix epoch, and hashed ids of recent events.
    recent: Vec<(i64, u64)>,
}

/// What consumers believe about all profiles.
///
/// A profile is known by its account and its SID. The owner's view must not depend on what another account published.
///
/// Memory: about 300 bytes per profile, independent of the length of the topic.
#[derive(Debug, Default)]
pub(super) struct View {
    profiles: HashMap<ProfileNumbers, ProfileHistory>,
    records: u64,
    /// The profiles and hashed ids of the events read since the mark; `None` before the first mark.
    since_mark: Option<Vec<(ProfileNumbers, u64)>>,
}

impl View {
    /// Applies the next event, as a consumer would. Events must be passed in the order of their partition.
    pub(super) fn apply(&mut self, published: &PublishedEvent) {
        self.records = self.records.saturating_add(1);
        let (profile, id) = (numbers(&published.account, &published.profile), hashed(&published.id));
        let millis = published.time.unix_millis();
        self.since_mark.iter_mut().for_each(|events| events.push((profile, id)));
        let seen = self.profiles.entry(profile).or_insert_with(|| ProfileHistory {
            belief: Belief::of(published),
            last: published.position,
            recent: Vec::with_capacity(1),
        });
        seen.last = published.position;
        if seen.recent.iter().any(|(_, known)| *known == id) {
            return;
        }
        if published.time >= seen.belief.time {
            seen.belief = Belief::of(published);
            let oldest = millis.saturating_sub(ID_RETENTION_MILLIS);
            seen.recent.retain(|(time, _)| *time >= oldest);
        }
        seen.recent.push((millis, id));
    }

    /// The history of a profile of this account; `None` if the topic has no event of it.
    pub(super) fn of(&self, account: &AccountSid, profile: &ProfileSid) -> Option<&ProfileHistory> {
        self.profiles.get(&numbers(account, profile))
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

/// The 128-bit numbers in the SIDs of an account and of its profile.
type ProfileNumbers = (u128, u128);

fn numbers(account: &AccountSid, profile: &ProfileSid) -> ProfileNumbers {
    (number(account.as_str()), number(profile.as_str()))
}

/// Decodes the number in a SID, which follows two letters.
fn number(sid: &str) -> u128 {
    u128::from_str_radix(sid.get(2..).unwrap_or_default(), 16).unwrap_or_default()
}

fn hashed(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{account, at, published, sid},
        *,
    };

    fn believed(events: &[(&str, u64, Status)]) -> (Status, i64) {
        let mut view = View::default();
        for (offset, (id, time, status)) in (0..).zip(events) {
            view.apply(&published(1, offset, id, at(*time), *status));
        }
        let seen = view.of(&account(), &sid(1)).unwrap();
        assert!(view.of(&account(), &sid(2)).is_none());
        (seen.belief.status, seen.last.offset)
    }

    #[test]
    fn last_event_counts_even_with_the_time_of_the_one_before() {
        let events = [("1", 10, Status::Draft), ("2", 20, Status::InReview), ("3", 20, Status::TwilioApproved)];
        assert_eq!(believed(&events), (Status::TwilioApproved, 2));
    }

    #[test]
    fn events_of_another_account_change_nothing_about_a_profile() {
        let foreign = AccountSid::parse(&format!("AC{}", "f".repeat(32))).unwrap();
        let mut view = View::default();
        view.apply(&published(1, 0, "1", at(10), Status::InReview));
        view.mark();
        let stolen = published(1, 1, "2", at(20), Status::TwilioApproved);
        view.apply(&PublishedEvent { account: foreign.clone(), ..stolen });
        let seen = view.of(&account(), &sid(1)).unwrap();
        assert_eq!((seen.belief.status, seen.last.offset), (Status::InReview, 0));
        assert_eq!(view.of(&foreign, &sid(1)).unwrap().belief.status, Status::TwilioApproved);
        assert!(!view.has_another_since_mark(&account(), &sid(1), "ours"));
    }

    #[test]
    fn older_event_is_skipped_but_is_still_the_last_record() {
        assert_eq!(believed(&[("1", 20, Status::InReview), ("2", 19, Status::Draft)]), (Status::InReview, 1));
    }

    #[test]
    fn repeat_is_skipped_even_if_it_is_newer() {
        let events = [("1", 10, Status::Draft), ("2", 20, Status::InReview), ("1", 30, Status::Draft)];
        assert_eq!(believed(&events), (Status::InReview, 2));
    }

    #[test]
    fn ids_are_kept_for_an_hour_before_the_last_event() {
        let mut view = View::default();
        for (offset, time) in [(0, 0), (1, 60), (2, 3_660), (3, 3_661)] {
            view.apply(&published(1, offset, &time.to_string(), at(time), Status::Draft));
        }
        let times: Vec<_> = view.of(&account(), &sid(1)).unwrap().recent.iter().map(|(time, _)| time / 1_000).collect();
        assert_eq!((times, view.records()), (vec![3_660, 3_661], 4));
    }

    #[test]
    fn events_of_other_writers_since_a_mark_are_detected() {
        let mut view = View::default();
        let others = |view: &View| view.has_another_since_mark(&account(), &sid(1), "ours");
        view.apply(&published(1, 0, "theirs", at(1), Status::Draft));
        assert!(!others(&view), "before any mark");
        view.mark();
        view.apply(&published(1, 1, "ours", at(2), Status::Draft));
        view.apply(&published(2, 2, "theirs", at(3), Status::Draft));
        assert!(!others(&view));
        view.apply(&published(1, 3, "theirs", at(1), Status::Draft));
        assert!(others(&view), "even one that is skipped");
        view.mark();
        assert!(!others(&view));
    }
}
