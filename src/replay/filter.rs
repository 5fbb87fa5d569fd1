//! Selects dead letters.

use crate::{
    domain::{DeadLetterReason, Label as _, ProfileSid, RecordPosition, Timestamp},
    kafka::DeadLetterRecord,
};

/// Selects dead letters by what their records say. The default selects all.
#[derive(Debug, Clone, Default)]
pub(crate) struct LetterFilter {
    /// The reasons, or all if there is none.
    pub reasons: Vec<DeadLetterReason>,
    /// The earliest time of receipt.
    pub since: Option<Timestamp>,
    /// The positions, or all if there is none.
    pub positions: Vec<RecordPosition>,
    /// The profile of the letter, or of the event that it can become.
    pub profile: Option<ProfileSid>,
    /// The CloudEvents `id` of the event that the letter would have been.
    pub event_id: Option<String>,
}

impl LetterFilter {
    /// Whether everything that the record of the letter says is selected. Its key does not count: the event can have a profile
    /// that the record does not name.
    pub(super) fn selects_record(&self, letter: &DeadLetterRecord) -> bool {
        let has_reason = || self.reasons.iter().any(|reason| reason.as_str() == letter.reason);
        (self.reasons.is_empty() || has_reason())
            && self.since.is_none_or(|since| letter.time >= since)
            && (self.positions.is_empty() || self.positions.contains(&letter.position))
            && self.event_id.as_ref().is_none_or(|id| *id == letter.event_id)
    }

    /// Whether the profile is selected, whichever this returns if it is needed.
    pub(super) fn selects_profile(&self, profile: impl FnOnce() -> Option<String>) -> bool {
        self.profile.as_ref().is_none_or(|wanted| profile().is_some_and(|profile| profile == wanted.as_str()))
    }
}
