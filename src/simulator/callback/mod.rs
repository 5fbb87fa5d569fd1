//! Announces changes of status as Twilio does: signed, over real HTTP, and no more reliably than Twilio.
//!
//! Time-outs, retries, overrides in the URL's fragment and redirects are Twilio's. The callbacks of one profile are sent
//! one after another, unless a [`Fault`] was asked for. Every attempt is in a journal.

mod client;
mod delivery;
mod faults;
mod journal;
mod lanes;
mod office;
mod overrides;
mod request;

use std::{collections::HashMap, sync::Arc, time::Duration};

use secrecy::SecretString;
use thiserror::Error;
use tokio::{
    runtime::{Handle, TryCurrentError},
    sync::broadcast,
    time::sleep,
};

use self::{delivery::Callback, office::Office};
pub use self::{
    faults::{DelayRange, DelayRangeError, Fault, Faults, Percent, PercentError},
    journal::{Attempt, Ending, Failure, Subject},
};
use crate::{
    domain::{AccountSid, Construction, ProfileSid, Status},
    verify::EmptyKey,
};

/// A change of status, to be announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The account of the profile; its token signs.
    pub account: AccountSid,
    /// The profile.
    pub profile: ProfileSid,
    /// Its new status.
    pub status: Status,
    /// Why it was rejected; empty otherwise.
    pub failure_reason: String,
    /// The `StatusCallback` as configured, with its fragment.
    pub url: String,
}

/// What can be chosen about a [`Postman`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Repeats the draws of faults.
    pub seed: Option<u64>,
    /// How long [`Fault::Reorder`] waits for a later callback.
    pub hold: Duration,
    /// Callbacks that may be under way, delayed ones included.
    pub capacity: usize,
    /// Attempts that the journal remembers.
    pub remembered: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: None, hold: Duration::from_secs(5), capacity: 10_000, remembered: 10_000 }
    }
}

/// Why there is no [`Postman`].
#[derive(Debug, Error)]
pub enum PostmanError {
    /// An account has no token, or an empty one.
    #[error(transparent)]
    EmptyKey(#[from] EmptyKey),
    /// The HTTP client does not start.
    #[error("the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// It was made outside a runtime.
    #[error(transparent)]
    Runtime(#[from] TryCurrentError),
}

/// Sends callbacks. A clone is a handle on the same one.
#[derive(Clone)]
pub struct Postman {
    office: Arc<Office>,
    runtime: Handle,
}

impl Postman {
    /// Signs with each account's tokens, the primary one first. Its work is done on the runtime that it is made on.
    ///
    /// # Errors
    /// [`PostmanError`].
    pub fn new(tokens: &HashMap<AccountSid, Vec<SecretString>>, options: Options) -> Result<Self, PostmanError> {
        let office = Office::open(tokens, options)?;
        Ok(Self { office: Arc::new(office), runtime: Handle::try_current()? })
    }

    /// Sends a callback some time; returns at once. What becomes of it is in the journal.
    pub fn announce(&self, announcement: &Announcement) {
        self.announce_with(announcement, self.faults());
    }

    /// The same, with these faults instead of those that are set.
    pub fn announce_with(&self, announcement: &Announcement, faults: Faults) {
        let Some((callback, delay)) = self.office.prepare(announcement, &faults) else { return };
        let Some(delay) = delay else { return self.send(callback) };
        let postman = self.clone();
        self.runtime.spawn(async move {
            sleep(delay).await;
            postman.send(callback);
        });
    }

    /// Sends it behind those of its profile that are waiting. It is queued before anything is spawned, since tasks do
    /// not start in order.
    fn send(&self, callback: Callback) {
        let profile = callback.subject.profile_sid.clone();
        if let Some(lane) = self.office.lanes.push(&profile, callback) {
            let office = Arc::clone(&self.office);
            self.runtime.spawn(async move { office.empty(&profile, lane).await });
        }
    }

    /// What goes wrong on purpose.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.office.desk().faults
    }

    /// Lets other things go wrong from the next announcement on.
    pub fn set_faults(&self, faults: Faults) {
        self.office.desk().faults = faults;
    }

    /// What is signed.
    #[must_use]
    pub fn construction(&self) -> Construction {
        self.office.desk().construction
    }

    /// Signs in another way from the next announcement on. Those of a query are a `GET`.
    pub fn set_construction(&self, construction: Construction) {
        self.office.desk().construction = construction;
    }

    /// The latest attempts, of one profile or of all, the last one first.
    #[must_use]
    pub fn attempts(&self, profile: Option<&ProfileSid>, limit: usize) -> Vec<Attempt> {
        self.office.journal.latest(profile, limit)
    }

    /// Attempts from now on, as they end. Who is slow misses some.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Attempt> {
        self.office.journal.follow()
    }

    /// How many callbacks are under way, delayed and held ones included.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.office.places.taken()
    }

    /// Waits until no callback is under way, delayed and held ones included.
    pub async fn settled(&self) {
        self.office.places.all_free().await;
    }
}

/// Whether callbacks can be sent there.
pub(super) fn is_callback_url(url: &str) -> bool {
    request::Target::parse(url).is_some()
}
