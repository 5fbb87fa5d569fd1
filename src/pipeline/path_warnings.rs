//! Warns about callbacks whose path has another spelling than the documented one.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::domain::RawCallback;

/// The shortest time between two warnings. Every callback of a profile with such a URL causes one.
const INTERVAL: Duration = Duration::from_secs(1);

/// Warns at most once a second, and counts the callbacks without a warning of their own.
#[derive(Default)]
pub(super) struct PathWarnings {
    sent: Mutex<SentWarnings>,
}

#[derive(Default)]
struct SentWarnings {
    last: Option<Instant>,
    /// The callbacks since the last warning.
    suppressed: u64,
}

impl PathWarnings {
    /// Warns if a callback with a valid signature has an undocumented spelling of its path. The path has only the letters and
    /// slashes of a callback path, so it can be logged.
    pub(super) fn check(&self, raw: &RawCallback, now: Instant) {
        let Some(expected) = raw.expected_route() else { return };
        let Some(suppressed) = self.next(now) else { return };
        tracing::warn!(
            path = &*raw.route,
            expected,
            suppressed,
            "accepted a callback whose path is spelled differently; correct the StatusCallback URL of the profile at Twilio"
        );
    }

    /// The number of callbacks without a warning before this one; `None` if this one has none either.
    fn next(&self, now: Instant) -> Option<u64> {
        let mut sent = self.sent.lock();
        if sent.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            sent.suppressed += 1;
            return None;
        }
        sent.last = Some(now);
        Some(std::mem::take(&mut sent.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_a_second_apart_and_count_what_they_leave_out() {
        let (warnings, now) = (PathWarnings::default(), Instant::now());
        let sent: Vec<_> =
            [0, 0, 999, 1000, 1001, 5000].map(|ms| warnings.next(now + Duration::from_millis(ms))).into();
        assert_eq!(sent, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
