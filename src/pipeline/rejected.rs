//! Callbacks without a right signature: the answer, a diagnosis for the operator, and `SIGNATURE_MODE=report-only`.
//!
//! The answer never waits for a diagnosis. The diagnosis has a thread of its own, one at a time, and its work is bounded
//! before it begins (see `verify::diagnose`); the outcome is counted and logged behind it, exactly once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{OutcomeGuard, Pipeline, dead_lettered, detach::DetachOnDrop, unverified::Admitted};
use crate::{
    blocking,
    deliver::Delivery,
    domain::{DeadLetterReason, Outcome, RawCallback, RejectReason, SignatureMode},
    telemetry::Operation,
};

/// At most one refused callback is diagnosed in this time: forged ones must not cost more.
const BETWEEN_DIAGNOSES: Duration = Duration::from_secs(1);

/// Lets one diagnosis run at a time.
pub(super) struct Diagnoses {
    running: Arc<Semaphore>,
    next: Mutex<Instant>,
}

impl Diagnoses {
    pub(super) fn new(now: Instant) -> Self {
        Self { running: Arc::new(Semaphore::new(1)), next: Mutex::new(now) }
    }

    /// The permit to diagnose one callback now. Another can be had when it is dropped, and a second later at the earliest.
    fn begin(&self, now: Instant) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.running).try_acquire_owned().ok()?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if now < *next {
            return None;
        }
        *next = now + BETWEEN_DIAGNOSES;
        Some(permit)
    }
}

/// A callback without a right signature, and the permit to diagnose it, if it has one.
struct Refused {
    raw: Arc<RawCallback>,
    refusal: RejectReason,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pipeline {
    /// Refuses a callback, or keeps it as a dead letter. `active` is its place among the callbacks in progress.
    ///
    /// # Errors
    /// The outcome, when nothing is kept of the callback.
    pub(super) fn refuse(
        self: &Arc<Self>,
        mut case: OutcomeGuard,
        raw: Arc<RawCallback>,
        refusal: RejectReason,
        active: impl Send + 'static,
    ) -> Result<DetachOnDrop<Outcome>, Outcome> {
        let differs = matches!(refusal, RejectReason::SignatureMismatch | RejectReason::BodyHashMismatch);
        let permit = differs.then(|| self.diagnoses.begin(Instant::now())).flatten();
        let Some((delivery, admitted)) = self.keep(&mut case, &raw, refusal) else {
            let outcome = Outcome::Rejected(refusal);
            self.conclude_refused(case, Refused { raw, refusal, permit }, outcome);
            return Err(outcome);
        };
        let this = Arc::clone(self);
        let rest = async move {
            let _active = active;
            let outcome = dead_lettered(DeadLetterReason::SignatureFailed, delivery).await;
            drop(admitted);
            this.conclude_refused(case, Refused { raw, refusal, permit }, outcome);
            outcome
        };
        Ok(DetachOnDrop::new(rest, &self.tasks, &self.runtime))
    }

    /// In report-only mode, hands the callback over as a dead letter, within the limits for unverified callbacks.
    fn keep(&self, case: &mut OutcomeGuard, raw: &RawCallback, refusal: RejectReason) -> Option<(Delivery, Admitted)> {
        let is_kept = match self.rules.signature_mode {
            SignatureMode::Enforce => false,
            SignatureMode::ReportOnly => refusal.is_of_sender(),
        };
        if !is_kept {
            return None;
        }
        match self.unverified.admit(raw, Instant::now()) {
            Ok(admitted) => {
                let (why, now) = ((DeadLetterReason::SignatureFailed, None), SystemTime::now().into());
                Some((self.deliver.dead_letter(raw, why, now, case.received()), admitted))
            }
            Err(limit) => {
                case.not_kept(limit);
                None
            }
        }
    }

    /// Counts and logs the outcome, after the diagnosis when there is one. The answer goes out before that.
    fn conclude_refused(self: &Arc<Self>, mut case: OutcomeGuard, refused: Refused, outcome: Outcome) {
        let Refused { raw, refusal, permit } = refused;
        let Some(permit) = permit else { return conclude(case, refusal, outcome) };
        case.answered(outcome);
        let this = Arc::clone(self);
        let diagnosed = async move {
            let refusal = this.diagnose(&mut case, raw, refusal, permit).await;
            conclude(case, refusal, outcome);
        };
        drop(self.tasks.spawn_on(diagnosed, &self.runtime));
    }

    /// Tries near misses. A callback for another URL gets a reason of its own.
    async fn diagnose(
        self: &Arc<Self>,
        case: &mut OutcomeGuard,
        raw: Arc<RawCallback>,
        refusal: RejectReason,
        permit: OwnedSemaphorePermit,
    ) -> RejectReason {
        let this = Arc::clone(self);
        let search = blocking::run("diagnosis", move || {
            let _permit = permit;
            let _operation = this.metrics.operations.begin(Operation::Diagnosis);
            this.verifier.diagnose(&raw)
        });
        // Without a thread there is no diagnosis, and nothing else is lost.
        let Ok(Some(near_miss)) = search.await else { return refusal };
        case.diagnosed(near_miss.to_string());
        if near_miss.is_url() { RejectReason::UrlMismatch } else { refusal }
    }
}

fn conclude(case: OutcomeGuard, refusal: RejectReason, outcome: Outcome) {
    let outcome = match outcome {
        Outcome::Rejected(_) => Outcome::Rejected(refusal),
        kept => {
            case.kept_in_spite_of(refusal);
            kept
        }
    };
    case.conclude(outcome);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diagnoses_run_one_at_a_time_and_once_a_second() {
        let now = Instant::now();
        let diagnoses = Diagnoses::new(now);
        let first = diagnoses.begin(now);
        assert!(first.is_some());
        let much_later = now + BETWEEN_DIAGNOSES * 60;
        assert!(diagnoses.begin(much_later).is_none(), "one that hangs lets no other begin");
        drop(first);
        assert!(diagnoses.begin(now + BETWEEN_DIAGNOSES / 2).is_none());
        assert!(diagnoses.begin(now + BETWEEN_DIAGNOSES).is_some());
    }
}
