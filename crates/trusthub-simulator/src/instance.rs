//! The simulator without its HTTP server: the Trust Hub model, the callback sender, the faults, and the timers.
//!
//! Invariant: callbacks are queued while the lock on the model is held, so that they are sent in the order of the changes.
//! No lock is held across an `.await`, and no call under a lock blocks, except the write to the state file.

mod seed;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{runtime::TryCurrentError, sync::broadcast};
use tracing::error;
use trusthub_events::{AccountSid, ProfileSid, Status};
use twilio_signature::SharedKey;

use super::{
    api_faults::{ApiFault, ApiFaultRates},
    callback::{Announcement, CallbackSender, CallbackSenderError, SenderOptions},
    email::{EmailSender, SmtpServer},
    embedded_kafka::KafkaControl,
    model::{
        AutoReview, IdentityProof, ModelError, NewProfile, NumberedRule, ProfileEdit, ProfileKind, ProfileUpdate,
        ReviewDecision, ReviewRule, SimulatedProfile, StateFile, StoredState, TrustHubModel,
    },
    request_feed::{AnsweredRequest, RequestFeed},
    settings::SimulatorSettings,
};

pub use seed::{SeedRequest, SeedStatus};

/// How often the simulator checks for reviews and approvals that are due.
const TICK: Duration = Duration::from_millis(50);

/// After this many profiles, other tasks get a turn.
const BATCH: u32 = 500;

/// An account that may use the API.
#[derive(Debug, Clone)]
pub struct SimulatorAccount {
    /// The account SID, which is also a user name of the API.
    pub sid: AccountSid,
    /// The auth tokens, the primary one first. Each of them is a password of the API; the first one signs callbacks until
    /// other signers are set. An account without tokens needs an API key and a SharedKey.
    pub tokens: Vec<SecretString>,
    /// An API key as user name and password: its SID and its secret.
    pub api_key: Option<(String, SecretString)>,
    /// The SharedKeys that can sign callbacks. Without a token, the first one signs until other signers are set.
    pub shared_keys: Vec<SharedKey>,
}

/// The policy of seeded profiles when the request names none. It has no requirements.
pub(super) const ANY_POLICY: &str = "RN00000000000000000000000000000000";

/// Everything that the simulator consists of, except its HTTP server.
pub struct Simulator {
    accounts: Vec<SimulatorAccount>,
    model: Mutex<TrustHubModel>,
    sender: CallbackSender,
    emails: EmailSender,
    api_faults: Mutex<(ApiFaultRates, fastrand::Rng)>,
    requests: RequestFeed,
    changing_settings: Mutex<()>,
    kafka: OnceLock<KafkaControl>,
}

impl Simulator {
    /// Creates a simulator with these accounts and with the contents of the state file. All random choices derive from
    /// `seed`.
    ///
    /// # Errors
    /// [`CallbackSenderError`].
    pub fn new(
        accounts: Vec<SimulatorAccount>,
        state: Option<(StateFile, StoredState)>,
        seed: Option<u64>,
    ) -> Result<Self, CallbackSenderError> {
        let keys: HashMap<_, _> = accounts.iter().map(|account| (account.sid, account.tokens.clone())).collect();
        // Each part has a generator of its own, so that the number of draws in one does not change the draws of another.
        let mut random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let sender =
            CallbackSender::new(&keys, SenderOptions { seed: Some(random.u64(..)), ..SenderOptions::default() })?;
        for account in &accounts {
            for key in &account.shared_keys {
                sender.add_shared_key(&account.sid, key.clone())?;
            }
        }
        let api_faults = (ApiFaultRates::default(), random.fork());
        let model = TrustHubModel::new(state, NonZeroU32::MIN, random.u64(..));
        Ok(Self {
            accounts,
            model: Mutex::new(model),
            sender,
            emails: EmailSender::default(),
            api_faults: Mutex::new(api_faults),
            requests: RequestFeed::default(),
            changing_settings: Mutex::default(),
            kafka: OnceLock::new(),
        })
    }

    /// Returns the account that these credentials belong to.
    pub(super) fn authenticate(&self, user: &str, password: &str) -> Option<&SimulatorAccount> {
        let matches = |secret: &SecretString| secret.expose_secret() == password;
        self.accounts.iter().find(|account| {
            let by_token = account.sid.as_str() == user && account.tokens.iter().any(matches);
            by_token || account.api_key.as_ref().is_some_and(|(key, secret)| key == user && matches(secret))
        })
    }

