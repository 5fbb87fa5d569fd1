//! Announces status changes as Twilio does: signed, over real HTTP, and no more reliably than Twilio.
//!
//! Timeouts, retries, connection overrides in the URL's fragment, and redirects are Twilio's. The callbacks of one profile
//! are sent one after another, unless a [`CallbackFault`] changes that. Every attempt is recorded in a journal.

mod announcement;
mod client;
mod faults;
mod journal;
mod options;
mod overrides;
mod queues;
mod request;
mod sender;

use std::{collections::HashMap, sync::Arc};

use secrecy::SecretString;
use tokio::{runtime::Handle, sync::broadcast, time::sleep};
use trusthub_events::{AccountSid, ProfileSid};
use twilio_signature::Construction;

use self::sender::{OutgoingCallback, SenderInner};
pub use self::{
    announcement::Announcement,
    faults::{CallbackFault, CallbackFaultRates, DelayRange, DelayRangeError, Percent, PercentError},
    journal::{Attempt, AttemptOutcome, CallbackFailure, CallbackInfo},
    options::{CallbackSenderError, SenderOptions},
    request::CallbackMethod,
};

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
