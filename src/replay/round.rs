//! The letters that are in memory at one time.

use std::collections::BTreeMap;

use crate::{
    domain::{RecordPosition, Timestamp},
    kafka::DeadLetterRecord,
};

/// The place of a letter in the order of receipt.
pub(super) type LetterOrder = (Timestamp, RecordPosition);

/// The limits of a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundLimits {
    pub(super) letters: usize,
    /// The size of the letters' values.
    pub(super) bytes: usize,
}

/// The first letters in the order of receipt, as many as the limits allow and at least one.
#[derive(Debug)]
pub(super) struct Round {
    limits: RoundLimits,
    letters: BTreeMap<LetterOrder, DeadLetterRecord>,
    bytes: usize,
    has_more: bool,
}

impl Round {
    pub(super) fn new(limits: RoundLimits) -> Self {
        Self { limits, letters: BTreeMap::new(), bytes: 0, has_more: false }
    }

    /// Adds a letter, and leaves out the last ones beyond the limits.
    pub(super) fn add(&mut self, letter: DeadLetterRecord) {
        self.bytes = self.bytes.saturating_add(letter.bytes);
        self.letters.insert((letter.time, letter.position), letter);
        while self.letters.len() > self.limits.letters.max(1)
            || (self.bytes > self.limits.bytes && self.letters.len() > 1)
        {
            let Some((_, last)) = self.letters.pop_last() else { return };
            self.bytes = self.bytes.saturating_sub(last.bytes);
            self.has_more = true;
        }
    }

    /// The place of the last letter if the round left out later ones.
    pub(super) fn end(&self) -> Option<LetterOrder> {
        self.letters.keys().next_back().copied().filter(|_| self.has_more)
    }

    /// The letters in the order of receipt.
    pub(super) fn into_letters(self) -> impl Iterator<Item = DeadLetterRecord> {
        self.letters.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(seconds: u32, offset: i64) -> DeadLetterRecord {
        let request =
            r#"{"method": "GET", "path_and_query": "/", "headers": [], "received_at": "2026-11-20T11:04:00Z"}"#;
        DeadLetterRecord {
            position: RecordPosition { partition: 0, offset },
            profile: None,
            reason: String::new(),
            event_id: String::new(),
            time: format!("2026-11-20T11:04:{seconds:02}Z").parse().unwrap(),
            construction: None,
            request: serde_json::from_str(request).unwrap(),
            bytes: 10,
        }
    }

    /// The offsets of a round of letters that were received in the order of these seconds, and whether there are more.
    fn round(limits: RoundLimits, seconds: &[u32]) -> (Vec<i64>, bool) {
        let mut round = Round::new(limits);
        for (seconds, offset) in seconds.iter().zip(0..) {
            round.add(letter(*seconds, offset));
        }
        let has_more = round.end().is_some();
        (round.into_letters().map(|letter| letter.position.offset).collect(), has_more)
    }

    #[test]
    fn round_has_the_earliest_letters_within_its_limits() {
        let unlimited = RoundLimits { letters: 9, bytes: 1000 };
        assert_eq!(round(unlimited, &[3, 1, 2, 1]), (vec![1, 3, 2, 0], false));
        assert_eq!(round(RoundLimits { letters: 2, ..unlimited }, &[3, 1, 2, 1]), (vec![1, 3], true));
        assert_eq!(round(RoundLimits { bytes: 25, ..unlimited }, &[3, 1, 2, 1]), (vec![1, 3], true));
        assert_eq!(round(RoundLimits { bytes: 1, ..unlimited }, &[3, 1]), (vec![1], true), "at least one");
        assert_eq!(round(unlimited, &[]), (vec![], false));
    }
}
