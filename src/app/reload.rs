//! Reloads the files of tokens, SharedKeys and accounts when they change, so that credentials can be rotated without a restart.
//!
//! The files are polled twice a second. A changed file is read when it has not changed between two polls, and it is checked
//! once more after it was read, so that a half-written file is not used. An invalid file changes nothing. The keyring is
//! replaced as a whole.
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | look at the files and read them | `key-files`, one for each poll | that of the reloader, which only polls take | none: only the next poll waits for it, and no callback, probe or stop. A poll that takes longer than a second is reported as a slow operation |
//!
//! The size of each file is limited. The configuration checks it when it reads them.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};
use trusthub_client::Credentials;
use twilio_signature::{Keyring, LiveKeyring};

use super::{metrics::ServiceMetrics, parts::keyring};
use crate::{
    blocking,
    config::{Config, CredentialFiles, TwilioConfig},
    domain::{PublicUrl, Timestamp},
    telemetry::{IntGauge, Operation, Operations},
};

/// The time between two polls. A change takes effect after one to two of them.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The configured keys, as they were last read.
#[derive(Debug, Clone)]
pub(super) struct KeysInUse {
    pub(super) twilio: TwilioConfig,
    /// When the files were read again; `None` since the start.
    pub(super) reloaded_at: Option<Timestamp>,
}

/// Updates the keyring, and the credentials for the REST API, when the files change.
pub(super) struct CredentialReloader {
    keys: watch::Sender<KeysInUse>,
    urls: Vec<PublicUrl>,
    live: LiveKeyring,
    accounts: watch::Sender<Vec<Credentials>>,
    reload_failed: IntGauge,
    operations: Arc<Operations>,
    /// Notified when the files must be read at once.
    request: Arc<Notify>,
    /// The state of the files when they were read last, whether or not they were valid.
    read: CredentialFiles,
    /// The state of the files at the last poll.
    seen: CredentialFiles,
}

impl CredentialReloader {
    pub(super) fn new(config: &Config, live: LiveKeyring, metrics: &ServiceMetrics) -> Self {
        let (twilio, urls) = (&config.twilio, config.public_urls.clone());
        let keys = watch::Sender::new(KeysInUse { twilio: twilio.clone(), reloaded_at: None });
        let (read, seen) = (twilio.files.clone(), twilio.files.clone());
        let accounts = watch::Sender::new(twilio.credentials().collect());
        let (reload_failed, operations) =
            (metrics.accounts_reload_failed.clone(), Arc::clone(&metrics.shared.operations));
        Self { keys, urls, live, accounts, reload_failed, operations, request: Arc::default(), read, seen }
    }

    /// The notification that makes [`run`](Self::run) read the files immediately, changed or not.
    pub(super) fn request(&self) -> Arc<Notify> {
        Arc::clone(&self.request)
    }

    /// The credentials for the REST API, now and after each change.
    pub(super) fn accounts(&self) -> watch::Receiver<Vec<Credentials>> {
        self.accounts.subscribe()
    }

    /// The configured keys, now and after each change.
    pub(super) fn keys(&self) -> watch::Receiver<KeysInUse> {
        self.keys.subscribe()
    }

    /// Polls the files until it is dropped, and reads them immediately when notified.
    pub(super) async fn run(self) {
        let request = self.request();
        while self.read.is_empty() {
            request.notified().await;
            tracing::info!("no credential file is configured, so there is nothing to reload");
        }
        let operations = Arc::clone(&self.operations);
        let this = Arc::new(Mutex::new(self));
        let mut polls = interval(POLL_INTERVAL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let at_once = tokio::select! {
                () = request.notified() => true,
                _ = polls.tick() => false,
            };
            let (this, operations) = (Arc::clone(&this), Arc::clone(&operations));
            let polled = blocking::run("key-files", move || {
                let _operation = operations.begin(Operation::KeyFiles);
                // Only polls take the lock, one at a time. A poll that panicked has replaced the keyring as a whole or not at
                // all.
                let mut this = this.lock();
                if at_once { this.reload_at_once() } else { this.poll() }
            });
            if let Err(error) = polled.await {
                tracing::error!(%error, "the credential files could not be checked");
            }
        }
    }

    /// Reloads changed files. A file that is the same at two polls is not being written.
    fn poll(&mut self) {
        let now = self.read.current();
        let is_unchanged = now == self.seen;
        self.seen = now;
        if is_unchanged && self.seen != self.read {
            self.reload();
        }
    }

    /// Reloads the files without waiting for a second poll. If one is being written, the next polls reload it.
    fn reload_at_once(&mut self) {
        self.seen = self.read.current();
        self.reload();
    }

    fn reload(&mut self) {
        let loaded = self.load();
        let after = self.seen.current();
        // The file changed while it was being read, so it may have been read half-written.
        if after != self.seen {
            self.seen = after;
            return;
        }
        self.read = after;
        match loaded {
            Ok((twilio, keyring)) => self.replace(twilio, keyring),
            Err(error) => {
                self.reload_failed.set(1);
                tracing::error!(%error, "keys are not reloaded; the previous ones stay in use");
            }
        }
    }

    fn load(&self) -> Result<(TwilioConfig, Keyring), Box<dyn Error>> {
        let configured = self.keys.borrow().twilio.clone();
        let twilio = configured.reload(&self.urls)?;
        let keyring = keyring(&twilio)?;
        Ok((twilio, keyring))
    }

    fn replace(&mut self, twilio: TwilioConfig, keyring: Keyring) {
        self.live.replace(keyring);
        self.accounts.send_replace(twilio.credentials().collect());
        self.reload_failed.set(0);
        let accounts = twilio.listed_accounts().map(Iterator::count);
        let (tokens, shared_keys) = (twilio.auth_tokens.len(), twilio.shared_keys.len());
        tracing::info!(accounts, tokens, shared_keys, "reloaded the keys");
        for warning in twilio.warnings() {
            tracing::warn!("{warning}");
        }
        self.keys.send_replace(KeysInUse { twilio, reloaded_at: Some(SystemTime::now().into()) });
    }
}
