//! Rotation without restart: the files of tokens and accounts are read again when they change.
//!
//! A file system may hang. Each poll looks at the files on a thread of its own, one poll at a time, and nothing waits for
//! it but the next poll: neither callbacks nor probes nor a stop. A poll that takes longer than a second is reported as
//! a slow operation. The files have limits of size, which the configuration checks when it reads them.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};

use super::keyring;
use crate::{
    blocking,
    config::{Config, Credentials, KeyFiles, Twilio},
    domain::PublicUrl,
    telemetry::{Metrics, Operation},
    verify::{Keyring, LiveKeyring},
};

/// A change counts after one to two of these.
const POLL: Duration = Duration::from_millis(500);

/// Keeps the keyring in use, and what the REST API is asked with, equal to the files.
pub(super) struct Reload {
    twilio: Twilio,
    urls: Vec<PublicUrl>,
    live: LiveKeyring,
    accounts: watch::Sender<Vec<Credentials>>,
    metrics: Arc<Metrics>,
    /// Asks for the files to be read at once.
    request: Arc<Notify>,
    /// The files as they were when they were read last, whether that went well or not.
    read: KeyFiles,
    /// The files as they were at the last poll.
    seen: KeyFiles,
}

impl Reload {
    pub(super) fn new(config: &Config, live: LiveKeyring, metrics: Arc<Metrics>) -> Self {
        let (twilio, urls) = (config.twilio.clone(), config.public_urls.clone());
        let (read, seen) = (twilio.files.clone(), twilio.files.clone());
        let accounts = watch::Sender::new(twilio.credentials().collect());
        Self { twilio, urls, live, accounts, metrics, request: Arc::default(), read, seen }
    }

    /// What asks for the files to be read at once, changed or not.
    pub(super) fn request(&self) -> Arc<Notify> {
        Arc::clone(&self.request)
    }

    /// What the REST API is asked with, now and after each change.
    pub(super) fn accounts(&self) -> watch::Receiver<Vec<Credentials>> {
        self.accounts.subscribe()
    }

    /// Polls until it is dropped, and reads the files at once when it is asked to.
    pub(super) async fn run(self) {
        let request = self.request();
        while self.read.is_empty() {
            request.notified().await;
            tracing::info!("no file of keys is configured, so none is read again");
        }
        let operations = Arc::clone(&self.metrics.operations);
        let this = Arc::new(Mutex::new(self));
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let at_once = tokio::select! {
                () = request.notified() => true,
                _ = polls.tick() => false,
            };
            let (this, operations) = (Arc::clone(&this), Arc::clone(&operations));
            let polled = blocking::run("key-files", move || {
                let _operation = operations.begin(Operation::KeyFiles);
                // Only polls take the lock, one at a time. One that panicked has replaced the keys as a whole or not at all.
                let mut this = this.lock().unwrap_or_else(PoisonError::into_inner);
                if at_once { this.reload_at_once() } else { this.poll() }
            });
            if let Err(error) = polled.await {
                tracing::error!(%error, "the credential files could not be checked");
            }
        }
    }

    /// A file that was the same at two polls is at rest: nobody is writing it.
    fn poll(&mut self) {
        let now = self.read.now();
        let at_rest = now == self.seen;
        self.seen = now;
        if at_rest && self.seen != self.read {
            self.reload();
        }
    }

    /// A file that is being written is left to the next polls.
    fn reload_at_once(&mut self) {
        self.seen = self.read.now();
        self.reload();
    }

    fn reload(&mut self) {
        let fresh = self.fresh();
        let after = self.seen.now();
        // Somebody began to write after all: what was read may be half of it.
        if after != self.seen {
            self.seen = after;
            return;
        }
        self.read = after;
        match fresh {
            Ok((twilio, keyring)) => self.replace(twilio, keyring),
            Err(error) => {
                self.metrics.accounts_reload_failed.set(1);
                tracing::error!(%error, "keys are not reloaded; those from before stay in use");
            }
        }
    }

    fn fresh(&self) -> Result<(Twilio, Keyring), Box<dyn Error>> {
        let twilio = self.twilio.reload(&self.urls)?;
        let keyring = keyring(&twilio)?;
        Ok((twilio, keyring))
    }

    fn replace(&mut self, twilio: Twilio, keyring: Keyring) {
        self.live.replace(keyring);
        self.accounts.send_replace(twilio.credentials().collect());
        self.metrics.accounts_reload_failed.set(0);
        let accounts = twilio.listed_accounts().map(Iterator::count);
        tracing::info!(accounts, tokens = twilio.auth_tokens.len(), "keys reloaded");
        self.twilio = twilio;
    }
}
