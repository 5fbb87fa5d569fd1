//! The time of events, which never goes back.

use std::time::UNIX_EPOCH;

use crate::domain::Timestamp;

/// The system's clock may be set back. Consumers skip an event that is older than the last one, so the times of events
/// wait until the clock has caught up.
#[derive(Debug)]
pub(super) struct Clock {
    latest: Timestamp,
    is_ahead: bool,
}

impl Default for Clock {
    fn default() -> Self {
        Self { latest: UNIX_EPOCH.into(), is_ahead: false }
    }
}

impl Clock {
    /// The time of the next event, when the system says that it is `now`.
    pub(super) fn time(&mut self, now: Timestamp) -> Timestamp {
        let is_ahead = now < self.latest;
        if is_ahead && !self.is_ahead {
            let (system, events) = (now.to_string(), self.latest.to_string());
            tracing::warn!(system, events, "the clock was set back; the time of events waits for it");
        }
        self.is_ahead = is_ahead;
        self.latest = self.latest.max(now);
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_goes_on_with_the_systems_clock_and_never_back() {
        let at = |seconds| Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds));
        let mut clock = Clock::default();
        let times = [10, 20, 5, 19, 20, 21].map(|seconds| clock.time(at(seconds)));
        assert_eq!(times, [10, 20, 20, 20, 20, 21].map(at));
    }
}
