//! A login to Amazon MSK: gives every client a token, and the next one before it expires.
//!
//! A token is a signed request, so it needs no server, only credentials. All clients of a configuration share one token. It is
//! replaced after 80 % of its lifetime, which ends with that of the credentials. Credentials are requested again before a token
//! would outlive them, and while that fails, the former ones are used for as long as they are valid.
//!
//! | Call | Thread | Lock | Bound |
//! | --- | --- | --- | --- |
//! | request credentials | `kafka-aws-login`, for as long as the process lives | none | that of [`aws`](crate::aws) |
//! | set the token of all clients | the same | the state's | none of the calls waits |

use std::{
    io,
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant, SystemTime},
};

use kafka_token::{ClientToken, SetTokenError};
use parking_lot::Mutex;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{runtime::Builder, time::interval};

use super::{token_failure, token_receiver::TokenReceiver};
use crate::{
    aws::{AwsCredentials, CredentialClient, CredentialError, TOKEN_LIFETIME, msk_token},
    config::{KafkaConfig, MskIamConfig, SaslLogin, Security},
    domain::{Timestamp, USER_AGENT},
};

/// The time from a failure to the next attempt, as librdkafka has it for the tokens that it requests itself.
const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// By how much the clock and the timer may differ before the clock counts as set.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);
/// How often the clock is compared, which can be set, and which stands still for timers while a machine is suspended.
const CLOCK_INTERVAL: Duration = Duration::from_secs(5);
/// By how much credentials outlive a token for which no others are requested.
const MARGIN: Duration = Duration::from_secs(60);

/// Lets the thread that renews the tokens of Amazon MSK beat every second, for as long as the process lives. Without such a
/// login, there is none.
///
/// # Errors
/// When the system has no thread for it.
pub(crate) fn beat_with_msk_login(kafka: &KafkaConfig, beat: impl FnOnce() -> Beat) -> io::Result<()> {
    if let Security::Sasl { login: SaslLogin::MskIam(msk), .. } = &*kafka.credentials.security() {
        TokenRefresher::of(msk)?.beat.get_or_init(beat);
    }
    Ok(())
}

/// The refreshers of this process: one for each configuration, so usually one.
static REFRESHERS: Mutex<Vec<(Arc<MskIamConfig>, Arc<TokenRefresher>)>> = Mutex::new(Vec::new());

/// Gives tokens to the registered clients.
#[derive(Default)]
pub(super) struct TokenRefresher {
    state: Mutex<RefreshState>,
    /// What its thread calls every second.
    beat: OnceLock<Beat>,
}

/// Shows that a thread runs.
type Beat = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct RefreshState {
    token: Option<SignedToken>,
    /// Why there is no new token; `None` if the last attempt was successful.
    failure: Option<String>,
    clients: Vec<(u64, Arc<dyn TokenReceiver>)>,
    last_id: u64,
}

struct SignedToken {
    text: SecretString,
    expires: Timestamp,
    access_key_id: String,
}

/// Removes a client from its refresher when it is dropped.
pub(super) struct TokenRegistration {
    refresher: Arc<TokenRefresher>,
    id: u64,
}

impl Drop for TokenRegistration {
    fn drop(&mut self) {
        self.refresher.state.lock().clients.retain(|(id, _)| *id != self.id);
    }
}

