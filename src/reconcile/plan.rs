//! Classifies the difference between Trust Hub and the topic for one profile. Pure functions only.

use std::time::Duration;

use trusthub_client::Profile;

use super::view::{Belief, ProfileHistory};
use crate::{
    domain::{Resource, Status, Timestamp, closed_set},
    normalize::{approval_end, profile_details},
};

closed_set! {
    /// The result of comparing a profile with what consumers believe.
    pub enum Comparison {
        /// Consumers have the current status.
        Same => "same",
        /// The profile is a draft, and the topic has no event of it. No event is missing.
        Untouched => "untouched",
        /// The events of the profile are of a resource that no list has.
        NotCompared => "not compared",
        /// The profile changed so recently that its callback may still arrive.
        TooRecent => "too recent",
        /// Consumers do not have the current status and need an event.
        Missed => "missed",
        /// The topic has no event of the profile, but may have had one: the profile last changed before the topic's
        /// history starts.
        HistoryTooShort => "history too short",
    }
}

impl Comparison {
    /// Whether an event must be published.
    pub(super) fn needs_event(self, baseline: bool) -> bool {
        match self {
            Self::Missed => true,
            Self::HistoryTooShort => baseline,
            Self::Same | Self::Untouched | Self::NotCompared | Self::TooRecent => false,
        }
    }

    /// Whether the state of the profile lacks what only Trust Hub knows. A draft has no state until a baseline gives it one.
    pub(super) fn needs_description(self, known: Option<&ProfileHistory>, profile: &Profile, baseline: bool) -> bool {
        match self {
            Self::Same => {
                known.is_some_and(|known| !known.has_details(&profile_details(profile), approval_end(profile)))
            }
            Self::Untouched => baseline,
            Self::Missed | Self::HistoryTooShort | Self::NotCompared | Self::TooRecent => false,
        }
    }

    /// Whether the run reports the profile to the operator.
    pub(super) fn is_reported(self) -> bool {
        match self {
            Self::Missed | Self::HistoryTooShort | Self::TooRecent | Self::NotCompared => true,
            Self::Same | Self::Untouched => false,
        }
    }
}

/// Compares a profile with what consumers believe about it. `history_start` is the time since which the topic contains
/// every published event, `now` is the current time, and `grace` is how long after a change its callback may still arrive.
pub(super) fn classify(
    profile: &Profile,
    belief: Option<&Belief>,
    history_start: Option<Timestamp>,
    now: Timestamp,
    grace: Duration,
) -> Comparison {
    let is_too_recent = profile.date_updated.until(now) < grace;
    match belief {
        Some(belief) if !is_listed(belief.resource) => Comparison::NotCompared,
        Some(belief) if belief.matches(profile) => Comparison::Same,
        None if profile.status == Status::Draft => Comparison::Untouched,
        _ if is_too_recent => Comparison::TooRecent,
        Some(_) => Comparison::Missed,
        None if history_start.is_some_and(|start| start <= profile.date_updated) => Comparison::Missed,
        None => Comparison::HistoryTooShort,
    }
}

/// Whether the client lists the resource. Registrations have an API of their own, in private beta.
fn is_listed(resource: Resource) -> bool {
    match resource {
        Resource::CustomerProfile | Resource::TrustProduct | Resource::RegulatoryBundle => true,
        Resource::ComplianceRegistration | Resource::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{at, belief, profile},
        *,
    };

    const NOON: u64 = 43_200;
    const GRACE: Duration = Duration::from_secs(120);

    fn compare(status: Status, updated: u64, believed: Option<Status>, history_start: Option<u64>) -> Comparison {
        let belief = believed.map(belief);
        classify(&profile(status, at(updated)), belief.as_ref(), history_start.map(at), at(NOON), GRACE)
    }

    #[test]
    fn status_that_consumers_have_is_the_same_at_any_age() {
        for updated in [0, NOON - 1, NOON + 60] {
            assert_eq!(compare(Status::InReview, updated, Some(Status::InReview), Some(10)), Comparison::Same);
        }
    }

    #[test]
    fn different_status_was_missed_even_if_it_is_older_than_the_history() {
        for (updated, history_start) in [(100, 10), (5, 10)] {
            let comparison = compare(Status::TwilioApproved, updated, Some(Status::InReview), Some(history_start));
            assert_eq!(comparison, Comparison::Missed);
        }
        assert_eq!(compare(Status::Draft, 100, Some(Status::InReview), Some(10)), Comparison::Missed, "back to draft");
    }

    #[test]
    fn unpublished_profile_was_missed_if_it_changed_within_the_history() {
        let unpublished = |updated, history_start| compare(Status::InReview, updated, None, history_start);
        assert_eq!(unpublished(10, Some(10)), Comparison::Missed);
        assert_eq!(unpublished(9, Some(10)), Comparison::HistoryTooShort);
        assert_eq!(unpublished(9, None), Comparison::HistoryTooShort, "the topic has no history");
    }

    #[test]
    fn unpublished_draft_is_no_difference() {
        for history_start in [None, Some(10)] {
            assert_eq!(compare(Status::Draft, 100, None, history_start), Comparison::Untouched);
        }
    }

    #[test]
    fn change_within_the_grace_period_is_left_to_its_callback() {
        for (updated, expected) in [(NOON - 120, Comparison::Missed), (NOON - 119, Comparison::TooRecent)] {
            assert_eq!(compare(Status::InReview, updated, Some(Status::Draft), Some(10)), expected);
            assert_eq!(compare(Status::InReview, updated, None, Some(10)), expected);
        }
        assert_eq!(
            compare(Status::InReview, NOON + 5, None, Some(10)),
            Comparison::TooRecent,
            "Twilio's clock is ahead"
        );
    }

    #[test]
    fn resources_that_are_not_listed_are_not_compared() {
        let compare = |resource| {
            let belief = Belief { resource, ..belief(Status::InReview) };
            classify(&profile(Status::TwilioApproved, at(100)), Some(&belief), Some(at(10)), at(NOON), GRACE)
        };
        for resource in [Resource::ComplianceRegistration, Resource::Unknown] {
            assert_eq!(compare(resource), Comparison::NotCompared);
        }
        for resource in [Resource::CustomerProfile, Resource::TrustProduct, Resource::RegulatoryBundle] {
            assert_eq!(compare(resource), Comparison::Missed);
        }
    }

    #[test]
    fn unknown_statuses_are_compared_by_their_canonical_text() {
        let belief = Belief { unknown_status: Some("on-hold".into()), ..belief(Status::Unknown) };
        let compare = |raw: &str| {
            let profile = Profile { raw_status: raw.to_owned(), ..profile(Status::Unknown, at(100)) };
            classify(&profile, Some(&belief), Some(at(10)), at(NOON), GRACE)
        };
        assert_eq!((compare("On Hold"), compare("paused")), (Comparison::Same, Comparison::Missed));
    }

    #[test]
    fn only_a_baseline_publishes_changes_older_than_the_history() {
        let needing_event = |baseline| {
            let all = <Comparison as crate::domain::Label>::ALL.iter();
            all.copied().filter(|comparison| comparison.needs_event(baseline)).collect::<Vec<_>>()
        };
        assert_eq!(needing_event(false), [Comparison::Missed]);
        assert_eq!(needing_event(true), [Comparison::Missed, Comparison::HistoryTooShort]);
    }
}
