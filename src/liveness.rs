//! Detects loops of the process that no longer run.
//!
//! Each loop has a [`Heartbeat`] that ticks every second *in parallel* with whatever the loop waits for, so that a slow disk, a
//! slow name server or an unreachable Kafka is never mistaken for a stuck loop. The heartbeat stops when the task is blocked or
//! has panicked. After [`STUCK_AFTER`] without a tick, `/livez` fails and Kubernetes restarts the container.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::time::{MissedTickBehavior, interval};

/// A loop that has not ticked for this long is stuck.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(60);

/// The time between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// The loops of the process. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Liveness {
    start: Instant,
    loops: Arc<Mutex<Vec<Loop>>>,
}

/// A loop, and the time of its last tick in milliseconds since the start.
#[derive(Debug, Clone)]
struct Loop {
    name: &'static str,
    ticked: Arc<AtomicU64>,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { start: Instant::now(), loops: Arc::default() }
    }
}

impl Liveness {
    /// Registers a loop. It must tick from now on, until its heartbeat is dropped.
    #[must_use]
    pub(crate) fn register(&self, name: &'static str) -> Heartbeat {
        let heartbeat = Heartbeat {
            liveness: self.clone(),
            this: Loop { name, ticked: Arc::new(self.millis(Instant::now()).into()) },
        };
        self.loops().push(heartbeat.this.clone());
        heartbeat
    }

    /// Finds the stuck loop that has not ticked for the longest time.
    #[must_use]
    pub(crate) fn find_stuck(&self, now: Instant) -> Option<&'static str> {
        let now = self.millis(now);
        let since_tick = |this: &Loop| now.saturating_sub(this.ticked.load(Relaxed));
        let (longest, name) = self.loops().iter().map(|this| (since_tick(this), this.name)).max()?;
        (u128::from(longest) >= STUCK_AFTER.as_millis()).then_some(name)
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    fn loops(&self) -> MutexGuard<'_, Vec<Loop>> {
        // No code that holds the lock can panic.
        self.loops.lock()
    }
}

/// The heartbeat of one loop.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    liveness: Liveness,
    this: Loop,
}

impl Heartbeat {
    /// Records a tick.
    pub(crate) fn beat(&self) {
        self.this.ticked.store(self.liveness.millis(Instant::now()), Relaxed);
    }

    /// Ticks every second until `work` is finished. `work` runs on the same task, so the ticks stop when it blocks.
    pub(crate) async fn beat_while<T>(&self, work: impl Future<Output = T>) -> T {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                _ = ticks.tick() => self.beat(),
            }
        }
    }
}

impl Drop for Heartbeat {
    /// Unregisters a loop that has ended. A loop that panicked stays registered without ticks, so it counts as stuck.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.liveness.loops().retain(|this| !Arc::ptr_eq(&this.ticked, &self.this.ticked));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(liveness: &Liveness) -> Instant {
        liveness.start + STUCK_AFTER
    }

    #[test]
    fn loop_without_ticks_is_stuck_after_a_minute_and_not_before() {
        let liveness = Liveness::default();
        let _blocked = liveness.register("blocked");
        assert_eq!(liveness.find_stuck(Instant::now()), None);
        assert_eq!(liveness.find_stuck(later(&liveness) + TICK), Some("blocked"));
    }

    #[test]
    fn loop_that_ended_is_not_stuck() {
        let liveness = Liveness::default();
        drop(liveness.register("ended"));
        assert_eq!(liveness.find_stuck(later(&liveness) + TICK), None);
    }

    #[test]
    fn loop_that_panicked_is_stuck() {
        let liveness = Liveness::default();
        let heartbeat = liveness.register("panicked");
        let panicked = std::thread::spawn(move || {
            let _heartbeat = heartbeat;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(liveness.find_stuck(later(&liveness) + TICK), Some("panicked"));
    }

    #[tokio::test]
    async fn loop_ticks_while_it_waits() {
        let liveness = Liveness::default();
        let heartbeat = liveness.register("waits");
        let ticked = Arc::clone(&heartbeat.this.ticked);
        let ticks_twice = async {
            for _ in 0..2 {
                let before = ticked.swap(0, Relaxed);
                while ticked.load(Relaxed) <= before.min(1) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        let waits = heartbeat.beat_while(ticks_twice);
        tokio::time::timeout(Duration::from_secs(20), waits).await.unwrap();
    }
}
