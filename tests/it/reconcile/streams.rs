//! Runs while callbacks arrive, late and out of order: each stream is generated from its number.

use test_support::reconcile::play;

/// `make reconcile` runs more of them.
const STREAMS: u64 = 6;

#[test]
fn view_is_right_after_concurrent_runs_and_late_callbacks() {
    for number in 0..STREAMS {
        play(number);
    }
}
