//! One process works, and another one sees that.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::support::{Bridge, kafka::broker, wait_for};

use super::{
    found,
    scene::{QUIET, Run, Scene},
};

/// Somebody else who works, as far as Kafka knows.
struct Rival {
    has_partitions: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Rival {
    fn of(bridge: &Bridge) -> Self {
        let (has_partitions, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", broker().bootstrap())
            .set("group.id", format!("trusthub-bridge-reconcile.{}", bridge.topic))
            .set("enable.auto.commit", "false");
        let consumer: BaseConsumer = client.create().unwrap();
        consumer.subscribe(&[&bridge.topic]).unwrap();
        let (tell, told) = (Arc::clone(&has_partitions), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                consumer.poll(Duration::from_millis(50));
                let count = consumer.assignment().unwrap().count();
                tell.store(count > 0, Ordering::Relaxed);
            }
        });
        Self { has_partitions, stop, thread: Some(thread) }
    }

    fn wait_until_it_works(&self) {
        wait_for("the rival to have partitions", || self.has_partitions.load(Ordering::Relaxed).then_some(()));
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn while_one_process_works_another_says_so_ends_well_and_publishes_nothing() {
    let scene = Scene::new();
    scene.unheard();
    scene.later();
    let rival = Rival::of(&scene.bridge);
    rival.wait_until_it_works();
    let run = scene.reconcile(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.told.contains("another process reconciles this topic now"), "{run:?}");
    assert_eq!(found(&scene.bridge.events(1)).len(), 0);

    let told = scene.reconcile(&["--dry-run"]);
    assert_eq!((told.code, told.rows.len()), (Some(0), 1), "who only looks may always: {told:?}");
    drop(rival);
    assert_eq!(scene.reconcile(&[]).published(), 1);
}

#[test]
fn two_runs_at_once_publish_nothing_twice() {
    let scene = Scene::with(&[], &[QUIET]);
    scene.begin();
    scene.many_unheard(500);
    scene.later();
    let both = [(); 2].map(|()| scene.bridge.spawn(&["reconcile"]));
    let both = both.map(|child| Run::of(child.wait_with_output().unwrap()));
    let told = both.each_ref().map(|run| (run.code, run.rows.len(), &run.told));
    assert!(both.iter().all(|run| run.code == Some(0)), "{told:?}");
    let events = found(&scene.bridge.events(1));
    let profiles: BTreeSet<_> = events.iter().map(|event| event["profile_sid"].as_str().unwrap()).collect();
    assert_eq!((events.len(), profiles.len()), (500, 500), "{told:?}");
}

#[test]
fn who_has_lost_its_turn_stops_before_it_publishes_more_and_the_next_run_does_the_rest() {
    let scene = Scene::with(&[], &[QUIET]);
    scene.begin();
    scene.many_unheard(2_000);
    scene.later();
    let sleeper = scene.bridge.spawn(&["reconcile"]);
    wait_for("the first batch", || (found(&scene.bridge.events(1)).len() > 20).then_some(()));
    signal("STOP", sleeper.id());
    let before = found(&scene.bridge.events(1)).len();
    let rival = Rival::of(&scene.bridge);
    rival.wait_until_it_works();
    signal("CONT", sleeper.id());
    let run = Run::of(sleeper.wait_with_output().unwrap());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.told.contains("another process reconciles this topic now"), "{run:?}");
    let after = found(&scene.bridge.events(1)).len();
    assert!(after < before + 200, "it went on: {before} events, then {after}");

    drop(rival);
    assert_eq!(scene.reconcile(&[]).published() + after, 2_000);
}

fn signal(signal: &str, process: u32) {
    let sent = std::process::Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(sent.unwrap().success());
}
