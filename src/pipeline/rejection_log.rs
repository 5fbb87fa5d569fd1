//! Limits the log lines of rejected callbacks. Unauthenticated callers can cause them, so only some of each second are
//! written; the others are counted.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;

/// The number of rejected callbacks in each second that have a log line of their own.
const LINES_PER_SECOND: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// Decides which rejected callbacks have a log line of their own, and reports the number of the others each second.
pub(super) struct RejectionLog {
    second: Mutex<LogSecond>,
    runtime: Handle,
}

struct LogSecond {
    start: Instant,
    logged: u32,
    /// The number of callbacks without a line that were not reported yet, by their reasons, which are closed sets.
    suppressed: BTreeMap<&'static str, u64>,
}

impl RejectionLog {
    /// Creates a log that reports suppressed lines from a task on `runtime`.
    pub(super) fn new(runtime: Handle) -> Arc<Self> {
        let second = LogSecond { start: Instant::now(), logged: 0, suppressed: BTreeMap::new() };
        Arc::new(Self { second: Mutex::new(second), runtime })
    }

    /// Whether a callback that is rejected now, for this reason, has a log line of its own. If not, it is counted.
    pub(super) fn admits(self: &Arc<Self>, reason: &'static str, now: Instant) -> bool {
        let mut second = self.second();
        if now.saturating_duration_since(second.start) >= SECOND {
            second.start = now;
            second.logged = 0;
        }
        if second.logged < LINES_PER_SECOND {
            second.logged += 1;
            return true;
        }
        let is_first = second.suppressed.is_empty();
        *second.suppressed.entry(reason).or_default() += 1;
        drop(second);
        if is_first {
            self.report_soon();
        }
        false
    }

    fn report_soon(self: &Arc<Self>) {
        let this = Arc::clone(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(SECOND).await;
            this.report();
        });
    }

    /// Logs how many callbacks were rejected without a line since the last report.
    pub(super) fn report(&self) {
        let suppressed = std::mem::take(&mut self.second().suppressed);
        for (reason, callbacks) in suppressed {
            tracing::warn!(reason, callbacks, "suppressed the log lines of further rejected callbacks");
        }
    }

    fn second(&self) -> MutexGuard<'_, LogSecond> {
        // No code that holds the lock can panic.
        self.second.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_beyond_the_limit_of_a_second_are_counted_and_reported() {
        let log = RejectionLog::new(Handle::current());
        let now = log.second().start;
        let lines = |now| (0..25).filter(|_| log.admits("signature_mismatch", now)).count();
        assert_eq!(lines(now), 10);
        assert!(!log.admits("unknown_account", now + SECOND / 2));
        let suppressed: Vec<_> = log.second().suppressed.clone().into_iter().collect();
        assert_eq!(suppressed, [("signature_mismatch", 15), ("unknown_account", 1)]);
        assert_eq!(lines(now + SECOND), 10);
        let reported = async {
            while !log.second().suppressed.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reported).await.unwrap();
    }
}
