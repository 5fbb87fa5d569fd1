//! Refuses forms whose signed text would also read as another status.
//!
//! The form scheme signs the sorted names and values without delimiters. So a captured form can be cut into other fields, under
//! the same signature: `Status=twilio-rejected` into `Status=twilio-` and `rejected=`, or a failure reason that quotes a status
//! into a field with that status. The signature does not say which cut Twilio signed. But the words do: names, statuses and SIDs
//! have known forms, and a cut leaves their remains behind.
//!
//! The text from the status on is examined. The text that people write, the failure reason, has names that sort before the status
//! in every spelling. So what it quotes is no false alarm, and a cut that reads a status from it has the true status among the
//! text that follows. The text before the status is examined only for an unknown status that begins with an upper-case letter,
//! unlike all of Twilio's: it may be the end of a longer name.

use twilio_signature::Pair;

use super::fields::{FieldMeaning, lookup};
use crate::domain::{Label as _, Status};

/// The name of the status, in lower case and without underscores.
const STATUS_NAME: &[u8] = b"status";

/// The name of the status as Twilio writes it.
const DOCUMENTED_STATUS_NAME: &[u8] = b"Status";

/// Known names that sort after the status. A status that contains one has swallowed the next field.
const LATER_NAMES: [&[u8]; 3] = [b"trustproductsid", b"trusthubbridgetest", b"validuntil"];

/// Whether the text that was signed for these fields also reads as another status than `status`.
pub(super) fn is_ambiguous(pairs: &[Pair], status: Status) -> bool {
    let text = SignedText::of(pairs);
    let rank_of = |field: &SignedField<'_>| match lookup(field.name) {
        (FieldMeaning::Status, rank) => Some(rank),
        _ => None,
    };
    // A name of a higher rank does not give the status if one of a lower rank does.
    let with_value = text.fields.iter().filter(|field| !field.value.trim_ascii().is_empty());
    let rank = with_value.filter_map(rank_of).min();
    text.fields.iter().enumerate().any(|(index, field)| {
        let next = text.fields.get(index + 1).map(|next| next.name);
        rank_of(field).is_some_and(|own| Some(own) == rank)
            && (is_cut(text.from(field.value_start), field.value, status)
                || next.is_some_and(|name| !is_plausible_name(name))
                || has_another_status(text.rest_after(field, status), status)
                || text.is_cut_from_name(field, status))
    })
}

/// The fields in the order in which they are signed, and the text that they make up.
struct SignedText<'a> {
    text: Vec<u8>,
    fields: Vec<SignedField<'a>>,
}

struct SignedField<'a> {
    name: &'a [u8],
    value: &'a [u8],
    value_start: usize,
}

impl<'a> SignedText<'a> {
    fn of(pairs: &'a [Pair]) -> Self {
        let mut sorted: Vec<&Pair> = pairs.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut text = Vec::new();
        let mut fields = Vec::with_capacity(sorted.len());
        for (name, value) in sorted {
            text.extend_from_slice(name);
            fields.push(SignedField { name, value, value_start: text.len() });
            text.extend_from_slice(value);
        }
        Self { text, fields }
    }

    fn from(&self, start: usize) -> &[u8] {
        self.text.get(start..).unwrap_or_default()
    }

    /// Whether an unknown status looks like the end of another name, such as that of `StatusCallback`, and the true status may be
    /// in the text before it.
    fn is_cut_from_name(&self, field: &SignedField<'_>, status: Status) -> bool {
        let before = self.text.get(..field.value_start.saturating_sub(field.name.len())).unwrap_or_default();
        status == Status::Unknown
            && field.value.first().is_some_and(u8::is_ascii_uppercase)
            && has_another_status(before, status)
    }

    /// The text in which no other status may be. The text of an unknown status is part of it.
    fn rest_after(&self, field: &SignedField<'_>, status: Status) -> &[u8] {
        let skipped = if status == Status::Unknown { 0 } else { field.value.len() };
        self.from(field.value_start + skipped)
    }
}

/// Whether the value of a status was cut too short or too long. `text` is the signed text from the value on.
fn is_cut(text: &[u8], value: &[u8], status: Status) -> bool {
    let Some((signed, length)) = leading_status(text) else {
        return status == Status::Unknown && LATER_NAMES.iter().any(|name| has_name(value, name));
    };
    if status != Status::Unknown {
        return signed != status;
    }
    // A status of tomorrow, such as `twilio-approved-with-conditions`, is not a cut.
    value.get(length).is_none_or(|next| !is_separator(*next))
}

/// Whether a name is one that Twilio may have signed, and not the rest of a status: a known one, or one that does not begin like
/// the inside of a status. All statuses are ASCII.
fn is_plausible_name(name: &[u8]) -> bool {
    lookup(name).0 != FieldMeaning::Unknown
        || name.first().is_some_and(|first| first.is_ascii_uppercase() || !first.is_ascii())
}

/// Whether the text contains the name of the status followed by another known status than this one, or by an unknown one.
fn has_another_status(text: &[u8], status: Status) -> bool {
    (0..text.len()).any(|start| {
        let text = text.get(start..).unwrap_or_default();
        let Some(value) = after_name(text, STATUS_NAME) else { return false };
        match leading_status(value) {
            Some((other, _)) => other != status,
            // `StatusCallback` and the like are other names.
            None => text.starts_with(DOCUMENTED_STATUS_NAME) && value.first().is_some_and(u8::is_ascii_lowercase),
        }
    })
}

fn has_name(text: &[u8], folded: &[u8]) -> bool {
    (0..text.len()).any(|start| text.get(start..).is_some_and(|text| after_name(text, folded).is_some()))
}

/// The text after a name at its start, in any spelling. `None` when it begins with something else.
fn after_name<'a>(mut text: &'a [u8], folded: &[u8]) -> Option<&'a [u8]> {
    for (index, expected) in folded.iter().enumerate() {
        // Where underscores begin a name, a later start finds it.
        let underscores = if index == 0 { 0 } else { leading_underscores(text) };
        let (first, rest) = text.get(underscores..)?.split_first()?;
        if !first.eq_ignore_ascii_case(expected) {
            return None;
        }
        text = rest;
    }
    text.get(leading_underscores(text)..)
}

fn leading_underscores(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte == b'_').count()
}

/// The known status at the start of a text, in any spelling, and where it ends. White space before it is skipped.
fn leading_status(text: &[u8]) -> Option<(Status, usize)> {
    let start = leading_white_space(text);
    let text = text.get(start..)?;
    let known = Status::ALL.iter().filter(|status| **status != Status::Unknown);
    known.copied().find_map(|status| {
        let name = status.as_str().as_bytes();
        let is_same = |(found, expected): (&u8, &u8)| {
            found.eq_ignore_ascii_case(expected) || (*expected == b'-' && is_separator(*found))
        };
        let found = text.get(..name.len())?;
        found.iter().zip(name).all(is_same).then_some((status, start + name.len()))
    })
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b' ')
}

/// The length of the white space that reading a value trims.
fn leading_white_space(text: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = text.get(length..) {
        let longest_character = rest.get(..rest.len().min(4)).unwrap_or_default();
        let character = longest_character.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
        match character.filter(|character| character.is_whitespace()) {
            Some(character) => length += character.len_utf8(),
            None => break,
        }
    }
    length
}

#[cfg(test)]
mod tests;
