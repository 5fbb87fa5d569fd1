//! The states of all profiles in memory, within a limit.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use super::{
    filter::ProfileFilter,
    index_row::{IndexRow, IndexedState},
    order::{ProfileOrder, SortKey},
    search::SearchText,
    state_record::{ProfileContent, ProfileRecord},
};
use crate::domain::{AccountSid, Label as _, ProfileSid, Status, state::ProfileState};

/// The memory that an account takes, in bytes.
const ACCOUNT_BYTES: usize = 150;

/// A page of the profiles that match.
#[derive(Debug, Clone, Default)]
pub(crate) struct IndexQuery {
    /// The text that profiles have; `None` for any.
    pub text: Option<SearchText>,
    /// Which profiles.
    pub filter: ProfileFilter,
    /// In which order.
    pub order: ProfileOrder,
    /// How many of the first ones to skip.
    pub skip: usize,
    /// The largest number of profiles of the page.
    pub take: usize,
}

/// The answer to a query.
#[derive(Debug)]
pub(crate) struct IndexPage {
    /// The states of the page, in order.
    pub profiles: Vec<ProfileState>,
    /// How many profiles match.
    pub matching: usize,
    /// How many profiles have a readable state.
    pub total: usize,
    /// How many of them are in each status, whether they match or not.
    pub statuses: Vec<(Status, usize)>,
    /// How many more profiles have a state that this version cannot read.
    pub unreadable: usize,
    /// Whether profiles were left out because the memory is limited.
    pub is_truncated: bool,
}

/// What the index knows about a profile.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IndexEntry {
    /// Its state.
    State(Box<ProfileState>),
    /// It has a state that this version cannot read.
    Unreadable,
    /// It has none.
    Missing,
    /// The same, but profiles were left out.
    MaybeLeftOut,
}

/// The state of each profile. The records of each partition are applied in order.
#[derive(Debug)]
pub(crate) struct ProfileIndex {
    partitions: i32,
    max_bytes: usize,
    /// About how much memory the rows and accounts take.
    bytes: usize,
    rows: BTreeMap<ProfileSid, IndexRow>,
    accounts: BTreeSet<Arc<AccountSid>>,
    is_truncated: bool,
}

impl ProfileIndex {
    /// An empty index of a topic with this many partitions.
    pub(super) fn new(partitions: i32, max_bytes: usize) -> Self {
        let (rows, accounts) = (BTreeMap::new(), BTreeSet::new());
        Self { partitions, max_bytes, bytes: 0, rows, accounts, is_truncated: false }
    }

    /// Takes the next record of a partition into account. A profile for which there is no more memory is left out.
    pub(super) fn apply(&mut self, ProfileRecord { profile, rank, content }: ProfileRecord) {
        let former = self.rows.get(&profile);
        if !former.is_none_or(|former| rank.replaces(former.rank, &profile, self.partitions)) {
            return;
        }
        self.remove(&profile);
        let state = match content {
            ProfileContent::Deleted => return,
            // Before the account is added, which takes memory, too.
            _ if self.bytes >= self.max_bytes => return self.is_truncated = true,
            ProfileContent::Unreadable => None,
            ProfileContent::State(state) => {
                let account = self.account(&state.account_sid);
                IndexedState::of(&state, account)
            }
        };
        let row = IndexRow { rank, state };
        let bytes = self.bytes.saturating_add(row.bytes());
        if bytes > self.max_bytes {
            self.is_truncated = true;
        } else if let Entry::Vacant(entry) = self.rows.entry(profile) {
            entry.insert(row);
            self.bytes = bytes;
        }
    }

    fn remove(&mut self, profile: &ProfileSid) {
        if let Some(row) = self.rows.remove(profile) {
            self.bytes = self.bytes.saturating_sub(row.bytes());
        }
    }

    /// The account, which all of its profiles share. Accounts are few, so they stay.
    fn account(&mut self, sid: &AccountSid) -> Arc<AccountSid> {
        if let Some(known) = self.accounts.get(sid) {
            return Arc::clone(known);
        }
        let account = Arc::new(*sid);
        self.accounts.insert(Arc::clone(&account));
        self.bytes = self.bytes.saturating_add(ACCOUNT_BYTES);
        account
    }

    /// The profiles that match. Takes a time that grows with the number of all profiles.
    pub(crate) fn query(&self, query: &IndexQuery) -> IndexPage {
        let mut counts = vec![0_usize; Status::ALL.len()];
        let mut found: Vec<FoundRow<'_>> = Vec::new();
        let mut total = 0_usize;
        for (profile, row) in &self.rows {
            let Some(state) = &row.state else { continue };
            total = total.saturating_add(1);
            if let Some(count) = counts.get_mut(state.status_index()) {
                *count = count.saturating_add(1);
            }
            let has_text = |text: &SearchText| text.is_in(profile, state);
            if query.filter.matches(state) && query.text.as_ref().is_none_or(has_text) {
                found.push(FoundRow { key: query.order.key_of(state), profile, state });
            }
        }
        IndexPage {
            matching: found.len(),
            profiles: page(found, query),
            total,
            statuses: Status::ALL.iter().copied().zip(counts).collect(),
            unreadable: self.rows.len().saturating_sub(total),
            is_truncated: self.is_truncated,
        }
    }

    /// What is known about one profile.
    pub(crate) fn entry(&self, profile: &ProfileSid) -> IndexEntry {
        match self.rows.get(profile) {
            None if self.is_truncated => IndexEntry::MaybeLeftOut,
            None => IndexEntry::Missing,
            Some(row) => {
                let state = row.state.as_ref().and_then(IndexedState::decode);
                state.map_or(IndexEntry::Unreadable, |state| IndexEntry::State(Box::new(state)))
            }
        }
    }
}

struct FoundRow<'i> {
    key: Option<SortKey<'i>>,
    profile: &'i ProfileSid,
    state: &'i IndexedState,
}

/// The rows of the page, in order. Sorts no more rows than the page has.
fn page(mut found: Vec<FoundRow<'_>>, query: &IndexQuery) -> Vec<ProfileState> {
    let compare = |one: &FoundRow<'_>, other: &FoundRow<'_>| {
        let order = query.order.compare(one.key.as_ref(), other.key.as_ref());
        order.then_with(|| one.profile.cmp(other.profile))
    };
    let end = query.skip.saturating_add(query.take);
    if end < found.len() {
        found.select_nth_unstable_by(end, compare);
        found.truncate(end);
    }
    if query.skip > 0 && query.skip < found.len() {
        found.select_nth_unstable_by(query.skip, compare);
    }
    let mut rows = found.split_off(query.skip.min(found.len()));
    rows.sort_unstable_by(compare);
    rows.iter().filter_map(|row| row.state.decode()).collect()
}

#[cfg(test)]
mod tests;
