//! A profile in the index: what lists need as it is, and the rest in a compact form.

use std::{borrow::Cow, sync::Arc};

use super::{fields::ProfileFields, state_record::RecordRank};
use crate::domain::{
    AccountSid, Label as _, ProfileType, Resource, Status, Timestamp,
    state::{CompactState, ProfileState},
};

/// The memory of a profile without the texts of variable length, in bytes: the row, its key, and what the tree and the allocator add.
/// Measured with 100,000 profiles, see `docs/performance.md`.
const ROW_BYTES: usize = 320;

/// The record of a profile that counts.
#[derive(Debug)]
pub(super) struct IndexRow {
    pub(super) rank: RecordRank,
    /// The state; `None` if this version cannot read it.
    pub(super) state: Option<IndexedState>,
}

impl IndexRow {
    /// About how many bytes of memory the row takes.
    pub(super) fn bytes(&self) -> usize {
        let texts = self.state.as_ref().map_or(0, |state| {
            let name = state.lower_name.as_ref().map_or(0, |name| name.len());
            state.compact.size().saturating_add(name).saturating_add(size_of_val(&*state.codes))
        });
        ROW_BYTES.saturating_add(texts)
    }
}

/// A state of the index.
#[derive(Debug)]
pub(super) struct IndexedState {
    account: Arc<AccountSid>,
    resource: Resource,
    status: Status,
    profile_type: Option<ProfileType>,
    codes: Box<[u32]>,
    since: Timestamp,
    updated_at: Timestamp,
    expires_at: Option<Timestamp>,
    lower_name: Option<Box<str>>,
    compact: CompactState,
}

impl IndexedState {
    /// `None` never, see [`CompactState::encode`]. `account` is the owner.
    pub(super) fn of(state: &ProfileState, account: Arc<AccountSid>) -> Option<Self> {
        Some(Self {
            account,
            resource: state.resource,
            status: state.status,
            profile_type: state.profile_type(),
            codes: state.errors.iter().map(|error| error.code).collect(),
            since: state.since,
            updated_at: state.updated_at,
            expires_at: state.expires_at(),
            lower_name: state.lower_name().map(|name| name.into_owned().into_boxed_str()),
            compact: CompactState::encode(state).ok()?,
        })
    }

    /// The whole state; `None` never, see [`CompactState::decode`].
    pub(super) fn decode(&self) -> Option<ProfileState> {
        self.compact.decode()
    }

    pub(super) fn status_index(&self) -> usize {
        self.status.index()
    }
}

impl ProfileFields for IndexedState {
    fn account(&self) -> &AccountSid {
        &self.account
    }

    fn resource(&self) -> Resource {
        self.resource
    }

    fn status(&self) -> Status {
        self.status
    }

    fn profile_type(&self) -> Option<ProfileType> {
        self.profile_type
    }

    fn has_code(&self, code: u32) -> bool {
        self.codes.contains(&code)
    }

    fn since(&self) -> Timestamp {
        self.since
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    fn lower_name(&self) -> Option<Cow<'_, str>> {
        self.lower_name.as_deref().map(Cow::Borrowed)
    }
}
