//! Which regulatory bundles a list contains, and in which order.

use std::cmp::{Ordering, Reverse};

use trusthub_events::ProfileSid;

use super::{clock::SimTime, number_kind::NumberFilter, profile::SimulatedProfile};

/// Which bundles a list contains, beside the criteria for all profiles. A bundle must match every criterion that is set.
#[derive(Debug, Clone, Default)]
pub struct BundleFilter {
    /// The SIDs of which the bundle's must be one.
    pub sids: Option<Vec<ProfileSid>>,
    /// The phone numbers that it is for.
    pub numbers: NumberFilter,
    /// Whether its approval expires at some time.
    pub has_valid_until: Option<bool>,
    /// The earliest time at which its approval expires, in whole seconds.
    pub earliest: Option<SimTime>,
    /// The latest time at which its approval expires, in whole seconds.
    pub latest: Option<SimTime>,
}

/// The value that a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BundleSortKey {
    /// The time of the creation.
    #[default]
    Created,
    /// The time of the last change.
    Updated,
    /// The time at which the approval expires. Bundles without one are always last.
    ValidUntil,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BundleOrder {
    /// The value to sort by.
    pub by: BundleSortKey,
    /// Whether the smallest value is first.
    pub is_ascending: bool,
}

impl BundleFilter {
    pub(super) fn matches(&self, bundle: &SimulatedProfile) -> bool {
        let numbers = bundle.bundle.as_ref().and_then(|details| details.numbers.as_ref());
        let valid_until = bundle.valid_until.map(SimTime::whole_seconds);
        self.sids.as_ref().is_none_or(|sids| sids.contains(&bundle.sid))
            && self.numbers.matches(numbers)
            && self.has_valid_until.is_none_or(|wanted| wanted == valid_until.is_some())
            && self.earliest.is_none_or(|earliest| valid_until.is_some_and(|time| time >= earliest))
            && self.latest.is_none_or(|latest| valid_until.is_some_and(|time| time <= latest))
    }
}

impl BundleOrder {
    pub(super) fn compare(self, one: &SimulatedProfile, other: &SimulatedProfile) -> Ordering {
        let value = |bundle: &SimulatedProfile| match self.by {
            BundleSortKey::Created => Some(bundle.created),
            BundleSortKey::Updated => Some(bundle.updated),
            BundleSortKey::ValidUntil => bundle.valid_until,
        };
        let is_without = |bundle: &SimulatedProfile| value(bundle).is_none();
        let key = |bundle: &SimulatedProfile| (value(bundle), bundle.serial);
        let order = match self.is_ascending {
            true => key(one).cmp(&key(other)),
            false => Reverse(key(one)).cmp(&Reverse(key(other))),
        };
        is_without(one).cmp(&is_without(other)).then(order)
    }
}
