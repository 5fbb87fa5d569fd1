//! Log lines of refused callbacks: anybody can cause them, so only some of each second are written in full.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

/// Refused callbacks of one second that have a line each.
const IN_FULL: u32 = 10;

const SECOND: Duration = Duration::from_secs(1);

/// Decides which refused callbacks have a line of their own, and reports the number of the others each second.
pub(super) struct RejectionLog {
    second: Mutex<Second>,
    runtime: Handle,
}

struct Second {
    began: Instant,
    logged: u32,
    /// Those without a line that were not reported yet, by the texts of closed sets.
    others: BTreeMap<&'static str, u64>,
}

impl RejectionLog {
    /// Reports on `runtime`.
    pub(super) fn new(runtime: Handle) -> Arc<Self> {
        let second = Second { began: Instant::now(), logged: 0, others: BTreeMap::new() };
        Arc::new(Self { second: Mutex::new(second), runtime })
    }

    /// Whether a callback that is refused now, for this reason, has a line of its own. If not, it is counted.
    pub(super) fn admits(self: &Arc<Self>, reason: &'static str, now: Instant) -> bool {
        let mut second = self.second();
        if now.saturating_duration_since(second.began) >= SECOND {
            second.began = now;
            second.logged = 0;
        }
        if second.logged < IN_FULL {
            second.logged += 1;
            return true;
        }
        let is_first = second.others.is_empty();
        *second.others.entry(reason).or_default() += 1;
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

    /// Logs how many callbacks were refused without a line since the last report.
    pub(super) fn report(&self) {
        let others = std::mem::take(&mut self.second().others);
        for (reason, callbacks) in others {
            tracing::warn!(reason, callbacks, "more callbacks were refused than are logged one by one");
        }
    }

    fn second(&self) -> MutexGuard<'_, Second> {
        // Nothing that holds the lock can panic.
        self.second.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn first_ones_of_a_second_have_lines_and_the_others_are_reported_once() {
        let log = RejectionLog::new(Handle::current());
        let now = Instant::now();
        let lines = |now| (0..25).filter(|_| log.admits("signature_mismatch", now)).count();
        assert_eq!(lines(now), 10);
        assert!(!log.admits("unknown_account", now + SECOND / 2));
        let others: Vec<_> = log.second().others.clone().into_iter().collect();
        assert_eq!(others, [("signature_mismatch", 15), ("unknown_account", 1)]);
        assert_eq!(lines(now + SECOND), 10);
        let reported = async {
            while !log.second().others.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), reported).await.unwrap();
    }
}
