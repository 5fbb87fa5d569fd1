//! Why a callback became a dead letter, in one sentence.

use crate::domain::{DeadLetterReason, Label as _};

/// The sentence for the reason that a letter has; `None` if this version does not know it.
pub(super) fn sentence(reason: &str) -> Option<&'static str> {
    Some(match DeadLetterReason::named(reason)? {
        DeadLetterReason::InvalidJson => "The content type says JSON, and the body is not a JSON object.",
        DeadLetterReason::MissingAccountSid => "It has no account SID.",
        DeadLetterReason::InvalidAccountSid => "Its account SID is malformed.",
        DeadLetterReason::ConflictingAccountSid => "It has several account SIDs that contradict each other.",
        DeadLetterReason::MissingProfileSid => "It has no profile SID under any known name.",
        DeadLetterReason::InvalidProfileSid => "Its profile SID is malformed.",
        DeadLetterReason::ConflictingProfileSid => "It has several profile SIDs that contradict each other.",
        DeadLetterReason::MissingStatus => "It has no status.",
        DeadLetterReason::ConflictingStatus => "It has several statuses that contradict each other.",
        DeadLetterReason::AmbiguousForm => "Its signed text also reads as another status, profile or account.",
        DeadLetterReason::AccountConflict => "Trust Hub says that the profile belongs to another account.",
        DeadLetterReason::SignatureFailed => "Its signature does not match, so its sender is not proven.",
        DeadLetterReason::RefusedByTopic => "The event topic rejects its event as too large or invalid.",
    })
}
