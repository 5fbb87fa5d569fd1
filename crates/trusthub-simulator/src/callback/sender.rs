//! The shared state of a [`CallbackSender`](super::CallbackSender), and how one callback is sent.
//!
//! `prepare` runs in the caller and never blocks: it draws the faults, takes a permit, and signs the request. The queue of
//! each profile is then drained by one task, which sends one callback after another with its retries and redirects, and
//! writes every request to the journal.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use parking_lot::{Mutex, MutexGuard};
use secrecy::SecretString;
use tokio::{
    sync::{Semaphore, mpsc::UnboundedReceiver},
    time::{Instant, timeout},
};
use trusthub_events::{AccountSid, ProfileSid};
use twilio_signature::Construction;

use super::{
    announcement::Announcement,
    client::{AttemptTimeouts, CallbackClient, ReceiverResponse},
    faults::{CallbackFault, CallbackFaultRates, DrawnFaults},
    journal::{Attempt, AttemptOutcome, CallbackFailure, CallbackInfo, Journal},
    keys::SignerKeys,
    options::{CallbackSenderError, SenderOptions},
    overrides::ConnectionOverrides,
    queues::{Permit, Permits, ProfileQueues},
    request::{CallbackRequest, RequestShape, TargetUrl},
    signers::CallbackSigner,
};

/// The maximum number of callbacks that are being sent at the same time.
const CONCURRENCY: usize = 512;

/// The maximum number of redirects that Twilio follows.
const MAX_REDIRECTS: u32 = 10;

/// A signed callback that waits in the queue of its profile.
pub(super) struct OutgoingCallback {
    request: CallbackRequest,
    overrides: ConnectionOverrides,
    pub(super) info: CallbackInfo,
    /// Counts the callback as pending until it is dropped.
    _permit: Permit,
}

impl OutgoingCallback {
    fn has(&self, fault: CallbackFault) -> bool {
        self.info.faults.contains(&fault)
    }
}

/// What decides how the next callback is sent.
pub(super) struct SenderSettings {
    random: Rng,
    pub(super) faults: CallbackFaultRates,
    pub(super) construction: Construction,
}

impl SenderSettings {
    fn draw(&mut self, faults: &CallbackFaultRates) -> (DrawnFaults, RequestShape) {
        let drawn = faults.draw(&mut self.random);
        let is_captured_get = drawn.faults.contains(&CallbackFault::GetWithDoubledHash);
        let shape = if is_captured_get { RequestShape::WITH_DOUBLED_HASH } else { RequestShape::of(self.construction) };
        (drawn, shape)
    }
}

pub(super) struct SenderInner {
    keys: Mutex<SignerKeys>,
    settings: Mutex<SenderSettings>,
    client: CallbackClient,
    pub(super) journal: Journal,
    pub(super) queues: ProfileQueues<OutgoingCallback>,
    pub(super) permits: Permits,
    concurrency: Semaphore,
    reorder_timeout: Duration,
}

impl SenderInner {
    pub(super) fn new(
        tokens: &HashMap<AccountSid, Vec<SecretString>>,
        options: SenderOptions,
    ) -> Result<Self, CallbackSenderError> {
        let random = options.seed.map_or_else(Rng::new, Rng::with_seed);
        let settings =
            SenderSettings { random, faults: CallbackFaultRates::default(), construction: Construction::Form };
        Ok(Self {
            keys: Mutex::new(SignerKeys::new(tokens)?),
            settings: Mutex::new(settings),
            client: CallbackClient::new()?,
            journal: Journal::new(options.journal_capacity),
            queues: ProfileQueues::default(),
            permits: Permits::new(options.capacity),
            concurrency: Semaphore::new(CONCURRENCY),
            reorder_timeout: options.reorder_timeout,
        })
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, SenderSettings> {
        self.settings.lock()
    }

    pub(super) fn keys(&self) -> MutexGuard<'_, SignerKeys> {
        self.keys.lock()
    }

    /// Returns the callback to send and its delay. If there is nothing to send, the journal says why.
    pub(super) fn prepare(
        &self,
        announcement: &Announcement,
        faults: &CallbackFaultRates,
    ) -> Option<(OutgoingCallback, Option<Duration>)> {
        let (drawn, shape) = self.settings().draw(faults);
        let signer = self.keys().next_signer(&announcement.account, &announcement.profile);
        let info = callback_info(announcement, &drawn, shape, signer);
        let permit = self.permits.acquire().ok_or(CallbackFailure::QueueFull);
        match permit.and_then(|permit| self.build(announcement, &info, shape, permit)) {
            Ok(callback) => Some((callback, drawn.delay)),
            Err(failure) => {
                self.journal.write(|id| unsent(id, announcement, info, shape, failure));
                None
            }
        }
    }

    fn build(
        &self,
        announcement: &Announcement,
        info: &CallbackInfo,
        shape: RequestShape,
        permit: Permit,
    ) -> Result<OutgoingCallback, CallbackFailure> {
        if info.faults.contains(&CallbackFault::Drop) {
            return Err(CallbackFailure::Dropped);
        }
        let TargetUrl { url, fragment } = TargetUrl::parse(&announcement.url).ok_or(CallbackFailure::InvalidUrl)?;
        let overrides = ConnectionOverrides::parse(&fragment).map_err(|_| CallbackFailure::InvalidRetryPolicy)?;
        let signer = info.signed_by.as_ref();
        let signer = signer.and_then(|signer| self.keys().request_signer(&info.account_sid, signer, &info.faults));
        let signer = signer.ok_or(CallbackFailure::UnknownAccount)?;
        Ok(OutgoingCallback {
            request: CallbackRequest::new(announcement, &url, shape, signer),
            info: CallbackInfo { ignored_overrides: overrides.ignored.clone(), ..info.clone() },
            overrides,
            _permit: permit,
        })
    }

