//! Lists of profiles, page by page.

use std::collections::{BTreeMap, HashMap};

use trusthub_events::{AccountSid, ProfileSid, Status};

use super::profile::{ProfileKind, SimulatedProfile};

/// Which profiles a list contains. A profile must match every criterion that is set.
#[derive(Debug, Clone, Default)]
pub struct ProfileFilter {
    /// The status to match.
    pub status: Option<Status>,
    /// The friendly name to match exactly.
    pub friendly_name: Option<String>,
    /// The SID of the policy to match, in any case.
    pub policy: Option<String>,
}

impl ProfileFilter {
    fn matches(&self, profile: &SimulatedProfile) -> bool {
        self.status.is_none_or(|status| status == profile.status)
            && self.friendly_name.as_ref().is_none_or(|name| *name == profile.friendly_name)
            && self.policy.as_ref().is_none_or(|policy| policy.eq_ignore_ascii_case(&profile.policy))
    }
}

/// Where a page starts. It refers to a profile's serial number and not to an offset, so that the pages of a list stay
/// consistent while profiles are created and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStart {
    /// At the newest profile, after skipping some.
    Newest {
        /// The number of profiles to skip.
        skip: u64,
    },
    /// After the profile with this serial number, with older ones.
    After(u64),
    /// On the page that ends before the profile with this serial number, with newer ones.
    Before(u64),
}

impl PageStart {
    /// Parses a token of a [`ProfilePage`]. Returns `None` if it is not one.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let number = |digits: &str| (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten();
        let after = token.strip_prefix("PA").and_then(number).map(Self::After);
        after.or_else(|| token.strip_prefix("PB").and_then(number).map(Self::Before))
    }
}

/// One page of a list.
#[derive(Debug)]
pub struct ProfilePage {
    /// The profiles, newest first.
    pub profiles: Vec<SimulatedProfile>,
    /// The token of the page with newer profiles, if there are any.
    pub previous: Option<String>,
    /// The token of the page with older profiles, if there are any.
    pub next: Option<String>,
}

/// The profiles of one kind and account that match a filter.
pub(super) struct ProfileList<'a> {
    /// The SIDs of all profiles of this kind and account by serial number, so the oldest first.
    pub(super) serials: &'a BTreeMap<u64, ProfileSid>,
    pub(super) profiles: &'a HashMap<ProfileSid, SimulatedProfile>,
    pub(super) filter: &'a ProfileFilter,
}

impl<'a> ProfileList<'a> {
    /// Returns the profiles that are older than this one, newest first.
    fn older(&self, serial: u64) -> impl Iterator<Item = &'a SimulatedProfile> {
        self.matching(self.serials.range(..serial).rev())
    }

    /// Returns the profiles that are newer than this one, oldest first.
    fn newer(&self, serial: u64) -> impl Iterator<Item = &'a SimulatedProfile> {
        self.matching(self.serials.range(serial.saturating_add(1)..))
    }

    fn matching(
        &self,
        entries: impl Iterator<Item = (&'a u64, &'a ProfileSid)>,
    ) -> impl Iterator<Item = &'a SimulatedProfile> {
        let Self { profiles, filter, .. } = *self;
        entries.filter_map(|(_, sid)| profiles.get(sid)).filter(|profile| filter.matches(profile))
    }

    pub(super) fn page(&self, start: PageStart, size: usize) -> ProfilePage {
        let profiles: Vec<_> = match start {
            PageStart::Newest { skip } => {
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                self.older(u64::MAX).skip(skip).take(size).collect()
            }
            PageStart::After(serial) => self.older(serial).take(size).collect(),
            PageStart::Before(serial) => {
                let mut profiles: Vec<_> = self.newer(serial).take(size).collect();
                profiles.reverse();
                profiles
            }
        };
        let newer = profiles.first().filter(|newest| self.newer(newest.serial).next().is_some());
        let older = profiles.last().filter(|oldest| self.older(oldest.serial).next().is_some());
        ProfilePage {
            previous: newer.map(|newest| format!("PB{:016x}", newest.serial)),
            next: older.map(|oldest| format!("PA{:016x}", oldest.serial)),
            profiles: profiles.into_iter().cloned().collect(),
        }
    }
}

/// The account and the kind of profiles that one list is for.
pub(super) type ListKey = (AccountSid, ProfileKind);
