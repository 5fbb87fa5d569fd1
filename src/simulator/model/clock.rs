//! The simulator's time, which can run faster than the clock on the wall.

use std::{
    fmt,
    num::NonZeroU32,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// A moment of the simulator's time, in milliseconds since the Unix epoch. It is written as Twilio does, in whole seconds
/// (`2019-07-30T22:29:24Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Moment(u64);

/// The end of the year 9999; later moments cannot be written.
const LAST: u64 = 253_402_300_799_000;

impl Moment {
    /// So much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        self.0.saturating_add(millis(time)).into()
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()).into()
    }
}

impl From<u64> for Moment {
    fn from(millis: u64) -> Self {
        Self(millis.min(LAST))
    }
}

impl From<Moment> for u64 {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Timestamp::from(UNIX_EPOCH + Duration::from_millis(self.0)).to_string();
        let seconds = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
        write!(f, "{seconds}Z")
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Tells the simulator's time.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    base: Moment,
    since: Instant,
    speed: NonZeroU32,
}

impl Clock {
    /// Begins now.
    pub(crate) fn new(speed: NonZeroU32) -> Self {
        Self { base: SystemTime::now().into(), since: Instant::now(), speed }
    }

    pub(crate) fn now(&self) -> Moment {
        self.base.after(self.since.elapsed().saturating_mul(self.speed.get()))
    }

    pub(crate) fn speed(&self) -> NonZeroU32 {
        self.speed
    }

    /// From now on so many seconds pass in one.
    pub(crate) fn set_speed(&mut self, speed: NonZeroU32) {
        *self = Self { base: self.now(), since: Instant::now(), speed };
    }

    /// Never earlier than this, which was told before.
    pub(crate) fn catch_up_with(&mut self, told: Moment) {
        self.base = self.base.max(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_whole_seconds() {
        let moment = Moment::from(UNIX_EPOCH + Duration::from_millis(1_564_525_764_999));
        assert_eq!(moment.to_string(), "2019-07-30T22:29:24Z");
    }

    #[test]
    fn time_ends_with_what_can_be_written() {
        let mut clock = Clock::new(NonZeroU32::MAX);
        for last in [clock.now().after(Duration::MAX), serde_json::from_str("18446744073709551615").unwrap()] {
            assert_eq!(last.after(Duration::from_secs(1)).to_string(), "9999-12-31T23:59:59Z");
            clock.catch_up_with(last);
            clock.set_speed(NonZeroU32::MAX);
            assert_eq!(clock.now(), last);
        }
    }

    #[test]
    fn time_never_goes_back_when_its_speed_changes() {
        let mut clock = Clock::new(NonZeroU32::MAX);
        let before = clock.now();
        clock.set_speed(NonZeroU32::MIN);
        assert!(clock.now() >= before);
        let later = before.after(Duration::from_secs(1 << 30));
        clock.catch_up_with(later);
        assert!(clock.now() >= later);
    }
}
