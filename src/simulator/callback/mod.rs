//! Announces status changes as Twilio does: signed, over real HTTP, and no more reliably than Twilio.
//!
//! Timeouts, retries, connection overrides in the URL's fragment, and redirects are Twilio's. The callbacks of one profile
//! are sent one after another, unless a [`CallbackFault`] changes that. Every attempt is recorded in a journal.

mod client;
mod faults;
mod journal;
mod overrides;
mod queues;
mod request;
mod sender;

use std::{collections::HashMap, sync::Arc, time::Duration};

use secrecy::SecretString;
use thiserror::Error;
use tokio::{
    runtime::{Handle, TryCurrentError},
    sync::broadcast,
    time::sleep,
};
use twilio_signature::EmptyKey;

use self::sender::{OutgoingCallback, SenderInner};
pub use self::{
    faults::{CallbackFault, CallbackFaultRates, DelayRange, DelayRangeError, Percent, PercentError},
    journal::{Attempt, AttemptOutcome, CallbackFailure, CallbackInfo},
};
use crate::domain::{AccountSid, Construction, ProfileSid, Status};

/// A status change to announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The account of the profile. Its token signs the callback.
    pub account: AccountSid,
    /// The profile whose status changed.
    pub profile: ProfileSid,
    /// The new status.
    pub status: Status,
    /// The reason of a rejection; empty for other statuses.
    pub failure_reason: String,
    /// The `StatusCallback` as configured, with its fragment.
    pub url: String,
}

/// The options of a [`CallbackSender`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderOptions {
    /// The seed of the random faults; `None` for a different sequence in each run.
    pub seed: Option<u64>,
    /// How long [`CallbackFault::Reorder`] holds a callback while it waits for a later one.
    pub reorder_timeout: Duration,
    /// The maximum number of pending callbacks, including delayed ones.
    pub capacity: usize,
    /// The number of attempts that the journal keeps.
    pub journal_capacity: usize,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self { seed: None, reorder_timeout: Duration::from_secs(5), capacity: 10_000, journal_capacity: 10_000 }
    }
}

/// Why a [`CallbackSender`] could not be created.
#[derive(Debug, Error)]
pub enum CallbackSenderError {
    /// An account has no token, or an empty one.
    #[error(transparent)]
    EmptyKey(#[from] EmptyKey),
    /// The HTTP client cannot be created.
    #[error("cannot create the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// There is no tokio runtime.
    #[error(transparent)]
    Runtime(#[from] TryCurrentError),
}

/// Sends callbacks. A clone is another handle to the same sender.
#[derive(Clone)]
pub struct CallbackSender {
    inner: Arc<SenderInner>,
    runtime: Handle,
}

impl CallbackSender {
    /// Creates a sender that signs with these tokens, the primary one of each account first. It sends on the current tokio
    /// runtime.
    ///
    /// # Errors
    /// [`CallbackSenderError`].
    pub fn new(
        tokens: &HashMap<AccountSid, Vec<SecretString>>,
        options: SenderOptions,
    ) -> Result<Self, CallbackSenderError> {
        let inner = SenderInner::new(tokens, options)?;
        Ok(Self { inner: Arc::new(inner), runtime: Handle::try_current()? })
    }

    /// Queues a callback and returns immediately. Its attempts appear in the journal.
    pub fn announce(&self, announcement: &Announcement) {
        self.announce_with(announcement, self.faults());
    }

    /// Like [`announce`](Self::announce), with these faults instead of the ones that are set.
    pub fn announce_with(&self, announcement: &Announcement, faults: CallbackFaultRates) {
        let Some((callback, delay)) = self.inner.prepare(announcement, &faults) else { return };
        let Some(delay) = delay else { return self.enqueue(callback) };
        let sender = self.clone();
        self.runtime.spawn(async move {
            sleep(delay).await;
            sender.enqueue(callback);
        });
    }

    /// Appends a callback to the queue of its profile. This happens before a task is spawned, because tasks do not start in
    /// the order in which they are spawned.
    fn enqueue(&self, callback: OutgoingCallback) {
        let profile = callback.info.profile_sid.clone();
        if let Some(queue) = self.inner.queues.push(&profile, callback) {
            let inner = Arc::clone(&self.inner);
            self.runtime.spawn(async move { inner.drain_queue(&profile, queue).await });
        }
    }

    /// Returns how often each fault happens.
    #[must_use]
    pub fn faults(&self) -> CallbackFaultRates {
        self.inner.settings().faults
    }

    /// Sets how often each fault happens, from the next announcement on.
    pub fn set_faults(&self, faults: CallbackFaultRates) {
        self.inner.settings().faults = faults;
    }

    /// Returns how callbacks are signed.
    #[must_use]
    pub fn construction(&self) -> Construction {
        self.inner.settings().construction
    }

    /// Sets how callbacks are signed, from the next announcement on. The constructions of a query are sent as `GET`.
    pub fn set_construction(&self, construction: Construction) {
        self.inner.settings().construction = construction;
    }

    /// Returns the latest attempts, of one profile or of all, newest first.
    #[must_use]
    pub fn attempts(&self, profile: Option<&ProfileSid>, limit: usize) -> Vec<Attempt> {
        self.inner.journal.latest(profile, limit)
    }

    /// Subscribes to the attempts that end from now on. A receiver that is too slow misses some.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Attempt> {
        self.inner.journal.subscribe()
    }

    /// Returns the number of pending callbacks, including delayed and held ones.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.inner.permits.in_use()
    }

    /// Waits until no callback is pending.
    pub async fn wait_until_idle(&self) {
        self.inner.permits.wait_until_unused().await;
    }
}

/// Returns whether callbacks can be sent to this URL.
pub(super) fn is_callback_url(url: &str) -> bool {
    request::TargetUrl::parse(url).is_some()
}
