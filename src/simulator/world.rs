//! Everything that the simulator consists of, and what happens in it.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use tracing::error;

use super::{
    callback::{Announcement, Options, Percent, Postman, PostmanError},
    model::{AutoReview, Draft, Edit, Happened, Hub, Kind, Profile, Store, Trouble, Verdict},
    settings::Settings,
};
use crate::domain::{AccountSid, Status, closed_set};

/// How often the simulator looks whether something is due.
const TICK: Duration = Duration::from_millis(50);

/// Who may use the API.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its SID.
    pub sid: AccountSid,
    /// Its auth tokens, the primary one first.
    pub tokens: Vec<SecretString>,
    /// The SID of an API key, and its secret.
    pub api_key: Option<(String, SecretString)>,
}

/// What seeded profiles have when no policy is named: one that asks for nothing.
const ANY_POLICY: &str = "RN00000000000000000000000000000000";

closed_set! {
    /// Where profiles can stand for longer than a moment.
    pub enum Standing {
        /// Not submitted.
        Draft => "draft",
        /// Waiting for a reviewer.
        InReview => "in-review",
        /// Rejected for a reason.
        Rejected => "twilio-rejected",
        /// Approved for ever.
        Approved => "twilio-approved",
    }
}

/// Profiles that are made at once.
#[derive(Debug, Clone)]
pub struct Seeding {
    /// How many.
    pub count: u32,
    /// Whose they are; the first account's, if it is not said.
    pub account: Option<AccountSid>,
    /// Where they stand.
    pub wanted: Standing,
    /// The SID of their policy; one that asks for nothing, if it is not said.
    pub policy: Option<String>,
    /// Where changes are announced from then on.
    pub status_callback: Option<String>,
}

impl Default for Seeding {
    fn default() -> Self {
        Self { count: 1, account: None, wanted: Standing::Draft, policy: None, status_callback: None }
    }
}

/// What the API does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ApiFaults {
    /// So many requests of a hundred are answered 429.
    pub too_many_requests: Percent,
    /// What `Retry-After` says then, in seconds.
    pub retry_after_secs: u32,
    /// So many requests of a hundred are answered 500.
    pub server_errors: Percent,
}

impl Default for ApiFaults {
    fn default() -> Self {
        Self { too_many_requests: Percent::default(), retry_after_secs: 1, server_errors: Percent::default() }
    }
}

/// How a request fails on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ApiFault {
    TooManyRequests { retry_after_secs: u32 },
    ServerError,
}

/// The simulator but for its port.
pub struct World {
    accounts: Vec<Account>,
    hub: Mutex<Hub>,
    postman: Postman,
    api_faults: Mutex<(ApiFaults, fastrand::Rng)>,
    changing_settings: Mutex<()>,
}

impl World {
    /// One with these accounts and what the store has kept. `seed` decides about everything that is drawn by lot.
    ///
    /// # Errors
    /// [`PostmanError`].
    pub fn new(
        accounts: Vec<Account>,
        store: Option<(Store, Vec<Profile>)>,
        seed: Option<u64>,
    ) -> Result<Self, PostmanError> {
        let keys: HashMap<_, _> =
            accounts.iter().map(|account| (account.sid.clone(), account.tokens.clone())).collect();
        // Each draws lots of its own, so that how often one does is nothing to the others.
        let mut random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let postman = Postman::new(&keys, Options { seed: Some(random.u64(..)), ..Options::default() })?;
        let faults = (ApiFaults::default(), random.fork());
        let hub = Hub::new(store, NonZeroU32::MIN, random.u64(..));
        Ok(Self {
            accounts,
            hub: Mutex::new(hub),
            postman,
            api_faults: Mutex::new(faults),
            changing_settings: Mutex::default(),
        })
    }

    /// The account that these credentials belong to.
    pub(super) fn authenticate(&self, user: &str, password: &str) -> Option<&Account> {
        let is = |secret: &SecretString| secret.expose_secret() == password;
        self.accounts.iter().find(|account| {
            let by_token = account.sid.as_str() == user && account.tokens.iter().any(is);
            by_token || account.api_key.as_ref().is_some_and(|(key, secret)| key == user && is(secret))
        })
    }

    /// The account of this SID; the first one when none is named.
    pub(super) fn account(&self, sid: Option<&AccountSid>) -> Option<&Account> {
        match sid {
            Some(sid) => self.accounts.iter().find(|account| account.sid == *sid),
            None => self.accounts.first(),
        }
    }

    /// Who announces.
    #[must_use]
    pub fn postman(&self) -> &Postman {
        &self.postman
    }

