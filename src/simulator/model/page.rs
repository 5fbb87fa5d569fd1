//! A list, page by page.

use std::collections::{BTreeMap, HashMap};

use super::{Kind, Profile};
use crate::domain::{AccountSid, ProfileSid, Status};

/// Which profiles.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With this status.
    pub status: Option<Status>,
    /// With exactly this name.
    pub friendly_name: Option<String>,
    /// With this policy.
    pub policy: Option<String>,
}

impl Filter {
    fn takes(&self, profile: &Profile) -> bool {
        self.status.is_none_or(|status| status == profile.status)
            && self.friendly_name.as_ref().is_none_or(|name| *name == profile.friendly_name)
            && self.policy.as_ref().is_none_or(|policy| policy.eq_ignore_ascii_case(&profile.policy))
    }
}

/// Where a page begins. It stays right while profiles come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the newest, but for so many.
    Newest {
        /// How many are left out.
        skip: u64,
    },
    /// Behind this one, with older ones.
    After(u64),
    /// The page that ends before this one, with newer ones.
    Before(u64),
}

impl Start {
    /// Reads a token of [`Page`].
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let number = |digits: &str| (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten();
        let after = token.strip_prefix("PA").and_then(number).map(Self::After);
        after.or_else(|| token.strip_prefix("PB").and_then(number).map(Self::Before))
    }
}

/// What is listed at a time.
#[derive(Debug)]
pub struct Page {
    /// Newest first.
    pub profiles: Vec<Profile>,
    /// The token of the page of newer ones.
    pub previous: Option<String>,
    /// The token of the page of older ones.
    pub next: Option<String>,
}

/// The profiles of one owner, oldest first.
pub(super) struct Shelf<'a> {
    pub(super) serials: &'a BTreeMap<u64, ProfileSid>,
    pub(super) profiles: &'a HashMap<ProfileSid, Profile>,
    pub(super) filter: &'a Filter,
}

impl<'a> Shelf<'a> {
    /// Older than this one, newest first.
    fn older(&self, serial: u64) -> impl Iterator<Item = &'a Profile> {
        self.at(self.serials.range(..serial).rev())
    }

    /// Newer than this one, oldest first.
    fn newer(&self, serial: u64) -> impl Iterator<Item = &'a Profile> {
        self.at(self.serials.range(serial.saturating_add(1)..))
    }

    fn at(&self, places: impl Iterator<Item = (&'a u64, &'a ProfileSid)>) -> impl Iterator<Item = &'a Profile> {
        let Self { profiles, filter, .. } = *self;
        places.filter_map(|(_, sid)| profiles.get(sid)).filter(|profile| filter.takes(profile))
    }

    pub(super) fn page(&self, start: Start, size: usize) -> Page {
        let profiles: Vec<_> = match start {
            Start::Newest { skip } => {
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                self.older(u64::MAX).skip(skip).take(size).collect()
            }
            Start::After(serial) => self.older(serial).take(size).collect(),
            Start::Before(serial) => {
                let mut profiles: Vec<_> = self.newer(serial).take(size).collect();
                profiles.reverse();
                profiles
            }
        };
        let newer = profiles.first().filter(|newest| self.newer(newest.serial).next().is_some());
        let older = profiles.last().filter(|oldest| self.older(oldest.serial).next().is_some());
        Page {
            previous: newer.map(|newest| format!("PB{:016x}", newest.serial)),
            next: older.map(|oldest| format!("PA{:016x}", oldest.serial)),
            profiles: profiles.into_iter().cloned().collect(),
        }
    }
}

/// Whose profiles are on one shelf.
pub(super) type Owner = (AccountSid, Kind);
