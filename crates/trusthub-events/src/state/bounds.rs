//! Limits for what comes from outside, so that a state is bounded and always fits into a record of Kafka.

use crate::{ProfileDetails, RejectionReason, Timestamp};

/// The length of a `ce_id`, in bytes. The bridge writes 32. A record with a longer one is unreadable, because two ids that
/// are equal once they are cut would be taken for repeats.
pub(super) const MAX_ID_BYTES: usize = 128;

/// How many ids a state remembers. The oldest ones are forgotten first.
pub(super) const MAX_RECENT_IDS: usize = 256;

/// How many changes a state remembers. The oldest ones are forgotten first.
pub(super) const MAX_HISTORY: usize = 10;

const MAX_ERRORS: usize = 100;
const MAX_FAILURE_REASON_BYTES: usize = 4_096;
const MAX_MESSAGE_BYTES: usize = 512;
const MAX_NAME_BYTES: usize = 1_024;
const MAX_WORD_BYTES: usize = 256;

/// What ends a text that was cut.
const ELLIPSIS: &str = "…";

/// The text, cut to at most this many bytes. `limit` is at least the length of the ellipsis.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub(ELLIPSIS.len())));
        text.push_str(ELLIPSIS);
    }
    text
}

pub(super) fn bounded_failure_reason(text: String) -> String {
    cut(text, MAX_FAILURE_REASON_BYTES)
}

/// A text that has few characters in all observed events, such as a status or a date.
pub(super) fn bounded_word(text: String) -> String {
    cut(text, MAX_WORD_BYTES)
}

pub(super) fn bounded_errors(mut errors: Vec<RejectionReason>) -> Vec<RejectionReason> {
    errors.truncate(MAX_ERRORS);
    for error in &mut errors {
        error.meaning = error.meaning.take().map(bounded_word);
        error.message = error.message.take().map(|text| cut(text, MAX_MESSAGE_BYTES));
    }
    errors
}

/// `None` if a date cannot be written.
pub(super) fn bounded_details(mut details: ProfileDetails) -> Option<ProfileDetails> {
    details.friendly_name = details.friendly_name.map(|text| cut(text, MAX_NAME_BYTES));
    details.policy_sid = details.policy_sid.map(bounded_word);
    details.profile_type = details.profile_type.map(bounded_word);
    details.tier = details.tier.map(bounded_word);
    if let Some(created) = details.date_created {
        details.date_created = Some(writable(created)?);
    }
    details.date_updated = writable(details.date_updated)?;
    Some(details)
}

impl ProfileDetails {
    /// The details as a state has them: long texts are cut, and times are in milliseconds. `None` if a date has no year of
    /// four digits, so that no state can have the details.
    #[must_use]
    pub fn in_state(&self) -> Option<Self> {
        bounded_details(self.clone())
    }
}

/// The time as the state has it, in milliseconds: a state that was written and read again compares with the next event as the
/// one in memory does. `None` if the time, converted to UTC, has no year of four digits.
pub(super) fn writable(time: Timestamp) -> Option<Timestamp> {
    time.to_string().parse().ok()
}
