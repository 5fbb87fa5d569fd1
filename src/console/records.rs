//! What the pages on profiles and dead letters read from Kafka.
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | search the index of profiles, or look up one | `console-query`, at most [`MAX_QUERIES`] | read lock of the index | the number of profiles in the index |
//! | read one record, or the last dead letters | `console-read`, at most [`MAX_READS`] | none | see `kafka::bounded_read` |
//!
//! However many browsers ask, there are no more such threads. A request that waits for longer than [`MAX_WAIT`] gives up.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{
    sync::{Mutex, Semaphore},
    time::timeout,
};

use crate::{
    blocking,
    config::KafkaConfig,
    domain::{AccountSid, ProfileSid, RecordPosition, Timestamp, state::ProfileState},
    kafka::{
        ConsumedRecord, DeadLetterRecord, ReadExtent, TopicReadError, read_dead_letter_at, read_event_at,
        read_last_dead_letters,
    },
    profiles::{FollowedProfiles, IndexEntry, IndexPage, IndexQuery},
    replay::{LetterClassifier, LetterOutlook},
};

/// How many threads search the index at the same time.
const MAX_QUERIES: usize = 2;
/// How many threads read from Kafka at the same time, each with a client of its own.
const MAX_READS: usize = 2;
/// The longest wait for a thread.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// How many dead letters the list has.
pub(super) const LISTED_LETTERS: usize = 100;
/// For how long a list of dead letters is shown to further requests.
const LIST_LIFETIME: Duration = Duration::from_secs(3);
/// The longest text of a listed letter that comes from outside, in characters.
const MAX_LISTED_CHARS: usize = 100;

/// Why a page cannot show records.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum RecordsError {
    /// Too many pages read records at the same time.
    #[error("too many pages are reading records; load this page again in a few seconds")]
    Busy,
    /// Kafka does not answer, a permission is missing, or there is no thread.
    #[error("{0}")]
    Failed(String),
}

impl From<TopicReadError> for RecordsError {
    fn from(error: TopicReadError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A dead letter of the list, without its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedLetter {
    pub(super) position: RecordPosition,
    pub(super) received_at: Timestamp,
    pub(super) reason: String,
    pub(super) event_id: String,
    pub(super) outlook: LetterOutlook,
}

/// The last dead letters, the last one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LetterList {
    pub(super) letters: Vec<ListedLetter>,
    /// Whether letters may be missing because Kafka was slow.
    pub(super) is_partial: bool,
}

/// A dead letter, and what a replay would make of it.
#[derive(Debug)]
pub(super) struct ReadLetter {
    pub(super) letter: DeadLetterRecord,
    pub(super) outlook: LetterOutlook,
    /// Why its signature does not match, if a near miss explains it.
    pub(super) diagnosis: Option<String>,
}

/// What a replay would make of letters.
struct LetterRules {
    classifier: LetterClassifier,
    profiles: Option<FollowedProfiles>,
}

impl LetterRules {
    fn read(&self, letter: DeadLetterRecord) -> ReadLetter {
        let outlook = self.outlook(&letter);
        let is_of_signature = outlook.keep_reason.is_some_and(|reason| reason.is_of_signature());
        let diagnosis = is_of_signature.then(|| self.classifier.diagnose(&letter)).flatten();
        ReadLetter { letter, outlook, diagnosis }
    }

    fn list(&self, letter: &DeadLetterRecord) -> ListedLetter {
        let cut = |text: &str| text.chars().take(MAX_LISTED_CHARS).collect::<String>();
        let outlook = self.outlook(letter);
        ListedLetter {
            position: letter.position,
            received_at: letter.time,
            reason: cut(&letter.reason),
            event_id: cut(&letter.event_id),
            outlook: LetterOutlook { profile: outlook.profile.as_deref().map(cut), ..outlook },
        }
    }

    fn outlook(&self, letter: &DeadLetterRecord) -> LetterOutlook {
        self.classifier.outlook(letter, |profile| self.owner(profile))
    }

    /// The account that owns the profile, if Trust Hub has confirmed it.
    fn owner(&self, profile: &ProfileSid) -> Option<AccountSid> {
        match self.profiles.as_ref()?.entry(profile) {
            IndexEntry::State(state) => state.profile.as_ref().map(|_| state.account_sid),
            IndexEntry::Unreadable | IndexEntry::Missing | IndexEntry::MaybeLeftOut => None,
        }
    }
}

type CachedList = (Instant, Result<Arc<LetterList>, RecordsError>);

/// Where pages read profiles, events and dead letters.
pub(crate) struct RecordSources {
    kafka: Arc<KafkaConfig>,
    profiles: Option<FollowedProfiles>,
    letters: Arc<LetterRules>,
    queries: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    /// Locked while the list is read, so that only one request reads it.
    list: Mutex<Option<CachedList>>,
}

impl RecordSources {
    /// `profiles` is `None` if the states of profiles are turned off. `classifier` decides with the keys that are in use.
    #[must_use]
    pub(crate) fn new(kafka: &KafkaConfig, profiles: Option<FollowedProfiles>, classifier: LetterClassifier) -> Self {
        Self {
            kafka: Arc::new(kafka.clone()),
            letters: Arc::new(LetterRules { classifier, profiles: profiles.clone() }),
            profiles,
            queries: Arc::new(Semaphore::new(MAX_QUERIES)),
            reads: Arc::new(Semaphore::new(MAX_READS)),
            list: Mutex::default(),
        }
    }

