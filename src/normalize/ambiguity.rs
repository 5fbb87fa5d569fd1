//! Refuses forms whose signed text would also read as another status, profile or account.
//!
//! The form scheme signs the sorted names and values without delimiters. So a captured form can be cut into other
//! fields, under the same signature: `Status=twilio-rejected` into `Status=twilio-` and `rejected=`, a failure reason
//! that quotes a status into a field with that status, or `BundleSid=BU…` into the name of another field, so that a
//! second SID becomes the profile. The signature does not say which cut Twilio signed. But the words do: names,
//! statuses and SIDs have known forms, and a cut leaves their remains behind.
//!
//! **SIDs.** Twilio writes a SID directly behind the name of its field. The first SID behind a name of the profile has
//! to be the profile that was read, and so has the account.
//!
//! **The text from the status on.** The text that people write, the failure reason, has names that sort before
//! `Status`. So what it quotes is no false alarm, and a cut that reads a status from it has the true status among the
//! text that follows. A failure reason that follows the status is exempt: one with a lower-case name behind a status
//! that is written as documented, and any behind one of the rarer names of the status.
//!
//! **The text before the status** is examined for the rarer names of the status, which sort before the failure reason,
//! unless the status is written as documented: then a field with such a name is a field of another meaning, which must not
//! keep the callback from being an event. It is also examined for a status that looks like the end of a longer name.

use std::ops::RangeInclusive;

use twilio_signature::Pair;

use super::fields::{FieldMeaning, NameRank, has_value, lookup};
use crate::domain::{AccountSid, Label as _, ProfileSid, Status};

/// The name of the status, in lower case and without underscores.
const STATUS_NAME: &[u8] = b"status";

/// The name of the status as Twilio writes it.
const DOCUMENTED_STATUS_NAME: &[u8] = b"Status";

/// The rarer names of the status. They sort before `FailureReason` and `Status`.
const RARE_STATUS_NAMES: [&[u8]; 2] = [b"bundlestatus", b"customerprofilestatus"];

/// Known names that sort after the status. A status that contains one has swallowed the next field.
const LATER_NAMES: [&[u8]; 3] = [b"trustproductsid", b"trusthubbridgetest", b"validuntil"];

/// Two letters and 32 digits.
const SID_LENGTH: usize = 34;

const ACCOUNT_NAMES: [&[u8]; 1] = [b"accountsid"];

/// The ends of the names that give the profile, the surest first. A group counts only if the text has no SID behind a
/// name of the groups before it.
const PROFILE_NAMES: [&[&[u8]]; 3] = [&[b"bundlesid", b"customerprofilesid", b"trustproductsid"], &[b"sid"], &[b"id"]];

/// Whether the text that was signed for these fields also reads as another account, profile or status.
pub(super) fn is_ambiguous(pairs: &[Pair], account: &AccountSid, profile: &ProfileSid, status: Status) -> bool {
    let text = SignedText::of(pairs);
    let is_other = |signed: &[u8], read: &str| !signed.eq_ignore_ascii_case(read.as_bytes());
    first_sid(&text.text, &ACCOUNT_NAMES, *b"AC").is_some_and(|signed| is_other(signed, account.as_str()))
        || first_profile(&text.text).is_some_and(|signed| is_other(signed, profile.as_str()))
        || is_ambiguous_status(&text, status)
}

fn is_ambiguous_status(text: &SignedText<'_>, status: Status) -> bool {
    let rank_of = |field: &SignedField<'_>| (field.meaning == FieldMeaning::Status).then_some(field.rank);
    // A name of a higher rank does not give the status if one of a lower rank does.
    let ranks = text.fields.iter().filter_map(|field| rank_of(field).filter(|_| has_value(field.value)));
    let rank = ranks.min();
    text.fields.iter().enumerate().any(|(index, field)| {
        let next = text.fields.get(index + 1);
        rank_of(field).filter(|own| Some(*own) == rank).is_some_and(|rank| {
            is_cut(text.from(field.value_start), field.value, status)
                || next.is_some_and(|next| !has_plausible_name(next, status))
                || text.has_another_status_after(field, rank, status)
                || text.has_another_status_before(field, rank, status)
        })
    })
}

/// The first SID behind the surest name of the profile, or the first of all if none has a known name.
fn first_profile(text: &[u8]) -> Option<&[u8]> {
    let named = PROFILE_NAMES.iter().find_map(|names| first_sid(text, names, *b"BU"));
    named.or_else(|| sids(text, *b"BU").map(|(_, sid)| sid).next())
}

/// The first SID of this kind directly behind one of the names. SIDs are rarer than beginnings of names, so the text is
/// searched for them.
fn first_sid<'a>(text: &'a [u8], names: &[&[u8]], kind: [u8; 2]) -> Option<&'a [u8]> {
    let is_named =
        |start| text.get(..start).is_some_and(|before| names.iter().any(|name| ends_with_name(before, name)));
    sids(text, kind).find(|(start, _)| is_named(*start)).map(|(_, sid)| sid)
}

