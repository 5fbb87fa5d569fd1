//! What a difference between Trust Hub and the topic calls for. Pure.

use std::time::Duration;

use super::view::Belief;
use crate::{
    domain::{Resource, Status, Timestamp, closed_set},
    trusthub::Profile,
};

/// A change is left alone for so long: its callback may be under way.
const GRACE: Duration = Duration::from_secs(120);

closed_set! {
    /// What is to be said of a profile.
    pub enum Judgement {
        /// Consumers have its status.
        Same => "same",
        /// Nothing was ever to be said of it: it is a draft, and nobody announced anything else.
        Untouched => "untouched",
        /// Its events say that it is no profile of Trust Hub.
        NotCompared => "not compared",
        /// It changed so lately that its callback may be under way.
        TooRecent => "too recent",
        /// Consumers do not have its status, and should.
        Missed => "missed",
        /// Consumers do not have its status, but perhaps had it: it last changed before the topic's history begins.
        HistoryTooShort => "history too short",
    }
}

impl Judgement {
    /// Whether consumers are to be told.
    pub(super) fn calls_for_an_event(self, baseline: bool) -> bool {
        match self {
            Self::Missed => true,
            Self::HistoryTooShort => baseline,
            Self::Same | Self::Untouched | Self::NotCompared | Self::TooRecent => false,
        }
    }

    /// Whether an operator wants to hear of it.
    pub(super) fn is_worth_telling(self) -> bool {
        match self {
            Self::Missed | Self::HistoryTooShort | Self::TooRecent | Self::NotCompared => true,
            Self::Same | Self::Untouched => false,
        }
    }
}

/// Compares a profile with what consumers believe of it, at this moment, when the topic has everything that was
/// published since `begins`.
pub(super) fn judge(
    profile: &Profile,
    belief: Option<&Belief>,
    begins: Option<Timestamp>,
    moment: Timestamp,
) -> Judgement {
    let is_too_recent = profile.date_updated.until(moment) < GRACE;
    match belief {
        Some(belief) if !is_of_trust_hub(belief.resource) => Judgement::NotCompared,
        Some(belief) if belief.is_of(profile) => Judgement::Same,
        None if profile.status == Status::Draft => Judgement::Untouched,
        _ if is_too_recent => Judgement::TooRecent,
        Some(_) => Judgement::Missed,
        None if begins.is_some_and(|begins| begins <= profile.date_updated) => Judgement::Missed,
        None => Judgement::HistoryTooShort,
    }
}

/// Bundles have an API of their own.
fn is_of_trust_hub(resource: Resource) -> bool {
    match resource {
        Resource::CustomerProfile | Resource::TrustProduct => true,
        Resource::RegulatoryBundle | Resource::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{at, belief, profile},
        *,
    };

    const NOON: u64 = 43_200;

    fn judged(status: Status, updated: u64, believed: Option<Status>, begins: Option<u64>) -> Judgement {
        let belief = believed.map(belief);
        judge(&profile(status, at(updated)), belief.as_ref(), begins.map(at), at(NOON))
    }

    #[test]
    fn what_consumers_have_is_the_same_however_recent_or_old_it_is() {
        for updated in [0, NOON - 1, NOON + 60] {
            assert_eq!(judged(Status::InReview, updated, Some(Status::InReview), Some(10)), Judgement::Same);
        }
    }

    #[test]
    fn another_status_than_consumers_have_was_missed_even_if_its_change_is_older_than_the_history() {
        for (updated, begins) in [(100, 10), (5, 10)] {
            let judged = judged(Status::TwilioApproved, updated, Some(Status::InReview), Some(begins));
            assert_eq!(judged, Judgement::Missed);
        }
        assert_eq!(judged(Status::Draft, 100, Some(Status::InReview), Some(10)), Judgement::Missed, "a draft again");
    }

    #[test]
    fn what_nobody_heard_of_was_missed_if_it_changed_since_the_history_begins() {
        let unheard = |updated, begins| judged(Status::InReview, updated, None, begins);
        assert_eq!(unheard(10, Some(10)), Judgement::Missed);
        assert_eq!(unheard(9, Some(10)), Judgement::HistoryTooShort);
        assert_eq!(unheard(9, None), Judgement::HistoryTooShort, "the first day");
    }

    #[test]
    fn a_draft_that_nobody_heard_of_is_no_difference() {
        for begins in [None, Some(10)] {
            assert_eq!(judged(Status::Draft, 100, None, begins), Judgement::Untouched);
        }
    }

    #[test]
    fn a_change_of_the_last_two_minutes_is_left_to_its_callback() {
        for (updated, expected) in [(NOON - 120, Judgement::Missed), (NOON - 119, Judgement::TooRecent)] {
            assert_eq!(judged(Status::InReview, updated, Some(Status::Draft), Some(10)), expected);
            assert_eq!(judged(Status::InReview, updated, None, Some(10)), expected);
        }
        assert_eq!(judged(Status::InReview, NOON + 5, None, Some(10)), Judgement::TooRecent, "Twilio's clock is ahead");
    }

    #[test]
    fn bundles_and_what_is_unknown_are_not_compared() {
        for resource in [Resource::RegulatoryBundle, Resource::Unknown] {
            let belief = Belief { resource, ..belief(Status::InReview) };
            let judged = judge(&profile(Status::TwilioApproved, at(100)), Some(&belief), Some(at(10)), at(NOON));
            assert_eq!(judged, Judgement::NotCompared);
        }
    }

    #[test]
    fn statuses_that_this_version_does_not_know_are_told_apart_by_their_text_in_any_spelling() {
        let belief = Belief { unknown_status: Some("on-hold".into()), ..belief(Status::Unknown) };
        let judged = |raw: &str| {
            let profile = Profile { raw_status: raw.to_owned(), ..profile(Status::Unknown, at(100)) };
            judge(&profile, Some(&belief), Some(at(10)), at(NOON))
        };
        assert_eq!((judged("On Hold"), judged("paused")), (Judgement::Same, Judgement::Missed));
    }

    #[test]
    fn only_a_baseline_publishes_what_is_older_than_the_history() {
        let published = |baseline| {
            let all = <Judgement as crate::domain::Label>::ALL.iter();
            all.copied().filter(|judgement| judgement.calls_for_an_event(baseline)).collect::<Vec<_>>()
        };
        assert_eq!(published(false), [Judgement::Missed]);
        assert_eq!(published(true), [Judgement::Missed, Judgement::HistoryTooShort]);
    }
}
