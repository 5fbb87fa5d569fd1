//! The callbacks that the dedup window remembers. Pure: it knows no clock and wakes no waiter.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry::Occupied},
    hash::BuildHasher as _,
    num::NonZeroU64,
    time::Duration,
};

use foldhash::fast::RandomState;
use tokio::sync::oneshot;

use crate::domain::{DeliveryError, Fingerprint, ProfileSid};

/// The largest number of callbacks that are remembered. Beyond it, the oldest are evicted.
pub(super) const MAX_ENTRIES: usize = 100_000;

/// Without an idempotency token, an identical callback is a repeat only within this time: a profile may return to a status.
const WINDOW_WITHOUT_TOKEN: Duration = Duration::from_secs(30);

/// Whether the first of several identical callbacks became durable.
pub(super) type FirstOutcome = Result<(), DeliveryError>;

/// The repeats that wait for the first callback.
pub(super) type Waiters = Vec<oneshot::Sender<FirstOutcome>>;

/// Nanoseconds since the cache was created.
pub(super) type Nanos = u64;

/// The number of an entry. Entries are numbered in the order of their claims.
pub(super) type EntryNumber = u64;

type Hash = [u8; 16];

/// Entries by 64 bits of a hash.
type Index = HashMap<u64, EntryNumber, RandomState>;

/// The fingerprint of an entry whose claim failed. It equals no fingerprint.
const FAILED: Hash = [0; 16];

/// A verified callback that asks whether it is a repeat.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct DedupKey<'a> {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// The hash of fingerprint and idempotency token, if there is a token.
    pub token: Option<NonZeroU64>,
    /// The profile, if it could be read.
    pub profile: Option<&'a ProfileSid>,
    /// Whether the callback can be read as an event.
    pub is_event: bool,
}

/// The remembered callbacks. A full cache makes up most of the service's memory, so entries are small.
#[derive(Debug)]
pub(super) struct Cache {
    window: Nanos,
    window_without_token: Nanos,
    /// All claims in their order, including those that have failed since.
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: EntryNumber,
    /// The entries with an idempotency token, by the hash of the token.
    by_token: Index,
    /// The last entry of each fingerprint.
    by_fingerprint: Index,
    /// The last entry of each profile, by a hash that differs between processes.
    by_profile: Index,
    profile_hasher: RandomState,
    /// The entries that are not durable yet, also those that were evicted meanwhile.
    pending: HashMap<EntryNumber, Waiters, RandomState>,
    /// The entries that cannot be read as events. They are few, so the entries do not say it themselves.
    unreadable: HashSet<EntryNumber, RandomState>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    claimed: Nanos,
    fingerprint: Hash,
    token: Option<NonZeroU64>,
    /// 0 when the profile could not be read.
    profile: u64,
}

/// The entry of a claim, and the entries that it replaced as the last ones of their kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inserted {
    pub(super) sequence: EntryNumber,
    of_fingerprint: Option<EntryNumber>,
    of_profile: Option<EntryNumber>,
}

