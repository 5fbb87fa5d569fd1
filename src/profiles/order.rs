//! The order of a list of profiles.

use std::{borrow::Cow, cmp::Ordering};

use super::fields::ProfileFields;
use crate::domain::{Label as _, closed_set};

closed_set! {
    /// What a list of profiles is sorted by.
    pub enum SortField {
        /// The time at which the present status began, the earliest first.
        Since => "since",
        /// The time of the last event, the earliest first.
        Updated => "updated",
        /// The name, without regard to case.
        Name => "name",
        /// The status, in the order of a review.
        Status => "status",
        /// The time at which the approval expires, the earliest first.
        Expires => "expires",
    }
}

/// The order of a list of profiles. Those that lack the field come last, and those with equal fields in the order of their SIDs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProfileOrder {
    /// The field.
    pub field: SortField,
    /// Whether the order of the field is reversed.
    pub is_reversed: bool,
}

impl Default for ProfileOrder {
    fn default() -> Self {
        Self { field: SortField::Since, is_reversed: false }
    }
}

/// What a profile is sorted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey<'p> {
    Time(i64),
    Text(Cow<'p, str>),
    Index(usize),
}

impl SortKey<'_> {
    /// The same without a reference to the profile.
    pub(super) fn into_owned(self) -> SortKey<'static> {
        match self {
            Self::Time(time) => SortKey::Time(time),
            Self::Text(text) => SortKey::Text(text.into_owned().into()),
            Self::Index(index) => SortKey::Index(index),
        }
    }
}

impl ProfileOrder {
    /// What this profile is sorted by; `None` if it lacks the field.
    pub(super) fn key_of(self, profile: &impl ProfileFields) -> Option<SortKey<'_>> {
        match self.field {
            SortField::Since => Some(SortKey::Time(profile.since().unix_millis())),
            SortField::Updated => Some(SortKey::Time(profile.updated_at().unix_millis())),
            SortField::Name => profile.lower_name().map(SortKey::Text),
            SortField::Status => Some(SortKey::Index(profile.status().index())),
            SortField::Expires => profile.expires_at().map(|expiry| SortKey::Time(expiry.unix_millis())),
        }
    }

    pub(super) fn compare(self, one: Option<&SortKey<'_>>, other: Option<&SortKey<'_>>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) if self.is_reversed => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
            (one, other) => one.is_none().cmp(&other.is_none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ProfileType, Status, state::ProfileState},
        profiles::fixtures::{details, state, time},
    };

    /// The numbers of some profiles in this order.
    fn sorted(field: SortField, is_reversed: bool) -> Vec<u32> {
        let named = |name| Some(details(name, ProfileType::Business));
        let approved = |valid_until: &str, number| ProfileState {
            status: Status::TwilioApproved,
            valid_until: Some(valid_until.to_owned()),
            ..state(number)
        };
        let states = [
            ProfileState { since: time(9, 0), updated_at: time(13, 0), profile: named("beta"), ..state(1) },
            ProfileState {
                since: time(8, 0),
                updated_at: time(12, 0),
                profile: named("Alpha"),
                ..approved("2027-01-02", 2)
            },
            ProfileState { since: time(10, 0), updated_at: time(10, 0), ..approved("2027-01-01", 3) },
        ];
        let order = ProfileOrder { field, is_reversed };
        let mut numbered: Vec<_> = (1..).zip(&states).map(|(number, state)| (order.key_of(state), number)).collect();
        numbered.sort_by(|(one, _), (other, _)| order.compare(one.as_ref(), other.as_ref()));
        numbered.into_iter().map(|(_, number)| number).collect()
    }

    #[test]
    fn profiles_are_sorted_by_each_field() {
        let orders = SortField::ALL.iter().map(|field| (field.as_str(), sorted(*field, false)));
        let expected = [
            ("since", vec![2, 1, 3]),
            ("updated", vec![3, 2, 1]),
            ("name", vec![2, 1, 3]),
            ("status", vec![1, 2, 3]),
            ("expires", vec![3, 2, 1]),
        ];
        assert_eq!(orders.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn profiles_without_the_field_come_last_in_both_directions() {
        assert_eq!(sorted(SortField::Name, true), [1, 2, 3], "the third one has no name");
        assert_eq!(sorted(SortField::Expires, true), [2, 3, 1], "the first one does not expire");
    }
}