    /// Sends the callbacks in the queue of a profile until the queue is empty, then closes it.
    pub(super) async fn drain_queue(&self, profile: &ProfileSid, mut queue: UnboundedReceiver<OutgoingCallback>) {
        loop {
            match queue.try_recv() {
                Ok(callback) => self.send_in_order(callback, &mut queue).await,
                Err(_) if self.queues.close(profile, &queue) => return,
                Err(_) => {}
            }
        }
    }

    /// Sends a callback. One with [`CallbackFault::Reorder`] is sent after the next callback, whatever faults that has.
    async fn send_in_order(&self, callback: OutgoingCallback, queue: &mut UnboundedReceiver<OutgoingCallback>) {
        if callback.has(CallbackFault::Reorder)
            && let Ok(Some(later)) = timeout(self.reorder_timeout, queue.recv()).await
        {
            self.send(&later).await;
        }
        self.send(&callback).await;
    }

    async fn send(&self, callback: &OutgoingCallback) {
        // The semaphore is never closed, so this does not fail.
        let _slot = self.concurrency.acquire().await;
        self.send_with_retries(callback).await;
        if callback.has(CallbackFault::Duplicate) {
            self.send_with_retries(callback).await;
        }
    }

    async fn send_with_retries(&self, callback: &OutgoingCallback) {
        let deadline = Instant::now() + callback.overrides.total;
        for number in 1..=callback.overrides.retries + 1 {
            let outcome = self.follow_redirects(callback, number, deadline).await;
            if !callback.overrides.retries_after(outcome) {
                return;
            }
        }
    }

    async fn follow_redirects(&self, callback: &OutgoingCallback, number: u32, deadline: Instant) -> AttemptOutcome {
        let ConnectionOverrides { connect, read, .. } = callback.overrides;
        let timeouts = AttemptTimeouts { connect, read, deadline };
        let mut request = callback.request.clone();
        let mut redirects = 0;
        loop {
            let (time, began) = (SystemTime::now(), Instant::now());
            let response = self.client.send(&request, &callback.info.idempotency_token, timeouts).await;
            let (outcome, next) = evaluate(response, &request, redirects);
            self.journal.write(|id| Attempt {
                id,
                time: time.into(),
                callback: callback.info.clone(),
                verb: request.verb,
                url: request.url,
                number,
                redirects,
                outcome,
                milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
            let Some(next) = next else { return outcome };
            request = next;
            redirects += 1;
        }
    }
}

/// Returns the outcome of an attempt and, after a redirect, the next request.
fn evaluate(
    response: Result<ReceiverResponse, CallbackFailure>,
    request: &CallbackRequest,
    redirects: u32,
) -> (AttemptOutcome, Option<CallbackRequest>) {
    match response {
        Err(failure) => (AttemptOutcome::Failure(failure), None),
        Ok(ReceiverResponse { status, location }) => {
            match location.and_then(|location| request.redirected(&location)) {
                Some(_) if redirects == MAX_REDIRECTS => {
                    (AttemptOutcome::Failure(CallbackFailure::TooManyRedirects), None)
                }
                next => (AttemptOutcome::Answer(status), next),
            }
        }
    }
}

fn callback_info(
    announcement: &Announcement,
    drawn: &DrawnFaults,
    shape: RequestShape,
    signed_by: Option<CallbackSigner>,
) -> CallbackInfo {
    CallbackInfo {
        account_sid: announcement.account,
        profile_sid: announcement.profile,
        status: announcement.status,
        construction: shape.construction,
        signed_by,
        idempotency_token: uuid(fastrand::u128(..)),
        faults: drawn.faults.clone(),
        ignored_overrides: Vec::new(),
    }
}

fn unsent(
    id: u64,
    announcement: &Announcement,
    callback: CallbackInfo,
    shape: RequestShape,
    failure: CallbackFailure,
) -> Attempt {
    let (url, _fragment) = announcement.url.split_once('#').unwrap_or((&announcement.url, ""));
    Attempt {
        id,
        time: SystemTime::now().into(),
        callback,
        verb: shape.verb(),
        url: url.to_owned(),
        number: 0,
        redirects: 0,
        outcome: AttemptOutcome::Failure(failure),
        milliseconds: 0,
    }
}

/// Formats a random number as a UUID of version 4. The number must not come from the seed: after a restart with the same
/// seed, receivers must not take new callbacks for repeats.
fn uuid(random: u128) -> String {
    let uuid = random & !(0xF000 << 64 | 0xC000 << 48) | 0x4000 << 64 | 0x8000 << 48;
    let group = |shift: u32| uuid >> shift & 0xFFFF;
    format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", uuid >> 96, group(80), group(64), group(48), uuid & 0xFFFF_FFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_token_is_a_uuid_of_version_4() {
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