impl Cache {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window: nanoseconds(window),
            window_without_token: nanoseconds(window.min(WINDOW_WITHOUT_TOKEN)),
            entries: VecDeque::new(),
            first: 0,
            by_token: HashMap::default(),
            by_fingerprint: HashMap::default(),
            by_profile: HashMap::default(),
            profile_hasher: RandomState::default(),
            pending: HashMap::default(),
            unreadable: HashSet::default(),
        }
    }

    /// The number of remembered claims, including failed ones.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The bytes that the entries and the indexes of durable callbacks take. A hash table has a power of two of places, of which
    /// it fills seven eighths, and a byte of its own for each.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let places: usize = [&self.by_token, &self.by_fingerprint, &self.by_profile]
            .into_iter()
            .map(|index| (index.capacity() * 8 / 7).next_power_of_two())
            .sum();
        self.entries.capacity() * size_of::<Entry>() + places * (size_of::<(u64, EntryNumber)>() + 1)
    }

    /// Whether the indexes are empty.
    #[cfg(test)]
    pub(super) fn has_only_failed_entries(&self) -> bool {
        let indexes = [&self.by_token, &self.by_fingerprint, &self.by_profile];
        indexes.into_iter().all(HashMap::is_empty) && self.pending.is_empty() && self.unreadable.is_empty()
    }

    /// The callback of which this one is a repeat, if it is one. An event is no repeat of a dead letter: otherwise the
    /// holder of a captured callback could cut it into unreadable fields, and deliver that before Twilio's.
    pub(super) fn find_first(&self, key: &DedupKey<'_>, now: Nanos) -> Option<EntryNumber> {
        let (sequence, window) = match (key.token, key.profile) {
            (Some(token), _) => (self.by_token.get(&token.get()), self.window),
            (None, Some(profile)) => (self.by_profile.get(&self.profile_hash(profile)), self.window_without_token),
            (None, None) => (self.by_fingerprint.get(&short(key.fingerprint.bytes())), self.window_without_token),
        };
        let sequence = *sequence?;
        let entry = self.entry(sequence)?;
        let is_repeat = entry.fingerprint == key.fingerprint.bytes() && now.saturating_sub(entry.claimed) < window;
        let hides_an_event = key.is_event && self.unreadable.contains(&sequence);
        (is_repeat && !hides_an_event).then_some(sequence)
    }

    /// Whether the last callback with this fingerprint had another idempotency token, or had one where this has none, or the
    /// other way round.
    pub(super) fn has_another_token(&self, key: &DedupKey<'_>) -> bool {
        let hash = key.fingerprint.bytes();
        let last = self.by_fingerprint.get(&short(hash)).and_then(|sequence| self.entry(*sequence));
        last.is_some_and(|entry| entry.fingerprint == hash && entry.token != key.token)
    }

    /// The repeats that wait for this entry; `None` when it is durable.
    pub(super) fn pending(&mut self, sequence: EntryNumber) -> Option<&mut Waiters> {
        self.pending.get_mut(&sequence)
    }

    pub(super) fn insert(&mut self, key: &DedupKey<'_>, claimed: Nanos) -> Inserted {
        if self.entries.len() >= MAX_ENTRIES {
            self.evict_oldest();
        }
        self.reserve();
        let sequence = self.first + self.entries.len() as EntryNumber;
        let fingerprint = key.fingerprint.bytes();
        let profile = key.profile.map_or(0, |profile| self.profile_hash(profile));
        self.entries.push_back(Entry { claimed, fingerprint, token: key.token, profile });
        self.pending.insert(sequence, Waiters::new());
        if !key.is_event {
            self.unreadable.insert(sequence);
        }
        if let Some(token) = key.token {
            self.by_token.insert(token.get(), sequence);
        }
        let of_profile = key.profile.and_then(|_| self.by_profile.insert(profile, sequence));
        Inserted { sequence, of_fingerprint: self.by_fingerprint.insert(short(fingerprint), sequence), of_profile }
    }

    /// Marks an entry as durable, and returns the repeats that wait for it. It may have been evicted meanwhile.
    pub(super) fn mark_durable(&mut self, sequence: EntryNumber) -> Waiters {
        self.pending.remove(&sequence).unwrap_or_default()
    }

    /// Forgets a callback that failed, and returns the repeats that wait for it. What was the last of its kind before it is the
    /// last again.
    pub(super) fn forget(&mut self, inserted: Inserted) -> Waiters {
        let Inserted { sequence, of_fingerprint, of_profile } = inserted;
        let waiters = self.pending.remove(&sequence).unwrap_or_default();
        self.unreadable.remove(&sequence);
        let Some(entry) = self.entry(sequence) else { return waiters };
        self.unlink(sequence, entry);
        if let Some(index) = self.index(sequence)
            && let Some(failed) = self.entries.get_mut(index)
        {
            failed.fingerprint = FAILED;
        }
        if let Some(previous) = self.remembered(of_fingerprint) {
            self.by_fingerprint.entry(short(entry.fingerprint)).or_insert(previous);
        }
        if let Some(previous) = self.remembered(of_profile) {
            self.by_profile.entry(entry.profile).or_insert(previous);
        }
        waiters
    }

    pub(super) fn evict_expired(&mut self, now: Nanos) {
        while self.entries.front().is_some_and(|oldest| now.saturating_sub(oldest.claimed) >= self.window) {
            self.evict_oldest();
        }
    }

    fn evict_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        let sequence = self.first;
        self.first += 1;
        self.unreadable.remove(&sequence);
        self.unlink(sequence, entry);
    }

    /// Removes what leads to this entry. Later entries may have taken its place.
    fn unlink(&mut self, sequence: EntryNumber, entry: Entry) {
        let remove = |index: &mut Index, key: u64| {
            if let Occupied(last) = index.entry(key)
                && *last.get() == sequence
            {
                last.remove();
            }
        };
        remove(&mut self.by_fingerprint, short(entry.fingerprint));
        remove(&mut self.by_profile, entry.profile);
        if let Some(token) = entry.token {
            remove(&mut self.by_token, token.get());
        }
    }

    /// Grows like a vector, but never beyond the limit: a capacity of the next power of two would be mostly unused.
    fn reserve(&mut self) {
        let length = self.entries.len();
        if length == self.entries.capacity() {
            self.entries.reserve_exact(length.max(64).min(MAX_ENTRIES - length));
        }
    }

    fn entry(&self, sequence: EntryNumber) -> Option<Entry> {
        self.entries.get(self.index(sequence)?).copied()
    }

    fn index(&self, sequence: EntryNumber) -> Option<usize> {
        usize::try_from(sequence.checked_sub(self.first)?).ok()
    }

    /// An entry that is still in the cache and has not failed.
    fn remembered(&self, sequence: Option<EntryNumber>) -> Option<EntryNumber> {
        sequence.filter(|sequence| self.entry(*sequence).is_some_and(|entry| entry.fingerprint != FAILED))
    }

    fn profile_hash(&self, profile: &ProfileSid) -> u64 {
        self.profile_hasher.hash_one(profile.as_str()).max(1)
    }
}

fn nanoseconds(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

/// The first half of a hash. An index that leads to another entry is harmless: the whole hash is compared as well.
fn short(hash: Hash) -> u64 {
    u64::try_from(u128::from_be_bytes(hash) >> 64).unwrap_or_default()
}
