//! Whether every loop of the process still turns.
//!
//! A loop has a [`Heartbeat`] that ticks every second *beside* whatever the loop waits for, so that a slow disk, a slow
//! name server or an unreachable Kafka never looks like a dead loop. It stops ticking when its task is blocked or has
//! panicked. After [`DEAD_AFTER`] without a tick `/livez` fails, and Kubernetes restarts the container.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};

/// A loop that did not tick for this long is stuck.
pub const DEAD_AFTER: Duration = Duration::from_secs(60);

/// Between two ticks.
const TICK: Duration = Duration::from_secs(1);

/// All loops of the process. Copies share one state.
#[derive(Debug, Clone)]
pub struct Liveness {
    start: Instant,
    loops: Arc<Mutex<Vec<Loop>>>,
}

/// A loop and when it ticked last, in milliseconds since the start.
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
    /// A loop that must tick from now on, until its heartbeat is dropped.
    #[must_use]
    pub fn register(&self, name: &'static str) -> Heartbeat {
        let heartbeat = Heartbeat {
            liveness: self.clone(),
            this: Loop { name, ticked: Arc::new(self.millis(Instant::now()).into()) },
        };
        self.loops().push(heartbeat.this.clone());
        heartbeat
    }

    /// The loop that has not ticked for the longest time, if that is too long.
    #[must_use]
    pub fn stuck(&self, now: Instant) -> Option<&'static str> {
        let now = self.millis(now);
        let longest = self.loops().iter().map(|one| (now.saturating_sub(one.ticked.load(Relaxed)), one.name)).max()?;
        (u128::from(longest.0) >= DEAD_AFTER.as_millis()).then_some(longest.1)
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }

    fn loops(&self) -> MutexGuard<'_, Vec<Loop>> {
        // Nothing that holds the lock can panic.
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ticks of one loop.
#[derive(Debug)]
pub struct Heartbeat {
    liveness: Liveness,
    this: Loop,
}

impl Heartbeat {
    /// The loop has turned.
    pub fn beat(&self) {
        self.this.ticked.store(self.liveness.millis(Instant::now()), Relaxed);
    }

    /// Ticks every second for as long as `work` takes. `work` runs on the same task: when it blocks, nothing ticks.
    pub async fn beat_while<T>(&self, work: impl Future<Output = T>) -> T {
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
    /// A loop that ended is not stuck. One that panicked is: its entry stays, and nothing ticks it.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.liveness.loops().retain(|one| !Arc::ptr_eq(&one.ticked, &self.this.ticked));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(liveness: &Liveness) -> Instant {
        liveness.start + DEAD_AFTER
    }

    #[test]
    fn loop_without_ticks_is_stuck_after_a_minute_and_not_before() {
        let liveness = Liveness::default();
        let _blocked = liveness.register("blocked");
        assert_eq!(liveness.stuck(Instant::now()), None);
        assert_eq!(liveness.stuck(later(&liveness) + TICK), Some("blocked"));
    }

    #[test]
    fn loop_that_ended_is_not_stuck() {
        let liveness = Liveness::default();
        drop(liveness.register("ended"));
        assert_eq!(liveness.stuck(later(&liveness) + TICK), None);
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
        assert_eq!(liveness.stuck(later(&liveness) + TICK), Some("panicked"));
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
