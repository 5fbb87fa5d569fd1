//! What goes wrong on purpose, and how often.

use std::{str::FromStr, time::Duration};

use fastrand::Rng;
use serde::Serialize;
use thiserror::Error;

use crate::domain::{Label as _, closed_set};

closed_set! {
    /// One way in which a callback goes wrong on purpose.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Fault {
        /// It is never sent.
        Drop => "drop",
        /// It is sent twice, with one idempotency token.
        Duplicate => "duplicate",
        /// It is sent later; others of its profile overtake it.
        Delay => "delay",
        /// It is held until the next one of its profile was sent, but not for ever.
        Reorder => "reorder",
        /// It is sent as a `GET` with its fields and twice `bodySHA256` in the query, as it was once captured.
        GetWithDoubledHash => "get_with_doubled_hash",
        /// It is signed with a token that was never valid.
        WrongSignature => "wrong_signature",
        /// It is signed with the second token of its account, or with one that was never valid when there is none.
        OldToken => "old_token",
    }
}

/// How many of a hundred callbacks each fault befalls, and how long a delay takes. By default nothing goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Faults {
    /// Of [`Fault::Drop`].
    pub drop: Percent,
    /// Of [`Fault::Duplicate`].
    pub duplicate: Percent,
    /// Of [`Fault::Delay`].
    pub delay: Percent,
    /// How long it takes.
    pub delay_ms: DelayRange,
    /// Of [`Fault::Reorder`].
    pub reorder: Percent,
    /// Of [`Fault::GetWithDoubledHash`].
    pub get_with_doubled_hash: Percent,
    /// Of [`Fault::WrongSignature`].
    pub wrong_signature: Percent,
    /// Of [`Fault::OldToken`].
    pub old_token: Percent,
}

/// What befalls one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) faults: Vec<Fault>,
    /// With [`Fault::Delay`].
    pub(super) delay: Option<Duration>,
}

impl Faults {
    /// How often this fault happens.
    #[must_use]
    pub fn percent(&self, fault: Fault) -> Percent {
        match fault {
            Fault::Drop => self.drop,
            Fault::Duplicate => self.duplicate,
            Fault::Delay => self.delay,
            Fault::Reorder => self.reorder,
            Fault::GetWithDoubledHash => self.get_with_doubled_hash,
            Fault::WrongSignature => self.wrong_signature,
            Fault::OldToken => self.old_token,
        }
    }

    /// Everything is drawn, whatever the percentages are, so that they do not change what is drawn later.
    pub(super) fn draw(&self, random: &mut Rng) -> Fate {
        let mut befalls = |fault: &&Fault| self.percent(**fault).hits(random);
        let mut faults: Vec<Fault> = Fault::ALL.iter().filter(&mut befalls).copied().collect();
        if faults.contains(&Fault::Drop) {
            faults = vec![Fault::Drop];
        }
        if faults.contains(&Fault::WrongSignature) {
            faults.retain(|fault| *fault != Fault::OldToken);
        }
        let delay = Duration::from_millis(random.u32(self.delay_ms.min..=self.delay_ms.max).into());
        Fate { delay: faults.contains(&Fault::Delay).then_some(delay), faults }
    }
}

/// A share in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// All of them.
    pub const ALL: Self = Self(100);

    /// Draws a lot.
    pub(in crate::simulator) fn hits(self, random: &mut Rng) -> bool {
        random.u8(0..100) < self.0
    }
}

/// A number or text that is no [`Percent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write a whole number from 0 to 100")]
pub struct PercentError;

impl TryFrom<u8> for Percent {
    type Error = PercentError;

    fn try_from(number: u8) -> Result<Self, PercentError> {
        if number <= Self::ALL.0 { Ok(Self(number)) } else { Err(PercentError) }
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        text.parse::<u8>().map_err(|_| PercentError)?.try_into()
    }
}

/// Between which milliseconds a delay is drawn, written as `1000-5000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct DelayRange {
    min: u32,
    max: u32,
}

/// Ten minutes: longer than anybody waits at a simulator.
const MAX_DELAY_MS: u32 = 600_000;

