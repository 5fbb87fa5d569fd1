//! A record of the state topic, and which record of a profile counts.

use crate::{
    domain::{ProfileSid, Timestamp, cloud_events, state::ProfileState},
    kafka::{EventRecord, partition_of},
};

/// A record of the state topic whose key is a profile.
#[derive(Debug)]
pub(super) struct ProfileRecord {
    pub(super) profile: ProfileSid,
    pub(super) rank: RecordRank,
    pub(super) content: ProfileContent,
}

/// What a record says about its profile.
#[derive(Debug)]
pub(super) enum ProfileContent {
    /// Its state.
    State(Box<ProfileState>),
    /// A tombstone.
    Deleted,
    /// No state that this version can read.
    Unreadable,
}

/// The rank of a record among those of its profile.
///
/// A profile has its state in one partition. When partitions were added, its former partition may still have one, too. Then the
/// later one counts, and a tombstone only removes the state of its own partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordRank {
    pub(super) partition: i32,
    /// The time of the last event; `None` for a record that is no state.
    updated_at: Option<Timestamp>,
}

impl ProfileRecord {
    /// Reads a record; `None` if its key is no profile.
    pub(super) fn parse(record: &EventRecord) -> Option<Self> {
        let profile = record.key_profile()?;
        let content = ProfileContent::of(record);
        let updated_at = match &content {
            ProfileContent::State(state) => Some(state.updated_at),
            ProfileContent::Deleted | ProfileContent::Unreadable => None,
        };
        Some(Self { profile, rank: RecordRank { partition: record.position.partition, updated_at }, content })
    }
}

impl ProfileContent {
    fn of(record: &EventRecord) -> Self {
        let Some(value) = record.value.as_deref() else { return Self::Deleted };
        let is_known = record.ce_type().is_none_or(|ce_type| ce_type == cloud_events::STATE_TYPE);
        let state = serde_json::from_slice(value).ok().filter(|_| is_known);
        state.map_or(Self::Unreadable, Self::State)
    }
}

impl RecordRank {
    /// Whether this record of a profile counts instead of the former one. Records of one partition are to be compared in order.
    pub(super) fn replaces(self, former: Self, profile: &ProfileSid, partitions: i32) -> bool {
        let home = partition_of(profile, partitions);
        let rank = |rank: Self| (rank.updated_at, rank.partition == home);
        self.partition == former.partition || rank(self) > rank(former)
    }
}
