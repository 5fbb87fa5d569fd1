//! Takes a callback through verification, normalization, deduplication and delivery. Every request to a callback path gets
//! exactly one [`Outcome`].
//!
//! # The path of a callback
//!
//! ```text
//!  start_request      the head of the request was read; an OutcomeGuard tracks the request from here
//!       │
//!    accept
//!       │
//!    verify ── invalid ──► report-only mode, within its limits? ── no ──► Rejected
//!       │                               │ yes
//!    normalize                     dead letter ────────────────────────► DeadLettered | Spooled
//!       │
//!    dedup ── repeat ──► wait for the first callback ──────────────────► Duplicate
//!       │
//!    event of the owner? ── no ──► dead letter ────────────────────────► DeadLettered | Spooled
//!       │
//!    submit the event ─────────────────────────────────────────────────► Published | Spooled | DeadLettered
//! ```
//!
//! Every path except *Rejected* can also end as *Unavailable*.
//!
//! # Invariants
//!
//! - **One outcome.** [`OutcomeGuard`] counts and logs one outcome for each request: when it is finished, or when it is dropped.
//! - **An accepted callback reaches its outcome.** An HTTP handler is cancelled when its connection breaks. The wait for
//!   durability is wrapped in `DetachOnDrop`, so it continues as a task then, and [`Pipeline::drain`] waits for it.
//! - **Topic order is `ce_time` order.** Consumers may skip an event that is older than the last one they applied. The time
//!   of an event is taken, and the event is submitted, under one lock. Everything that takes long happens before: reading the
//!   body, verification and the reading of the fields. Only the events of a reconciliation have an earlier time: the time at
//!   which Trust Hub was asked.
//! - **Only verified callbacks enter the dedup window**, otherwise forged ones could make genuine ones look like repeats. What a
//!   repeat is rests on the signed bytes, so it is decided before it matters whether the callback can be read as an event.
//! - **Only Trust Hub says who owns a profile.** Events of another account become dead letters once reconciliation in this
//!   process has listed the profile. Before that, and in other replicas, events of two accounts are both published, and counted.
//! - **Unauthenticated callers have small limits of their own**: diagnoses (`rejected`), log lines (`rejection_log`) and what
//!   report-only mode keeps (`unverified`).
//! - **Status changes are counted once, when they are durable.**
//!
//! # Failures
//!
//! | What fails | Outcome |
//! |---|---|
//! | the signature, in enforce mode or beyond the limits of report-only mode | `Rejected` |
//! | the fields of a verified callback cannot be read as an event | `DeadLettered`, or `Spooled` while the dead-letter topic does not accept records |
//! | neither Kafka nor the spool makes the record durable in time | `Unavailable`; repeats that wait for it fail as well, and the next one is the first again |
//! | the request is dropped before it was verified | `Rejected` as `incomplete` |
//! | the request is dropped after it was verified, or its work panics | `Unavailable` as `abandoned` |
//!
//! # Calls that can block
//!
//! | Call | Thread | Lock | Bound |
//! |---|---|---|---|
//! | diagnosis of a signature: CPU time, no I/O | `diagnosis`, one at a time | none | a budget of work, see `Verifier::diagnose`; no answer waits for it |
//! | write and sync of the event time | `event-time` | that of its file | see `clock`; no callback waits for it |
//! | [`EventClock::open`]: reads a small file | the caller's, before anything is served | none | none |
//!
//! Verification and normalization run on the worker that read the request. They are CPU work with a bounded input.

mod accepted;
mod clock;
mod dead_letter;
mod dedup;
mod detach;
mod expected_outcome;
mod metrics;
mod notice;
mod outcome_guard;
mod owners;
mod path_warnings;
mod receipts;
mod recent;
mod rejected;
mod rejection_log;
mod trail;
mod unverified;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use twilio_signature::Verifier;

pub(crate) use self::{
    clock::{EventClock, EventTimeWriter},
    expected_outcome::expected_outcome,
    metrics::PipelineMetrics,
    outcome_guard::OutcomeGuard,
    receipts::ProcessId,
    recent::{MAX_ACCEPTED, MAX_REJECTED, RecentCallback, RecentCallbacks},
};
use trusthub_client::Profile;

use self::{
    accepted::{Accepted, FirstCallback, FirstRecord, Submitted},
    dedup::{Claim, DedupKey, DedupWindow},
    detach::DetachOnDrop,
    owners::{Ownership, ProfileOwners},
    path_warnings::PathWarnings,
    receipts::ReceiptCounter,
    rejected::RejectionHandler,
    rejection_log::RejectionLog,
    unverified::ReportOnlyLimiter,
};
use crate::{
    deliver::{Deliver, Delivery},
    domain::{
        ConstructionLabel, DeadLetterAttributes, DeadLetterReason, DeliveryError, Destination, Event, Outcome,
        RawCallback, Resource, SignatureMode, Timestamp,
    },
    normalize::{CallbackIdentity, NormalizeError, NormalizedCallback, normalize},
    traces::{RequestLine, Tracer},
    verify::VerifiedCallback,
};

