//! Waiting for a condition with a deadline.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Far longer than anything takes here, also on a machine that is busy with other work.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(300);

/// Polls until there is a result; panics with `what` when the time is over.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out after {TIMEOUT:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
