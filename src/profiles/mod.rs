//! Answers questions about the states of profiles from the state topic: to commands, for which no service needs to be running,
//! and to the console, for which an index of all states is kept up to date.
//!
//! ```text
//! mod ─► table ───────────────┬─► filter, order ─► fields
//! (commands)                  ├─► state_record
//!                             └─► lookup
//! follower ─► index ─┬─► filter, order, search ─► fields
//! (console)          ├─► state_record
//!                    └─► index_row ─► fields
//! ```
//!
//! All calls that block are made on the thread `profiles-read`, and for the index on `console-states`, with the bounds that
//! `kafka::projection` lists.

mod error;
mod fields;
mod filter;
#[cfg(test)]
pub(crate) mod fixtures;
mod follower;
mod index;
mod index_row;
mod lookup;
mod order;
mod search;
mod state_record;
mod table;

use crate::{
    blocking,
    config::KafkaConfig,
    domain::ProfileSid,
    kafka::{ProjectionError, StateTopic, partition_of},
};
pub(crate) use error::{StatesError, StatesTurnedOff};
pub(crate) use filter::ProfileFilter;
pub(crate) use follower::{FollowedProfiles, IndexStage, IndexStatus, ProfileFollower};
pub(crate) use index::{IndexEntry, IndexPage, IndexQuery};
pub(crate) use lookup::{Completeness, Lookup};
pub(crate) use order::{ProfileOrder, SortField};
pub(crate) use search::SearchText;
pub(crate) use table::ListedProfile;
use table::ProfileTable;

/// Which profiles to list, and in which order.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProfileQuery {
    /// Which profiles.
    pub filter: ProfileFilter,
    /// In which order.
    pub order: ProfileOrder,
    /// The largest number of profiles to list; `None` for all.
    pub limit: Option<usize>,
}

/// The profiles that match a query.
#[derive(Debug)]
pub(crate) struct ProfileList {
    /// Their states, in order; at most as many as the limit permits.
    pub profiles: Vec<ListedProfile>,
    /// How many profiles match.
    pub matching: usize,
    /// How many profiles there are.
    pub total: usize,
    /// How many more profiles have a state that this version cannot read.
    pub unreadable: usize,
    /// How complete the states are.
    pub completeness: Completeness,
}

/// Lists profiles. Calls `read` with the number of records that were read so far.
///
/// # Errors
/// [`StatesError`].
pub(crate) async fn list_profiles(
    kafka: &KafkaConfig,
    query: ProfileQuery,
    mut read: impl FnMut(u64) + Send + 'static,
) -> Result<ProfileList, StatesError> {
    with_topic(kafka, move |topic| {
        let mut progress = topic.progress();
        let mut table = ProfileTable::new(topic.partitions(), &query.filter);
        let mut records = 0_u64;
        for partition in 0..topic.partitions() {
            topic.read(partition, |record| {
                records = records.saturating_add(1);
                read(records);
                progress.iter_mut().for_each(|progress| progress.add(&record));
                table.apply(&record);
            })?;
        }
        let completeness = progress.map(|progress| progress.events_not_applied(|_| true));
        let (total, unreadable) = (table.total(), table.unreadable());
        let mut profiles = table.into_matching(query.order);
        let matching = profiles.len();
        profiles.truncate(query.limit.unwrap_or(matching));
        Ok(ProfileList { profiles, matching, total, unreadable, completeness })
    })
    .await
}

/// Finds the state of a profile. Reads only the partition of the profile, unless partitions may have been added.
///
/// # Errors
/// [`StatesError`].
pub(crate) async fn find_profile(kafka: &KafkaConfig, profile: ProfileSid) -> Result<Lookup, StatesError> {
    with_topic(kafka, move |topic| {
        let mut progress = topic.progress();
        let is_home_enough = progress.as_ref().is_ok_and(|progress| !progress.has_added_partitions);
        let filter = ProfileFilter::default();
        let mut table = ProfileTable::new(topic.partitions(), &filter);
        let home = partition_of(&profile, topic.partitions());
        let is_read = |partition: i32| partition == home || !is_home_enough;
        for partition in (0..topic.partitions()).filter(|partition| is_read(*partition)) {
            topic.read(partition, |record| {
                progress.iter_mut().for_each(|progress| progress.add(&record));
                if record.key.as_deref() == Some(profile.as_str().as_bytes()) {
                    table.apply(&record);
                }
            })?;
        }
        Ok(table.into_lookup(&profile, progress.map(|progress| progress.events_not_applied(is_read))))
    })
    .await
}

/// Runs `work` on the state topic.
async fn with_topic<T: Send + 'static>(
    kafka: &KafkaConfig,
    work: impl FnOnce(&StateTopic) -> Result<T, ProjectionError> + Send + 'static,
) -> Result<T, StatesError> {
    let name = kafka.profiles_topic.clone().ok_or(StatesTurnedOff)?;
    let kafka = kafka.clone();
    let read = blocking::run("profiles-read", move || {
        let topic = StateTopic::open(&kafka, &name)?.ok_or(StatesError::NoTopic(name))?;
        Ok(work(&topic)?)
    });
    read.await?
}
