//! Lists of profiles, page by page.

use std::{cmp::Ordering, collections::BTreeMap};

use trusthub_events::{AccountSid, Status};

use super::{
    bundle_list::BundleFilter,
    profile::{ProfileKind, SimulatedProfile},
};

/// Which profiles a list contains. A profile must match every criterion that is set.
#[derive(Debug, Clone, Default)]
pub struct ProfileFilter {
    /// The status to match.
    pub status: Option<Status>,
    /// The friendly name to match exactly.
    pub friendly_name: Option<String>,
    /// The SID of the policy to match, in any case.
    pub policy: Option<String>,
    /// The criteria for regulatory bundles.
    pub bundle: BundleFilter,
}

impl ProfileFilter {
    pub(super) fn matches(&self, profile: &SimulatedProfile) -> bool {
        self.status.is_none_or(|status| status == profile.status)
            && self.friendly_name.as_ref().is_none_or(|name| *name == profile.friendly_name)
            && self.policy.as_ref().is_none_or(|policy| policy.eq_ignore_ascii_case(&profile.policy))
            && self.bundle.matches(profile)
    }
}

/// Which profiles a list of those of all accounts contains. A profile must match every criterion that is set.
#[derive(Debug, Clone, Default)]
pub struct OverviewFilter {
    /// The account to match.
    pub account: Option<AccountSid>,
    /// The kind to match.
    pub kind: Option<ProfileKind>,
    /// The status to match.
    pub status: Option<Status>,
    /// A part of the friendly name, in any case.
    pub name_part: Option<String>,
}

/// Where a page starts. It refers to an entry's serial number and not to an offset, so that the pages of a list stay
/// consistent while entries are created and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStart {
    /// At the newest entry, after skipping some.
    Newest {
        /// The number of entries to skip.
        skip: u64,
    },
    /// After the entry with this serial number, with older ones.
    After(u64),
    /// On the page that ends before the entry with this serial number, with newer ones.
    Before(u64),
}

impl PageStart {
    /// Parses a token of a [`Page`]. Returns `None` if it is not one.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let number = |digits: &str| (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten();
        let after = token.strip_prefix("PA").and_then(number).map(Self::After);
        after.or_else(|| token.strip_prefix("PB").and_then(number).map(Self::Before))
    }
}

/// One page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// The entries, newest first.
    pub entries: Vec<T>,
    /// The token of the page with newer entries, if there are any.
    pub previous: Option<String>,
    /// The token of the page with older entries, if there are any.
    pub next: Option<String>,
}

/// One page of a list of profiles.
pub type ProfilePage = Page<SimulatedProfile>;

/// An entry of a list.
pub(super) trait Listed: Clone {
    /// Returns the position in the order of creation.
    fn serial(&self) -> u64;
}

impl Listed for SimulatedProfile {
    fn serial(&self) -> u64 {
        self.serial
    }
}

/// The entries of one kind and account that match a filter.
pub(super) struct SerialList<'a, K, T> {
    /// The SIDs of all entries of this kind and account by serial number, so the oldest first.
    pub(super) serials: &'a BTreeMap<u64, K>,
    /// Returns the entry with a SID.
    pub(super) find: &'a dyn Fn(&K) -> Option<&'a T>,
    pub(super) matches: &'a dyn Fn(&T) -> bool,
}

impl<'a, K, T: Listed> SerialList<'a, K, T> {
    /// Returns the entries that are older than this one, newest first.
    pub(super) fn older(&self, serial: u64) -> impl Iterator<Item = &'a T> {
        self.matching(self.serials.range(..serial).rev())
    }

    /// Returns the entries that are newer than this one, oldest first.
    fn newer(&self, serial: u64) -> impl Iterator<Item = &'a T> {
        self.matching(self.serials.range(serial.saturating_add(1)..))
    }

    fn matching(&self, serials: impl Iterator<Item = (&'a u64, &'a K)>) -> impl Iterator<Item = &'a T> {
        serials.filter_map(|(_, sid)| (self.find)(sid)).filter(|entry| (self.matches)(entry))
    }

    pub(super) fn page(&self, start: PageStart, size: usize) -> Page<T> {
        let entries: Vec<_> = match start {
            PageStart::Newest { skip } => {
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                self.older(u64::MAX).skip(skip).take(size).collect()
            }
            PageStart::After(serial) => self.older(serial).take(size).collect(),
            PageStart::Before(serial) => {
                let mut entries: Vec<_> = self.newer(serial).take(size).collect();
                entries.reverse();
                entries
            }
        };
        let newer = entries.first().filter(|newest| self.newer(newest.serial()).next().is_some());
        let older = entries.last().filter(|oldest| self.older(oldest.serial()).next().is_some());
        Page {
            previous: newer.map(|newest| format!("PB{:016x}", newest.serial())),
            next: older.map(|oldest| next_token(oldest.serial())),
            entries: entries.into_iter().cloned().collect(),
        }
    }
}

/// Returns at most `size` entries in their order, after skipping some. Only these are sorted, so that the time is
/// proportional to the number of entries.
pub(super) fn sorted_page<T>(
    mut entries: Vec<T>,
    skip: usize,
    size: usize,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Vec<T> {
    if skip >= entries.len() {
        return Vec::new();
    }
    // The methods that select panic if the position is not one of an entry.
    entries.select_nth_unstable_by(skip, &compare);
    let mut page = entries.split_off(skip);
    if size < page.len() {
        page.select_nth_unstable_by(size, &compare);
        page.truncate(size);
    }
    page.sort_unstable_by(compare);
    page
}

/// Returns the token of the page that begins after the entry with this serial number.
pub(super) fn next_token(serial: u64) -> String {
    format!("PA{serial:016x}")
}

/// The account and the kind of profiles that one list is for.
pub(super) type ListKey = (AccountSid, ProfileKind);

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn sorted_page_is_that_of_the_sorted_list(
            entries in vec(any::<u8>(), 0..30), skip in 0_usize..35, size in 0_usize..35,
        ) {
            let mut sorted = entries.clone();
            sorted.sort_unstable();
            let expected: Vec<_> = sorted.into_iter().skip(skip).take(size).collect();
            prop_assert_eq!(sorted_page(entries, skip, size, u8::cmp), expected);
        }
    }
}
