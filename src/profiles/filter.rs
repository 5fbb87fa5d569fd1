//! Which profiles a query selects.

use super::fields::ProfileFields;
use crate::domain::{AccountSid, ProfileType, Resource, Status, Timestamp};

/// Selects profiles. A profile has to match each condition that is not empty, and one value of a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProfileFilter {
    /// The present status.
    pub statuses: Vec<Status>,
    /// The owner.
    pub accounts: Vec<AccountSid>,
    /// The kind of profile.
    pub resources: Vec<Resource>,
    /// The type, which only Trust Hub knows.
    pub types: Vec<ProfileType>,
    /// An error code of the present rejection.
    pub codes: Vec<u32>,
    /// The latest time at which the present status began.
    pub since_at_latest: Option<Timestamp>,
    /// The latest time at which the approval expires.
    pub expires_at_latest: Option<Timestamp>,
}

impl ProfileFilter {
    pub(super) fn matches(&self, profile: &impl ProfileFields) -> bool {
        is_any(&self.statuses, |status| *status == profile.status())
            && is_any(&self.accounts, |account| account == profile.account())
            && is_any(&self.resources, |resource| *resource == profile.resource())
            && is_any(&self.types, |kind| Some(*kind) == profile.profile_type())
            && is_any(&self.codes, |code| profile.has_code(*code))
            && self.since_at_latest.is_none_or(|latest| profile.since() <= latest)
            && self.expires_at_latest.is_none_or(|latest| profile.expires_at().is_some_and(|expiry| expiry <= latest))
    }
}

/// Whether a value of the list is the one, or the list is empty.
fn is_any<T>(values: &[T], is: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{RejectionReason, state::ProfileState},
        profiles::fixtures::{account, details, state, time},
    };

    /// The numbers of the profiles that match.
    fn matching(filter: &ProfileFilter) -> Vec<u32> {
        let states = [
            ProfileState { status: Status::Draft, ..state(1) },
            ProfileState { status: Status::InReview, account_sid: account(2), since: time(10, 0), ..state(2) },
            ProfileState {
                status: Status::TwilioRejected,
                resource: Resource::TrustProduct,
                errors: vec![RejectionReason::from(18602), RejectionReason::from(22215)],
                ..state(3)
            },
            ProfileState {
                status: Status::TwilioApproved,
                valid_until: Some("2026-12-01".to_owned()),
                profile: Some(details("Shop", ProfileType::Business)),
                ..state(4)
            },
        ];
        (1..).zip(states).filter(|(_, state)| filter.matches(state)).map(|(number, _)| number).collect()
    }

    #[test]
    fn empty_filter_matches_every_profile() {
        assert_eq!(matching(&ProfileFilter::default()), [1, 2, 3, 4]);
    }

    #[test]
    fn each_condition_selects_its_profiles() {
        let all = ProfileFilter::default;
        let of = |filter: ProfileFilter| matching(&filter);
        assert_eq!(of(ProfileFilter { statuses: vec![Status::Draft, Status::InReview], ..all() }), [1, 2]);
        assert_eq!(of(ProfileFilter { accounts: vec![account(2)], ..all() }), [2]);
        assert_eq!(of(ProfileFilter { resources: vec![Resource::TrustProduct], ..all() }), [3]);
        assert_eq!(of(ProfileFilter { types: vec![ProfileType::Cnam, ProfileType::Business], ..all() }), [4]);
        assert_eq!(of(ProfileFilter { codes: vec![22215], ..all() }), [3]);
    }

    #[test]
    fn profile_has_to_match_every_condition() {
        let filter = ProfileFilter { statuses: vec![Status::Draft], codes: vec![22215], ..ProfileFilter::default() };
        assert_eq!(matching(&filter), Vec::<u32>::new());
    }

    #[test]
    fn limits_of_times_are_inclusive() {
        let since = |latest| matching(&ProfileFilter { since_at_latest: Some(latest), ..ProfileFilter::default() });
        assert_eq!((since(time(10, 0)), since(time(9, 59))), (vec![2], vec![]), "the others began at 11:00");
        let expires = |latest: &str| {
            let latest = Some(latest.parse().unwrap());
            matching(&ProfileFilter { expires_at_latest: latest, ..ProfileFilter::default() })
        };
        assert_eq!(expires("2026-12-01T00:00:00Z"), [4]);
        assert_eq!(expires("2026-11-30T23:59:59Z"), Vec::<u32>::new());
    }
}