    /// Returns the account with this SID, or the first account if `sid` is `None`.
    pub(super) fn account(&self, sid: Option<&AccountSid>) -> Option<&SimulatorAccount> {
        match sid {
            Some(sid) => self.accounts.iter().find(|account| account.sid == *sid),
            None => self.accounts.first(),
        }
    }

    /// Returns the sender of the callbacks.
    #[must_use]
    pub fn sender(&self) -> &CallbackSender {
        &self.sender
    }

    /// Subscribes to the requests that are answered from now on. A receiver that is too slow misses some.
    #[must_use]
    pub fn subscribe_to_requests(&self) -> broadcast::Receiver<AnsweredRequest> {
        self.requests.subscribe()
    }

    pub(super) fn requests(&self) -> &RequestFeed {
        &self.requests
    }

    /// Returns the e-mails about decisions.
    pub(super) fn emails(&self) -> &EmailSender {
        &self.emails
    }

    /// Delivers the e-mails about decisions to this server from now on. Nothing waits for it. Only the first call has an
    /// effect.
    ///
    /// # Errors
    /// [`TryCurrentError`] if there is no tokio runtime.
    pub fn deliver_emails(&self, server: SmtpServer) -> Result<(), TryCurrentError> {
        self.emails.deliver_to(server)
    }

    /// Lets control requests stop and start this Kafka. Only the first call has an effect.
    pub fn control_kafka(&self, kafka: KafkaControl) {
        let _ = self.kafka.set(kafka);
    }

    pub(super) fn kafka(&self) -> Option<&KafkaControl> {
        self.kafka.get()
    }

