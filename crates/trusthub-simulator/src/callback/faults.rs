//! The faults of callbacks: what goes wrong on purpose, and how often.

use std::{str::FromStr, time::Duration};

use fastrand::Rng;
use serde::Serialize;
use thiserror::Error;
use trusthub_events::{Label as _, closed_set};

closed_set! {
    /// A way in which a callback goes wrong on purpose.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum CallbackFault {
        /// The callback is never sent.
        Drop => "drop",
        /// The callback is sent twice, with the same idempotency token.
        Duplicate => "duplicate",
        /// The callback is sent later, and later callbacks of its profile overtake it.
        Delay => "delay",
        /// The callback is held until the next one of its profile was sent, or until a timeout.
        Reorder => "reorder",
        /// The callback is sent as a `GET` with its fields and two `bodySHA256` in the query, as one was captured from
        /// Twilio.
        GetWithDoubledHash => "get_with_doubled_hash",
        /// The callback is signed with a token that was never valid.
        WrongSignature => "wrong_signature",
        /// The callback is signed with the second token of its account, or with one that was never valid if the account
        /// has only one.
        OldToken => "old_token",
    }
}

/// The share of callbacks that have each fault, and the length of a delay. By default, no callback has a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CallbackFaultRates {
    /// The share with [`CallbackFault::Drop`].
    pub drop: Percent,
    /// The share with [`CallbackFault::Duplicate`].
    pub duplicate: Percent,
    /// The share with [`CallbackFault::Delay`].
    pub delay: Percent,
    /// The range of the delays.
    pub delay_ms: DelayRange,
    /// The share with [`CallbackFault::Reorder`].
    pub reorder: Percent,
    /// The share with [`CallbackFault::GetWithDoubledHash`].
    pub get_with_doubled_hash: Percent,
    /// The share with [`CallbackFault::WrongSignature`].
    pub wrong_signature: Percent,
    /// The share with [`CallbackFault::OldToken`].
    pub old_token: Percent,
}

/// The faults of one callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DrawnFaults {
    pub(super) faults: Vec<CallbackFault>,
    /// The length of the delay, if [`CallbackFault::Delay`] is among the faults.
    pub(super) delay: Option<Duration>,
}

impl CallbackFaultRates {
    /// Returns the share of callbacks that have this fault.
    #[must_use]
    pub fn percent(&self, fault: CallbackFault) -> Percent {
        match fault {
            CallbackFault::Drop => self.drop,
            CallbackFault::Duplicate => self.duplicate,
            CallbackFault::Delay => self.delay,
            CallbackFault::Reorder => self.reorder,
            CallbackFault::GetWithDoubledHash => self.get_with_doubled_hash,
            CallbackFault::WrongSignature => self.wrong_signature,
            CallbackFault::OldToken => self.old_token,
        }
    }

    /// Draws the faults of one callback. The number of draws does not depend on the percentages, so that changing them does
    /// not change what is drawn for later callbacks.
    pub(super) fn draw(&self, random: &mut Rng) -> DrawnFaults {
        let mut happens = |fault: &&CallbackFault| self.percent(**fault).draw(random);
        let mut faults: Vec<CallbackFault> = CallbackFault::ALL.iter().filter(&mut happens).copied().collect();
        if faults.contains(&CallbackFault::Drop) {
            faults = vec![CallbackFault::Drop];
        }
        if faults.contains(&CallbackFault::WrongSignature) {
            faults.retain(|fault| *fault != CallbackFault::OldToken);
        }
        let delay = Duration::from_millis(random.u32(self.delay_ms.min..=self.delay_ms.max).into());
        DrawnFaults { delay: faults.contains(&CallbackFault::Delay).then_some(delay), faults }
    }
}

/// A share in percent, from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "u8")]
pub struct Percent(u8);

impl Percent {
    /// 100 percent.
    pub const ALL: Self = Self(100);

    /// Returns `true` with this probability.
    pub(crate) fn draw(self, random: &mut Rng) -> bool {
        random.u8(0..100) < self.0
    }
}

/// A number or text that is not a [`Percent`].
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

/// The range in milliseconds that a delay is drawn from, written as `1000-5000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct DelayRange {
    min: u32,
    max: u32,
}

/// Ten minutes, which is longer than any test waits.
const MAX_DELAY_MS: u32 = 600_000;

impl Default for DelayRange {
    fn default() -> Self {
        Self { min: 1_000, max: 5_000 }
    }
}

/// A text that is not a [`DelayRange`].
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

    fn all_at(percent: Percent) -> CallbackFaultRates {
        CallbackFaultRates {
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

    fn draws(faults: &CallbackFaultRates, seed: u64) -> Vec<DrawnFaults> {
        let mut random = Rng::with_seed(seed);
        (0..1_000).map(|_| faults.draw(&mut random)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        let faults = all_at(Percent(30));
        assert_eq!(draws(&faults, 7), draws(&faults, 7));
        assert_ne!(draws(&faults, 7), draws(&faults, 8));
    }

    #[test]
    fn one_percentage_does_not_change_what_is_drawn_for_the_others() {
        let alone = draws(&CallbackFaultRates { delay: Percent(30), ..CallbackFaultRates::default() }, 7);
        let among_others = draws(
            &CallbackFaultRates { delay: Percent(30), duplicate: Percent(90), ..CallbackFaultRates::default() },
            7,
        );
        assert!(alone.iter().map(|drawn| drawn.delay).eq(among_others.iter().map(|drawn| drawn.delay)));
    }

    #[test]
    fn a_percentage_is_the_share_of_callbacks_with_the_fault() {
        let count = |percent| {
            let faults = CallbackFaultRates { reorder: Percent(percent), ..CallbackFaultRates::default() };
            draws(&faults, 7).iter().filter(|drawn| drawn.faults == [CallbackFault::Reorder]).count()
        };
        assert_eq!((count(0), count(100)), (0, 1_000));
        assert!((200..=300).contains(&count(25)), "{}", count(25));
    }

    #[test]
    fn drop_excludes_all_other_faults_and_wrong_signature_excludes_old_token() {
        assert!(draws(&all_at(Percent::ALL), 7).iter().all(|drawn| drawn.faults == [CallbackFault::Drop]));
        let without_drop = CallbackFaultRates { drop: Percent(0), ..all_at(Percent::ALL) };
        let others = [
            CallbackFault::Duplicate,
            CallbackFault::Delay,
            CallbackFault::Reorder,
            CallbackFault::GetWithDoubledHash,
            CallbackFault::WrongSignature,
        ];
        assert!(draws(&without_drop, 7).iter().all(|drawn| drawn.faults == others));
    }

    #[test]
    fn delays_stay_within_their_range() {
        let delay_ms = DelayRange { min: 3, max: 5 };
        let faults = CallbackFaultRates { delay: Percent::ALL, delay_ms, ..CallbackFaultRates::default() };
        let mut delays: Vec<_> =
            draws(&faults, 7).iter().filter_map(|drawn| drawn.delay).map(|delay| delay.as_millis()).collect();
        delays.sort_unstable();
        delays.dedup();
        assert_eq!(delays, [3, 4, 5]);
    }

    #[test]
    fn percentages_and_ranges_are_parsed_from_text() {
        assert_eq!("100".parse(), Ok(Percent::ALL));
        assert_eq!("101".parse::<Percent>(), Err(PercentError));
        assert_eq!("10-20".parse(), Ok(DelayRange { min: 10, max: 20 }));
        assert_eq!("20-10".parse::<DelayRange>(), Err(DelayRangeError));
        assert_eq!("20".parse(), Ok(DelayRange { min: 20, max: 20 }));
    }
}
