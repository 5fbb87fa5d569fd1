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
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// So much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(millis(time)))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        Self(millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
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
    // Beyond the year 9000 the text would no longer be RFC 3339.
    const LAST: u64 = 221_845_392_000_000;
    u64::try_from(time.as_millis()).unwrap_or(LAST).min(LAST)
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
    fn the_last_moment_can_be_written() {
        assert_eq!(Moment(0).after(Duration::MAX).to_string(), "9000-01-01T00:00:00Z");
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
