//! Handles callbacks without a valid signature: the answer, a diagnosis for the operator, and `SIGNATURE_MODE=report-only`.
//!
//! The answer never waits for a diagnosis. Diagnoses run one at a time, each on a thread of its own, and their work is bounded
//! before it starts (see `Verifier::diagnose`). The outcome is counted and logged after the diagnosis, exactly once.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;
use twilio_signature::{Signature, Verifier};

use super::{
    dead_letter::wait_for_dead_letter,
    detach::DetachOnDrop,
    outcome_guard::OutcomeGuard,
    receipts::ReceiptCounter,
    unverified::{ReportOnlyLimiter, ReportOnlyPermit},
};
use crate::{
    blocking,
    deliver::{Deliver, Delivery},
    domain::{
        DeadLetterAttributes, DeadLetterReason, Destination, Outcome, RawCallback, RejectReason, SIGNATURE_HEADER,
        SignatureMode,
    },
    telemetry::{Operation, Operations},
};

/// The shortest time from the start of one diagnosis to the next, which bounds what forged callbacks can cost.
const DIAGNOSIS_INTERVAL: Duration = Duration::from_secs(1);

/// Lets one diagnosis run at a time.
struct DiagnosisLimiter {
    running: Arc<Semaphore>,
    next: Mutex<Instant>,
}

impl DiagnosisLimiter {
    fn new(now: Instant) -> Self {
        Self { running: Arc::new(Semaphore::new(1)), next: Mutex::new(now) }
    }

    /// Returns the permit to diagnose one callback now. The next permit is available when this one was dropped, and after
    /// [`DIAGNOSIS_INTERVAL`] at the earliest.
    fn try_start(&self, now: Instant) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.running).try_acquire_owned().ok()?;
        let mut next = self.next.lock();
        if now < *next {
            return None;
        }
        *next = now + DIAGNOSIS_INTERVAL;
        Some(permit)
    }
}

/// A callback without a valid signature, and the permit to diagnose it, if it has one.
struct Rejection {
    raw: Arc<RawCallback>,
    reason: RejectReason,
    permit: Option<OwnedSemaphorePermit>,
}

/// Gives callbacks without a valid signature their outcome.
pub(super) struct RejectionHandler {
    signature_mode: SignatureMode,
    verifier: Arc<Verifier>,
    deliver: Deliver,
    operations: Arc<Operations>,
    receipts: Arc<ReceiptCounter>,
    diagnosis_limiter: DiagnosisLimiter,
    report_only: ReportOnlyLimiter,
    tasks: TaskTracker,
    runtime: Handle,
}

impl RejectionHandler {
    /// Creates a handler that finishes its work in `tasks`, on `runtime`.
    pub(super) fn new(
        signature_mode: SignatureMode,
        (verifier, deliver, operations, receipts): (Arc<Verifier>, Deliver, Arc<Operations>, Arc<ReceiptCounter>),
        report_only: ReportOnlyLimiter,
        tasks: TaskTracker,
        runtime: Handle,
    ) -> Self {
        let diagnosis_limiter = DiagnosisLimiter::new(Instant::now());
        Self { signature_mode, verifier, deliver, operations, receipts, diagnosis_limiter, report_only, tasks, runtime }
    }

    /// Rejects a callback, or keeps it as a dead letter in report-only mode. `active` is its place among the callbacks in
    /// progress.
    ///
    /// # Errors
    /// The outcome, if the callback was rejected.
    pub(super) fn reject(
        self: &Arc<Self>,
        mut guard: OutcomeGuard,
        raw: Arc<RawCallback>,
        reason: RejectReason,
        active: impl Send + 'static,
    ) -> Result<DetachOnDrop<Outcome>, Outcome> {
        let permit = is_diagnosed(&raw, reason).then(|| self.diagnosis_limiter.try_start(Instant::now())).flatten();
        let Some((delivery, report_only_permit)) = self.submit_report_only(&mut guard, &raw, reason) else {
            let outcome = Outcome::Rejected(reason);
            self.follow_up(guard, Rejection { raw, reason, permit }, outcome);
            return Err(outcome);
        };
        let this = Arc::clone(self);
        let rest = async move {
            let _active = active;
            let outcome = wait_for_dead_letter(DeadLetterReason::SignatureFailed, delivery, &mut guard).await;
            drop(report_only_permit);
            this.follow_up(guard, Rejection { raw, reason, permit }, outcome);
            outcome
        };
        Ok(DetachOnDrop::new(rest, &self.tasks, &self.runtime))
    }

