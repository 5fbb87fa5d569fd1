//! Announces status changes as Twilio does: signed, over real HTTP, and no more reliably than Twilio.
//!
//! Timeouts, retries, connection overrides in the URL's fragment, and redirects are Twilio's. The callbacks of one profile
//! are sent one after another, unless a [`CallbackFault`] changes that. Every attempt is recorded in a journal.

mod announcement;
mod client;
mod faults;
mod journal;
mod keys;
mod options;
mod overrides;
mod queues;
mod request;
mod sender;
mod signers;

use std::{collections::HashMap, sync::Arc};

use secrecy::SecretString;
use tokio::{runtime::Handle, sync::broadcast, time::sleep};
use trusthub_events::{AccountSid, ProfileSid};
use twilio_signature::{Construction, SharedKey};

use self::sender::{OutgoingCallback, SenderInner};
pub use self::{
    announcement::Announcement,
    faults::{CallbackFault, CallbackFaultRates, DelayRange, DelayRangeError, Percent, PercentError},
    journal::{Attempt, AttemptOutcome, CallbackFailure, CallbackInfo},
    keys::SigningError,
    options::{CallbackSenderError, SenderOptions},
    request::CallbackMethod,
    signers::{CallbackSigner, CallbackSignerError, SignerList},
};

/// Sends callbacks. A clone is another handle to the same sender.
#[derive(Clone)]
pub struct CallbackSender {
    inner: Arc<SenderInner>,
    runtime: Handle,
}

impl CallbackSender {
    /// Creates a sender that signs with these tokens, the primary one of each account first. An account without a token
    /// needs a SharedKey, or its callbacks are not sent. The sender sends on the current tokio runtime.
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
        let profile = callback.info.profile_sid;
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

    /// Adds a SharedKey to an account. It signs no callback until [`set_account_signers`](Self::set_account_signers) or
    /// [`set_profile_signers`](Self::set_profile_signers) names it, unless the account has no other key.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn add_shared_key(&self, account: &AccountSid, key: SharedKey) -> Result<(), SigningError> {
        self.inner.keys().add_shared_key(account, key)
    }

    /// Sets what signs the callbacks of an account, from the next announcement on. Without this, its auth token does.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn set_account_signers(&self, account: &AccountSid, signers: SignerList) -> Result<(), SigningError> {
        self.inner.keys().set_account(account, signers)
    }

    /// Sets what signs the callbacks of one profile of this account, from the next announcement on; with `None`, the
    /// signers of the account do again.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn set_profile_signers(
        &self,
        account: &AccountSid,
        profile: &ProfileSid,
        signers: Option<SignerList>,
    ) -> Result<(), SigningError> {
        self.inner.keys().set_profile(account, profile, signers)
    }

    /// Returns what signs the callbacks of a profile, or of an account; `None` if there is no such account.
    #[must_use]
    pub fn signers(&self, account: &AccountSid, profile: Option<&ProfileSid>) -> Option<SignerList> {
        self.inner.keys().signers(account, profile).cloned()
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