/// How the pipeline treats callbacks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PipelineConfig {
    /// What happens to a callback whose signature does not match.
    pub signature_mode: SignatureMode,
    /// How long after a callback an identical one counts as its repeat.
    pub dedup_window: Duration,
    /// The largest number of callbacks in progress at the same time.
    pub callbacks_in_progress: usize,
    /// The random id of this process, for the ids of events.
    pub process: ProcessId,
}

/// Gives every callback its outcome.
pub(crate) struct Pipeline {
    verifier: Arc<Verifier>,
    receipts: Arc<ReceiptCounter>,
    dedup: DedupWindow,
    owners: ProfileOwners,
    deliver: Deliver,
    metrics: Arc<PipelineMetrics>,
    /// Locked from the moment at which an event's time is taken until the event is submitted: topic order is `ce_time` order,
    /// and consumers may skip events that are older than the last one they applied.
    clock: Mutex<EventClock>,
    rejections: Arc<RejectionHandler>,
    rejection_log: Arc<RejectionLog>,
    recent: Option<Arc<RecentCallbacks>>,
    path_warnings: PathWarnings,
    tracer: Tracer,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Pipeline {
    /// Creates a pipeline whose events have the time of `clock`. Accepted work whose caller has stopped waiting is finished on
    /// `runtime`.
    #[must_use]
    pub(crate) fn new(
        config: PipelineConfig,
        verifier: Verifier,
        deliver: Deliver,
        clock: EventClock,
        metrics: Arc<PipelineMetrics>,
        runtime: Handle,
    ) -> Self {
        let (verifier, tasks) = (Arc::new(verifier), TaskTracker::new());
        let report_only =
            ReportOnlyLimiter::new(Arc::clone(&metrics.shared), config.callbacks_in_progress, Instant::now());
        let receipts = Arc::new(ReceiptCounter::new(config.process));
        let operations = Arc::clone(&metrics.shared.operations);
        let parts = (Arc::clone(&verifier), deliver.clone(), operations, Arc::clone(&receipts));
        let rejections =
            RejectionHandler::new(config.signature_mode, parts, report_only, tasks.clone(), runtime.clone());
        Self {
            verifier,
            receipts,
            dedup: DedupWindow::new(config.dedup_window),
            owners: ProfileOwners::new(),
            deliver,
            rejections: Arc::new(rejections),
            rejection_log: RejectionLog::new(runtime.clone()),
            recent: None,
            path_warnings: PathWarnings::default(),
            tracer: Tracer::off(),
            metrics,
            clock: Mutex::new(clock),
            tasks,
            runtime,
        }
    }

    /// The same pipeline, which also records callbacks in `recent`.
    #[must_use]
    pub(crate) fn recording(self, recent: Option<Arc<RecentCallbacks>>) -> Self {
        Self { recent, ..self }
    }

    /// The same pipeline, whose callbacks have the traces of `tracer`.
    #[must_use]
    pub(crate) fn traced_by(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// Starts to track a request to a callback path. `received` is when its head was read.
    pub(crate) fn start_request(&self, resource: Resource, line: RequestLine, received: Instant) -> OutcomeGuard {
        let reports = (Arc::clone(&self.metrics), Arc::clone(&self.rejection_log), self.recent.clone());
        OutcomeGuard::open(reports, resource, received, self.tracer.start_callback(line, received))
    }

    /// Verifies a callback and submits it at once. The future waits until it is durable, and returns its outcome.
    ///
    /// The callback reaches its outcome even if the future is dropped: an HTTP handler is cancelled when its connection breaks,
    /// and Twilio's callback must not be lost with it. `permit` bounds how many callbacks are in progress. It is dropped when
    /// this callback has its outcome, whether or not the caller still waits.
    pub(crate) fn accept<P: Send + 'static>(
        self: &Arc<Self>,
        guard: OutcomeGuard,
        raw: RawCallback,
        permit: P,
    ) -> impl Future<Output = Outcome> + use<P> {
        let submitted = self.submit(guard, raw, permit);
        async {
            match submitted {
                Ok(work) => work.await.unwrap_or(Outcome::Unavailable(DeliveryError::Abandoned)),
                Err(rejected) => rejected,
            }
        }
    }

    /// Verifies and submits a callback without an await point, so it cannot be cancelled halfway. Returns the work that
    /// waits for the outcome.
    ///
    /// # Errors
    /// The outcome, if the callback was rejected.
    fn submit(
        self: &Arc<Self>,
        mut guard: OutcomeGuard,
        raw: RawCallback,
        permit: impl Send + 'static,
    ) -> Result<DetachOnDrop<Outcome>, Outcome> {
        guard.set_request(&raw);
        let raw = Arc::new(raw);
        let began = guard.trace_clock();
        let accepted = match VerifiedCallback::verify(&self.verifier, Arc::clone(&raw)) {
            Ok(verified) => {
                let matched = verified.matched();
                guard.trace_verification(began, Ok((ConstructionLabel(matched.construction), matched.into())));
                self.submit_verified(&mut guard, verified)
            }
            Err(reason) => {
                guard.trace_verification(began, Err(reason));
                return self.rejections.reject(guard, raw, reason, permit);
            }
        };
        let this = Arc::clone(self);
        // Not in async functions of their own: their futures would keep the arguments twice for as long as the callback waits.
        let rest = async move {
            let outcome = match accepted {
                Accepted::First(first, delivery) => {
                    let result = delivery.wait_until_durable().await;
                    first.finish(result, &mut guard, &this.metrics)
                }
                Accepted::Repeat(repeat) => {
                    repeat.first_outcome().await.map_or_else(Outcome::Unavailable, |()| Outcome::Duplicate)
                }
            };
            let outcome = guard.finish(outcome);
            drop(permit);
            outcome
        };
        Ok(DetachOnDrop::new(rest, &self.tasks, &self.runtime))
    }

    fn submit_verified(&self, guard: &mut OutcomeGuard, verified: VerifiedCallback) -> Accepted {
        guard.mark_verified();
        self.path_warnings.check(verified.raw(), Instant::now());
        let matched = verified.matched();
        self.metrics.signatures.of(ConstructionLabel(matched.construction), matched.into()).inc();
        let identity = CallbackIdentity::of(&verified);
        let normalized = normalize(&verified);
        match &normalized {
            Ok(callback) => guard.set_subject(Some(*callback.profile()), Some(callback.status())),
            Err(error) => guard.set_subject(error.profile, None),
        }
        // No panic can leave the clock half-changed.
        let mut clock = self.clock.lock();
        let received_at = clock.next_time(SystemTime::now().into());
        self.metrics.last_callback.set(received_at.unix_seconds());
        let key = DedupKey {
            fingerprint: identity.fingerprint(),
            token: identity.token_hash(),
            profile: guard.profile(),
            is_event: normalized.is_ok(),
        };
        let submitted = match self.dedup.claim(&key, Instant::now()) {
            Claim::Repeat(repeat) => Err(repeat),
            Claim::First(claim) => {
                let event_id = identity.event_id(&self.receipts.next());
                let (record, delivery) = self.submit_first(guard, &verified, normalized, (event_id, received_at));
                Ok((record, claim, delivery))
            }
        };
        drop(clock);
        guard.mark_submitted();
        match submitted {
            Ok((record, claim, delivery)) => {
                let submitted = Submitted::of(&record);
                guard.set_record(record);
                Accepted::First(FirstCallback { submitted, claim }, delivery)
            }
            Err(repeat) => {
                guard.set_repeated(identity.shared_event_id());
                Accepted::Repeat(repeat)
            }
        }
    }

    fn submit_first(
        &self,
        guard: &mut OutcomeGuard,
        verified: &VerifiedCallback,
        normalized: Result<NormalizedCallback, NormalizeError>,
        (event_id, received_at): (String, Timestamp),
    ) -> (FirstRecord, Delivery) {
        match normalized.and_then(|callback| self.check_owner(callback)) {
            Ok(callback) => {
                let trace = guard.trace_submission(Destination::Events);
                let event = Event { trace, ..callback.at(event_id, received_at) };
                let delivery = self.deliver.submit_event(&event, verified.raw(), guard.received());
                (Ok(event), delivery)
            }
            Err(NormalizeError { reason, profile }) => {
                let construction = Some(verified.construction());
                let trace = guard.trace_submission(Destination::DeadLetters);
                let attributes = DeadLetterAttributes { reason, profile, event_id, received_at, construction, trace };
                let delivery = self.deliver.submit_dead_letter(verified.raw(), &attributes, guard.received());
                (Err(attributes), delivery)
            }
        }
    }

    /// Rejects an event of another account than the owner of its profile.
    fn check_owner(&self, callback: NormalizedCallback) -> Result<NormalizedCallback, NormalizeError> {
        let ownership = self.owners.check(&callback);
        if ownership != Ownership::Consistent {
            self.metrics.account_conflicts.inc();
        }
        if ownership == Ownership::Foreign {
            let (reason, profile) = (DeadLetterReason::AccountConflict, Some(*callback.profile()));
            return Err(NormalizeError { reason, profile });
        }
        Ok(callback)
    }

    /// Remembers which account owns a profile that Trust Hub listed.
    pub(crate) fn confirm_owner(&self, profile: &Profile) {
        self.owners.confirm(&profile.sid, &profile.account_sid);
    }

    /// The time of an event that is made now. A caller that turns an answer of Trust Hub into an event takes this time before
    /// it asks.
    #[must_use]
    pub(crate) fn event_time(&self) -> Timestamp {
        self.clock.lock().next_time(SystemTime::now().into())
    }

    /// Stops waiting for Kafka: records that it has not acknowledged are spooled.
    pub(crate) fn stop_waiting(&self) {
        self.deliver.stop_waiting();
    }

    /// Waits until every accepted callback has its outcome, for at most `timeout`.
    pub(crate) async fn drain(&self, timeout: Duration) {
        self.tasks.close();
        if tokio::time::timeout(timeout, self.tasks.wait()).await.is_err() {
            tracing::error!(callbacks = self.tasks.len(), "stopped before these callbacks had an outcome");
        }
        self.rejection_log.report();
    }
}
