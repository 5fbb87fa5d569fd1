//! What to change so that a callback like this one becomes an event.

use crate::{
    domain::{DeadLetterReason, DeliveryError, Outcome, RejectReason},
    explain::rejection_advice,
    pipeline::RecentCallback,
};

/// The advice for a callback; `None` if there is nothing to change.
pub(super) fn of(callback: &RecentCallback) -> Option<String> {
    match callback.outcome {
        Outcome::Published | Outcome::Duplicate => None,
        Outcome::Spooled => callback.dead_letter.and_then(of_dead_letter),
        Outcome::DeadLettered(reason) => of_dead_letter(reason),
        Outcome::Rejected(reason) => of_rejection(reason, callback.diagnosis.is_some()),
        Outcome::Unavailable(error) => Some(of_failure(error).to_owned()),
    }
}

fn of_rejection(reason: RejectReason, has_diagnosis: bool) -> Option<String> {
    match reason {
        // The diagnosis itself says what to change.
        RejectReason::SignatureMismatch | RejectReason::UrlMismatch | RejectReason::BodyHashMismatch if has_diagnosis => {
            None
        }
        RejectReason::SignatureMismatch | RejectReason::UrlMismatch | RejectReason::BodyHashMismatch => Some(
            "It is not signed with a key of its account for PUBLIC_URL. Only one such callback a second is diagnosed: look \
             for another one, or capture a request at the proxy and paste it into Explain."
                .to_owned(),
        ),
        RejectReason::TimedOut => Some(
            "It was not complete within HTTP_REQUEST_TIMEOUT_MS: the caller or the proxy is slow, or the caller is not Twilio."
                .to_owned(),
        ),
        RejectReason::Incomplete => {
            Some("Its connection was closed before it was complete: check the time limits of the proxy.".to_owned())
        }
        other => rejection_advice(other),
    }
}

fn of_dead_letter(reason: DeadLetterReason) -> Option<String> {
    let advice = match reason {
        DeadLetterReason::SignatureFailed => {
            "Its signature does not match, and SIGNATURE_MODE=report-only keeps it: its dead letter has the diagnosis."
        }
        DeadLetterReason::AccountConflict => {
            "Trust Hub says that the profile belongs to another account: check which account sends it."
        }
        DeadLetterReason::RefusedByTopic => {
            "The topic of events refuses its record: check max.message.bytes of the topic, then run \
             `trusthub-bridge dead-letters replay`."
        }
        DeadLetterReason::InvalidJson
        | DeadLetterReason::MissingAccountSid
        | DeadLetterReason::InvalidAccountSid
        | DeadLetterReason::ConflictingAccountSid
        | DeadLetterReason::MissingProfileSid
        | DeadLetterReason::InvalidProfileSid
        | DeadLetterReason::ConflictingProfileSid
        | DeadLetterReason::MissingStatus
        | DeadLetterReason::ConflictingStatus
        | DeadLetterReason::AmbiguousForm => {
            "Twilio signed it, but it cannot be read as an event: `trusthub-bridge dead-letters show` has the request."
        }
    };
    Some(advice.to_owned())
}

fn of_failure(error: DeliveryError) -> &'static str {
    match error {
        DeliveryError::SpoolFull => {
            "Kafka did not accept it, and the spool is full: restore Kafka, or raise SPOOL_MAX_BYTES or the size of the disk."
        }
        DeliveryError::SpoolFailed => {
            "Kafka did not accept it, and the spool cannot be written: check the disk of SPOOL_DIR."
        }
        DeliveryError::RefusedByTopics => "Neither topic accepts its record: check max.message.bytes of both topics.",
        DeliveryError::Overloaded => {
            "Too many callbacks are in progress: raise HTTP_MAX_IN_FLIGHT and the limit of open files, or add replicas."
        }
        DeliveryError::Abandoned => {
            "The process was stopping: Trust Hub reports the change, so reconciliation finds it."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::callback, *};
    use crate::domain::Label as _;

    #[test]
    fn every_callback_that_is_no_event_has_advice() {
        for outcome in [Outcome::Published, Outcome::Spooled, Outcome::Duplicate] {
            assert_eq!(of(&callback(outcome)), None);
        }
        let rejected = RejectReason::ALL.iter().copied().map(Outcome::Rejected);
        let dead = DeadLetterReason::ALL.iter().copied().map(Outcome::DeadLettered);
        let failed = DeliveryError::ALL.iter().copied().map(Outcome::Unavailable);
        for outcome in rejected.chain(dead).chain(failed) {
            let advice = of(&callback(outcome));
            assert!(advice.is_some_and(|advice| advice.ends_with('.')), "{outcome:?}");
        }
    }

    #[test]
    fn diagnosis_replaces_the_general_advice_about_a_signature() {
        let mismatch = callback(Outcome::Rejected(RejectReason::UrlMismatch));
        assert!(of(&mismatch).is_some_and(|advice| advice.contains("Explain")));
        let diagnosed = RecentCallback { diagnosis: Some("the scheme differs".to_owned()), ..mismatch };
        assert_eq!(of(&diagnosed), None);
    }
}
