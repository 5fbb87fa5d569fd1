//! Runs while callbacks stream in, late and out of order: each draws everything from its number.

use std::{thread, time::Duration};

use fastrand::Rng;

use crate::support::believed;

use super::scene::{QUIET, Scene};

/// The rest is played by `make reconcile`.
const STREAMS: u64 = 6;

#[test]
fn the_view_is_right_when_runs_and_late_callbacks_take_turns() {
    for number in 0..STREAMS {
        play(number);
    }
}

/// Plays one, and panics with its number if the view is not right in the end.
pub(crate) fn play(number: u64) {
    let mut random = Rng::with_seed(number);
    let scene = Scene::with(&["--seed", &number.to_string()], &[QUIET]);
    scene.begin();
    let (drop, late) = (random.u32(0..50), random.u32(20..80));
    scene.simulator.set(&format!("drop={drop}&duplicate=20&reorder=20&delay={late}&delay_ms=0-1500&auto_reject=40"));
    scene.simulator.post("/simulator/profiles", &format!("count=30&status_callback={}", scene.url));
    scene.later();
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                scene.submit_all();
                thread::sleep(Duration::from_millis(random.u64(0..300)));
                decide_all(&scene, &mut random);
            }
        });
        for _ in 0..3 {
            assert_eq!(scene.reconcile(&[]).code, Some(0), "stream {number}");
        }
    });
    scene.simulator.settle();
    assert_eq!(scene.reconcile(&[]).code, Some(0), "stream {number}");
    let records = scene.bridge.events(1);
    assert_eq!(believed(&records), scene.state(), "stream {number}");
    assert_eq!(scene.reconcile(&[]).published(), 0, "stream {number}: a second run publishes nothing");
    assert_eq!(scene.bridge.events(1).len(), records.len(), "stream {number}");
}

/// Ends the reviews, or takes back what was approved.
fn decide_all(scene: &Scene, random: &mut Rng) {
    for sid in scene.of_status("in-review") {
        match random.u32(0..3) {
            0 => drop(scene.simulator.control(&sid, "approve", "")),
            1 => drop(scene.simulator.control(&sid, "reject", "code=18602")),
            _ => {}
        }
    }
}
