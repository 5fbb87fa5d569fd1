//! Keeps an index of all states up to date while the state topic is written.

use std::{sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use tokio::{runtime::Handle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    error::StatesError,
    index::{IndexEntry, IndexPage, IndexQuery, ProfileIndex},
    state_record::ProfileRecord,
};
use crate::{
    blocking,
    config::KafkaConfig,
    domain::ProfileSid,
    kafka::{StateTail, Tailed},
};

/// The memory for the states, in bytes: enough for some 400,000 profiles. Twice as much while the topic is read again.
const MAX_INDEX_BYTES: usize = 256 << 20;

/// The pause before the topic is opened again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// How current the index is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IndexStatus {
    /// How far the topic has been read.
    pub stage: IndexStage,
    /// Why the index is not updated now, and what to do about it.
    pub problem: Option<String>,
}

/// How far the state topic has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum IndexStage {
    /// Nothing has been read.
    #[default]
    Empty,
    /// So many records have been read for the first time; there are more.
    Reading(u64),
    /// All of it. The index follows the topic.
    Complete,
}

/// The states of all profiles. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct FollowedProfiles(Arc<FollowedIndex>);

#[derive(Debug)]
struct FollowedIndex {
    /// Held for the time of a query, or of one record.
    index: RwLock<ProfileIndex>,
    status: Mutex<IndexStatus>,
}

impl FollowedProfiles {
    /// How current the index is.
    pub(crate) fn status(&self) -> IndexStatus {
        self.0.status.lock().clone()
    }

    /// The profiles that match. Takes a time that grows with the number of all profiles, so not on a worker.
    pub(crate) fn query(&self, query: &IndexQuery) -> IndexPage {
        self.0.index.read().query(query)
    }

    /// What is known about one profile.
    pub(crate) fn entry(&self, profile: &ProfileSid) -> IndexEntry {
        self.0.index.read().entry(profile)
    }

    fn set(&self, change: impl FnOnce(&mut IndexStatus)) {
        change(&mut self.0.status.lock());
    }

    fn replace(&self, index: ProfileIndex) {
        // The former one, which may be large, is dropped after the lock is released.
        let former = std::mem::replace(&mut *self.0.index.write(), index);
        drop(former);
    }
}

/// Reads the state topic into an index.
#[derive(Debug)]
pub(crate) struct ProfileFollower {
    kafka: KafkaConfig,
    topic: String,
    profiles: FollowedProfiles,
}

impl ProfileFollower {
    /// `None` if the configuration turns the states of profiles off.
    #[must_use]
    pub(crate) fn new(kafka: &KafkaConfig) -> Option<Self> {
        let topic = kafka.profiles_topic.clone()?;
        let index = RwLock::new(ProfileIndex::new(1, MAX_INDEX_BYTES));
        let profiles = FollowedProfiles(Arc::new(FollowedIndex { index, status: Mutex::default() }));
        Some(Self { kafka: kafka.clone(), topic, profiles })
    }

    /// The index that this follower keeps up to date.
    pub(crate) fn profiles(&self) -> FollowedProfiles {
        self.profiles.clone()
    }

    /// Follows the topic until `stop`, on the thread `console-states`. Never fails: a problem becomes part of the status.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let follower = Arc::new(self);
        while !stop.is_cancelled() {
            let this = Arc::clone(&follower);
            let session = this.kafka.credentials.session(&stop, &Handle::current());
            let followed = blocking::run("console-states", move || this.follow(&session)).await;
            let problem = match followed {
                // The service stops, or there are other credentials.
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::debug!(%problem, "the states of profiles are not followed");
            follower.profiles.set(|status| status.problem = Some(problem));
            stop.run_until_cancelled(sleep(RETRY_PAUSE)).await;
        }
    }

    /// Reads the topic from its beginning, and follows it until it has to be read again. Former states stay until all have been
    /// read.
    fn follow(&self, stop: &CancellationToken) -> Result<(), StatesError> {
        let mut tail =
            StateTail::open(&self.kafka, &self.topic)?.ok_or_else(|| StatesError::NoTopic(self.topic.clone()))?;
        let profiles = &self.profiles;
        let empty = ProfileIndex::new(tail.partitions(), MAX_INDEX_BYTES);
        let mut aside = if profiles.status().stage == IndexStage::Empty {
            profiles.replace(empty);
            profiles.set(|status| *status = IndexStatus { stage: IndexStage::Reading(0), problem: None });
            None
        } else {
            Some(empty)
        };
        let mut records = 0_u64;
        while !stop.is_cancelled() {
            let problem = match tail.next()? {
                Tailed::Record(record) => {
                    records = records.saturating_add(1);
                    let parsed = ProfileRecord::parse(&record);
                    match (parsed, &mut aside) {
                        (Some(record), Some(aside)) => aside.apply(record),
                        (Some(record), None) => profiles.0.index.write().apply(record),
                        (None, _) => {}
                    }
                    None
                }
                Tailed::Answered => None,
                Tailed::Nothing => continue,
                Tailed::Interrupted(error) => Some(error.to_string()),
                Tailed::Unreadable(error) => {
                    profiles.set(|status| status.problem = Some(error.to_string()));
                    // A stop waits for this.
                    std::thread::sleep(RETRY_PAUSE);
                    continue;
                }
            };
            if aside.is_some() && !tail.is_complete() {
                // Why the topic is read again stays to be said.
                continue;
            }
            aside.take().into_iter().for_each(|complete| profiles.replace(complete));
            let stage = if tail.is_complete() { IndexStage::Complete } else { IndexStage::Reading(records) };
            profiles.set(|status| *status = IndexStatus { stage, problem });
        }
        Ok(())
    }
}
