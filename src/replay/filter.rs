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
    /// Whether the letter of this profile is selected.
    pub(super) fn selects(&self, letter: &DeadLetterRecord, profile: Option<&str>) -> bool {
        let has_reason = || self.reasons.iter().any(|reason| reason.as_str() == letter.reason);
        (self.reasons.is_empty() || has_reason())
            && self.since.is_none_or(|since| letter.time >= since)
            && (self.positions.is_empty() || self.positions.contains(&letter.position))
            && self.profile.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == profile)
            && self.event_id.as_ref().is_none_or(|id| *id == letter.event_id)
    }
}