    /// The index of profiles; `None` if the states are turned off.
    pub(super) fn profiles(&self) -> Option<&FollowedProfiles> {
        self.profiles.as_ref()
    }

    /// Searches the index.
    pub(super) async fn search(
        &self,
        profiles: &FollowedProfiles,
        query: IndexQuery,
    ) -> Result<IndexPage, RecordsError> {
        let profiles = profiles.clone();
        run(&self.queries, "console-query", move || profiles.query(&query)).await
    }

    /// What the index knows about a profile.
    pub(super) async fn entry(
        &self,
        profiles: &FollowedProfiles,
        sid: &ProfileSid,
    ) -> Result<IndexEntry, RecordsError> {
        let (profiles, sid) = (profiles.clone(), *sid);
        run(&self.queries, "console-query", move || profiles.entry(&sid)).await
    }

    /// The last event that the state of a profile takes into account; `None` if the topic no longer has it.
    pub(super) async fn last_event(&self, state: &ProfileState) -> Result<Option<ConsumedRecord>, RecordsError> {
        let (kafka, profile) = (Arc::clone(&self.kafka), state.profile_sid.to_string());
        let position = RecordPosition { partition: state.position.partition, offset: state.position.offset };
        Ok(run(&self.reads, "console-read", move || read_event_at(&kafka, position, &profile)).await??)
    }

    /// The dead letter at this position, if there is one.
    pub(super) async fn letter(&self, position: RecordPosition) -> Result<Option<ReadLetter>, RecordsError> {
        let (kafka, letters) = (Arc::clone(&self.kafka), Arc::clone(&self.letters));
        let read = move || {
            let letter = read_dead_letter_at(&kafka, position)?;
            Ok::<_, TopicReadError>(letter.map(|letter| letters.read(letter)))
        };
        Ok(run(&self.reads, "console-read", read).await??)
    }

    /// The last dead letters.
    pub(super) async fn last_letters(&self) -> Result<Arc<LetterList>, RecordsError> {
        let mut cached = timeout(MAX_WAIT, self.list.lock()).await.map_err(|_| RecordsError::Busy)?;
        if let Some((read_at, list)) = &*cached
            && read_at.elapsed() < LIST_LIFETIME
        {
            return list.clone();
        }
        let (kafka, letters) = (Arc::clone(&self.kafka), Arc::clone(&self.letters));
        let read = run(&self.reads, "console-read", move || read_list(&kafka, &letters)).await;
        let list = read.and_then(|list| Ok(Arc::new(list?)));
        *cached = Some((Instant::now(), list.clone()));
        list
    }
}

/// Runs `work` on a thread of its own, once there are fewer than the permitted number.
async fn run<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    thread: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RecordsError> {
    let permit = timeout(MAX_WAIT, Arc::clone(permits).acquire_owned()).await;
    let Ok(Ok(permit)) = permit else { return Err(RecordsError::Busy) };
    let result = blocking::run(thread, move || {
        // Also while the browser no longer waits.
        let _permit = permit;
        work()
    });
    result.await.map_err(|error| RecordsError::Failed(error.to_string()))
}

/// Reads the last letters of each partition, and keeps the last ones of all.
fn read_list(kafka: &KafkaConfig, letters: &LetterRules) -> Result<LetterList, RecordsError> {
    let mut last = BTreeMap::new();
    let count = i64::try_from(LISTED_LETTERS).unwrap_or(i64::MAX);
    let extent = read_last_dead_letters(kafka, count, |letter| {
        last.insert((letter.time, letter.position), letters.list(&letter));
        if last.len() > LISTED_LETTERS {
            last.pop_first();
        }
    })?;
    let list = last.into_values().rev().collect();
    Ok(LetterList { letters: list, is_partial: extent == ReadExtent::OutOfTime })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_threads_run_than_permitted_and_others_give_up() {
        let permits = Arc::new(Semaphore::new(MAX_READS));
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let (start, started) = mpsc::channel();
        for _ in 0..MAX_READS {
            let (held, start) = (Arc::clone(&held), start.clone());
            let waiting = run(&permits, "reads", move || {
                let _ = start.send(());
                held.lock().map(|held| held.recv().is_ok()).is_ok()
            });
            // The browser goes away, but its thread stays.
            assert!(timeout(Duration::from_millis(1), waiting).await.is_err());
            started.recv().unwrap();
        }
        assert_eq!(run(&permits, "reads", || ()).await, Err(RecordsError::Busy));
        drop(release);
        let _both = permits.acquire_many(2).await.unwrap();
    }
}
