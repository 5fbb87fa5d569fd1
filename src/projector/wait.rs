//! Waits on the thread `profiles`.

use std::{thread, time::Duration};

use tokio_util::sync::CancellationToken;

/// How soon the thread notices a stop while it waits.
const WAIT_STEP: Duration = Duration::from_millis(50);

/// Waits until the time is over or the service stops.
pub(super) fn wait(time: Duration, stop: &CancellationToken) {
    let mut left = time;
    while !left.is_zero() && !stop.is_cancelled() {
        let step = left.min(WAIT_STEP);
        thread::sleep(step);
        left = left.saturating_sub(step);
    }
}