impl TokenRefresher {
    /// The refresher of a configuration. Starts its thread on first use.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub(super) fn of(msk: &Arc<MskIamConfig>) -> io::Result<Arc<Self>> {
        let mut refreshers = REFRESHERS.lock();
        if let Some((_, refresher)) = refreshers.iter().find(|(known, _)| Arc::ptr_eq(known, msk)) {
            return Ok(Arc::clone(refresher));
        }
        let refresher = Arc::new(Self::default());
        let (credentials, receiver) = (CredentialCache::new(msk), Arc::clone(&refresher));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("kafka-aws-login".to_owned())
            .spawn(move || runtime.block_on(receiver.run(credentials)))?;
        refreshers.push((Arc::clone(msk), Arc::clone(&refresher)));
        Ok(refresher)
    }

    /// Gives the client the present token if there is one, and each later one until the registration is dropped.
    pub(super) fn register(self: Arc<Self>, client: Arc<dyn TokenReceiver>) -> TokenRegistration {
        let now = Timestamp::from(SystemTime::now());
        let mut state = self.state.lock();
        let has_token = state.token.as_ref().is_some_and(|token| token.expires > now && token.give(&*client).is_ok());
        state.last_id += 1;
        let id = state.last_id;
        // The failure of a renewal is none for a client whose token is valid. Under the lock, it cannot follow a newer token.
        if let Some(reason) = state.failure.as_ref().filter(|_| !has_token) {
            client.fail(reason);
        }
        state.clients.push((id, client));
        drop(state);
        TokenRegistration { refresher: self, id }
    }

    async fn run(self: Arc<Self>, credentials: CredentialCache) {
        // On one thread, so that the beats end with the renewals.
        tokio::join!(self.renew_again(credentials), self.beat_every_second());
    }

    async fn renew_again(&self, mut credentials: CredentialCache) {
        loop {
            let pause = self.renew(&mut credentials, || SystemTime::now().into()).await;
            wait(SystemTime::now().into(), pause).await;
        }
    }

    async fn beat_every_second(&self) {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            if let Some(beat) = self.beat.get() {
                beat();
            }
        }
    }

    /// Signs a token for all clients. Returns the time until the next one is due.
    async fn renew(&self, credentials: &mut CredentialCache, clock: impl Fn() -> Timestamp) -> Duration {
        let (usable, failure) = credentials.get(clock()).await;
        if let Some(error) = &failure {
            token_failure::report(&token_failure::message(&error.to_string()));
        }
        // The request for credentials took time.
        let now = clock();
        let token = usable.and_then(|usable| SignedToken::sign(&usable, &credentials.msk, now));
        let due = token.as_ref().map(|token| now.until(token.expires).mul_f64(0.8));
        let mut state = self.state.lock();
        state.failure = failure.map(|error| error.to_string());
        if let Some(token) = token {
            // All clients get it, also after one that refuses it.
            let refusals = state.clients.iter().filter_map(|(_, client)| {
                let refused = token.give(&**client).err().map(|error| error.to_string())?;
                client.fail(&refused);
                Some(refused)
            });
            let refused = refusals.fold(None, |first, refused| first.or(Some(refused)));
            if let Some(reason) = refused {
                token_failure::report(&token_failure::message(&reason));
                state.failure = Some(reason);
            }
            state.token = Some(token);
        } else if let Some(reason) = &state.failure {
            state.clients.iter().for_each(|(_, client)| client.fail(reason));
        }
        match (due, &state.failure) {
            (Some(due), None) => due,
            (due, _) => due.unwrap_or(RETRY_PAUSE).min(RETRY_PAUSE),
        }
    }
}

/// Waits for the pause by the clock or by the timer, whichever ends first, or until the clock was set back.
async fn wait(from: Timestamp, pause: Duration) {
    let began = Instant::now();
    loop {
        let (now, elapsed) = (Timestamp::from(SystemTime::now()), began.elapsed());
        let remaining = pause.saturating_sub(from.until(now).max(elapsed));
        // A token that was signed by a clock that was wrong is not valid, so one is signed at once.
        if remaining.is_zero() || now.after(CLOCK_TOLERANCE) < from.after(elapsed) {
            return;
        }
        tokio::time::sleep(remaining.min(CLOCK_INTERVAL)).await;
    }
}

impl SignedToken {
    fn sign(credentials: &AwsCredentials, msk: &MskIamConfig, now: Timestamp) -> Option<Self> {
        let text = msk_token(&credentials.keys, &msk.region, now, USER_AGENT).ok()?;
        let latest = now.after(TOKEN_LIFETIME);
        let expires = credentials.expires.map_or(latest, |expires| expires.min(latest));
        Some(Self { text, expires, access_key_id: credentials.keys.access_key_id.clone() })
    }

    fn give(&self, client: &dyn TokenReceiver) -> Result<(), SetTokenError> {
        let since_epoch = Duration::from_millis(u64::try_from(self.expires.unix_millis()).unwrap_or(0));
        let expires = SystemTime::UNIX_EPOCH + since_epoch;
        let token = ClientToken { value: self.text.expose_secret(), expires, principal: &self.access_key_id };
        client.receive(token)
    }
}

/// The credentials, which are requested again before they expire.
struct CredentialCache {
    msk: Arc<MskIamConfig>,
    client: Option<CredentialClient>,
    known: Option<AwsCredentials>,
}

impl CredentialCache {
    fn new(msk: &Arc<MskIamConfig>) -> Self {
        Self { msk: Arc::clone(msk), client: None, known: None }
    }

    /// The credentials that are valid at this time, and why there are no newer ones.
    async fn get(&mut self, now: Timestamp) -> (Option<AwsCredentials>, Option<CredentialError>) {
        let outlives = |credentials: &AwsCredentials, lifetime: Duration| {
            credentials.expires.is_none_or(|expires| now.until(expires) > lifetime)
        };
        if let Some(known) = self.known.as_ref().filter(|known| outlives(known, TOKEN_LIFETIME + MARGIN)) {
            return (Some(known.clone()), None);
        }
        match self.fetch(now).await {
            Ok(fetched) => {
                self.known = Some(fetched.clone());
                (Some(fetched), None)
            }
            Err(error) => (self.known.clone().filter(|known| outlives(known, Duration::ZERO)), Some(error)),
        }
    }

    async fn fetch(&mut self, now: Timestamp) -> Result<AwsCredentials, CredentialError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => CredentialClient::new(&self.msk)?,
        };
        self.client.insert(client).fetch(now).await
    }
}

#[cfg(test)]
mod tests;
