//! The list of the profiles of all accounts.

use std::{cell::Cell, cmp::Reverse};

use super::{
    TrustHubModel,
    page::{OverviewFilter, Page, PageStart, SerialList, next_token},
    profile::SimulatedProfile,
    text_pattern::{fold, folded},
};

impl TrustHubModel {
    /// Returns at most `size` profiles of all accounts as `render` shows them, newest first: the newest ones, or those
    /// after `start`.
    pub fn overview<R>(
        &self,
        filter: &OverviewFilter,
        start: PageStart,
        size: usize,
        render: impl Fn(&SimulatedProfile) -> R,
    ) -> Page<R> {
        let older_than = match start {
            PageStart::After(serial) => serial,
            PageStart::Newest { .. } | PageStart::Before(_) => u64::MAX,
        };
        let name_part = filter.name_part.as_ref().map(|part| folded(part));
        // The names are folded into one buffer, one after another.
        let buffer = Cell::new(String::new());
        let has_name_part = |profile: &SimulatedProfile, part: &str| {
            let mut name = buffer.take();
            name.clear();
            name.extend(fold(&profile.friendly_name));
            let is_found = name.contains(part);
            buffer.set(name);
            is_found
        };
        let matches = |profile: &SimulatedProfile| {
            filter.status.is_none_or(|status| status == profile.status)
                && name_part.as_ref().is_none_or(|part| has_name_part(profile, part))
        };
        let is_listed = |account, kind| {
            filter.account.as_ref().is_none_or(|wanted| wanted == account)
                && filter.kind.is_none_or(|wanted| wanted == kind)
        };
        let lists = self.lists.iter().filter(|((account, kind), _)| is_listed(account, *kind));
        let find = |sid: &_| self.profiles.get(sid);
        let lists = lists.map(|(_, serials)| SerialList { serials, find: &find, matches: &matches });
        // Each list may have the newest ones, and one more shows whether there is another page.
        let mut found: Vec<_> =
            lists.flat_map(|list| list.older(older_than).take(size.saturating_add(1)).collect::<Vec<_>>()).collect();
        found.sort_unstable_by_key(|profile| Reverse(profile.serial));
        let is_last = found.len() <= size;
        found.truncate(size);
        let next = found.last().filter(|_| !is_last).map(|profile| next_token(profile.serial));
        Page { entries: found.into_iter().map(render).collect(), previous: None, next }
    }
}
