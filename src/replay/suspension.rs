//! Notices that this process was suspended, and so may have lost its leadership without knowing.

use std::{
    pin::pin,
    time::{Duration, Instant, SystemTime},
};

use tokio::time::sleep;

/// How often the clocks are read.
const TICK_INTERVAL: Duration = Duration::from_millis(500);

/// A longer time between two ticks is a suspension. It is shorter than the session of a leader.
const MAX_GAP: Duration = Duration::from_secs(4);

/// Reads the clocks while work is in progress, however long that takes.
#[derive(Debug)]
pub(super) struct SuspensionWatch {
    last: Tick,
    was_suspended: bool,
}

/// The time of both clocks: some machines stop one of them while they are suspended.
#[derive(Debug, Clone, Copy)]
struct Tick {
    monotonic: Instant,
    wall: SystemTime,
}

impl Tick {
    fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }
}

impl SuspensionWatch {
    pub(super) fn start() -> Self {
        Self { last: Tick::now(), was_suspended: false }
    }

    /// Waits for the work, and notices whether the process is suspended meanwhile.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            let done = tokio::select! {
                result = &mut work => Some(result),
                () = sleep(TICK_INTERVAL) => None,
            };
            self.tick(Tick::now());
            if let Some(result) = done {
                return result;
            }
        }
    }

    /// Whether the process may have been suspended since the start, until now.
    pub(super) fn was_suspended(&mut self) -> bool {
        self.tick(Tick::now());
        self.was_suspended
    }

    fn tick(&mut self, now: Tick) {
        let monotonic = now.monotonic.saturating_duration_since(self.last.monotonic);
        let wall = now.wall.duration_since(self.last.wall).unwrap_or_default();
        self.was_suspended |= monotonic.max(wall) > MAX_GAP;
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(2);
    const SUSPENSION: Duration = Duration::from_secs(5);

    fn after(last: Tick, monotonic: Duration, wall: Duration) -> Tick {
        Tick { monotonic: last.monotonic + monotonic, wall: last.wall + wall }
    }

    #[test]
    fn long_work_is_no_suspension() {
        let mut watch = SuspensionWatch::start();
        for _ in 0..9 {
            watch.tick(after(watch.last, STEP, STEP));
        }
        assert!(!watch.was_suspended);
    }

    #[test]
    fn gap_of_either_clock_is_a_suspension() {
        for (monotonic, wall) in [(SUSPENSION, SUSPENSION), (SUSPENSION, STEP), (STEP, SUSPENSION)] {
            let mut watch = SuspensionWatch::start();
            watch.tick(after(watch.last, monotonic, wall));
            watch.tick(after(watch.last, STEP, STEP));
            assert!(watch.was_suspended, "{monotonic:?} {wall:?}");
        }
    }
}