/// The SIDs of this kind, and where they start.
fn sids(text: &[u8], kind: [u8; 2]) -> impl Iterator<Item = (usize, &[u8])> {
    let [first, second] = kind;
    let starts = text.iter().enumerate().filter(move |(_, byte)| **byte == first);
    starts.filter_map(move |(start, _)| {
        let sid = text.get(start..start + SID_LENGTH)?;
        let [_, next, digits @ ..] = sid else { return None };
        (*next == second && digits.iter().all(u8::is_ascii_hexdigit)).then_some((start, sid))
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
    meaning: FieldMeaning,
    rank: NameRank,
}

impl<'a> SignedText<'a> {
    fn of(pairs: &'a [Pair]) -> Self {
        let mut sorted: Vec<&Pair> = pairs.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let length = sorted.iter().map(|(name, value)| name.len() + value.len()).sum();
        let (mut text, mut fields) = (Vec::with_capacity(length), Vec::with_capacity(sorted.len()));
        for (name, value) in sorted {
            text.extend_from_slice(name);
            let (meaning, rank) = lookup(name);
            fields.push(SignedField { name, value, value_start: text.len(), meaning, rank });
            text.extend_from_slice(value);
        }
        Self { text, fields }
    }

    fn from(&self, start: usize) -> &[u8] {
        self.text.get(start..).unwrap_or_default()
    }

    fn before(&self, field: &SignedField<'_>) -> &[u8] {
        self.text.get(..field.value_start.saturating_sub(field.name.len())).unwrap_or_default()
    }

    /// Whether another status is in the text before the status: behind a name that does not count beside this one, or
    /// anywhere if this one looks like the end of another name, such as that of `StatusCallback`.
    fn has_another_status_before(&self, field: &SignedField<'_>, rank: NameRank, status: Status) -> bool {
        let before = self.before(field);
        let has = |name: &&[u8]| other_statuses(before, name, status).next().is_some();
        (rank == NameRank::Known && !is_documented(field, status) && RARE_STATUS_NAMES.iter().any(has))
            || (status == Status::Unknown && is_capitalized(field.value) && has(&STATUS_NAME))
    }

    /// Whether another status is in the text after the status, outside the values that may contain one. The text of an
    /// unknown status is part of it.
    fn has_another_status_after(&self, field: &SignedField<'_>, rank: NameRank, status: Status) -> bool {
        let skipped = if status == Status::Unknown { 0 } else { field.value.len() };
        let start = field.value_start + skipped;
        let exempt = self.exempt_places(field, rank, status);
        other_statuses(self.from(start), STATUS_NAME, status)
            .any(|offset| !exempt.iter().any(|places| places.contains(&(start + offset))))
    }

    /// The values in which a status may be quoted although they follow the status: failure reasons in an unusual place.
    fn exempt_places(&self, field: &SignedField<'_>, rank: NameRank, status: Status) -> Vec<RangeInclusive<usize>> {
        let is_documented = is_documented(field, status);
        let is_exempt = |other: &&SignedField<'_>| {
            let is_late = !other.name.first().is_some_and(u8::is_ascii_uppercase);
            other.meaning == FieldMeaning::FailureReason && (rank > NameRank::Known || (is_documented && is_late))
        };
        let reasons = self.fields.iter().filter(is_exempt);
        reasons.map(|reason| reason.value_start..=reason.value_start + reason.value.len()).collect()
    }
}

/// Whether a field gives the status as Twilio documents it: in name and value.
fn is_documented(field: &SignedField<'_>, status: Status) -> bool {
    field.name == DOCUMENTED_STATUS_NAME && status != Status::Unknown && field.value == status.as_str().as_bytes()
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

/// Whether a name is one that Twilio may have signed, and not the rest of a status: a known one, or one that does not
/// begin like the inside of a status. All statuses are ASCII. What follows a known status is the rest of a longer one
/// only after a separator.
fn has_plausible_name(field: &SignedField<'_>, status: Status) -> bool {
    let begins_inside = |first: &u8| match status {
        Status::Unknown => first.is_ascii() && !first.is_ascii_uppercase(),
        _ => is_separator(*first),
    };
    field.meaning != FieldMeaning::Unknown || !field.name.first().is_none_or(begins_inside)
}

/// Where another status than this one begins behind the name: another known one, or an unknown one.
fn other_statuses(text: &[u8], name: &[u8], status: Status) -> impl Iterator<Item = usize> {
    beginnings(text, name).filter_map(move |start| {
        let from_name = text.get(start..)?;
        let value = after_name(from_name, name)?;
        let is_other = match leading_status(value) {
            Some((other, _)) => other != status,
            // `StatusCallback` and the like are other names.
            None => {
                let is_lower_case = value.first().is_some_and(u8::is_ascii_lowercase);
                let is_upper_case = value.first().is_some_and(u8::is_ascii_uppercase) && !is_capitalized(value);
                is_upper_case
                    || (is_lower_case && (name != STATUS_NAME || from_name.starts_with(DOCUMENTED_STATUS_NAME)))
            }
        };
        is_other.then_some(text.len() - value.len())
    })
}

/// Whether the text begins like a word of a name, such as `Callback`, and unlike `ACTION_REQUIRED`.
fn is_capitalized(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_uppercase) && text.get(1).is_some_and(u8::is_ascii_lowercase)
}

fn has_name(text: &[u8], folded: &[u8]) -> bool {
    beginnings(text, folded).any(|start| text.get(start..).is_some_and(|text| after_name(text, folded).is_some()))
}

/// Where the text has the first letter of the name, in either case.
fn beginnings(text: &[u8], folded: &[u8]) -> impl Iterator<Item = usize> {
    let first = folded.first().copied().unwrap_or_default();
    let found = text.iter().enumerate().filter(move |(_, byte)| byte.eq_ignore_ascii_case(&first));
    found.map(|(start, _)| start)
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

/// Whether a text ends with a name, in any spelling.
fn ends_with_name(mut text: &[u8], folded: &[u8]) -> bool {
    folded.iter().rev().all(|expected| {
        let trailing = text.iter().rev().take_while(|byte| **byte == b'_').count();
        let Some((last, rest)) = text.get(..text.len() - trailing).and_then(<[u8]>::split_last) else { return false };
        text = rest;
        last.eq_ignore_ascii_case(expected)
    })
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
