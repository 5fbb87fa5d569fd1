//! What leads from the log line of a callback to its record.

use std::fmt::Write as _;

use crate::domain::{
    DeadLetterAttributes, DeadLetterReason, Event, Label as _, Outcome, ProfileStatusChanged, TopicPosition,
};

/// The most codes of a rejection that a log line names, which bounds its length.
const MAX_CODES: usize = 10;

/// The fields of a log line that identify the record of a callback, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The CloudEvents `id`.
    pub(super) event_id: Option<String>,
    /// The error codes of a rejection.
    pub(super) codes: Option<String>,
    /// Why the callback became a dead letter.
    pub(super) dead_letter: Option<DeadLetterReason>,
    /// Where Kafka has written the record.
    pub(super) written: Option<TopicPosition>,
}

impl Trail {
    /// The reason for the outcome. A dead letter has one even if it was spooled.
    pub(super) fn reason(&self, outcome: Outcome) -> Option<&'static str> {
        outcome.reason().or(self.dead_letter.map(|reason| reason.as_str()))
    }

    pub(super) fn set_event(&mut self, event: Event) {
        self.codes = codes(&event.data);
        self.event_id = Some(event.id);
    }

    pub(super) fn set_dead_letter(&mut self, attributes: &DeadLetterAttributes) {
        self.event_id = Some(attributes.event_id.clone());
        self.dead_letter = Some(attributes.reason);
    }
}

/// The codes as a comma list; `None` without codes.
fn codes(data: &ProfileStatusChanged) -> Option<String> {
    let (first, rest) = data.errors.split_first()?;
    let mut text = first.code.to_string();
    for error in rest.iter().take(MAX_CODES - 1) {
        // Writing to a string cannot fail.
        let _ = write!(text, ",{}", error.code);
    }
    if data.errors.len() > MAX_CODES {
        text.push_str(",…");
    }
    Some(text)
}
