//! The outcome that a callback would have, for a captured request.

use twilio_signature::Verifier;

use crate::{
    domain::{DeadLetterReason, Outcome, RawCallback, SignatureMode},
    normalize::normalize,
    verify::VerifiedCallback,
};

/// The outcome of a callback if it arrived for the first time, and if Kafka and the spool accepted every record. Verifies and
/// normalizes it as [`Pipeline::accept`](super::Pipeline::accept) does, and has no effect.
pub(crate) fn expected_outcome(verifier: &Verifier, mode: SignatureMode, raw: RawCallback) -> Outcome {
    match VerifiedCallback::verify(verifier, raw) {
        Ok(verified) => match normalize(&verified) {
            Ok(_event) => Outcome::Published,
            Err(error) => Outcome::DeadLettered(error.reason),
        },
        Err(reason) if mode.keeps(reason) => Outcome::DeadLettered(DeadLetterReason::SignatureFailed),
        Err(reason) => Outcome::Rejected(reason),
    }
}
