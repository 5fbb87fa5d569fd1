//! A list, page by page.

use super::{Kind, Profile};
use crate::domain::{AccountSid, Status};

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

/// Profiles of one kind and one account, oldest first; as far as a page must look and no further.
pub(super) trait Shelf<'a> {
    /// Older than this one, newest first.
    fn older(&self, serial: u64) -> impl Iterator<Item = &'a Profile> + use<'a, Self>;
    /// Newer than this one, oldest first.
    fn newer(&self, serial: u64) -> impl Iterator<Item = &'a Profile> + use<'a, Self>;
}

pub(super) fn page<'a>(shelf: &impl Shelf<'a>, filter: &Filter, start: Start, size: usize) -> Page {
    let mut profiles: Vec<_> = match start {
        Start::Newest { skip } => {
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            shelf.older(u64::MAX).filter(|profile| filter.takes(profile)).skip(skip).take(size).cloned().collect()
        }
        Start::After(serial) => {
            shelf.older(serial).filter(|profile| filter.takes(profile)).take(size).cloned().collect()
        }
        Start::Before(serial) => {
            shelf.newer(serial).filter(|profile| filter.takes(profile)).take(size).cloned().collect()
        }
    };
    if matches!(start, Start::Before(_)) {
        profiles.reverse();
    }
    let (newest, oldest) = (profiles.first().map(|one| one.serial), profiles.last().map(|one| one.serial));
    let is_more = |mut rest: Box<dyn Iterator<Item = &Profile> + '_>| rest.any(|profile| filter.takes(profile));
    let previous = newest.filter(|serial| is_more(Box::new(shelf.newer(*serial))));
    let next = oldest.filter(|serial| is_more(Box::new(shelf.older(*serial))));
    Page {
        profiles,
        previous: previous.map(|serial| format!("PB{serial:016x}")),
        next: next.map(|serial| format!("PA{serial:016x}")),
    }
}

/// Whose profiles are on one shelf.
pub(super) type Owner = (AccountSid, Kind);
