//! What consumers of the topic believe: the last event of each profile that they have applied, by the rules that
//! `docs/events.md` gives them.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use crate::{
    domain::{ProfileSid, RecordPosition, Resource, Status, Timestamp},
    kafka::PublishedEvent,
    trusthub::Profile,
};

/// A repeat of an event comes within this time of it, or is older than the last one applied.
const MEMORY_MILLIS: i64 = 3_600_000;

/// What consumers believe of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Belief {
    /// Its status.
    pub(super) status: Status,
    /// The canonical text of a status that is not known.
    pub(super) unknown_status: Option<Box<str>>,
    /// What kind it is.
    pub(super) resource: Resource,
    /// The time of the event that says so.
    pub(super) time: Timestamp,
}

impl Belief {
    fn of(published: &PublishedEvent) -> Self {
        let PublishedEvent { status, resource, time, .. } = *published;
        Self { status, unknown_status: unknown_text(status, &published.raw_status), resource, time }
    }

    /// Whether it is what Trust Hub says.
    pub(super) fn is_of(&self, profile: &Profile) -> bool {
        self.status == profile.status && self.unknown_status == unknown_text(profile.status, &profile.raw_status)
    }
}

fn unknown_text(status: Status, raw: &str) -> Option<Box<str>> {
    (status == Status::Unknown).then(|| Status::canonical(raw).into())
}

/// What is known of one profile.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) belief: Belief,
    /// Where the last record of it stands, whether it was applied or skipped.
    pub(super) last: RecordPosition,
    /// The ids of its last events, hashed, with their times in milliseconds since the Unix epoch.
    recent: Vec<(i64, u64)>,
}

/// What consumers believe, and where they have it from.
///
/// Memory: some 300 bytes for each profile, however long the topic is.
#[derive(Debug, Default)]
pub(super) struct View {
    /// By the number that the SID is.
    profiles: HashMap<u128, Seen>,
    records: u64,
    /// The profiles and hashed ids of the events that were read since the mark; nothing while there is none.
    since_mark: Option<Vec<(u128, u64)>>,
}

impl View {
    /// Takes the next event of its partition.
    pub(super) fn apply(&mut self, published: &PublishedEvent) {
        self.records = self.records.saturating_add(1);
        let (profile, id) = (number(&published.profile), hashed(&published.id));
        let millis = published.time.unix_millis();
        self.since_mark.iter_mut().for_each(|events| events.push((profile, id)));
        let seen = self.profiles.entry(profile).or_insert_with(|| Seen {
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
            let oldest = millis.saturating_sub(MEMORY_MILLIS);
            seen.recent.retain(|(time, _)| *time >= oldest);
        }
        seen.recent.push((millis, id));
    }

    /// What is known of a profile.
    pub(super) fn of(&self, profile: &ProfileSid) -> Option<&Seen> {
        self.profiles.get(&number(profile))
    }

    /// From here on it is remembered which events were read.
    pub(super) fn mark(&mut self) {
        self.since_mark.get_or_insert_default().clear();
    }

    /// Whether there is an event of this profile since the mark that has not this id.
    pub(super) fn has_another_since_mark(&self, profile: &ProfileSid, id: &str) -> bool {
        let (profile, id) = (number(profile), hashed(id));
        self.since_mark.iter().flatten().any(|(about, known)| *about == profile && *known != id)
    }

    /// How many events were read.
    pub(super) fn records(&self) -> u64 {
        self.records
    }
}

/// A SID is two letters and the digits of a number of 128 bits.
fn number(profile: &ProfileSid) -> u128 {
    let digits = profile.as_str().get(2..).unwrap_or_default();
    u128::from_str_radix(digits, 16).unwrap_or_default()
}

fn hashed(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{at, published, sid},
        *,
    };

    fn believed(events: &[(&str, u64, Status)]) -> (Status, i64) {
        let mut view = View::default();
        for (offset, (id, time, status)) in (0..).zip(events) {
            view.apply(&published(1, offset, id, at(*time), *status));
        }
        let seen = view.of(&sid(1)).unwrap();
        assert!(view.of(&sid(2)).is_none());
        (seen.belief.status, seen.last.offset)
    }

    #[test]
    fn the_last_event_counts_and_one_of_the_same_time_counts_as_later() {
        let events = [("1", 10, Status::Draft), ("2", 20, Status::InReview), ("3", 20, Status::TwilioApproved)];
        assert_eq!(believed(&events), (Status::TwilioApproved, 2));
    }

    #[test]
    fn an_older_event_is_skipped_and_is_the_last_record_all_the_same() {
        assert_eq!(believed(&[("1", 20, Status::InReview), ("2", 19, Status::Draft)]), (Status::InReview, 1));
    }

    #[test]
    fn a_repeat_is_skipped_even_if_it_is_newer() {
        let events = [("1", 10, Status::Draft), ("2", 20, Status::InReview), ("1", 30, Status::Draft)];
        assert_eq!(believed(&events), (Status::InReview, 2));
    }

    #[test]
    fn ids_are_remembered_for_an_hour_before_the_last_event() {
        let mut view = View::default();
        for (offset, time) in [(0, 0), (1, 60), (2, 3_660), (3, 3_661)] {
            view.apply(&published(1, offset, &time.to_string(), at(time), Status::Draft));
        }
        let times: Vec<_> = view.of(&sid(1)).unwrap().recent.iter().map(|(time, _)| time / 1_000).collect();
        assert_eq!((times, view.records()), (vec![3_660, 3_661], 4));
    }

    #[test]
    fn what_others_wrote_since_a_mark_is_known() {
        let mut view = View::default();
        let others = |view: &View| view.has_another_since_mark(&sid(1), "ours");
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
