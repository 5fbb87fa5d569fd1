//! Callbacks whose signature does not match: a diagnosis for the operator, and `SIGNATURE_MODE=report-only`.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::{Case, Pipeline, dead_lettered};
use crate::domain::{Outcome, RawCallback, Refusal, SignatureMode, Unprocessable};

/// At most one refused callback is diagnosed in this time: whoever forges them must not buy our time with it.
const BETWEEN_DIAGNOSES: Duration = Duration::from_secs(1);

/// A refused callback with which something is still to be done.
pub(super) struct Refused {
    raw: Arc<RawCallback>,
    refusal: Refusal,
    diagnose: bool,
}

impl Pipeline {
    /// Whether a refused callback is to be diagnosed or kept. Most are not: they are concluded at once.
    pub(super) fn second_look(&self, raw: Arc<RawCallback>, refusal: Refusal) -> Option<Refused> {
        let differs = matches!(refusal, Refusal::SignatureMismatch | Refusal::BodyHashMismatch);
        let diagnose = differs && self.may_diagnose(Instant::now());
        (diagnose || self.keeps(refusal)).then_some(Refused { raw, refusal, diagnose })
    }

    fn may_diagnose(&self, now: Instant) -> bool {
        let mut next = self.next_diagnosis.lock().unwrap_or_else(PoisonError::into_inner);
        let may = now >= *next;
        if may {
            *next = now + BETWEEN_DIAGNOSES;
        }
        may
    }

    fn keeps(&self, refusal: Refusal) -> bool {
        self.rules.signature_mode == SignatureMode::ReportOnly && refusal.is_of_signature()
    }

    pub(super) async fn finish_refused(self: &Arc<Self>, case: &mut Case, refused: Refused) -> Outcome {
        let refusal = if refused.diagnose { self.diagnose(case, &refused).await } else { refused.refusal };
        if !self.keeps(refusal) {
            return Outcome::Rejected(refusal);
        }
        case.kept_in_spite_of(refusal);
        let why = (Unprocessable::SignatureFailed, None);
        let now = SystemTime::now().into();
        dead_lettered(why.0, self.deliver.dead_letter(&refused.raw, why, now, case.received())).await
    }

    /// Tries near misses, away from the threads that serve. A callback for another URL gets a reason of its own.
    async fn diagnose(self: &Arc<Self>, case: &mut Case, refused: &Refused) -> Refusal {
        let (this, raw) = (Arc::clone(self), Arc::clone(&refused.raw));
        let near_miss = tokio::task::spawn_blocking(move || this.verifier.diagnose(&raw)).await;
        let Ok(Some(near_miss)) = near_miss else { return refused.refusal };
        case.diagnosed(near_miss.to_string());
        if near_miss.is_url() { Refusal::UrlMismatch } else { refused.refusal }
    }
}
