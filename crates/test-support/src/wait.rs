//! Waiting for a condition with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::watchdog;

/// Far longer than any operation takes here; only a broken program takes this long.
pub const TIMEOUT: Duration = Duration::from_secs(180);

/// Polls until there is a result; panics with `what` when the time is over.
pub fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_within(TIMEOUT, what, ask)
}

/// The same as [`wait_for`] with another time limit.
pub fn wait_within<T>(timeout: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    watchdog::watch_this_test();
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out after {timeout:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
