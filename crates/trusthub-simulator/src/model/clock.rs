//! The simulator's clock, which can run faster than real time.

use std::{
    fmt,
    num::NonZeroU32,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use trusthub_events::Timestamp;

/// A simulated time, in milliseconds since the Unix epoch. It is displayed as Twilio does, in whole seconds
/// (`2019-07-30T22:29:24Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct SimTime(u64);

/// The end of the year 9999. Later times do not fit the format, so every time is capped to this one.
const LAST: u64 = 253_402_300_799_000;

impl SimTime {
    /// Returns the time that is `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        self.0.saturating_add(millis(duration)).into()
    }

    /// Returns the time without its milliseconds, as Twilio writes it.
    pub(super) fn whole_seconds(self) -> Self {
        Self(self.0.saturating_sub(self.0 % 1000))
    }
}

impl From<SystemTime> for SimTime {
    fn from(time: SystemTime) -> Self {
        millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()).into()
    }
}

impl From<u64> for SimTime {
    fn from(millis: u64) -> Self {
        Self(millis.min(LAST))
    }
}

impl From<SimTime> for u64 {
    fn from(time: SimTime) -> Self {
        time.0
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Timestamp::from(UNIX_EPOCH + Duration::from_millis(self.0)).to_string();
        let seconds = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
        write!(f, "{seconds}Z")
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A clock whose speed can be changed. It never goes backwards.
#[derive(Debug, Clone)]
pub(crate) struct SimClock {
    base: SimTime,
    since: Instant,
    speed: NonZeroU32,
}

impl SimClock {
    /// Creates a clock that starts at the current time of the system.
    pub(crate) fn new(speed: NonZeroU32) -> Self {
        Self { base: SystemTime::now().into(), since: Instant::now(), speed }
    }

    pub(crate) fn now(&self) -> SimTime {
        self.base.after(self.since.elapsed().saturating_mul(self.speed.get()))
    }

    pub(crate) fn speed(&self) -> NonZeroU32 {
        self.speed
    }

    /// Sets how many simulated seconds pass in one real second from now on.
    pub(crate) fn set_speed(&mut self, speed: NonZeroU32) {
        *self = Self { base: self.now(), since: Instant::now(), speed };
    }

    /// Advances the clock to at least `time`, which was used before, as by the last run of the simulator.
    pub(crate) fn catch_up_with(&mut self, time: SimTime) {
        self.base = self.base.max(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_displayed_in_whole_seconds() {
        let time = SimTime::from(UNIX_EPOCH + Duration::from_millis(1_564_525_764_999));
        assert_eq!(time.to_string(), "2019-07-30T22:29:24Z");
    }

    #[test]
    fn times_are_capped_to_the_last_one_that_the_format_allows() {
        let mut clock = SimClock::new(NonZeroU32::MAX);
        for last in [clock.now().after(Duration::MAX), serde_json::from_str("18446744073709551615").unwrap()] {
            assert_eq!(last.after(Duration::from_secs(1)).to_string(), "9999-12-31T23:59:59Z");
            clock.catch_up_with(last);
            clock.set_speed(NonZeroU32::MAX);
            assert_eq!(clock.now(), last);
        }
    }

    #[test]
    fn a_change_of_speed_never_turns_the_clock_back() {
        let mut clock = SimClock::new(NonZeroU32::MAX);
        let before = clock.now();
        clock.set_speed(NonZeroU32::MIN);
        assert!(clock.now() >= before);
        let later = before.after(Duration::from_secs(1 << 30));
        clock.catch_up_with(later);
        assert!(clock.now() >= later);
    }
}
