//! The outcome that a callback would have, for a captured request.

use std::sync::Arc;

use twilio_signature::Verifier;

use super::unverified::is_too_large;
use crate::{
    domain::{DeadLetterReason, Outcome, RawCallback, SignatureMode},
    normalize::normalize,
    verify::VerifiedCallback,
};

/// The outcome of a callback if it arrived for the first time, and if Kafka and the spool accepted every record. Verifies and
/// normalizes it as [`Pipeline::accept`](super::Pipeline::accept) does, and has no effect. Of the limits for unverified callbacks
/// only the size counts: the others depend on what arrived before.
pub(crate) fn expected_outcome(verifier: &Verifier, mode: SignatureMode, raw: RawCallback) -> Outcome {
    let raw = Arc::new(raw);
    match VerifiedCallback::verify(verifier, Arc::clone(&raw)) {
        Ok(verified) => match normalize(&verified) {
            Ok(_event) => Outcome::Published,
            Err(error) => Outcome::DeadLettered(error.reason),
        },
        Err(reason) if mode.keeps(reason) && !is_too_large(&raw) => {
            Outcome::DeadLettered(DeadLetterReason::SignatureFailed)
        }
        Err(reason) => Outcome::Rejected(reason),
    }
}