    /// The profiles, for as long as the guard lives.
    pub(super) fn hub(&self) -> MutexGuard<'_, Hub> {
        locked(&self.hub)
    }

    /// Does something with the profiles and announces what changed, in the order of the changes.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn act(&self, act: impl FnOnce(&mut Hub) -> Result<Happened, Trouble>) -> Result<Happened, Trouble> {
        let mut hub = self.hub();
        let happened = act(&mut hub)?;
        self.announce(&happened);
        Ok(happened)
    }

    /// Makes a profile.
    ///
    /// # Errors
    /// [`Trouble::State`].
    pub fn create(&self, draft: Draft) -> Result<Profile, Trouble> {
        self.hub().create(draft)
    }

    fn announce(&self, Happened { profile, changes }: &Happened) {
        let Some(url) = &profile.status_callback else { return };
        for change in changes {
            self.postman.announce(&Announcement {
                account: profile.account.clone(),
                profile: profile.sid.clone(),
                status: change.status,
                failure_reason: change.reason.clone(),
                url: url.clone(),
            });
        }
    }

    /// Profiles out of nowhere. Nothing of their past is announced.
    ///
    /// # Errors
    /// [`Trouble::NotFound`] when there is no such account, [`Trouble::Full`] and [`Trouble::State`].
    pub async fn seed(&self, seeding: &Seeding) -> Result<usize, Trouble> {
        /// Others have a word between so many.
        const AT_ONCE: u32 = 500;
        let account = self.account(seeding.account.as_ref()).ok_or(Trouble::NotFound)?;
        let draft = Draft {
            kind: Kind::CustomerProfiles,
            account: account.sid.clone(),
            policy: seeding.policy.clone().unwrap_or_else(|| ANY_POLICY.to_owned()),
            friendly_name: String::new(),
            email: "seeded@example.com".to_owned(),
            status_callback: seeding.status_callback.clone(),
        };
        for number in 1..=seeding.count {
            let draft = Draft { friendly_name: format!("Seeded {number}"), ..draft.clone() };
            lead_to(&mut self.hub(), draft, seeding.wanted)?;
            if number.is_multiple_of(AT_ONCE) {
                tokio::task::yield_now().await;
            }
        }
        Ok(self.hub().len())
    }

    /// Whether this request fails on purpose, and how.
    pub(super) fn draw_api_fault(&self) -> Option<ApiFault> {
        let (faults, random) = &mut *locked(&self.api_faults);
        // Both are drawn, so that one percentage does not change what is drawn for the other.
        let (limited, broken) = (faults.too_many_requests.hits(random), faults.server_errors.hits(random));
        if limited {
            return Some(ApiFault::TooManyRequests { retry_after_secs: faults.retry_after_secs });
        }
        broken.then_some(ApiFault::ServerError)
    }

    /// What is set now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let hub = self.hub();
        let AutoReview { after, reject } = hub.auto_review();
        Settings {
            speed: hub.speed(),
            auto_review_secs: after.map(|after| after.as_secs()),
            auto_reject: reject,
            construction: self.postman.construction(),
            callbacks: self.postman.faults(),
            api: locked(&self.api_faults).0,
        }
    }

    /// Changes what is set, as a whole or not at all.
    ///
    /// # Errors
    /// What `change` says.
    pub fn change_settings<E>(&self, change: impl FnOnce(Settings) -> Result<Settings, E>) -> Result<Settings, E> {
        let _one_at_a_time = locked(&self.changing_settings);
        let settings = change(self.settings())?;
        self.set(settings.clone());
        Ok(settings)
    }

    fn set(&self, settings: Settings) {
        let mut hub = self.hub();
        hub.set_speed(settings.speed);
        let after = settings.auto_review_secs.map(Duration::from_secs);
        hub.set_auto_review(AutoReview { after, reject: settings.auto_reject });
        self.postman.set_construction(settings.construction);
        self.postman.set_faults(settings.callbacks);
        locked(&self.api_faults).0 = settings.api;
    }

    /// Lets time pass for as long as this is awaited: reviews without a reviewer, and approvals that end.
    pub async fn turn(self: Arc<Self>) {
        let mut was_failing = false;
        loop {
            tokio::time::sleep(TICK).await;
            let failed = self.pass().err();
            if let (Some(trouble), false) = (&failed, was_failing) {
                error!(%trouble, "what was due does not happen; it is tried again and again");
            }
            was_failing = failed.is_some();
        }
    }

    /// What is due happens and is announced.
    fn pass(&self) -> Result<(), Trouble> {
        loop {
            let mut hub = self.hub();
            let Some(happened) = hub.pass()? else { return Ok(()) };
            self.announce(&happened);
        }
    }
}

/// Makes a profile and leads it to a status, the way that there is.
fn lead_to(hub: &mut Hub, draft: Draft, wanted: Standing) -> Result<(), Trouble> {
    let sid = hub.create(draft)?.sid;
    if wanted == Standing::Draft {
        return Ok(());
    }
    hub.complete(&sid)?;
    hub.edit(&sid, Edit { status: Some(Status::PendingReview), ..Edit::default() })?;
    let verdict = match wanted {
        Standing::Approved => Verdict::Approve { valid_until: None },
        Standing::Rejected => Verdict::usual_rejection(),
        Standing::Draft | Standing::InReview => return Ok(()),
    };
    hub.decide(&sid, verdict).map(drop)
}

/// What a panic elsewhere left is as good as ever: nothing here is changed in two steps.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