    /// Locks the model.
    pub(super) fn model(&self) -> MutexGuard<'_, TrustHubModel> {
        self.model.lock()
    }

    /// Applies a change to the model and announces the resulting status changes in their order.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn apply(
        &self,
        change: impl FnOnce(&mut TrustHubModel) -> Result<ProfileUpdate, ModelError>,
    ) -> Result<ProfileUpdate, ModelError> {
        let mut model = self.model();
        let update = change(&mut model)?;
        self.announce(&update);
        Ok(update)
    }

    /// Creates a profile. A new profile is a draft, so nothing is announced.
    ///
    /// # Errors
    /// [`ModelError::Full`] and [`ModelError::State`].
    pub fn create(&self, new: NewProfile) -> Result<SimulatedProfile, ModelError> {
        self.model().create(new)
    }

    /// Deletes a profile, and forgets what signed its callbacks.
    ///
    /// # Errors
    /// [`ModelError`].
    pub(super) fn delete(&self, sid: &ProfileSid) -> Result<(), ModelError> {
        let mut model = self.model();
        let account = model.get(sid)?.account;
        model.delete(sid)?;
        // This fails only if the account is unknown, and then the profile has no signers.
        let _ = self.sender.set_profile_signers(&account, sid, None);
        Ok(())
    }

    fn announce(&self, ProfileUpdate { profile, changes }: &ProfileUpdate) {
        self.emails.notify(profile, changes);
        let Some(url) = &profile.status_callback else { return };
        for change in changes {
            self.sender.announce(&Announcement {
                account: profile.account,
                profile: profile.sid,
                status: change.status,
                failure_reason: change.reason.clone(),
                url: url.clone(),
            });
        }
    }

    /// Creates many profiles and returns how many there are now. Their earlier status changes are not announced.
    ///
    /// # Errors
    /// [`ModelError::NotFound`] if there is no such account, [`ModelError::Full`] and [`ModelError::State`].
    pub async fn seed(&self, request: &SeedRequest) -> Result<usize, ModelError> {
        let account = self.account(request.account.as_ref()).ok_or(ModelError::NotFound)?;
        let template = NewProfile {
            kind: ProfileKind::CustomerProfiles,
            account: account.sid,
            policy: request.policy.clone().unwrap_or_else(|| ANY_POLICY.to_owned()),
            friendly_name: String::new(),
            email: "seeded@example.com".to_owned(),
            status_callback: request.status_callback.clone(),
        };
        for number in 1..=request.count {
            let new = NewProfile { friendly_name: format!("Seeded {number}"), ..template.clone() };
            create_in_status(&mut self.model(), new, request.status)?;
            if number.is_multiple_of(BATCH) {
                tokio::task::yield_now().await;
            }
        }
        Ok(self.model().len())
    }

    /// Creates a primary profile with the objects that it requires. Its earlier status changes are not announced.
    ///
    /// # Errors
    /// [`ModelError::Full`], [`ModelError::State`], and [`ModelError::Forbidden`] if the profile cannot reach the status
    /// because the proof is incomplete.
    pub fn create_primary(
        &self,
        new: NewProfile,
        proof: IdentityProof,
        status: SeedStatus,
    ) -> Result<SimulatedProfile, ModelError> {
        let mut model = self.model();
        let sid = model.create(new)?.sid;
        model.prove_identity(&sid, proof)?;
        model.assign_required(&sid)?;
        bring_to_status(&mut model, &sid, status)?;
        model.get(&sid).cloned()
    }

    /// Adds a rule of the automatic reviewer after the others. The first one that matches a profile decides.
    ///
    /// # Errors
    /// [`ModelError::Full`] if there are 100 rules.
    pub fn add_rule(&self, rule: ReviewRule) -> Result<NumberedRule, ModelError> {
        self.model().add_rule(rule)
    }

    /// Decides at random whether and how this request fails on purpose.
    pub(super) fn draw_api_fault(&self) -> Option<ApiFault> {
        let (rates, random) = &mut *self.api_faults.lock();
        // Both are drawn, so that one percentage does not change what is drawn for the other.
        let (limited, broken) = (rates.too_many_requests.draw(random), rates.server_errors.draw(random));
        if limited {
            return Some(ApiFault::TooManyRequests { retry_after_secs: rates.retry_after_secs });
        }
        broken.then_some(ApiFault::ServerError)
    }

    /// Returns the current settings.
    #[must_use]
    pub fn settings(&self) -> SimulatorSettings {
        let model = self.model();
        let AutoReview { after, reject } = model.auto_review();
        SimulatorSettings {
            speed: model.speed(),
            auto_review_secs: after.map(|after| after.as_secs()),
            auto_reject: reject,
            construction: self.sender.construction(),
            callbacks: self.sender.faults(),
            api: self.api_faults.lock().0,
        }
    }

    /// Changes the settings completely or, if `change` fails, not at all.
    ///
    /// # Errors
    /// The error of `change`.
    pub fn change_settings<E>(
        &self,
        change: impl FnOnce(SimulatorSettings) -> Result<SimulatorSettings, E>,
    ) -> Result<SimulatorSettings, E> {
        let _one_at_a_time = self.changing_settings.lock();
        let settings = change(self.settings())?;
        self.set(settings.clone());
        Ok(settings)
    }

    fn set(&self, settings: SimulatorSettings) {
        let mut model = self.model();
        model.set_speed(settings.speed);
        let after = settings.auto_review_secs.map(Duration::from_secs);
        model.set_auto_review(AutoReview { after, reject: settings.auto_reject });
        self.sender.set_construction(settings.construction);
        self.sender.set_faults(settings.callbacks);
        self.api_faults.lock().0 = settings.api;
    }

    /// Runs the timers until it is dropped: automatic reviews, and approvals that expire.
    pub async fn run_timers(self: Arc<Self>) {
        let mut was_failing = false;
        loop {
            tokio::time::sleep(TICK).await;
            let failed = self.run_due().await.err();
            if let (Some(error), false) = (&failed, was_failing) {
                error!(%error, "a review or an expiry that is due failed; it is retried until it succeeds");
            }
            was_failing = failed.is_some();
        }
    }

    /// Runs and announces every change that is due.
    async fn run_due(&self) -> Result<(), ModelError> {
        while self.run_batch_of_due()? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Runs and announces some of the changes that are due. Returns whether there may be more.
    fn run_batch_of_due(&self) -> Result<bool, ModelError> {
        for _ in 0..BATCH {
            let mut model = self.model();
            let Some(update) = model.run_next_due()? else { return Ok(false) };
            self.announce(&update);
        }
        Ok(true)
    }
}

/// Creates a profile and brings it to this status through the transitions that Trust Hub allows.
fn create_in_status(model: &mut TrustHubModel, new: NewProfile, status: SeedStatus) -> Result<(), ModelError> {
    let sid = model.create(new)?.sid;
    if status == SeedStatus::Draft {
        return Ok(());
    }
    model.assign_required(&sid)?;
    bring_to_status(model, &sid, status)
}

/// Submits a complete profile and decides about it, so that it has this status.
fn bring_to_status(model: &mut TrustHubModel, sid: &ProfileSid, status: SeedStatus) -> Result<(), ModelError> {
    if status == SeedStatus::Draft {
        return Ok(());
    }
    model.edit(sid, ProfileEdit { status: Some(Status::PendingReview), ..ProfileEdit::default() })?;
    let decision = match status {
        SeedStatus::Approved => ReviewDecision::Approve { valid_until: None },
        SeedStatus::Rejected => ReviewDecision::default_rejection(),
        SeedStatus::Draft | SeedStatus::InReview => return Ok(()),
    };
    model.decide(sid, decision).map(drop)
}