    /// In report-only mode, submits the callback as a dead letter, within the limits for unverified callbacks. Returns `None`
    /// when it must be rejected.
    fn submit_report_only(
        &self,
        guard: &mut OutcomeGuard,
        raw: &RawCallback,
        reason: RejectReason,
    ) -> Option<(Delivery, ReportOnlyPermit)> {
        if !self.signature_mode.keeps(reason) {
            return None;
        }
        match self.report_only.admit(raw, Instant::now()) {
            Ok(permit) => {
                let attributes = DeadLetterAttributes {
                    reason: DeadLetterReason::SignatureFailed,
                    profile: None,
                    event_id: self.receipts.next().unverified_id(),
                    received_at: SystemTime::now().into(),
                    construction: None,
                    trace: guard.trace_submission(Destination::DeadLetters),
                };
                guard.set_dead_letter(&attributes);
                Some((self.deliver.submit_dead_letter(raw, &attributes, guard.received()), permit))
            }
            Err(limit) => {
                guard.set_report_only_limit(limit);
                None
            }
        }
    }

    /// Counts and logs the outcome. If the rejection has a permit for a diagnosis, this happens after the diagnosis in a task,
    /// and the response is sent before.
    fn follow_up(self: &Arc<Self>, mut guard: OutcomeGuard, rejection: Rejection, outcome: Outcome) {
        let Rejection { raw, reason, permit } = rejection;
        let Some(permit) = permit else { return finish(guard, reason, outcome) };
        guard.mark_responded(outcome);
        let this = Arc::clone(self);
        let diagnosis = async move {
            let reason = this.diagnose(&mut guard, raw, reason, permit).await;
            finish(guard, reason, outcome);
        };
        drop(self.tasks.spawn_on(diagnosis, &self.runtime));
    }

    /// Searches for near misses. Returns the reason to count, which is [`RejectReason::UrlMismatch`] if the signature is valid
    /// for another URL.
    async fn diagnose(
        self: &Arc<Self>,
        guard: &mut OutcomeGuard,
        raw: Arc<RawCallback>,
        reason: RejectReason,
        permit: OwnedSemaphorePermit,
    ) -> RejectReason {
        let this = Arc::clone(self);
        let search = blocking::run("diagnosis", move || {
            let _permit = permit;
            let _operation = this.operations.begin(Operation::Diagnosis);
            this.verifier.diagnose(&raw.as_request())
        });
        // If the system has no thread for it, only the diagnosis is lost.
        let Ok(Some(near_miss)) = search.await else { return reason };
        guard.set_diagnosis(near_miss.to_string());
        if near_miss.is_url() { RejectReason::UrlMismatch } else { reason }
    }
}

/// Whether a near miss can explain the rejection. There is none without a signature that can be read.
fn is_diagnosed(raw: &RawCallback, reason: RejectReason) -> bool {
    match reason {
        RejectReason::SignatureMismatch
        | RejectReason::BodyHashMismatch
        | RejectReason::MalformedSignatureSettings
        | RejectReason::UnknownAlgorithm
        | RejectReason::UnknownSharedKey
        | RejectReason::AlgorithmNotAllowed => true,
        // The signature may be readable, but longer or shorter than the one of the algorithm that the request names.
        RejectReason::MalformedSignature => {
            let mut signatures = raw.headers.values(SIGNATURE_HEADER).map(Signature::parse);
            signatures.next().flatten().is_some()
        }
        _ => false,
    }
}

fn finish(guard: OutcomeGuard, reason: RejectReason, outcome: Outcome) {
    let outcome = match outcome {
        Outcome::Rejected(_) => Outcome::Rejected(reason),
        kept => {
            guard.log_report_only(reason);
            kept
        }
    };
    guard.finish(outcome);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnoses_start_one_at_a_time_and_once_a_second() {
        let now = Instant::now();
        let limiter = DiagnosisLimiter::new(now);
        let first = limiter.try_start(now);
        assert!(first.is_some());
        let much_later = now + DIAGNOSIS_INTERVAL * 60;
        assert!(limiter.try_start(much_later).is_none(), "a hanging diagnosis blocks the next one");
        drop(first);
        assert!(limiter.try_start(now + DIAGNOSIS_INTERVAL / 2).is_none());
        assert!(limiter.try_start(now + DIAGNOSIS_INTERVAL).is_some());
    }
}
