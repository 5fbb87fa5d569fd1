//! Runs while callbacks arrive, late and out of order: each stream is generated from its number.

use std::{thread, time::Duration};

use fastrand::Rng;

use super::fixture::{Fixture, QUIET};
use crate::latest_statuses;

/// Runs one stream, and panics with its number if the final view is wrong.
pub fn play(number: u64) {
    let mut random = Rng::with_seed(number);
    let fixture = Fixture::with(&["--seed", &number.to_string()], &[QUIET]);
    fixture.begin_history();
    let (drop, late) = (random.u32(0..50), random.u32(20..80));
    fixture.simulator.set(&format!("drop={drop}&duplicate=20&reorder=20&delay={late}&delay_ms=0-1500&auto_reject=40"));
    fixture.simulator.post("/simulator/profiles", &format!("count=30&status_callback={}", fixture.url));
    fixture.advance_clock();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                fixture.submit_all();
                thread::sleep(Duration::from_millis(random.u64(0..300)));
                decide_all(&fixture, &mut random);
            }
        });
        for _ in 0..3 {
            assert_eq!(fixture.reconcile(&[]).code, Some(0), "stream {number}");
        }
    });
    fixture.simulator.settle();
    fixture.bridge.wait_until_drained();
    assert_eq!(fixture.reconcile(&[]).code, Some(0), "stream {number}");
    let records = fixture.bridge.events(1);
    assert_eq!(latest_statuses(&records), fixture.state(), "stream {number}");
    assert_eq!(fixture.reconcile(&[]).published(), 0, "stream {number}: a second run publishes nothing");
    assert_eq!(fixture.bridge.events(1).len(), records.len(), "stream {number}");
}

/// Approves or rejects the profiles in review, or leaves them.
fn decide_all(fixture: &Fixture, random: &mut Rng) {
    for sid in fixture.of_status("in-review") {
        match random.u32(0..3) {
            0 => drop(fixture.simulator.control(&sid, "approve", "")),
            1 => drop(fixture.simulator.control(&sid, "reject", "code=18602")),
            _ => {}
        }
    }
}