impl Default for DelayRange {
    fn default() -> Self {
        Self { min: 1_000, max: 5_000 }
    }
}

/// Numbers that are no [`DelayRange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write two ascending numbers of milliseconds up to {MAX_DELAY_MS}, such as 1000-5000")]
pub struct DelayRangeError;

impl FromStr for DelayRange {
    type Err = DelayRangeError;

    fn from_str(text: &str) -> Result<Self, DelayRangeError> {
        let number = |text: &str| text.parse().map_err(|_| DelayRangeError);
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        let range = Self { min: number(min)?, max: number(max)? };
        if range.min <= range.max && range.max <= MAX_DELAY_MS { Ok(range) } else { Err(DelayRangeError) }
    }
}

impl From<DelayRange> for String {
    fn from(range: DelayRange) -> Self {
        format!("{}-{}", range.min, range.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everywhere(percent: Percent) -> Faults {
        Faults {
            drop: percent,
            duplicate: percent,
            delay: percent,
            delay_ms: DelayRange::default(),
            reorder: percent,
            get_with_doubled_hash: percent,
            wrong_signature: percent,
            old_token: percent,
        }
    }

    fn draws(faults: &Faults, seed: u64) -> Vec<Fate> {
        let mut random = Rng::with_seed(seed);
        (0..1_000).map(|_| faults.draw(&mut random)).collect()
    }

    #[test]
    fn a_seed_repeats_the_draws_and_another_one_does_not() {
        let faults = everywhere(Percent(30));
        assert_eq!(draws(&faults, 7), draws(&faults, 7));
        assert_ne!(draws(&faults, 7), draws(&faults, 8));
    }

    #[test]
    fn one_percentage_does_not_change_what_is_drawn_for_the_others() {
        let alone = draws(&Faults { delay: Percent(30), ..Faults::default() }, 7);
        let among_others = draws(&Faults { delay: Percent(30), duplicate: Percent(90), ..Faults::default() }, 7);
        assert!(alone.iter().map(|fate| fate.delay).eq(among_others.iter().map(|fate| fate.delay)));
    }

    #[test]
    fn a_percentage_is_how_many_of_a_hundred_it_befalls() {
        let count = |percent| {
            let faults = Faults { reorder: Percent(percent), ..Faults::default() };
            draws(&faults, 7).iter().filter(|fate| fate.faults == [Fault::Reorder]).count()
        };
        assert_eq!((count(0), count(100)), (0, 1_000));
        assert!((200..=300).contains(&count(25)), "{}", count(25));
    }

    #[test]
    fn what_is_dropped_has_no_other_fault_and_a_wrong_signature_is_not_an_old_one() {
        assert!(draws(&everywhere(Percent::ALL), 7).iter().all(|fate| fate.faults == [Fault::Drop]));
        let without_drop = Faults { drop: Percent(0), ..everywhere(Percent::ALL) };
        let others = [Fault::Duplicate, Fault::Delay, Fault::Reorder, Fault::GetWithDoubledHash, Fault::WrongSignature];
        assert!(draws(&without_drop, 7).iter().all(|fate| fate.faults == others));
    }

    #[test]
    fn delays_stay_within_their_range() {
        let delay_ms = DelayRange { min: 3, max: 5 };
        let faults = Faults { delay: Percent::ALL, delay_ms, ..Faults::default() };
        let mut delays: Vec<_> =
            draws(&faults, 7).iter().filter_map(|fate| fate.delay).map(|delay| delay.as_millis()).collect();
        delays.sort_unstable();
        delays.dedup();
        assert_eq!(delays, [3, 4, 5]);
    }

    #[test]
    fn command_lines_spell_percentages_and_ranges() {
        assert_eq!("100".parse(), Ok(Percent::ALL));
        assert_eq!("101".parse::<Percent>(), Err(PercentError));
        assert_eq!("10-20".parse(), Ok(DelayRange { min: 10, max: 20 }));
        assert_eq!("20-10".parse::<DelayRange>(), Err(DelayRangeError));
        assert_eq!("20".parse(), Ok(DelayRange { min: 20, max: 20 }));
    }
}
